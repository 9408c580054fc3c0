"""Worker processes: same outcomes as in process, and what happens when one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.errors import EncoderError
from scenewise.index.discover import discover
from scenewise.index.encode_video import Failed, Outcome, Recognised
from scenewise.index.executor import Executor, InProcess, LocalProcesses
from scenewise.index.records import EncodedVideo
from scenewise.index.windows import Sampling
from scenewise.index.worker import EncoderFactory, pack, unpack

SAMPLING = Sampling(fps=2)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, colour in (("a", "red"), ("b", "magenta"), ("c", "blue"), ("d", "green")):
        write_colours(folder / f"{name}.mp4", [(colour, 1.2)])
    (folder / "e.mp4").write_bytes(b"never a film" * 40)
    return folder


def factory(name: str = "colours") -> EncoderFactory:
    return partial(
        load_colours, name, runtime="onnxruntime", device="cpu", threads=1, cache_dir=None
    )


def outcomes(executor: Executor, films: Path) -> dict[str, Outcome]:
    stamps = discover([films]).files
    try:
        found = list(executor.run(stamps, lambda _: True, lambda: False))
    finally:
        executor.close()
    assert len(found) == len(stamps)
    return {Path(outcome.stamp.path).name: outcome for outcome in found}


def test_workers_find_what_this_process_finds(films: Path) -> None:
    here = outcomes(InProcess(factory()(), SAMPLING), films)
    there = outcomes(LocalProcesses.of(factory(), SAMPLING, 2), films)
    assert here.keys() == there.keys()
    for name, mine in here.items():
        other = there[name]
        if isinstance(mine, EncodedVideo):
            assert isinstance(other, EncodedVideo)
            assert (mine.stamp, mine.content_hash) == (other.stamp, other.content_hash)
            assert mine.starts.tolist() == other.starts.tolist()
            assert other.features.vectors.dtype == np.float32
            np.testing.assert_allclose(mine.features.vectors, other.features.vectors, atol=1e-3)
        else:
            assert mine == other


def test_a_worker_that_dies_costs_its_video_and_is_replaced(films: Path) -> None:
    found = outcomes(LocalProcesses.of(factory("deadly"), SAMPLING, 1), films)
    died = found["b.mp4"]
    assert isinstance(died, Failed)
    assert "the worker process died" in died.reason
    assert "SIGKILL" in died.reason
    assert all(isinstance(found[f"{name}.mp4"], EncodedVideo) for name in "acd")


def test_workers_ask_whether_a_content_is_wanted(films: Path) -> None:
    executor = LocalProcesses.of(factory(), SAMPLING, 2)
    asked: list[str] = []

    def wanted(content_hash: str) -> bool:
        asked.append(content_hash)
        return False

    try:
        found = list(executor.run(discover([films]).files, wanted, lambda: False))
    finally:
        executor.close()
    assert all(isinstance(outcome, Recognised) for outcome in found)
    assert len(set(asked)) == 5


def test_stopping_finishes_what_runs_and_begins_nothing(films: Path) -> None:
    executor = LocalProcesses.of(factory(), SAMPLING, 1)
    found: list[Outcome] = []
    try:
        found.extend(
            executor.run(discover([films]).files, lambda _: True, lambda: executor.hired > 0)
        )
    finally:
        executor.close()
    largest = max(discover([films]).files, key=lambda stamp: stamp.size)
    assert [outcome.stamp for outcome in found] == [largest]


@pytest.mark.parametrize(("name", "words"), [("mystery", "unknown"), ("broken", "does not run")])
def test_an_encoder_that_does_not_work_is_an_error_with_its_words(
    films: Path, name: str, words: str
) -> None:
    executor = LocalProcesses.of(factory(name), SAMPLING, 2)
    with pytest.raises(EncoderError, match=words):
        list(executor.run(discover([films]).files, lambda _: True, lambda: False))
    executor.close()


def test_closing_ends_busy_workers(films: Path) -> None:
    executor = LocalProcesses.of(factory(), SAMPLING, 2)
    running = executor.run(discover([films]).files, lambda _: True, lambda: False)
    next(running)
    processes = [worker.process for worker in executor._workers]
    executor.close()
    assert all(process.poll() is not None for process in processes)


def test_a_record_survives_the_pipe(films: Path) -> None:
    found = outcomes(InProcess(factory()(), SAMPLING), films)
    video = found["a.mp4"]
    assert isinstance(video, EncodedVideo)
    again = unpack(pack(video))
    assert isinstance(again, EncodedVideo)
    assert again.stamp == video.stamp
    assert again.features.concepts is video.features.concepts
    failed = found["e.mp4"]
    assert unpack(pack(failed)) is failed


def test_workers_end_when_their_parent_is_killed(films: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    program = (
        "import sys, time\n"
        f"sys.path[:0] = {[str(root), str(root / 'tests' / 'doubles')]!r}\n"
        "from functools import partial\n"
        "from colour_encoder import load_colours\n"
        "from scenewise.index.executor import LocalProcesses\n"
        "from scenewise.index.windows import Sampling\n"
        "make = partial(load_colours, 'colours', runtime='onnxruntime', device='cpu', threads=1,"
        " cache_dir=None)\n"
        "executor = LocalProcesses.of(make, Sampling(fps=2), 1)\n"
        "worker = executor._hire()\n"
        "print(worker.pipe.recv()[0], worker.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        ready, pid = parent.stdout.readline().split()
        assert ready == "ready"
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert parent.stdout is not None
        parent.stdout.close()
    _wait_for_end(int(pid))


def _wait_for_end(pid: int) -> None:
    """Until a process that is not our child is gone; fails after ten seconds."""
    descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    if descriptor is None:
        pytest.skip("this system cannot wait for the end of a foreign process")
    import select

    try:
        ended, _, _ = select.select([descriptor], [], [], 10)
        assert ended, "the worker outlived its parent"
    finally:
        os.close(descriptor)
