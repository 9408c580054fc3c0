"""Which rows are in which batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest

from scenewise.data.batch_samplers import (
    Alike,
    Balanced,
    BatchSampler,
    Bucketed,
    Distinct,
    InOrder,
    Order,
    Shuffled,
)
from scenewise.errors import UsageError

VIDEOS = [f"video {number % 9}" for number in range(40)]
CLASSES = [0] * 30 + [1] * 8 + [2] * 2
LENGTHS = [(number * 37) % 100 for number in range(40)]
# six clusters of videos about six corners, in no order
CLUSTERS = np.arange(48) % 6
POINTS = np.eye(6, 8, dtype=np.float32)[CLUSTERS] + 0.1 * np.random.default_rng(3).normal(
    size=(48, 8)
).astype(np.float32)
ORDERS: dict[str, Callable[[], Order]] = {
    "in order": lambda: InOrder(40),
    "shuffled": lambda: Shuffled(40),
    "balanced": lambda: Balanced(CLASSES),
    "distinct": lambda: Distinct(VIDEOS),
    "bucketed": lambda: Bucketed(LENGTHS, 2),
    "alike": lambda: Alike(range(40), POINTS[:40]),
    "alike clips": lambda: Alike([number % 9 for number in range(40)], POINTS[:9], clips=2),
}
order = pytest.mark.parametrize("made", ORDERS.values(), ids=ORDERS.keys())


def numbers(sampler: BatchSampler) -> list[list[int]]:
    return [[place.number for place in batch] for batch in sampler]


def flat(batches: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(batches))


EACH_ONCE = ["shuffled", "bucketed", "alike", "alike clips"]


@pytest.mark.parametrize("name", ["in order", *EACH_ONCE])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_evaluation_covers_every_row_once(name: str, world: int) -> None:
    ranks = [
        BatchSampler(ORDERS[name](), 3, rank=rank, world=world, fill=False) for rank in range(world)
    ]
    assert sorted(flat([flat(numbers(rank)) for rank in ranks])) == list(range(40))


@pytest.mark.parametrize("name", EACH_ONCE)
@pytest.mark.parametrize("world", [1, 2, 3])
def test_training_has_equal_steps_and_every_row(name: str, world: int) -> None:
    ranks = [
        numbers(BatchSampler(ORDERS[name](), 3, rank=rank, world=world)) for rank in range(world)
    ]
    steps = -(-40 // (3 * world))
    assert [len(rank) for rank in ranks] == [steps] * world
    assert {len(batch) for rank in ranks for batch in rank} == {3}
    counts = Counter(flat([flat(rank) for rank in ranks]))
    assert set(counts) == set(range(40))
    assert counts.total() == steps * 3 * world
    assert max(counts.values()) <= 2


def test_fewer_rows_than_a_batch_repeat() -> None:
    (batch,) = numbers(BatchSampler(Shuffled(2), 5))
    assert Counter(batch).keys() == {0, 1}
    assert len(batch) == 5


@order
def test_a_step_is_the_same_for_any_number_of_ranks(made: Callable[[], Order]) -> None:
    alone = numbers(BatchSampler(made(), 4, seed=7))
    ranks = [numbers(BatchSampler(made(), 2, seed=7, rank=rank, world=2)) for rank in range(2)]
    together = [sorted(one + other) for one, other in zip(*ranks, strict=True)]
    assert together == [sorted(batch) for batch in alone]


@order
def test_an_epoch_is_of_seed_and_epoch_alone(made: Callable[[], Order]) -> None:
    sampler = BatchSampler(made(), 4, seed=1)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs[0] == epochs[2]
    assert {place.epoch for place in flat(epochs[1])} == {1}  # type: ignore[arg-type,attr-defined]
    if not isinstance(made(), InOrder):
        assert [p.number for p in chain(*epochs[0])] != [p.number for p in chain(*epochs[1])]
        other = BatchSampler(made(), 4, seed=2)
        assert list(other) != epochs[0]


@order
def test_skipping_leaves_the_rest_as_it_was(made: Callable[[], Order]) -> None:
    sampler = BatchSampler(made(), 4, seed=1)
    sampler.set_epoch(3)
    whole = list(sampler)
    sampler.set_epoch(3, start=2)
    sampler.skip(1)
    assert list(sampler) == whole[3:]
    assert len(sampler) == len(whole) - 3
    sampler.set_epoch(4)
    assert len(list(sampler)) == len(whole)


def test_classes_are_equally_frequent() -> None:
    sampler = BatchSampler(Balanced(CLASSES), 8)
    totals: Counter[int] = Counter()
    for epoch in range(30):
        sampler.set_epoch(epoch)
        drawn = flat(numbers(sampler))
        counts = Counter(CLASSES[number] for number in drawn)
        assert max(counts.values()) - min(counts.values()) <= 1
        totals.update(drawn)
    # the two rows of the small class share its third of all draws
    assert totals[38] + totals[39] == pytest.approx(30 * 40 / 3, abs=30)
    assert abs(totals[38] - totals[39]) <= 30
    # and no row of the large one is forgotten
    assert all(totals[number] for number in range(30))


@pytest.mark.parametrize("world", [1, 2])
def test_a_video_is_once_in_a_batch_of_all_ranks(world: int) -> None:
    totals: Counter[int] = Counter()
    for epoch in range(10):
        ranks = []
        for rank in range(world):
            sampler = BatchSampler(Distinct(VIDEOS), 8 // world, rank=rank, world=world)
            sampler.set_epoch(epoch)
            ranks.append(numbers(sampler))
        for step in zip(*ranks, strict=True):
            together = flat(list(step))
            assert len({VIDEOS[number] for number in together}) == len(together) == 8
            totals.update(together)
        drawn = flat([flat(rank) for rank in ranks])
        assert len(set(drawn)) == len(drawn) >= 32  # of 40 rows, in batches of 8 of 9 videos
    assert set(totals) == set(range(40))


def test_videos_with_many_rows_do_not_spoil_the_end() -> None:
    # 4 videos with 5 rows, 10 with one: 30 rows, and six batches of five hold them all
    videos = [f"many {number % 4}" for number in range(20)] + [f"one {n}" for n in range(10)]
    for seed in range(20):
        batches = numbers(BatchSampler(Distinct(videos), 5, seed=seed))
        assert len(batches) == 6


def test_a_batch_of_too_few_videos_is_refused() -> None:
    with pytest.raises(UsageError, match="9 videos, too few for a batch of 10"):
        BatchSampler(Distinct(VIDEOS), 5, world=2)


def test_bucketed_rows_are_of_like_length() -> None:
    lengths = [(number * 37) % 1000 for number in range(1000)]

    def padding(order: Order) -> int:
        return sum(
            max(lengths[n] for n in batch) - lengths[number]
            for batch in numbers(BatchSampler(order, 10))
            for number in batch
        )

    assert padding(Bucketed(lengths)) < padding(Shuffled(1000)) / 10


def spread(batches: list[list[int]]) -> float:
    """The mean distance of two videos of one batch."""
    return float(
        np.mean([np.linalg.norm(POINTS[b][:, None] - POINTS[b][None], axis=2) for b in batches])
    )


def test_videos_of_a_batch_are_near_each_other() -> None:
    shuffled = spread(numbers(BatchSampler(Shuffled(48), 4)))
    # the last ones of an epoch take what is left, which lies farther apart
    for pool, most in ((1, 0.4), (2, 0.7)):
        dealt = numbers(BatchSampler(Alike(range(48), POINTS, pool=pool), 4))
        assert spread(dealt) < most * shuffled
    # of all that there are, nothing is near
    assert spread(numbers(BatchSampler(Alike(range(48), POINTS, pool=12), 4))) > 0.8 * shuffled


def test_the_first_half_of_what_is_near_is_not_always_drawn() -> None:
    """Of 2k near ones k: who is beside a video is another one in another epoch."""
    sampler = BatchSampler(Alike(range(48), POINTS), 4)
    beside = set()
    for epoch in range(30):
        sampler.set_epoch(epoch)
        (batch,) = (batch for batch in numbers(sampler) if 0 in batch)
        beside.update(batch)
    assert beside >= {number for number in range(48) if CLUSTERS[number] == 0}


def test_a_batch_has_several_clips_of_each_of_its_videos() -> None:
    videos = [number % 48 for number in range(48 * 4)]
    for batch in numbers(BatchSampler(Alike(videos, POINTS, clips=4), 16)):
        assert set(Counter(videos[number] for number in batch).values()) == {4}
    # a video with many rows is in many batches, not many times in one, while there are others
    many = [number % 48 for number in range(48)] + [0] * 8
    batches = numbers(BatchSampler(Alike(many, POINTS), 4))
    assert max(Counter(many[number] for number in batch)[0] for batch in batches[:1]) <= 1
    assert sorted(flat(batches)) == list(range(56))


def test_videos_of_few_rows_fill_a_batch_with_the_next_nearest() -> None:
    batches = numbers(BatchSampler(Alike(range(48), POINTS, clips=16), 16))
    assert [len(batch) for batch in batches] == [16] * 3
    assert sorted(flat(batches)) == list(range(48))


def test_a_video_without_a_vector_is_dealt_too() -> None:
    vectors = POINTS.copy()
    vectors[::5] = 0
    assert sorted(flat(numbers(BatchSampler(Alike(range(48), vectors), 4)))) == list(range(48))


def test_what_is_dealt_elsewhere_holds_for_its_epoch_alone() -> None:
    ranks = [BatchSampler(Shuffled(48), 2, seed=5, rank=rank, world=2) for rank in range(2)]
    before = [numbers(rank) for rank in ranks]
    for rank in ranks:
        rank.set_epoch(1)
    dealt = ranks[0].deal(Alike(range(48), POINTS))
    assert dealt == ranks[1].deal(Alike(range(48), POINTS))
    for rank in ranks:
        rank.take(dealt)
    shares = [numbers(rank) for rank in ranks]
    assert [one + other for one, other in zip(*shares, strict=True)] == [
        batch[::2] + batch[1::2] for batch in dealt
    ]
    for rank in ranks:
        rank.set_epoch(0)
    assert [numbers(rank) for rank in ranks] == before


@pytest.mark.parametrize(("size", "rank", "world"), [(0, 0, 1), (1, 1, 1), (1, -1, 2)])
def test_sizes_that_are_none(size: int, rank: int, world: int) -> None:
    with pytest.raises(UsageError, match="at least one row"):
        BatchSampler(Shuffled(4), size, rank=rank, world=world)
