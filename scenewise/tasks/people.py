"""Enrolled people in a video: who is seen when. Nobody is recognised who was not enrolled.

It knows faces as vectors, names and times; where names are kept it knows as the catalogue's kept
things. Of a person are kept: the name, the vectors of the pictures, their number, the day, and
which network made them. Pictures are not kept, and neither is anything of other faces.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from scenewise.encoders.faces import FACE_FROM, SAME_FROM, FaceDetector, FaceEmbedder
from scenewise.encoders.spec import FloatArray
from scenewise.errors import UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.kept import Kept
from scenewise.media.sampling import every
from scenewise.media.target import Target

if TYPE_CHECKING:
    from scenewise.media.decode import VideoReader

MATCH_FPS = 2.0
_EDGE = 1280  # pixels of a picture that is looked at, at most
_GAP_SECONDS = 2.0  # a person unseen for longer has a new appearance
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """An enrolled person."""

    name: str
    vectors: FloatArray  # (N, D) of length 1
    embedder: str  # hash of the network's file
    enrolled: str  # ISO date

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; the vectors themselves are nobody's business."""
        return {"name": self.name, "pictures": len(self.vectors), "enrolled": self.enrolled}


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face at ``time``, in fractions of the picture's width and height."""

    time: float
    left: float
    top: float
    width: float
    height: float
    similarity: float  # cosine with the nearest of the person's pictures


@dataclass(frozen=True, slots=True)
class Appearance:
    """An enrolled person in [start, end) seconds."""

    name: str
    start: float
    end: float
    similarity: float  # the best of its faces
    best_time: float
    faces: tuple[FaceBox, ...]


@dataclass(frozen=True, slots=True)
class PeopleFound:
    """Who was seen in one video. ``similarity`` is a cosine and no probability."""

    path: str
    video_id: str | None
    fps: float
    threshold: float  # cosine from which two faces count as one person's
    asked: tuple[str, ...]  # names that were looked for
    appearances: tuple[Appearance, ...]
    unknown_faces: int  # faces that are nobody's who was enrolled; nothing of them is kept
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def enrol(
    catalog: Catalog,
    name: str,
    pictures: Sequence[str | Path],
    detector: FaceDetector,
    embedder: FaceEmbedder,
) -> Person:
    """Keep a person by pictures of one face each, in place of one of this name; for a writer.

    Raises UsageError for a name or a picture that is not allowed.
    """
    name = checked_name(name)
    if not pictures:
        raise UsageError(f"to enrol {name}, give at least one picture of the face.")
    vectors = [_face_of(Path(path), detector, embedder) for path in pictures]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    person = Person(name, np.stack(vectors), embedder.identity, today)
    spec = {"embedder": person.embedder, "shape": list(person.vectors.shape), "enrolled": today}
    catalog.keep(Kept("person", name, spec, person.vectors.tobytes()))
    return person


def enrolled(catalog: Catalog | None) -> list[Person]:
    """All people, by name."""
    if catalog is None:
        return []
    found = [catalog.kept("person", name) for name in catalog.kept_names("person")]
    return [_person(kept) for kept in found if kept is not None]


def forget(catalog: Catalog, name: str) -> None:
    """Delete a person for good: the bytes are overwritten. UsageError where there is none."""
    if not catalog.drop_kept("person", name):
        raise UsageError(_nobody(name, catalog.kept_names("person")))


