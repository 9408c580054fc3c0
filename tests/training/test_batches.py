"""Sources of batches, and the middle of an epoch."""

from __future__ import annotations

import torch
from tiny_training import SkippingBatches, batch_of, shuffled_loader
from torch.utils.data import DataLoader, Sampler

from scenewise.training.batches import as_batches, length, position


def test_a_source_that_can_pass_over_batches_is_taken_as_it_is() -> None:
    source = SkippingBatches()
    assert as_batches(source) is source


def test_any_other_is_read_and_dropped() -> None:
    batches = as_batches([batch_of([row]) for row in range(5)])
    batches.set_epoch(0, 3)
    assert [batch.rows.tolist() for batch in batches] == [[3], [4]]
    assert length(batches) == 2
    batches.set_epoch(1)
    assert length(batches) == 5


def test_a_stream_has_no_length() -> None:
    assert length(as_batches(batch_of([row]) for row in range(5))) is None


def test_a_sampler_of_torch_is_told_its_epoch() -> None:
    told: list[int] = []

    class Telling(Sampler[int]):
        def set_epoch(self, epoch: int) -> None:
            told.append(epoch)

        def __iter__(self) -> object:  # type: ignore[override]
            return iter([0, 1])

        def __len__(self) -> int:
            return 2

    loader = DataLoader(shuffled_loader().dataset, sampler=Telling(), collate_fn=batch_of)
    as_batches(loader).set_epoch(4)
    assert told == [4]


def test_the_source_s_own_count_is_taken_where_it_has_one() -> None:
    class Counting(SkippingBatches):
        def state(self) -> dict[str, int]:
            return {"epoch": 0, "position": 7}

    assert position(Counting(), 5) == 7
    assert position(SkippingBatches(), 5) == 5
    assert torch.is_tensor(next(iter(SkippingBatches())).rows)
