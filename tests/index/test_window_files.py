"""Windows kept in the cache: whole or absent, bounded, and shared by processes."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from colour_encoder import ColourEncoder

from scenewise.index.window_files import FOLDER, WindowFiles, Windows
from scenewise.index.windows import Sampling

SPEC = ColourEncoder("colours").spec
SAMPLING = Sampling(fps=2)


def windows(content: str, count: int = 4) -> Windows:
    times = np.arange(count, dtype=np.float64) * np.float64(0.5)
    vectors = np.eye(8, dtype=np.float32)[np.arange(count) % 8]
    return Windows(content[:16], count * 0.5, times, times + 0.5, times, vectors)


def test_what_is_put_is_got(tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    assert files.get("ab" * 16, SPEC, SAMPLING) is None
    put = windows("ab" * 16)
    files.put("ab" * 16, SPEC, SAMPLING, put)
    got = WindowFiles(tmp_path).get("ab" * 16, SPEC, SAMPLING)
    assert got is not None
    for name in ("starts", "ends", "times", "vectors"):
        assert np.array_equal(getattr(got, name), getattr(put, name))
    assert (got.video_id, got.duration) == (put.video_id, put.duration)


def test_another_encoder_or_sampling_is_another_file(tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    files.put("ab" * 16, SPEC, SAMPLING, windows("ab" * 16))
    assert files.get("ab" * 16, replace(SPEC, revision="2"), SAMPLING) is None
    assert files.get("ab" * 16, SPEC, Sampling(fps=1)) is None
    assert files.get("cd" * 16, SPEC, SAMPLING) is None


def test_a_broken_file_counts_as_absent_and_is_replaced(tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    files.put("ab" * 16, SPEC, SAMPLING, windows("ab" * 16))
    (path,) = (tmp_path / FOLDER).iterdir()
    whole = path.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], b"x" * 500):
        path.write_bytes(broken)
        assert files.get("ab" * 16, SPEC, SAMPLING) is None
    files.put("ab" * 16, SPEC, SAMPLING, windows("ab" * 16))
    assert files.get("ab" * 16, SPEC, SAMPLING) is not None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    names = [f"{number:032x}" for number in range(4)]
    for age, name in zip((40, 30, 20), names[:3], strict=True):
        files.put(name, SPEC, SAMPLING, windows(name))
        (path,) = (tmp_path / FOLDER).glob(f"{name}*")
        size = path.stat().st_size
        os.utime(path, (1e9 - age, 1e9 - age))
    assert files.get(names[0], SPEC, SAMPLING) is not None  # used: the oldest no more
    WindowFiles(tmp_path, limit_bytes=3 * size).put(names[3], SPEC, SAMPLING, windows(names[3]))
    left = [name for name in names if files.get(name, SPEC, SAMPLING) is not None]
    assert left == [names[0], names[2], names[3]]


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    files = WindowFiles(tmp_path)
    files.put("ab" * 16, SPEC, SAMPLING, windows("ab" * 16))
    old, new = tmp_path / FOLDER / "old.part", tmp_path / FOLDER / "new.part"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    files.put("cd" * 16, SPEC, SAMPLING, windows("cd" * 16))
    assert not old.exists()
    assert new.exists()  # another process may be writing it


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in the way", "utf-8")
    files = WindowFiles(tmp_path)
    files.put("ab" * 16, SPEC, SAMPLING, windows("ab" * 16))
    assert files.get("ab" * 16, SPEC, SAMPLING) is None


def write_many(folder: Path, rounds: int) -> None:
    files = WindowFiles(folder, limit_bytes=20_000)
    for number in range(rounds):
        name = f"{number % 12:032x}"
        files.put(name, SPEC, SAMPLING, windows(name, 4 + number % 3))
        got = files.get(f"{(number * 5) % 12:032x}", SPEC, SAMPLING)
        assert got is None or len(got.vectors) == len(got.times)


def test_two_processes_may_write_and_shrink_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=write_many, args=(tmp_path, 60)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert list((tmp_path / FOLDER).glob("*.part")) == []
    assert sum(path.stat().st_size for path in (tmp_path / FOLDER).iterdir()) <= 24_000
