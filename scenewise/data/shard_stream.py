"""Shards as a torch dataset that is read from front to back: each process its own share.

Every sample comes once an epoch, over all ranks and workers together. It knows ranks, workers and
epochs; what a sample is, is known by ``shards``, and what becomes of it by ``make``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from torch.utils.data import IterableDataset, get_worker_info

from scenewise.data.shards import BUFFER, ShardReader, ShardSample

Made = TypeVar("Made")


class ShardStream(IterableDataset[Made], Generic[Made]):
    """What ``make`` makes of each sample; None of it is left out (a video that does not decode).

    ``make`` is called in the worker: open ``sample.as_file()`` there and decode ``sample.row``.
    """

    def __init__(
        self,
        shards: Sequence[Path],
        make: Callable[[ShardSample], Made | None],
        *,
        seed: int | None = 0,
        buffer: int = BUFFER,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """``seed`` None: in the order of writing. Ranks are those of torch.distributed."""
        self._shards = tuple(shards)
        self._make = make
        self._seed, self._buffer = seed, buffer
        self._rank, self._world_size = rank, world_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Another order from the next iteration on; call it on all ranks alike.

        Workers that persist between epochs have their own copy of the stream, which this does not
        reach: use a loader without ``persistent_workers``.
        """
        self._epoch = epoch

    def __iter__(self) -> Iterator[Made]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        reader = ShardReader(
            self._shards,
            part=self._rank * workers + number,
            parts=self._world_size * workers,
            seed=self._seed,
            epoch=self._epoch,
            buffer=self._buffer,
        )
        for sample in reader:
            made = self._make(sample)
            if made is not None:
                yield made
