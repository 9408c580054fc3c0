"""Batches by one process and by several: equal, exact, and without a trace of a stop."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from numbered_films import clips, labelled, shown

from scenewise.data.augment.mixing import Mixer
from scenewise.data.batch import Batch
from scenewise.data.batch_samplers import BatchSampler, InOrder, Shuffled
from scenewise.data.clip_dataset import ClipDataset
from scenewise.data.example import Example, Place
from scenewise.data.loader import Loader
from scenewise.data.settings import AugmentSettings
from scenewise.errors import DataError, TrainingError

Films = dict[str, Path]
AUGMENT = AugmentSettings(flip=0.5, brightness=0.3, mixup=0.8)


def dataset(films: Films, *names: str, broken: str = "raise", train: bool = True) -> ClipDataset:
    return clips(labelled(*names), films, train=train, broken=broken, augment=AUGMENT)


def equal(one: Batch, other: Batch) -> bool:
    pairs = [(getattr(one, part.name), getattr(other, part.name)) for part in fields(Batch)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def all_equal(ones: list[Batch], others: list[Batch]) -> bool:
    return len(ones) == len(others) and all(map(equal, ones, others))


def left_over() -> list[int]:
    """Children of this process that still run."""
    return [child.pid or 0 for child in multiprocessing.active_children()]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_change_nothing(films: Films, method: str) -> None:
    rows = ("a", "b", "short", "a", "b")

    def epochs(workers: int) -> list[Batch]:
        with Loader(
            dataset(films, *rows),
            BatchSampler(Shuffled(5), 2, seed=3),
            workers=workers,
            start_method=method,  # type: ignore[arg-type]
            mixer=Mixer(AUGMENT, 3),
        ) as loader:
            return [*loader, *loader]  # the second epoch follows by itself

    alone, together = epochs(0), epochs(2)
    assert len(alone) == 6
    assert all_equal(alone, together)
    assert not equal(alone[0], alone[3])
    assert left_over() == []


@pytest.mark.parametrize("workers", [0, 2])
def test_going_on_in_the_middle_is_going_on(films: Films, workers: int) -> None:
    def loader() -> Loader:
        return Loader(
            dataset(films, "a", "b", "short", "a", "b", "a"),
            BatchSampler(Shuffled(6), 2, seed=3),
            workers=workers,
            mixer=Mixer(AUGMENT, 3),
        )

    with loader() as whole:
        expected = [*whole, *whole]
    with loader() as stopped:
        stopped.set_epoch(1)
        batches = iter(stopped)
        first = next(batches)
        state = stopped.state()
    assert state == {"epoch": 1, "position": 1}
    with loader() as resumed:
        resumed.resume(state)
        assert len(resumed) == 2
        assert all_equal([first, *resumed], expected[3:])
        assert resumed.state() == {"epoch": 2, "position": 0}


def test_an_epoch_that_is_left_early_begins_anew(films: Films) -> None:
    with Loader(
        dataset(films, "a", "b", "short", "a"), BatchSampler(Shuffled(4), 1), workers=2
    ) as loader:
        first = next(iter(loader))
        whole = list(loader)
    assert len(whole) == 4
    assert equal(first, whole[0])


def test_skipped_batches_are_not_decoded(films: Films) -> None:
    # the first two rows cannot be read, and are not looked at
    with Loader(
        dataset(films, "broken", "broken", "a", "b"), BatchSampler(InOrder(4), 2)
    ) as loader:
        loader.set_epoch(0, start=1)
        (batch,) = loader
    assert batch.rows.tolist() == [2, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_trouble_is_one_sentence(films: Films, workers: int) -> None:
    with (
        Loader(
            dataset(films, "a", "broken"), BatchSampler(InOrder(2), 1), workers=workers
        ) as loader,
        pytest.raises(DataError, match=r"^row 1 \(broken\): ") as caught,
    ):
        list(loader)
    assert "\n" not in str(caught.value)
    assert "broken.mp4" in str(caught.value)
    assert left_over() == []


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_replaced_is_counted_and_said_once(
    films: Films, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        Loader(
            dataset(films, "a", "broken", "b", broken="replace"),
            BatchSampler(InOrder(3), 3),
            workers=workers,
        ) as loader,
    ):
        batches = [*loader, *loader]
    assert [len(batch) for batch in batches] == [3, 3]
    assert sum(loader.failures.values()) >= 2
    assert all("broken.mp4" in sentence for sentence in loader.failures)
    assert len(caplog.records) == len(loader.failures)


def test_an_evaluation_leaves_out_what_it_cannot_read(films: Films) -> None:
    examples = dataset(films, "a", "broken", "broken", "b", broken="replace", train=False)
    with Loader(examples, BatchSampler(InOrder(4), 2, fill=False)) as loader:
        batches = list(loader)
    assert [batch.rows.tolist() for batch in batches] == [[0], [3]]
    with Loader(examples, BatchSampler(InOrder(3), 1, fill=False)) as loader:
        assert [batch.rows.tolist() for batch in loader] == [[0]]  # of three, two hold nothing
        assert sum(loader.failures.values()) == 2


class Dies:
    """A dataset whose process is killed, as by a system without memory."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, place: Place) -> Example:
        if place.number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return Example(row=place.number)


