"""The jobs that ``benchmarks.decoding`` measures, each in a process of its own.

    python -m benchmarks.decoding_jobs "ours 1 fps" FILM

Imports no more than a decoding process needs, as its memory is measured too.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scenewise.media.decode import VideoReader
from scenewise.media.sampling import every, uniform
from scenewise.media.target import Target

_SMALL = Target(224, 224)


def ours_1fps(path: Path) -> int:
    with VideoReader(path) as reader:
        return sum(1 for _ in reader.read(every(reader.duration, 1), _SMALL))


def ours_8_frames(path: Path) -> int:
    with VideoReader(path) as reader:
        return sum(1 for _ in reader.read(uniform(reader.duration, 8), _SMALL))


def _opencv_seek(path: Path, times: Callable[[float], list[float]]) -> int:
    """The loop of the tutorials: set the frame number, read, convert, resize."""
    import cv2

    cv2.setNumThreads(1)
    film = cv2.VideoCapture(str(path))
    rate = film.get(cv2.CAP_PROP_FPS)
    count = 0
    for time in times(film.get(cv2.CAP_PROP_FRAME_COUNT) / rate):
        film.set(cv2.CAP_PROP_POS_FRAMES, int(time * rate))
        good, picture = film.read()
        if good:
            cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), (224, 224))
            count += 1
    return count


def opencv_1fps(path: Path) -> int:
    return _opencv_seek(path, lambda duration: every(duration, 1))


def opencv_8_frames(path: Path) -> int:
    return _opencv_seek(path, lambda duration: uniform(duration, 8))


def ffmpeg_1fps(path: Path) -> int:
    scale = ["-vf", "fps=1,scale=224:224", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error", "-threads", "1"]
    raw = subprocess.run([*quiet, "-i", str(path), *scale], check=True, stdout=subprocess.PIPE)
    return len(raw.stdout) // (224 * 224 * 3)


JOBS: dict[str, Callable[[Path], int]] = {
    "ours 1 fps": ours_1fps,
    "opencv 1 fps": opencv_1fps,
    "ffmpeg 1 fps": ffmpeg_1fps,
    "ours 8 frames": ours_8_frames,
    "opencv 8 frames": opencv_8_frames,
}


def cpu_seconds() -> float:
    """User and system time of this process and its ended children."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def peak_mb() -> float:
    """The most memory that this process ever held, in MB (Linux)."""
    # not ru_maxrss: that begins with what the parent held when it forked
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("this system does not tell the peak memory of a process")


def run_job(name: str, path: Path) -> None:
    """In the child: run one job, print what it took."""
    if name.startswith("opencv"):
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "threads;1"
        import cv2  # noqa: F401  # imports are not counted
    begun = cpu_seconds()
    frames = JOBS[name](path)
    took = cpu_seconds() - begun
    print(json.dumps({"seconds": took, "frames": frames, "mb": peak_mb()}))


if __name__ == "__main__":
    run_job(sys.argv[1], Path(sys.argv[2]))
