"""Whether asking every sense at once finds what one sense alone would, and what none alone can.

    python -m benchmarks.fusion_quality [--libraries 30] [--json FILE]

Libraries are generated, so the truth is known: films of twelve scenes of four seconds, each scene
one photograph (those inside scikit-image and scikit-learn, through the default encoder, cut in
several ways), with lines of speech and sounds laid over some. Six questions are asked of each
library, each with one right scene in one film:

- *pictures*: a photograph that is shown once; lines elsewhere say one of the question's words;
- *words*: a sentence that is said once; other lines say parts of it;
- *sound*: a sound that is heard once;
- *pictures and words*: the thing is shown in three films and a name is said in three, at the same
  time only in one;
- *pictures and sound*: likewise, with music;
- *words and sound*: likewise, with a name and a bang.

A first hit is right where it lies in the right film and overlaps the scene. R@1 of each kind for
each sense alone (``modalities``) and for all; intervals are 95 %, Wilson.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from benchmarks.machine import describe_machine
from scenewise.encoders.load import load_encoder
from scenewise.encoders.spec import Encoder, FloatArray, WindowFeatures
from scenewise.index.arrays import join, select
from scenewise.index.catalog import Catalog
from scenewise.index.records import EncodedVideo, FileStamp, TextSegment, Track
from scenewise.library import Library
from scenewise.media.scale import load_picture
from scenewise.types import Modality, Segment, Sound, SoundKind

Kind = Literal[
    "pictures", "words", "sound", "pictures and words", "pictures and sound", "words and sound"
]
SENSES: dict[str, tuple[Modality, ...]] = {
    "seen": ("visual",),
    "read": ("text",),
    "heard": ("audio",),
    "all": ("visual", "text", "audio"),
}
FILMS, SCENES, SCENE_SECONDS, WINDOWS = 12, 12, 4.0, 8
VIEWS = 4  # of each photograph
# what may be asked for, and how; of the others nothing is asked
ASKED = {
    "chelsea.png": ("a cat", "cat"),
    "coffee.png": ("a cup of coffee", "coffee"),
    "rocket.jpg": ("a rocket taking off", "rocket"),
    "motorcycle_left.png": ("a motorbike", "motorbike"),
    "china.jpg": ("a Chinese palace", "palace"),
    "flower.jpg": ("a flower", "flower"),
}
OTHERS = ("coins.png", "moon.png", "page.png", "retina.jpg", "hubble_deep_field.jpg", "camera.png")
NAMES = ("Whitcombe", "Ostrander", "Kilbride", "Yarborough", "Pettigrew", "Zelinski")
PHRASES = (
    "the plumber repairs the boiler",
    "a lawyer reads the contract",
    "grandmother forgot her umbrella",
    "the harvest begins on thursday",
    "somebody stole the violin strings",
)
SMALL_TALK = (
    "well that is what they said yesterday",
    "we could try it once more",
    "nobody told me about it",
    "let us see what comes next",
    "it was colder than last year",
)


@dataclass
class Film:
    """What is in a film, scene by scene."""

    pictures: list[str]
    lines: list[TextSegment] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)

    def say(self, scene: int, text: str) -> None:
        start = scene * SCENE_SECONDS
        self.lines.append(TextSegment("speech", start + 1.0, start + 3.0, text))

    def sound(self, scene: int, kind: SoundKind, strength: float) -> None:
        start = scene * SCENE_SECONDS + (1.0 if kind == "onset" else 0.0)
        end = start + (0.5 if kind == "onset" else SCENE_SECONDS)
        self.sounds.append(Sound(kind, start, end, strength))


@dataclass(frozen=True)
class Question:
    """Words, and the only scene that answers them."""

    kind: Kind
    text: str
    film: int
    scene: int


@dataclass
class World:
    """A library in the making: places are given out once, so that nothing overlaps by accident."""

    random: np.random.Generator
    films: list[Film] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.films = [
            Film([str(self.random.choice(OTHERS)) for _ in range(SCENES)]) for _ in range(FILMS)
        ]
        # never the next scene to one that is taken
        self._free = [list(range(0, SCENES, 2)) for _ in range(FILMS)]

    def place(self, count: int) -> list[tuple[int, int]]:
        """Scenes of different films."""
        open_films = [number for number in range(FILMS) if self._free[number]]
        chosen = self.random.permutation(open_films)[:count]
        return [
            (film, self._free[film].pop(int(self.random.integers(len(self._free[film])))))
            for film in chosen.tolist()
        ]

    def ask(self, kind: Kind, text: str, place: tuple[int, int]) -> None:
        self.questions.append(Question(kind, text, *place))


def imagine(seed: int) -> World:
    """Films and questions of one library."""
    world = World(np.random.default_rng(seed))
    photographs = world.random.permutation(list(ASKED)).tolist()
    names = world.random.permutation(list(NAMES)).tolist()
    phrases = world.random.permutation(list(PHRASES)).tolist()
    films = world.films

    picture, (there, *elsewhere) = photographs[0], world.place(3)
    films[there[0]].pictures[there[1]] = picture
    for film, scene in elsewhere:  # words of the question, about something else
        films[film].say(scene, f"{ASKED[picture][1]} prices have risen, they say")
    question = f"{ASKED[picture][0]} in the middle of the picture"
    world.ask("pictures", question, there)

    there, *elsewhere = world.place(3)
    films[there[0]].say(there[1], phrases[0])
    for film, scene in elsewhere:
        part = phrases[0].split()[1 + int(world.random.integers(3))]
        films[film].say(scene, f"{part} or something of the kind")
    world.ask("words", phrases[0], there)

    (there,) = world.place(1)
    films[there[0]].sound(there[1], "silence", 0.9)
    world.ask("sound", "complete silence", there)

    # five films: both in the first, one in two more, the other in the last two
    places = world.place(5)
    for film, scene in places[:3]:
        films[film].pictures[scene] = photographs[1]
    for film, scene in (places[0], *places[3:]):
        films[film].say(scene, f"{names[0]} was here again")
    world.ask("pictures and words", f"{ASKED[photographs[1]][0]} and {names[0]}", places[0])

    places = world.place(5)
    for film, scene in places[:3]:
        films[film].pictures[scene] = photographs[2]
    for film, scene in (places[0], *places[3:]):
        films[film].sound(scene, "music", 0.9)
    world.ask("pictures and sound", f"{ASKED[photographs[2]][0]}, with music", places[0])

    places = world.place(5)
    for film, scene in places[:3]:
        films[film].say(scene, f"{names[1]} counts to three")
    for film, scene in (places[0], *places[3:]):
        films[film].sound(scene, "onset", 0.9)
    world.ask("words and sound", f"{names[1]} and an explosion", places[0])

    for other in films:
        for scene in range(1, SCENES, 2):
            if world.random.random() < 0.5:
                other.say(scene, str(world.random.choice(SMALL_TALK)))
    return world


def look(encoder: Encoder) -> dict[str, WindowFeatures]:
    """Each photograph as windows: the whole, and parts of it."""
    return {name: _views(encoder, _file(name)) for name in (*ASKED, *OTHERS)}


def _views(encoder: Encoder, path: Path) -> WindowFeatures:
    target = encoder.spec.target
    whole = load_picture(path, target)
    height, width = whole.shape[:2]
    views = [whole]
    for number in range(1, VIEWS):  # moved aside, as a camera moves
        step = 12 * number
        moved = np.roll(whole, step, axis=1)
        moved[:, :step] = whole[:, :1]
        views.append(moved)
    frames = np.stack(views).reshape(VIEWS, 1, height, width, 3)
    return encoder.encode_windows(frames)


def _file(name: str) -> Path:
    package, folder = (
        ("sklearn", "datasets/images")
        if name in ("china.jpg", "flower.jpg")
        else ("skimage", "data")
    )
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the photographs of {package} are needed: pip install scenewise[demo]")
    return Path(spec.submodule_search_locations[0]) / folder / name


def write(world: World, directory: Path, encoder: Encoder, seen: dict[str, WindowFeatures]) -> None:
    """The library of a world, without writing and reading a single film."""
    step = SCENE_SECONDS / WINDOWS
    times = np.arange(SCENES * WINDOWS, dtype=np.float64) * step
    with Catalog.open(directory, write=True, create=True) as catalog:
        generation = catalog.begin(encoder.spec, "fps=2")
        for number, film in enumerate(world.films):
            parts = [
                select(seen[name], world.random.integers(0, VIEWS, WINDOWS))
                for name in film.pictures
            ]
            features = join(parts)
            digest = hashlib.sha256(f"{number} {film.lines} {film.pictures}".encode()).hexdigest()
            catalog.commit_video(
                generation.id,
                EncodedVideo(
                    stamp=FileStamp(f"/films/{number:02d}.mp4", 1, 1),
                    content_hash=digest[:32],
                    duration=SCENES * SCENE_SECONDS,
                    starts=times,
                    ends=times + step,
                    times=times + step / 2,
                    features=features,
                    video_vector=_mean(features.vectors),
                    shots=tuple(
                        Segment(scene * SCENE_SECONDS, (scene + 1) * SCENE_SECONDS)
                        for scene in range(SCENES)
                    ),
                    tracks=(
                        Track("speech", "generated", texts=tuple(film.lines)),
                        Track("sound", "generated", sounds=tuple(film.sounds)),
                    ),
                ),
            )


def _mean(vectors: FloatArray) -> FloatArray:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def is_right(library: Library, question: Question, modalities: Sequence[Modality]) -> bool:
    """Whether the first hit lies in the right film and overlaps the scene."""
    hits = library.search(question.text, modalities=modalities, top_k=1).hits
    if not hits or Path(hits[0].path).stem != f"{question.film:02d}":
        return False
    start = question.scene * SCENE_SECONDS
    return hits[0].start < start + SCENE_SECONDS and hits[0].end > start


def measure(libraries: int, first_seed: int = 0) -> dict[str, dict[str, list[bool]]]:
    """Of each kind and sense, which questions were answered right."""
    encoder = load_encoder("concept")
    right: dict[str, dict[str, list[bool]]] = {
        kind: {sense: [] for sense in SENSES} for kind in get_args(Kind)
    }
    try:
        seen = look(encoder)
        for seed in range(first_seed, first_seed + libraries):
            world = imagine(seed)
            with tempfile.TemporaryDirectory() as folder:
                write(world, Path(folder), encoder, seen)
                with Library.open(folder) as library:
                    for question in world.questions:
                        for sense, modalities in SENSES.items():
                            right[question.kind][sense].append(
                                is_right(library, question, modalities)
                            )
    finally:
        encoder.close()
    return right


def wilson(right: Sequence[bool]) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    count, z = len(right), 1.96
    share = sum(right) / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return max(0.0, float(middle - spread)), min(1.0, float(middle + spread))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--libraries", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    right = measure(options.libraries)
    figures: dict[str, Any] = {"machine": describe_machine(), "libraries": options.libraries}
    print(f"{figures['machine']}\n{options.libraries} generated libraries, one question each\n")
    print("| answerable by | " + " | ".join(SENSES) + " |\n|---|" + "---|" * len(SENSES))
    for kind, by_sense in right.items():
        cells = [
            "{:.2f} ({:.2f} to {:.2f})".format(sum(r) / len(r), *wilson(r))
            for r in by_sense.values()
        ]
        figures[kind] = {sense: sum(r) / len(r) for sense, r in by_sense.items()}
        print(f"| {kind} | {' | '.join(cells)} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
