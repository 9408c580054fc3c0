"""Examples as a batch: padding and masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scenewise.data.collation import collate
from scenewise.data.example import Example
from scenewise.data.row_targets import RowTensors
from scenewise.errors import DataError


def clip(frames: int, value: float = 1.0) -> Example:
    return Example(
        row=frames,
        clip=torch.full((frames, 3, 2, 2), value),
        clip_mask=torch.ones(frames, dtype=torch.bool),
        times=torch.arange(frames).float(),
        duration=float(frames),
    )


def test_clips_of_different_length_are_padded() -> None:
    batch = collate([clip(3), clip(1)])
    assert batch.clips is not None
    assert batch.clip_mask is not None
    assert batch.clips.shape == (2, 3, 3, 2, 2)
    assert batch.clip_mask.tolist() == [[True] * 3, [True, False, False]]
    assert not bool(batch.clips[1, 1:].any())
    assert batch.durations is not None
    assert batch.durations.tolist() == [3, 1]
    assert batch.rows.tolist() == [3, 1]
    assert (batch.sound, batch.ids, batch.targets, batch.spans) == (None,) * 4


def test_features_have_a_mask_of_their_length() -> None:
    batch = collate(
        [Example(row=0, features=torch.ones(2, 5)), Example(row=1, features=torch.ones(4, 5))]
    )
    assert batch.feature_mask is not None
    assert batch.feature_mask.sum(1).tolist() == [2, 4]


def test_spans_choices_and_ratings_are_padded() -> None:
    nan = float("nan")
    one = RowTensors(
        spans=torch.tensor([[0.0, 1.0], [2.0, 3.0]]),
        choices=torch.ones(3, 4, dtype=torch.int64),
        choice_text_mask=torch.ones(3, 4, dtype=torch.bool),
        saliency=torch.tensor([1.0, nan, 3.0]),
    )
    other = RowTensors(spans=torch.zeros(0, 2))
    batch = collate([Example(row=0, learnt=one), Example(row=1, learnt=other)])
    assert batch.span_mask is not None
    assert batch.choice_mask is not None
    assert batch.saliency is not None
    assert batch.saliency_mask is not None
    assert batch.span_mask.tolist() == [[True, True], [False, False]]
    assert batch.choice_mask.tolist() == [[True] * 3, [False] * 3]
    assert batch.saliency_mask.tolist() == [[True, False, True], [False] * 3]
    assert batch.saliency[0].tolist() == [1, 0, 3]


def test_rows_of_different_kinds_do_not_go_together() -> None:
    with pytest.raises(DataError, match="clips of a batch are not alike"):
        collate([clip(2), Example(row=1)])
    with pytest.raises(DataError, match="targets of a batch are not alike"):
        collate(
            [
                replace(clip(2), learnt=RowTensors(target=torch.tensor(1))),
                replace(clip(2), learnt=RowTensors(target=torch.ones(3))),
            ]
        )


def test_a_batch_moves_with_all_its_parts() -> None:
    moved = replace(collate([clip(2)]), notes=("a note",)).to("meta")
    assert moved.clips is not None
    assert moved.times is not None
    assert moved.clips.device.type == moved.times.device.type == "meta"
    assert moved.notes == ("a note",)
