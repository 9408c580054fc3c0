"""Batches from a dataset, made by the training process or by several beside it.

What the k-th batch of an epoch holds is the same for any number of processes. Trouble in one of
them arrives as one sentence; they ignore Ctrl-C, which is the training process's to take, and end
with it. It knows datasets, batch samplers and processes; it knows no row.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from scenewise.data.augment.mixing import Mixer
from scenewise.data.batch import Batch
from scenewise.data.batch_samplers import BatchSampler
from scenewise.data.collation import collate
from scenewise.data.example import Example, Place
from scenewise.errors import DataError, ScenewiseError, TrainingError

StartMethod = Literal["fork", "spawn", "forkserver"]
_SMALL_BYTES = 1 << 16
_log = logging.getLogger(__name__)


class Examples(Protocol):
    """What a dataset of examples offers; ``try_example`` as well where examples may be missing."""

    def __getitem__(self, place: Place) -> Example:
        """The example at a place."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...


@dataclass(frozen=True, slots=True)
class _Made:
    """What a process hands over: a batch, or why there is none. An exception would lose its
    sentence on the way."""

    batch: Batch | None
    notes: tuple[str, ...] = ()
    error: str | None = None


class _Fetcher(Dataset[Any]):
    """Places of a batch to a batch, in whichever process asks."""

    def __init__(self, examples: Examples) -> None:
        self._get = getattr(examples, "try_example", examples.__getitem__)

    def __getitem__(self, place: Place) -> _Made:
        return self.__getitems__([place])

    def __getitems__(self, places: Sequence[Place]) -> _Made:
        try:
            examples = [self._get(place) for place in places]
            notes = tuple(note for example in examples for note in example.notes)
            readable = [example for example in examples if example.readable]
            return _Made(collate(readable) if readable else None, notes)
        except ScenewiseError as error:
            return _Made(None, error=str(error))


def _as_it_is(made: Any) -> Any:
    return made


def _gpu_in_use() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call] # torch's own has none


def _begin_worker(_number: int) -> None:
    """A process of the loader: one thread, and Ctrl-C is for the one that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _owned(batch: Batch) -> Batch:
    """Small tensors as the training process's own.

    One that another process made holds a file open as long as it lives, and who keeps the rows
    and targets of a whole evaluation would run out of them.
    """
    small: dict[str, Any] = {
        part.name: value.clone()
        for part in fields(batch)
        if isinstance(value := getattr(batch, part.name), Tensor)
        and value.is_shared()  # type: ignore[no-untyped-call] # torch's own has no types
        and value.nbytes <= _SMALL_BYTES
    }
    return replace(batch, **small)


class Loader:
    """Iterate over it for the batches of an epoch, on the device; the next epoch follows.

    ``failures`` counts, by sentence, what could not be read since the loader was made; each is
    logged once as a warning. Use as a context manager, or call ``close``: processes that stay
    from epoch to epoch end then.
    """

    def __init__(
        self,
        examples: Examples,
        sampler: BatchSampler,
        *,
        workers: int = 0,
        device: torch.device | str = "cpu",
        mixer: Mixer | None = None,
        start_method: StartMethod | None = None,
    ) -> None:
        self.sampler = sampler
        self.failures: Counter[str] = Counter()
        self._device = torch.device(device)
        self._mixer = mixer
        self._epoch, self._position = sampler.epoch, sampler.start
        context = None
        if workers:
            method = start_method or ("spawn" if _gpu_in_use() else "fork")
            context = multiprocessing.get_context(method)
        self._loader: DataLoader[Any] = DataLoader(
            _Fetcher(examples),
            batch_sampler=sampler,
            num_workers=workers,
            collate_fn=_as_it_is,
            multiprocessing_context=context,
            persistent_workers=workers > 0,
            worker_init_fn=_begin_worker,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Batches that are left of the epoch."""
        return len(self.sampler)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Which epoch comes next; its first ``start`` batches are passed over, undecoded."""
        self.sampler.set_epoch(epoch, start)
        self._epoch, self._position = epoch, start

    def state(self) -> dict[str, int]:
        """Where training is: the epoch, and how many of its batches were given out."""
        return {"epoch": self._epoch, "position": self._position}

    def resume(self, state: dict[str, int]) -> None:
        """Go on where ``state`` was taken."""
        self.set_epoch(state["epoch"], state["position"])

    def __iter__(self) -> Iterator[Batch]:
        """The batches that are left of the epoch. At its end the next one is set.

        Raises DataError for a row or file that cannot be read, TrainingError where a process of
        the loader died.
        """
        epoch, position = self.sampler.epoch, self.sampler.start
        self._epoch = epoch
        for made in self._arriving():
            position += 1
            self._position = position
            self._note(made.notes)
            if made.error is not None:
                raise DataError(made.error)
            if made.batch is not None:
                yield self._finished(made.batch, epoch, position - 1)
        self.set_epoch(epoch + 1)

    def close(self) -> None:
        """End the processes."""
        running = self._loader._iterator
        self._loader._iterator = None
        if running is not None:
            shut_down = getattr(running, "_shutdown_workers", None)
            if shut_down is not None:
                shut_down()

    def _arriving(self) -> Iterator[_Made]:
        try:
            yield from self._loader
        except RuntimeError as error:
            said = str(error)
            if "exited unexpectedly" not in said and "killed by signal" not in said:
                raise
            raise TrainingError(
                "A process that reads videos ended by itself, as one does that is killed for its "
                "memory (or finds /dev/shm full); take fewer workers, smaller batches or more "
                "shared memory."
            ) from error

    def _finished(self, batch: Batch, epoch: int, position: int) -> Batch:
        batch = _owned(batch.to(self._device))
        return batch if self._mixer is None else self._mixer(batch, epoch, position)

    def _note(self, notes: Sequence[str]) -> None:
        for note in notes:
            if not self.failures[note]:
                _log.warning("%s", note)
            self.failures[note] += 1
