"""Make the small films that the recipes run on, with what they show known by construction.

Photographs come from the packages scikit-image and scikit-learn (pip install "scenewise[demo]"),
moving things and sounds are drawn. Everything takes some seconds and a few megabytes.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from scenewise.media.film import Box, FilmSettings, Picture, Sound, pan, write_film
from scenewise.media.subtitles import Cue, write_file

WIDTH, HEIGHT, RATE, SOUND_RATE = 320, 180, Fraction(12), 16_000
CLOSER: Box = (0.08, 0.08, 0.92, 0.92)

# film: photographs and seconds, one after the other
FILMS = {
    "clips/breakfast.mp4": (("chelsea.png", 4.0), ("coffee.png", 4.0)),
    "clips/launch.mp4": (("coffee.png", 4.0), ("rocket.jpg", 4.0), ("flower.jpg", 4.0)),
    "clips/garden.mp4": (("flower.jpg", 4.0), ("grass.png", 4.0)),
    "clips/travel.mp4": (("china.jpg", 5.0), ("flower.jpg", 3.0)),
    "clips/campus.mp4": (("camera.png", 4.0), ("grass.png", 4.0)),
    "drive/commute.mp4": (("gravel.png", 4.0), ("china.jpg", 4.0), ("motorcycle_left.png", 4.0)),
    "drive/holiday.mp4": (("motorcycle_right.png", 4.0), ("gravel.png", 4.0), ("china.jpg", 4.0)),
    "customer/call.mp4": (("coffee.png", 8.0),),
}
# a channel's films by file date: what is shown, and how often in each month
MONTHS = {
    "2026-01": {"chelsea.png": 3, "rocket.jpg": 1},
    "2026-02": {"chelsea.png": 2, "rocket.jpg": 2},
    "2026-03": {"chelsea.png": 1, "rocket.jpg": 3},
}
LINES = ("Hello, I bought this machine last week.", "The money was taken from my card twice.")
CROSSINGS = ((1.0, "in"), (5.0, "out"), (9.0, "in"), (13.0, "in"), (17.0, "out"))  # at the middle
BANGS = (9.0, 25.0)  # seconds of the match; something is shown at 16 s too, without a sound


def photograph(name: str) -> Picture:
    """A photograph from one of the two packages."""
    for package, inside in (("skimage", "data"), ("sklearn", "datasets/images")):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (path := Path(place) / inside / name).is_file():
                image = Image.open(path).convert("RGB")
                image.thumbnail((800, 800))
                return np.asarray(image)
    raise SystemExit(f'{name} is not there; run pip install "scenewise[demo]".')


def scene(name: str, seconds: float, start: Box = CLOSER) -> Iterator[Picture]:
    """A slow move of the camera over a photograph."""
    end = (start[0] / 2, start[1] / 2, start[2], start[3])
    return pan(photograph(name), seconds, start, end, frame_rate=RATE, width=WIDTH, height=HEIGHT)


def write(path: Path, frames: Iterator[Picture], sound: Sound | None = None) -> None:
    """One film, and the folder that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_film(path, frames, FilmSettings(frame_rate=RATE, gop=24), sound=sound)


def passing(ground: str, seconds: float, things: list[tuple[float, str, str]]) -> Iterator[Picture]:
    """A camera at rest; each thing (photograph) is in the middle at its time, going in or out.

    ``in`` comes down the picture, ``out`` goes up, ``across`` goes from left to right.
    """
    still = next(scene(ground, 1.0))
    shown = [
        np.asarray(Image.fromarray(photograph(name)).resize((72, 54))) for _, _, name in things
    ]
    for number in range(round(seconds * RATE)):
        picture = still.copy()
        for (middle, way, _), thing in zip(things, shown, strict=True):
            far = round((float(number / RATE) - middle) * 90)  # pixels beyond the middle
            x = 124 + far if way == "across" else 60 if way == "in" else 190
            y = 63 + (far if way == "in" else -far if way == "out" else 0)
            left, top, right, low = max(0, x), max(0, y), min(WIDTH, x + 72), min(HEIGHT, y + 54)
            if left < right and top < low:
                picture[top:low, left:right] = thing[top - y : low - y, left - x : right - x]
        yield picture


def bangs(seconds: float, times: tuple[float, ...]) -> Sound:
    """A quiet room in which something bangs."""
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.0003, round(seconds * SOUND_RATE)).astype(np.float32)
    burst = random.normal(0, 0.25, 4800) * np.exp(-np.arange(4800) / 800)
    for time in times:
        first = round(time * SOUND_RATE)
        samples[first : first + len(burst)] += burst.astype(np.float32)
    return Sound(np.clip(samples, -1, 1)[None], SOUND_RATE)


def make_media(folder: Path) -> None:
    """All films of all recipes, with the small tables that belong to them."""
    for name, scenes in FILMS.items():
        write(folder / name, chain(*(scene(*one) for one in scenes)))
    for month, shown in MONTHS.items():
        for day, name in enumerate([name for name, times in shown.items() for _ in range(times)]):
            path = folder / "channel" / f"{month}-{day + 1:02d}.mp4"
            shift = 0.04 * day + 0.01 * int(month[-1])  # no two films are the same
            write(path, scene(name, 3.0, (shift, 0.05, 0.8 + shift, 0.9)))
            date = datetime.fromisoformat(f"{month}-{day + 10:02d}T12:00").timestamp()
            os.utime(path, (date, date))
    for label, name in (("retina", "retina.jpg"), ("tissue", "ihc.png"), ("cells", "cell.png")):
        for number in range(5):
            x, y = 0.08 * number, 0.1 * (number % 3)
            part = "new" if number == 4 else f"labelled/{label}"
            path = folder / "specialist" / part / f"{label}{number}.mp4"
            write(path, scene(name, 2.0, (x, y, x + 0.6, y + 0.6)))
    write_file(
        folder / "customer" / "call.srt",
        [Cue(4.0 * number, 4.0 * number + 3.5, line) for number, line in enumerate(LINES)],
    )
    road = [(time + 2.0, way, "motorcycle_left.png") for time, way in CROSSINGS]
    write(folder / "road" / "road.mp4", passing("gravel.png", 23.0, road))
    yard = passing("brick.png", 14.0, [(8.0, "across", "chelsea.png")])
    write(folder / "yard" / "visitor.mp4", yard, bangs(14.0, (11.5,)))
    write(folder / "yard" / "quiet.mp4", passing("brick.png", 10.0, []), bangs(10.0, ()))
    crossing = passing("gravel.png", 8.0, [(4.0, "across", "motorcycle_left.png")])
    write(folder / "drive" / "crossing.mp4", crossing)
    rounds = [("grass.png", 8.0), ("motorcycle_left.png", 3.0), ("grass.png", 4.0)]
    rounds += [("motorcycle_right.png", 3.0), ("grass.png", 6.0), ("motorcycle_left.png", 3.0)]
    match = chain(*(scene(*one) for one in [*rounds, ("grass.png", 5.0)]))
    write(folder / "match" / "race.mp4", match, bangs(32.0, BANGS))


def generated(part: str, folder: Path = Path("media")) -> Path:
    """A part of the generated media, which are made in ``folder`` where they are not there yet."""
    if not (folder / part).exists():
        print(f"making small films in {folder}")
        make_media(folder)
    return folder / part


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("media"), help="where to")
    folder = parser.parse_args().folder
    try:
        make_media(folder)
    except OSError as error:
        parser.exit(1, f"{folder}: films cannot be written there ({error.strerror or error}).\n")


if __name__ == "__main__":
    main()