def test_a_process_that_dies_is_one_sentence() -> None:
    with (
        Loader(Dies(), BatchSampler(InOrder(4), 1), workers=2) as loader,
        pytest.raises(TrainingError, match="take fewer workers"),
    ):
        list(loader)
    assert left_over() == []


class Wrong(Dies):
    """A dataset with a mistake in it."""

    def __getitem__(self, place: Place) -> Example:
        raise ZeroDivisionError("a mistake of ours")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_keeps_its_traceback(workers: int) -> None:
    with (
        Loader(Wrong(), BatchSampler(InOrder(4), 1), workers=workers) as loader,
        pytest.raises(ZeroDivisionError, match="a mistake of ours"),
    ):
        list(loader)


def test_frames_arrive_as_they_were(films: Films) -> None:
    plain = clips(labelled("a"), films)
    with Loader(plain, BatchSampler(InOrder(1), 1), workers=1) as loader:
        (batch,) = loader
    assert batch.clips is not None
    assert shown(batch.clips[0]) == [6, 18, 31, 43]


class Plain(Dies):
    """Many tiny examples."""

    def __len__(self) -> int:
        return 300

    def __getitem__(self, place: Place) -> Example:
        return Example(row=place.number, times=torch.zeros(3))


def test_kept_results_of_an_evaluation_hold_no_files_open() -> None:
    with Loader(Plain(), BatchSampler(InOrder(300), 1), workers=1) as loader:
        kept = list(loader)
        held = len(list(Path("/proc/self/fd").iterdir()))
    assert len(kept) == 300
    assert held < 200


@pytest.fixture
def endless(films: Films, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A training process with two workers, in a process group of its own, that never ends."""
    script = tmp_path / "endless.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            from numbered_films import clips, labelled
            from scenewise.data.batch_samplers import BatchSampler, Shuffled
            from scenewise.data.loader import Loader
            data = clips(labelled("a"), {{"a": Path({str(films["a"])!r})}}, train=True)
            with Loader(data, BatchSampler(Shuffled(1), 1), workers=2) as loader:
                while True:
                    for batch in loader:
                        print(*[w.pid for w in loader._loader._iterator._workers], flush=True)
            """
        )
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests/doubles'}"}
    running = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    yield running
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
    running.communicate()


def test_ctrl_c_ends_all_processes_and_speaks_once(endless: subprocess.Popen[str]) -> None:
    assert endless.stdout is not None
    workers = [int(pid) for pid in endless.stdout.readline().split()]
    assert len(workers) == 2
    os.killpg(endless.pid, signal.SIGINT)  # as a terminal does
    _, said = endless.communicate(timeout=30)
    assert said.count("Traceback") == 1  # the training process's own KeyboardInterrupt
    assert said.rstrip().endswith("KeyboardInterrupt")
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
