"""Which rows are in which batch: by epoch, seed and rank, without a video being opened.

A batch is a list of places (epoch, number), so that who makes the examples needs no epoch of its
own. The order of rows is drawn for all ranks together, cut into batches of all ranks, and each
rank takes its share: what is in the k-th step depends on seed and epoch alone, or on what is found
elsewhere for all ranks and handed in. It knows numbers, classes, names of videos, lengths and
vectors; it knows no example and no network.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from torch.utils.data import Sampler

from scenewise.data.chance import stream_of
from scenewise.data.example import Place
from scenewise.errors import UsageError

Numbers = list[int]
Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]


class Order(ABC):
    """One way to deal the examples of an epoch out into batches of ``size``."""

    @abstractmethod
    def batches(self, size: int, draw: np.random.Generator, /) -> list[Numbers]:
        """All batches of an epoch; only the last may be smaller.

        Raises UsageError for a size that this order cannot fill.
        """


class InOrder(Order):
    """One after another: for evaluation."""

    def __init__(self, count: int) -> None:
        self._count = count

    def batches(self, size: int, _draw: np.random.Generator) -> list[Numbers]:
        """Every example once."""
        return cut(list(range(self._count)), size)


class Shuffled(Order):
    """Every example once, in an order that is drawn."""

    def __init__(self, count: int) -> None:
        self._count = count

    def batches(self, size: int, draw: np.random.Generator) -> list[Numbers]:
        """A permutation, cut."""
        return cut(draw.permutation(self._count).tolist(), size)


class Balanced(Order):
    """Each class equally often, in an epoch as long as there are examples.

    Examples of a small class come several times and of a large one some are left out; none comes
    a second time before all of its class came once.
    """

    def __init__(self, classes: Sequence[int]) -> None:
        """``classes`` is the class of each example."""
        self._classes = np.asarray(classes)

    def batches(self, size: int, draw: np.random.Generator) -> list[Numbers]:
        """Classes in turn, in an order that is drawn for each turn."""
        names = np.unique(self._classes)
        members = [np.flatnonzero(self._classes == name) for name in names]
        left: list[Numbers] = [[] for _ in names]
        chosen: Numbers = []
        while len(chosen) < len(self._classes):
            for place in draw.permutation(len(names)):
                if not left[place]:
                    left[place] = draw.permutation(members[place]).tolist()
                chosen.append(left[place].pop())
        return cut(chosen[: len(self._classes)], size)


class Distinct(Order):
    """No video twice in a batch: in contrastive training, the other rows of a video are right too.

    Videos with the most rows left go first, which fills as many batches as there can be; rows
    that fill no batch any more are left out of the epoch, others in the next.
    """

    def __init__(self, videos: Sequence[str]) -> None:
        """``videos`` names the video of each example."""
        self._rows: dict[str, Numbers] = {}
        for number, video in enumerate(videos):
            self._rows.setdefault(video, []).append(number)

    def batches(self, size: int, draw: np.random.Generator) -> list[Numbers]:
        """Whole batches alone."""
        if len(self._rows) < size:
            raise UsageError(
                f"There are {len(self._rows)} videos, too few for a batch of {size} different "
                "ones (of all processes together); take a smaller batch."
            )
        left = {name: draw.permutation(rows).tolist() for name, rows in self._rows.items()}
        # equally many rows: in an order that is drawn
        queue = [(-len(rows), float(draw.random()), name) for name, rows in left.items()]
        heapq.heapify(queue)
        made: list[Numbers] = []
        while len(queue) >= size:
            taken = [heapq.heappop(queue) for _ in range(size)]
            made.append([left[name].pop() for _, _, name in taken])
            for count, _, name in taken:
                if count < -1:
                    heapq.heappush(queue, (count + 1, float(draw.random()), name))
        return [draw.permutation(made[place]).tolist() for place in draw.permutation(len(made))]


class Bucketed(Order):
    """Examples of like length together, so that little is padded.

    Shuffled, cut into stretches of ``batches_each`` batches, sorted by length within each; then
    the batches are shuffled, the last and smaller one staying last.
    """

    def __init__(self, lengths: Sequence[int], batches_each: int = 50) -> None:
        self._lengths = np.asarray(lengths)
        self._each = batches_each

    def batches(self, size: int, draw: np.random.Generator) -> list[Numbers]:
        """Every example once."""
        shuffled = draw.permutation(len(self._lengths))
        ordered: Numbers = []
        for begin in range(0, len(shuffled), size * self._each):
            part = shuffled[begin : begin + size * self._each]
            ordered += part[np.argsort(self._lengths[part], kind="stable")].tolist()
        made = cut(ordered, size)
        return _whole_shuffled(made, size, draw)


class Alike(Order):
    """Rows of videos whose vectors are near each other: a contrast has hard negatives.

    After VideoCLIP (Xu et al. 2021, https://arxiv.org/abs/2109.14084, retrieval augmented
    training): about a video that is drawn, k of its ``pool`` k nearest ones are drawn, with
    ``clips`` rows each. There a video may come often in an epoch, or never; here every row comes
    once: the video is that of a row not yet dealt, and those near it are such that have rows left.
    Near is by cosine, and exact. A batch that rows of these videos do not fill takes the next
    nearest ones, and takes of the same ones again where no other is left.
    """

    def __init__(
        self, videos: Sequence[int], vectors: Vectors, *, pool: int = 2, clips: int = 1
    ) -> None:
        """``videos`` is the number of each row's video, ``vectors`` (videos, D) are of these."""
        self._videos = np.asarray(videos)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # one without a vector, of zeros, is near nobody
        self._vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        self._pool, self._clips = pool, clips

    def batches(self, size: int, draw: np.random.Generator) -> list[Numbers]:
        """Every example once."""
        left: list[Numbers] = [[] for _ in self._vectors]
        for row in draw.permutation(len(self._videos)).tolist():
            left[self._videos[row]].append(row)
        near = _Near(self._vectors, left)
        dealt = np.zeros(len(self._videos), dtype=bool)
        made: list[Numbers] = []
        for row in draw.permutation(len(self._videos)).tolist():
            if dealt[row]:
                continue
            video = self._videos[row]
            left[video].remove(row)
            left[video].append(row)  # is taken first
            batch = self._around(near.ranked(video), left, size, draw)
            dealt[batch] = True
            made.append(draw.permutation(batch).tolist())
        return _whole_shuffled(made, size, draw)

    def _around(
        self, ranked: Numbers, left: list[Numbers], size: int, draw: np.random.Generator
    ) -> Numbers:
        """Rows of the first of ``ranked``, and of others that are drawn among the next ones."""
        batch: Numbers = []
        reach = self._pool * -(-size // self._clips)
        while ranked:
            for begin in range(0, len(ranked), reach):
                pool = ranked[begin : begin + reach]
                fixed = 0 if begin else 1
                for video in [*pool[:fixed], *draw.permutation(pool[fixed:]).tolist()]:
                    count = min(self._clips, size - len(batch), len(left[video]))
                    batch += [left[video].pop() for _ in range(count)]
                    if len(batch) == size:
                        return batch
            ranked = [video for video in ranked if left[video]]
        return batch


class _Near:
    """Videos that have rows left, the nearest first; no table of all pairs is ever made."""

    def __init__(self, vectors: Vectors, left: list[Numbers]) -> None:
        self._all, self._vectors = vectors, vectors
        self._numbers = np.arange(len(vectors))
        self._left = left

    def ranked(self, video: int) -> Numbers:
        """Itself, then all the others."""
        there = np.array([bool(self._left[number]) for number in self._numbers])
        if 2 * there.sum() < len(there):  # what is dealt is looked at no more
            self._numbers, self._vectors = self._numbers[there], self._vectors[there]
            there = there[there]
        distances = -(self._vectors @ self._all[video])
        distances[self._numbers == video] = -np.inf
        order = np.argsort(distances, kind="stable")
        found: Numbers = self._numbers[order[there[order]]].tolist()
        return found


class BatchSampler(Sampler[list[Place]]):
    """The batches of one rank, an epoch at a time.

    In training (``fill``) every rank has equally many batches of equal size: the last is filled
    up with the epoch's first examples. For evaluation nothing is added: every example is in one
    batch of one rank, and ranks may have different numbers of batches.
    """

    def __init__(
        self,
        order: Order,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        fill: bool = True,
    ) -> None:
        """``batch_size`` is of one rank."""
        if batch_size < 1 or not 0 <= rank < world:
            raise UsageError(
                f"A batch has at least one row and a rank lies below {world}, got {batch_size} "
                f"and rank {rank}."
            )
        self._order = order
        self.batch_size = batch_size
        self._seed = seed
        self._rank, self._world = rank, world
        self._fill = fill
        self._made: tuple[int, list[Numbers]] | None = None
        self.epoch = 0
        self.start = 0  # batches of the epoch that are passed over
        _ = self._batches()  # a size that cannot be filled is said at once

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Which epoch comes next, and after how many of its batches it begins."""
        self.epoch, self.start = epoch, start

    def skip(self, count: int) -> None:
        """Pass over so many more batches of this epoch."""
        self.start += count

    def deal(self, order: Order) -> list[Numbers]:
        """What another order makes of this epoch, for all ranks together."""
        return order.batches(self.whole_size, stream_of(self._seed, self.epoch, 0, "order"))

    def take(self, dealt: Sequence[Numbers]) -> None:
        """Of this epoch these batches of all ranks, in place of those of its own order."""
        self._made = (self.epoch, self._share(list(dealt)))

    @property
    def whole_size(self) -> int:
        """Rows of a batch of all ranks."""
        return self.batch_size * self._world

    def __iter__(self) -> Iterator[list[Place]]:
        """The batches that are left of the epoch."""
        epoch = self.epoch
        for numbers in islice(self._batches(), self.start, None):
            yield [Place(epoch, number) for number in numbers]

    def __len__(self) -> int:
        """How many batches are left of the epoch."""
        return max(0, len(self._batches()) - self.start)

    def _batches(self) -> list[Numbers]:
        if self._made is None or self._made[0] != self.epoch:
            self._made = (self.epoch, self._share(self.deal(self._order)))
        return self._made[1]

    def _share(self, dealt: list[Numbers]) -> list[Numbers]:
        whole = self.whole_size
        if self._fill and dealt:
            last, numbers = dealt[-1], [number for batch in dealt for number in batch]
            dealt = [*dealt[:-1], [*last, *islice(cycle(numbers), whole - len(last))]]
        shares = [batch[self._rank :: self._world] for batch in dealt]
        return [share for share in shares if share]


def cut(numbers: Numbers, size: int) -> list[Numbers]:
    """Batches of numbers that stand one after another."""
    return [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]


def _whole_shuffled(made: list[Numbers], size: int, draw: np.random.Generator) -> list[Numbers]:
    """The batches in an order that is drawn, the last and smaller one staying last."""
    whole = [batch for batch in made if len(batch) == size]
    return [whole[place] for place in draw.permutation(len(whole))] + made[len(whole) :]
