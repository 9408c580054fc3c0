"""A generated world as the files of a published dataset: ``write_layout``.

    videos/...          named and sorted into folders as the dataset's own
    and beside them the annotation files that the makers, or those who train on them, hand out

A recipe for MSR-VTT, say, runs on such a folder as it would on MSR-VTT: names, splits, forms of
files and the shape of rows are the dataset's, what the films show and the sentences say is the
world's. How many films, classes and sentences there are is not the dataset's. It knows the forms
that ``scenewise.data.annotations`` reads; it reads nothing.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from scenewise.data.rows import Split
from scenewise.data.synthetic.annotating import annotate, video_name
from scenewise.data.synthetic.files import FileSettings, FilmJob, make_films
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.settings import Kind, world_settings
from scenewise.data.synthetic.world import World
from scenewise.errors import StorageError, UsageError
from scenewise.media.whole_file import write_text
from scenewise.types import Progress, Segment

_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ID_LENGTH = 11  # as YouTube has it
_PIECE_SECONDS, _PIECES = 5, 6  # of DiDeMo
_PEOPLE = 4  # who marked each sentence there


@dataclass(frozen=True, slots=True)
class Film:
    """One film of the world, and what is true of it."""

    split: Split
    number: int  # in its split
    order: int  # in all
    scene: Scene
    captions: tuple[str, ...]
    moments: tuple[tuple[str, Segment], ...]
    id: str  # as YouTube names videos

    @property
    def label(self) -> str:
        """Its class, of a world of actions."""
        return self.scene.label or ""


@dataclass(frozen=True, slots=True)
class Laid:
    """A layout of some films: where each lies below ``videos``, and the other files' texts."""

    places: tuple[str, ...]  # in the order of the films
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """One dataset's form. ``splits`` are those of the world that it has files for."""

    name: str  # of the dataset, in ``scenewise.data.annotations``
    kind: Kind
    seconds: float  # of a film, where nobody says
    frame_rate: Fraction
    splits: tuple[Split, ...]
    lay: Callable[[Sequence[Film]], Laid]


@dataclass(frozen=True, slots=True)
class LayoutReport:
    """What ``write_layout`` did."""

    folder: Path  # of the annotations
    videos: Path
    films: Mapping[Split, int]
    files: tuple[str, ...]  # of annotations, by name

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "folder": str(self.folder),
            "videos": str(self.videos),
            "films": dict(self.films),
            "files": list(self.files),
        }


