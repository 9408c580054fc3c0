"""Vectors of videos kept on the disk, one file for each video, so that no network runs twice.

``FOLDER/VIDEO.npz`` holds ``vectors`` (T, D), ``times`` (T,) and ``duration`` in seconds, and
``made_from``, which names all that the vectors depend on. It knows files and arrays; what makes
vectors of frames is a callable that it is given.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from scenewise.errors import DataError, MediaError, StorageError
from scenewise.media.decode import VideoReader
from scenewise.media.sampling import ClipWindow, clip_windows, every
from scenewise.media.target import Target
from scenewise.media.whole_file import written_aside

Vectors = npt.NDArray[np.floating[Any]]  # (N, D)
Encode = Callable[[npt.NDArray[np.uint8]], Vectors]  # (N, T, H, W, 3) uint8 RGB to (N, D)
_BATCH_BYTES = 16 << 20  # of pixels in one call of the network


@dataclass(frozen=True, slots=True)
class Features:
    """The vectors of one video; ``times[t]`` is the middle of what the t-th was made of."""

    vectors: Vectors  # (T, D)
    times: npt.NDArray[np.float64]  # (T,) seconds, rising
    duration: float  # seconds


@dataclass(frozen=True, slots=True)
class Windows:
    """What a vector is made of: ``frames`` pictures over ``seconds``, a new one each ``stride``.

    ``made_by`` names network, weights and preparation.
    """

    made_by: str
    target: Target
    frames: int = 1
    seconds: float = 1.0
    stride: float = 1.0


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the videos."""

    made: tuple[str, ...]
    kept: tuple[str, ...]  # were there already
    broken: Mapping[str, str] = field(default_factory=dict)  # why, by video


def write_features(
    folder: Path,
    videos: Mapping[str, Path],
    encode: Encode,
    windows: Windows,
    *,
    dtype: Literal["float16", "float32"] = "float16",
) -> Written:
    """Make the vectors of all videos that have none yet, one file after another.

    A file is there whole or not at all, so a run that was stopped goes on where it was. A video
    that cannot be decoded is named with its reason. Raises StorageError.
    """
    made, kept, broken = [], [], {}
    for name, path in videos.items():
        place = feature_path(folder, name)
        try:
            wanted = _made_from(path, windows, dtype)
            if _is_made_from(place, wanted):
                kept.append(name)
                continue
            features = _encoded(path, encode, windows)
        except MediaError as error:
            broken[name] = str(error)
            continue
        _write(place, features, dtype, wanted)
        made.append(name)
    return Written(tuple(made), tuple(kept), broken)


def read_features(folder: Path, video: str) -> Features:
    """Raises DataError where there is no such file, or it is damaged."""
    with _kept(folder, video) as kept:
        vectors, times, duration = kept["vectors"], kept["times"], float(kept["duration"])
    if vectors.ndim != 2 or times.shape != vectors.shape[:1] or not len(times):
        place = feature_path(folder, video)
        raise DataError(f"{place}: holds no vectors (T, D) with T times; make it again.")
    return Features(vectors, times, duration)


def count_vectors(folder: Path, video: str) -> int:
    """How many vectors are kept of a video, without reading them. Raises DataError."""
    with _kept(folder, video) as kept:
        return len(kept["times"])


@contextmanager
def _kept(folder: Path, video: str) -> Iterator[Mapping[str, npt.NDArray[Any]]]:
    place = feature_path(folder, video)
    try:
        with np.load(place, allow_pickle=False) as kept:
            yield kept
    except FileNotFoundError as error:
        raise DataError(f"{place}: no features are kept of {video!r}; make them first.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{place}: is damaged; remove it and make the features again.") from error


def feature_path(folder: Path, video: str) -> Path:
    """Where the vectors of a video lie. Raises DataError for a name that leads elsewhere."""
    parts = PurePosixPath(video)
    if not video or parts.is_absolute() or ".." in parts.parts:
        raise DataError(f"{video!r} is no name of a video below a folder.")
    return folder / f"{video}.npz"


def _encoded(path: Path, encode: Encode, windows: Windows) -> Features:
    """All windows of a video, in batches of bounded size."""
    with VideoReader(path) as reader:
        wanted = _windows(reader.duration, windows)
        vectors: list[Vectors] = []
        batch: list[npt.NDArray[np.uint8]] = []
        for clip in _clips(reader, wanted, windows.target):
            batch.append(clip)
            if len(batch) * clip.nbytes >= _BATCH_BYTES:
                vectors.append(encode(np.stack(batch)))
                batch = []
        if batch:
            vectors.append(encode(np.stack(batch)))
        times = np.array([(window.start + window.end) / 2 for window in wanted])
        return Features(np.concatenate(vectors), times, reader.duration)


def _windows(duration: float, windows: Windows) -> list[ClipWindow]:
    if windows.frames > 1:
        return clip_windows(duration, windows.frames, windows.seconds, windows.stride)
    return [
        ClipWindow(time, min(time + windows.stride, duration), (time,))
        for time in every(duration, 1 / windows.stride)
    ]


def _clips(
    reader: VideoReader, windows: Iterable[ClipWindow], target: Target
) -> Iterable[npt.NDArray[np.uint8]]:
    """The frames (T, H, W, 3) of each window, in one reading as far as windows do not overlap.

    Frames of the windows that are open are held, and no other.
    """
    windows = list(windows)
    times = sorted({time for window in windows for time in window.times})
    held: dict[float, npt.NDArray[np.uint8]] = {}
    place = 0
    for frame in reader.read(times, target):
        held[frame.requested] = frame.image
        while place < len(windows) and windows[place].times[-1] <= frame.requested:
            yield np.stack([held[time] for time in windows[place].times])
            place += 1
            first = windows[place].times[0] if place < len(windows) else float("inf")
            held = {time: image for time, image in held.items() if time >= first}


def _made_from(path: Path, windows: Windows, dtype: str) -> str:
    try:
        status = path.stat()
    except OSError as error:
        raise MediaError(f"{path}: there is no such file.") from error
    facts = [asdict(windows), dtype, status.st_size, status.st_mtime_ns]
    return json.dumps(facts, sort_keys=True)


def _is_made_from(place: Path, wanted: str) -> bool:
    try:
        with np.load(place, allow_pickle=False) as kept:
            return bool(str(kept["made_from"]) == wanted)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False


def _write(place: Path, features: Features, dtype: str, made_from: str) -> None:
    try:
        with written_aside(place) as aside, aside.open("wb") as file:
            np.savez(
                file,
                vectors=features.vectors.astype(dtype),
                times=features.times,
                duration=features.duration,
                made_from=made_from,
            )
    except OSError as error:
        raise StorageError(
            f"{place}: cannot be written ({error.strerror or error}); make room, or name another "
            "folder."
        ) from error