def match(
    path: str | Path,
    people: Sequence[Person],
    detector: FaceDetector,
    embedder: FaceEmbedder,
    *,
    fps: float = MATCH_FPS,
    threshold: float = SAME_FROM,
    video_id: str | None = None,
) -> PeopleFound:
    """Where these people are seen in a video.

    Each face is given to the most similar person from ``threshold`` on, and each person to one
    face of a picture. Raises UsageError where a person was enrolled with another network.
    """
    if not people:
        raise UsageError("nobody is enrolled; begin with scenewise people enrol NAME PICTURE.")
    other = next((person for person in people if person.embedder != embedder.identity), None)
    if other is not None:
        raise UsageError(
            f"{other.name} was enrolled with another face embedder; enrol again with this one, "
            "or name that file."
        )
    if not 0 < fps <= 120:
        raise UsageError(f"fps = {fps} is not allowed; give more than 0 and at most 120.")
    from scenewise.media.decode import VideoReader  # other verbs load no decoder

    seen: dict[str, list[FaceBox]] = {}
    unknown = 0
    with VideoReader(path) as reader:
        last = -1.0
        target = _target(reader)
        for frame in reader.read(every(reader.duration, fps), target):
            if frame.time <= last:
                continue
            last = frame.time
            found = detector.detect(frame.image, FACE_FROM)
            vectors = [embedder.embed(frame.image, face) for face in found]
            given = _given(vectors, people, threshold)
            unknown += len(found) - len(given)
            height, width = frame.image.shape[:2]
            for place, (name, cosine) in given.items():
                left, top, wide, high = found[place].box
                box = FaceBox(
                    frame.time, left / width, top / height, wide / width, high / height, cosine
                )
                seen.setdefault(name, []).append(box)
        appearances = [
            appearance
            for name, faces in seen.items()
            for appearance in _appearances(name, faces, 1 / fps, reader.duration)
        ]
        notes = reader.warnings
    appearances.sort(key=lambda appearance: (appearance.start, appearance.name))
    asked = tuple(person.name for person in people)
    return PeopleFound(
        str(path), video_id, fps, threshold, asked, tuple(appearances), unknown, notes
    )


def checked_name(name: str) -> str:
    """The name without needless spaces; UsageError for an empty or endless one."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"the name {name!r} is not allowed; give 1 to {_LONGEST_NAME} printable characters."
        )
    return name


def chosen(people: Sequence[Person], names: Sequence[str]) -> list[Person]:
    """The people of these names, all for none; UsageError for a name that nobody has."""
    known = {person.name: person for person in people}
    for name in names:
        if name not in known:
            raise UsageError(_nobody(name, list(known)))
    return [known[name] for name in names] if names else list(people)


def _nobody(name: str, known: Sequence[str]) -> str:
    there = f"enrolled: {', '.join(known)}" if known else "nobody is enrolled"
    return f"nobody called {name!r} is enrolled; {there}."


def _given(
    vectors: Sequence[FloatArray], people: Sequence[Person], threshold: float
) -> dict[int, tuple[str, float]]:
    """For each recognised face its person and cosine; most alike first, each person once."""
    pairs = [
        (float((person.vectors @ vector).max()), place, person.name)
        for place, vector in enumerate(vectors)
        for person in people
    ]
    given: dict[int, tuple[str, float]] = {}
    for cosine, place, name in sorted(pairs, key=lambda pair: -pair[0]):
        if cosine < threshold:
            break
        if place not in given and name not in [taken for taken, _ in given.values()]:
            given[place] = (name, min(1.0, cosine))
    return given


def _appearances(
    name: str, faces: Sequence[FaceBox], step_seconds: float, duration: float
) -> list[Appearance]:
    runs: list[list[FaceBox]] = []
    for face in faces:
        if runs and face.time - runs[-1][-1].time <= max(_GAP_SECONDS, 2.5 * step_seconds):
            runs[-1].append(face)
        else:
            runs.append([face])
    found = []
    for run in runs:
        best = max(run, key=lambda face: face.similarity)
        end = max(run[0].time, min(run[-1].time + step_seconds, duration))
        found.append(Appearance(name, run[0].time, end, best.similarity, best.time, tuple(run)))
    return found


def _face_of(path: Path, detector: FaceDetector, embedder: FaceEmbedder) -> FloatArray:
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "it is no picture that can be read"
        raise UsageError(f"{path}: {reason}; give a photograph such as a JPEG or PNG.") from error
    image.thumbnail((_EDGE, _EDGE))
    picture = np.asarray(image)
    faces = detector.detect(picture)
    if len(faces) != 1:
        said = "no face" if not faces else f"{len(faces)} faces"
        raise UsageError(f"{path}: shows {said}; give a picture of exactly one.")
    return embedder.embed(picture, faces[0])


def _person(kept: Kept) -> Person:
    count, dimension = kept.spec["shape"]
    vectors = np.frombuffer(kept.data, np.float32).reshape(count, dimension)
    return Person(kept.name, vectors, kept.spec["embedder"], kept.spec["enrolled"])


def _target(reader: VideoReader) -> Target:
    assert reader.info.video is not None  # the reader has looked
    if max(reader.info.video.display_size) <= _EDGE:
        return Target(mode="original")
    return Target(_EDGE, _EDGE, mode="fit")