def write_layout(
    folder: str | Path,
    name: str,
    films: int,
    *,
    seed: int = 0,
    size: int = 64,
    frame_rate: Fraction | None = None,
    seconds: float | None = None,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> LayoutReport:
    """Write ``films`` films in the layout of a dataset, a fifth of them for each split but train.

    ``frame_rate`` and ``seconds`` None are those of the layout. Raises UsageError for a name that
    is not there, for settings that do not fit, and for a folder that holds something; StorageError.
    """
    folder, layout = Path(folder), find_layout(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is not empty; name a new folder.")
    settings = world_settings(
        kind=layout.kind,
        seed=seed,
        size=size,
        frame_rate=frame_rate or layout.frame_rate,
        seconds=seconds or layout.seconds,
    )
    counts = share_out(films, layout.splits)
    made = _films(World(settings), counts)
    laid = layout.lay(made)
    jobs = [
        FilmJob(folder / "videos" / place, film.scene, settings, FileSettings(sound=False))
        for place, film in zip(laid.places, made, strict=True)
    ]
    try:
        for file, text in laid.files.items():
            write_text(folder / file, text)
        make_films(jobs, workers, progress)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be written ({error.strerror or error}); make room or name another "
            "folder."
        ) from error
    return LayoutReport(folder, folder / "videos", counts, tuple(laid.files))


def find_layout(name: str) -> Layout:
    """Raises UsageError for a name that is not there."""
    if name not in LAYOUTS:
        raise UsageError(f"There is no layout {name!r}; allowed: {', '.join(LAYOUTS)}.")
    return LAYOUTS[name]


def share_out(films: int, splits: Sequence[Split]) -> dict[Split, int]:
    """A fifth for each split but train, one at least; train has the rest.

    Raises UsageError where train has none.
    """
    counts: dict[Split, int] = {split: max(1, films // 5) for split in splits}
    counts["train"] = films - sum(count for split, count in counts.items() if split != "train")
    if counts["train"] < 1:
        raise UsageError(f"{films} films are too few for {', '.join(splits)}; ask for more.")
    return counts


def _films(world: World, counts: Mapping[Split, int]) -> list[Film]:
    made: list[Film] = []
    for split, count in counts.items():
        rows = annotate(world, split, count)
        spans: dict[str, list[tuple[str, Segment]]] = {}
        for row in rows["moments"].rows:
            spans.setdefault(row.video, []).append((row.query, row.spans[0]))
        for number, (scene, told) in enumerate(
            zip(world.scenes(split, count), rows["captions"].rows, strict=True)
        ):
            lots = Random(f"{world.settings.seed}/{split}/{number}/id")
            name = "".join(lots.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
            moments = tuple(spans[video_name(scene, split, number)])
            made.append(Film(split, number, len(made), scene, told.captions, moments, name))
    return made


def _json(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _of(films: Sequence[Film], *splits: Split) -> list[Film]:
    return [film for film in films if film.split in splits]


# ---- the datasets


def _msrvtt(films: Sequence[Film]) -> Laid:
    """As CLIP4Clip hands it out: 9k is train and val, 7k train alone, 1k-A one sentence a film."""
    names = {film.order: f"video{film.order}" for film in films}
    splits = {"train": "train", "val": "validate", "test": "test"}
    whole = {
        "videos": [
            {"video_id": names[film.order], "split": splits[film.split], "id": film.order}
            for film in films
        ],
        "sentences": [
            {"caption": text, "video_id": names[film.order], "sen_id": 20 * film.order + number}
            for film in films
            for number, text in enumerate(film.captions)
        ],
    }

    def listed(*chosen: Split) -> str:
        return _csv(["video_id"], [[names[film.order]] for film in _of(films, *chosen)])

    pairs = [
        [f"ret{film.number}", f"msr{film.order}", names[film.order], film.captions[0]]
        for film in _of(films, "test")
    ]
    return Laid(
        tuple(f"{names[film.order]}.mp4" for film in films),
        {
            "MSRVTT_data.json": _json(whole),
            "MSRVTT_train.9k.csv": listed("train", "val"),
            "MSRVTT_train.7k.csv": listed("train"),
            "MSRVTT_JSFUSION_test.csv": _csv(["key", "vid_key", "video_id", "sentence"], pairs),
        },
    )


def _didemo(films: Sequence[Film]) -> Laid:
    """Pieces of five seconds, marked alike by four people; Flickr names videos by numbers."""
    files = {}
    numbers = iter(range(1_000_000))
    names = [f"{10_000_000 + film.order}@N00_{5_000_000 + film.order}.mp4" for film in films]
    for split in dict.fromkeys(film.split for film in films):
        rows = []
        for film in _of(films, split):
            for text, span in film.moments:
                first = min(int(span.start // _PIECE_SECONDS), _PIECES - 1)
                last = min(math.ceil(span.end / _PIECE_SECONDS) - 1, _PIECES - 1)
                rows.append(
                    {
                        "annotation_id": next(numbers),
                        "description": text,
                        "num_segments": _PIECES,
                        "video": names[film.order],
                        "times": [[first, max(first, last)]] * _PEOPLE,
                    }
                )
        files[f"{split}_data.json"] = _json(rows)
    return Laid(tuple(names), files)


def _activitynet(files_of: Mapping[Split, str]) -> Callable[[Sequence[Film]], Laid]:
    def lay(films: Sequence[Film]) -> Laid:
        files = {}
        for split, file in files_of.items():
            files[file] = _json(
                {
                    f"v_{film.id}": {
                        "duration": film.scene.seconds,
                        "timestamps": [[span.start, span.end] for _, span in film.moments],
                        "sentences": [text for text, _ in film.moments],
                    }
                    for film in _of(films, split)
                }
            )
        return Laid(tuple(f"v_{film.id}.mp4" for film in films), files)

    return lay


def _kinetics(films: Sequence[Film]) -> Laid:
    """The makers' csv; a film is a part of a longer video, as its name says, in its class's folder.

    The part begins at a second that differs from film to film and lasts whole seconds.
    """
    places = []
    rows: dict[Split, list[list[object]]] = {"train": [], "val": []}
    for film in films:
        start = 7 * film.order
        end = start + math.ceil(film.scene.seconds)
        places.append(f"{film.split}/{film.label}/{film.id}_{start:06d}_{end:06d}.mp4")
        rows[film.split].append([film.label, film.id, start, end, film.split])
    header = ["label", "youtube_id", "time_start", "time_end", "split"]
    return Laid(tuple(places), {f"{split}.csv": _csv(header, rows[split]) for split in rows})


def _ucf101(films: Sequence[Film]) -> Laid:
    """Three splits, each with other films for test; classes are numbered from 1."""
    classes = {name: name.title().replace(" ", "") for name in sorted({f.label for f in films})}
    numbers = {name: number for number, name in enumerate(classes.values(), 1)}
    groups: dict[str, int] = {}
    places = []
    for film in films:
        groups[film.label] = groups.get(film.label, 0) + 1
        label = classes[film.label]
        places.append(f"{label}/v_{label}_g{groups[film.label]:02d}_c01.avi")
    files = {"classInd.txt": "".join(f"{n} {name}\n" for name, n in numbers.items())}
    for number, test in enumerate(_three_tests(films), 1):
        trained = [p for p, tested in zip(places, test, strict=True) if not tested]
        tested_ones = [p for p, tested in zip(places, test, strict=True) if tested]
        files[f"trainlist0{number}.txt"] = "".join(
            f"{place} {numbers[place.partition('/')[0]]}\n" for place in trained
        )
        files[f"testlist0{number}.txt"] = "".join(f"{place}\n" for place in tested_ones)
    return Laid(tuple(places), files)


def _hmdb51(films: Sequence[Film]) -> Laid:
    """A file for each class and split; 1 trains, 2 tests."""
    places = []
    for film in films:
        label = film.label.replace(" ", "_")
        places.append(f"{label}/{film.id}_{label}_f_cm_np1_fr_med_{film.order}.avi")
    files: dict[str, str] = {}
    for number, test in enumerate(_three_tests(films), 1):
        for place, tested in zip(places, test, strict=True):
            label, _, clip = place.partition("/")
            file = f"{label}_test_split{number}.txt"
            files[file] = files.get(file, "") + f"{clip} {2 if tested else 1} \n"
    return Laid(tuple(places), files)


def _three_tests(films: Sequence[Film]) -> list[list[bool]]:
    """Which films are tested in each of three splits: those of test, then others in their place."""
    tested = [film.split == "test" for film in films]
    step = sum(tested)
    return [tested[turn * step :] + tested[: turn * step] for turn in range(3)]


def _youcook2(films: Sequence[Film]) -> Laid:
    subsets = {"train": "training", "val": "validation"}
    database, places = {}, []
    for film in films:
        places.append(f"{subsets[film.split]}/{100 + film.order % 10}/{film.id}.mp4")
        database[film.id] = {
            "duration": film.scene.seconds,
            "subset": subsets[film.split],
            "recipe_type": str(100 + film.order % 10),
            "annotations": [
                {"segment": [span.start, span.end], "id": number, "sentence": text}
                for number, (text, span) in enumerate(film.moments)
            ],
        }
    return Laid(
        tuple(places), {"youcookii_annotations_trainval.json": _json({"database": database})}
    )


def _howto100m(films: Sequence[Film]) -> Laid:
    """What is said, as captions of the whole video in order."""
    header = ["video_id", "category_1", "category_2", "rank", "task_id"]
    rows = [[film.id, "Hobbies and Crafts", "Films", film.order, film.order] for film in films]
    said = {
        film.id: {
            "start": [span.start for _, span in film.moments],
            "end": [span.end for _, span in film.moments],
            "text": [text for text, _ in film.moments],
        }
        for film in films
    }
    files = {"HowTo100M_v1.csv": _csv(header, rows), "caption.json": _json(said)}
    return Laid(tuple(f"{film.id}.mp4" for film in films), files)


_ALL: tuple[Split, ...] = ("train", "val", "test")
_ANET: dict[Split, str] = {"train": "train.json", "val": "val_1.json", "test": "val_2.json"}
_SLOW, _FAST = Fraction(4), Fraction(8)
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("msrvtt", "actions", 2.0, _FAST, _ALL, _msrvtt),
        Layout("didemo", "stories", 30.0, _SLOW, _ALL, _didemo),
        Layout("activitynet_captions", "stories", 12.0, _SLOW, _ALL, _activitynet(_ANET)),
        Layout("kinetics400", "actions", 1.0, _FAST, ("train", "val"), _kinetics),
        Layout("ucf101", "actions", 1.0, _FAST, ("train", "test"), _ucf101),
        Layout("hmdb51", "actions", 1.0, _FAST, ("train", "test"), _hmdb51),
        Layout("youcook2", "stories", 12.0, _SLOW, ("train", "val"), _youcook2),
        Layout("howto100m", "stories", 12.0, _SLOW, ("train",), _howto100m),
    )
}
