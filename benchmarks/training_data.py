"""Clips per second for training: on the fly, from the cache, and the floor of decoding alone.

    python -m benchmarks.training_data [--videos 12] [--seconds 10] [--frames 8] [--rounds 3]
        [--source FOLDER] [--json]

Each round loads every clip once in each way, in turn (decoder alone, ffmpeg, 0, 1 and 2 workers
on the fly, then from the cache); given are medians of wall time over the rounds. Loading is the
whole way: segments by chance, random resized crop of 224, flip, normalisation, batches of 4. The
decoder alone reads the same number of frames at the middles of the segments, scaled alike;
``ffmpeg`` decodes all frames of each file and scales them, one thread, as a dataset of pictures on
the disk would be made. Workers are started before the clock and the cache is filled before it.
Videos are 360p films of slow pans over photographs, or the files of a folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe_machine
from scenewise.data.batch_samplers import BatchSampler, Shuffled
from scenewise.data.clip_cache import ClipCache
from scenewise.data.clip_dataset import ClipDataset
from scenewise.data.example import Recipe
from scenewise.data.loader import Loader
from scenewise.data.row_targets import RowReader
from scenewise.data.rows import LabelRow
from scenewise.data.settings import AugmentSettings, ClipSettings
from scenewise.data.stretch import FileStretch, Scale
from scenewise.encoders.network_folder import Pixels
from scenewise.media.film import FilmSettings, pan, write_film
from scenewise.media.sampling import uniform
from scenewise.media.target import Target

_SIZE, _SHORT, _BATCH = 224, 256, 4
_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi")
_PIXELS = Pixels(
    frames=8,
    target=Target(_SIZE, _SIZE, "crop", _SHORT, "bilinear"),
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    channels="rgb",
    seconds=2.0,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--source", type=Path, default=None, help="a folder of videos")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if given.source is None:
            videos = make_films(Path(folder), given.videos, given.seconds)
        else:
            videos = sorted(p for p in given.source.iterdir() if p.suffix.lower() in _SUFFIXES)
        measured = measure(videos, Path(folder), given.frames, given.rounds)
    machine = f"{describe_machine()}, torch {torch.__version__}"
    if given.json:
        print(json.dumps({"machine": machine, "videos": len(videos), "clips_per_second": measured}))
        return
    print(f"{machine}\n{len(videos)} videos, clips of {given.frames} frames\n")
    print("| way | clips/s | share of the decoder alone |\n|---|---|---|")
    floor = measured["decoder alone"]
    for name, rate in measured.items():
        print(f"| {name} | {rate:.1f} | {rate / floor:.2f} |")


def make_films(folder: Path, count: int, seconds: float) -> list[Path]:
    """360p at 25 frames a second, a keyframe each ten seconds at the latest."""
    import skimage
    from PIL import Image

    pictures = Path(skimage.__file__).parent / "data"
    names = ("chelsea.png", "coffee.png", "astronaut.png", "motorcycle_left.png", "rocket.jpg")
    made = []
    for number in range(count):
        photograph = np.asarray(Image.open(pictures / names[number % len(names)]).convert("RGB"))
        edge = 0.02 * (number // len(names) + 1)
        frames = pan(photograph, seconds, end=(edge, edge, 1 - edge, 1 - edge))
        made.append(folder / f"{number}.mp4")
        write_film(made[-1], frames, FilmSettings(frame_rate=Fraction(25), gop=250))
    return made


def measure(videos: Sequence[Path], folder: Path, frames: int, rounds: int) -> dict[str, float]:
    """Clips per second of each way, medians over rounds that take turns."""
    ways: dict[str, Callable[[], None]] = {"decoder alone": lambda: decode_alone(videos, frames)}
    if shutil.which("ffmpeg"):
        ways["ffmpeg, every frame"] = lambda: decode_with_ffmpeg(videos)
    plain = dataset(videos, frames)
    cache = ClipCache(folder / "train", frames)
    kept = ClipDataset(plain.rows, files(videos), plain.recipe.with_cache(cache))
    loaders = {
        f"{name}, {workers} workers": loader(examples, workers)
        for name, examples in (("on the fly", plain), ("from the cache", kept))
        for workers in (0, 1, 2)
    }
    for name, one in loaders.items():
        exhaust(one)  # starts the workers and fills the cache
        ways[name] = partial(exhaust, one)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    for one in loaders.values():
        one.close()
    return {name: len(videos) / statistics.median(taken) for name, taken in times.items()}


def files(videos: Sequence[Path]) -> dict[str, Path]:
    return {str(path): path for path in videos}


def dataset(videos: Sequence[Path], frames: int) -> ClipDataset:
    recipe = Recipe(
        pixels=_PIXELS,
        settings=ClipSettings(frames=frames, size=_SIZE),
        reader=RowReader(("film",)),
        augment=AugmentSettings(crop="resized", flip=0.5),
    )
    return ClipDataset([LabelRow(str(path), ("film",)) for path in videos], files(videos), recipe)


def loader(examples: ClipDataset, workers: int) -> Loader:
    sampler = BatchSampler(Shuffled(len(examples)), _BATCH, fill=False)
    return Loader(examples, sampler, workers=workers)


def exhaust(one: Loader) -> None:
    for _ in one:
        pass


def decode_alone(videos: Sequence[Path], frames: int) -> None:
    for path in videos:
        with FileStretch(path, None, Scale(_SHORT)) as stretch:
            stretch.pictures(uniform(stretch.span.duration, frames))


def decode_with_ffmpeg(videos: Sequence[Path]) -> None:
    for path in videos:
        command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path)]
        command += ["-vf", f"scale=-2:{_SHORT}", "-f", "null", "-"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
