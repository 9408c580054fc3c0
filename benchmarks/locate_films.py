"""Generated footage with known moments: what the parameters of ``locate`` are chosen on.

Photographs that come inside scikit-image and scikit-learn are shown for known spans, in three
kinds: hard cuts; cross-fades; and an object's photograph that slides over a background which stays
(no cut helps there). Frames are drawn at the sampled instants only and encoded at once. The
reference clips are not looked at here.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from scenewise.encoders.spec import Encoder
from scenewise.index.arrays import join
from scenewise.index.footage import Footage
from scenewise.media.shots import ShotDetector
from scenewise.types import Segment

WIDTH, HEIGHT = 320, 240
FPS = 2.0
THINGS = (  # file, what a person would say
    ("chelsea.png", "a cat looks at the camera"),
    ("coffee.png", "a cup of coffee on a table"),
    ("rocket.jpg", "a rocket is launched"),
    ("camera.png", "a man with a camera on a tripod"),
    ("motorcycle_left.png", "a motorcycle"),
    ("china.jpg", "a temple by the lake"),
    ("flower.jpg", "a flower in bloom"),
    ("hubble_deep_field.jpg", "stars and galaxies in space"),
    ("coins.png", "old coins"),
    ("page.png", "a page of printed text"),
    ("brick.png", "a brick wall"),
    ("grass.png", "grass"),
    ("clock_motion.png", "a clock"),
    ("astronaut.png", "a woman in a space suit"),
)
BACKGROUNDS = ("brick.png", "grass.png", "gravel.png", "page.png", "china.jpg", "moon.png")
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFootage:
    """Footage, and what is shown when."""

    kind: str
    footage: Footage
    moments: tuple[tuple[str, Segment], ...]


def photograph(name: str) -> Image.Image:
    """A photograph of the two packages."""
    folders = []
    for package, inner in (("skimage", "data"), ("sklearn", "datasets/images")):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed; pip install 'scenewise[demo]'")
        folders.append(Path(spec.origin).parent / inner)
    (found,) = (folder / name for folder in folders if (folder / name).exists())
    return Image.open(found).convert("RGB")


def labelled_footage(encoder: Encoder, count: int, seed: int) -> list[LabelledFootage]:
    """``count`` films of each kind, the same for the same seed."""
    rng = np.random.default_rng(seed)
    photographs = {
        name: photograph(name) for name in {*BACKGROUNDS, *(thing for thing, _ in THINGS)}
    }
    found = []
    for number in range(count):
        for kind in ("cuts", "fades", "inset"):
            if kind == "inset":
                frames, spans = _inset(photographs, rng)
            else:
                frames, spans = _scenes(photographs, rng, fade=1.5 if kind == "fades" else 0.0)
            footage = _encode(encoder, frames, f"{kind}-{number}")
            found.append(LabelledFootage(kind, footage, spans))
    return found


def _view(
    photo: Image.Image, at: float, seconds: float, move: tuple[float, float], zoom: float
) -> npt.NDArray[np.float32]:
    """A slow move over a photograph: what is seen ``at`` seconds of ``seconds``."""
    share = at / max(seconds, 1e-6)
    width = photo.width * (1 - zoom * share) * 0.85
    height = min(photo.height * 0.85, width * HEIGHT / WIDTH)
    width = height * WIDTH / HEIGHT
    left = (photo.width - width) * (0.5 + move[0] * (share - 0.5))
    upper = (photo.height - height) * (0.5 + move[1] * (share - 0.5))
    box = (left, upper, left + width, upper + height)
    cut = photo.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=box)
    return np.asarray(cut, np.float32)


def _finish(picture: npt.NDArray[np.float32], rng: np.random.Generator) -> Picture:
    """Sensor noise and a little flicker, so that no two frames are equal."""
    noisy = picture * rng.normal(1.0, 0.02) + rng.normal(0.0, 4.0, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _scenes(
    photographs: dict[str, Image.Image], rng: np.random.Generator, fade: float
) -> tuple[list[Picture], tuple[tuple[str, Segment], ...]]:
    """Scenes one after another; within a fade half of the way belongs to each."""
    chosen = rng.permutation(len(THINGS))[: rng.integers(3, 8)]
    lengths = rng.uniform(2.5, 14.0, len(chosen))
    ends = np.cumsum(lengths)
    moves = rng.uniform(-1, 1, (len(chosen), 2))
    frames = []
    for time in np.arange(0, ends[-1], 1 / FPS):
        number = int(np.searchsorted(ends, time, side="right"))
        start = ends[number] - lengths[number]

        def seen(index: int, time: float = time) -> npt.NDArray[np.float32]:
            begin = ends[index] - lengths[index]
            at = float(np.clip(time - begin, 0, lengths[index]))
            photo = photographs[THINGS[chosen[index]][0]]
            return _view(photo, at, lengths[index], (moves[index][0], moves[index][1]), 0.15)

        picture = seen(number)
        if fade and number + 1 < len(ends) and ends[number] - time < fade / 2:
            share = 0.5 - (ends[number] - time) / fade
            picture = (1 - share) * picture + share * seen(number + 1)
        elif fade and number and time - start < fade / 2:
            share = 0.5 - (time - start) / fade
            picture = (1 - share) * picture + share * seen(number - 1)
        frames.append(_finish(picture, rng))
    spans = tuple(
        (THINGS[chosen[n]][1], Segment(float(ends[n] - lengths[n]), float(ends[n])))
        for n in range(len(chosen))
    )
    return frames, spans


def _inset(
    photographs: dict[str, Image.Image], rng: np.random.Generator
) -> tuple[list[Picture], tuple[tuple[str, Segment], ...]]:
    """Things that come and go before a background that stays."""
    background = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    possible = [thing for thing in THINGS if thing[0] not in BACKGROUNDS]
    chosen = [possible[n] for n in rng.permutation(len(possible))[: rng.integers(1, 4)]]
    time, spans = 0.0, []
    for _, words in chosen:
        start = time + rng.uniform(3.0, 12.0)
        time = start + rng.uniform(2.5, 10.0)
        spans.append((words, Segment(float(start), float(time))))
    duration = time + rng.uniform(3.0, 12.0)
    size = rng.uniform(0.45, 0.75)
    frames = []
    for at in np.arange(0, duration, 1 / FPS):
        picture = _view(photographs[background], at, duration, (0.6, 0.2), 0.1)
        for (name, _), (_, span) in zip(chosen, spans, strict=True):
            if span.start <= at < span.end:
                thing = photographs[name].filter(ImageFilter.GaussianBlur(1))
                width, height = int(WIDTH * size), int(HEIGHT * size)
                inset = np.asarray(thing.resize((width, height)), np.float32)
                # slides across by a fifth of the picture while it is there
                shift = (at - span.start) / span.duration
                left = int((WIDTH - width) * (0.2 + 0.6 * shift))
                upper = (HEIGHT - height) // 2
                picture = picture.copy()
                picture[upper : upper + height, left : left + width] = inset
        frames.append(_finish(picture, rng))
    return frames, tuple(spans)


def _encode(encoder: Encoder, frames: list[Picture], name: str) -> Footage:
    target = encoder.spec.target
    times = np.arange(len(frames)) / FPS
    detector = ShotDetector()
    parts = []
    for first in range(0, len(frames), 32):
        some = [
            np.asarray(Image.fromarray(frame).resize((target.width, target.height)))
            for frame in frames[first : first + 32]
        ]
        for offset, frame in enumerate(some):
            detector.add(float(times[first + offset]), frame)
        parts.append(encoder.encode_windows(np.stack(some)[:, None]))
    duration = len(frames) / FPS
    return Footage(
        path=name,
        video_id=name,
        duration=duration,
        starts=times,
        ends=np.append(times[1:], duration),
        times=times,
        features=join(parts),
        shots=detector.finish(duration),
    )
