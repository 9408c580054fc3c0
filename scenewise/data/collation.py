"""Examples as a batch: what differs in length is padded, and masks say what is real.

It knows shapes; it knows nothing of what they hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from scenewise.data.batch import Batch
from scenewise.data.example import Example, ExpertVectors
from scenewise.errors import DataError
from scenewise.models.video_text.expert_features import ExpertFeatures, ExpertStream


def collate(examples: Sequence[Example]) -> Batch:
    """A batch of at least one example. Raises DataError where they have not the same parts."""
    learnt = [example.learnt for example in examples]
    clips, _ = _padded([one.clip for one in examples], "clips")
    clip_mask, _ = _padded([one.clip_mask for one in examples], "clips")
    features, feature_mask = _padded([one.features for one in examples], "features")
    ids, _ = _padded([one.ids for one in learnt], "texts")
    text_mask, _ = _padded([one.text_mask for one in learnt], "texts")
    spans, span_mask = _padded([one.spans for one in learnt], "moments")
    choices, choice_mask = _padded([one.choices for one in learnt], "choices", some=True)
    choice_text_mask, _ = _padded([one.choice_text_mask for one in learnt], "choices", some=True)
    saliency, saliency_mask = _padded([one.saliency for one in learnt], "ratings", some=True)
    if saliency is not None and saliency_mask is not None:
        saliency_mask = saliency_mask & ~saliency.isnan()
        saliency = saliency.nan_to_num()
    durations = [one.duration for one in examples]
    sound = _stacked([one.sound for one in examples], "sound")
    return Batch(
        rows=torch.tensor([one.row for one in examples]),
        views=torch.tensor([one.view for one in examples]),
        clips=clips,
        clip_mask=clip_mask,
        features=features,
        feature_mask=feature_mask,
        sound=sound,
        has_sound=(None if sound is None else torch.tensor([one.has_sound for one in examples])),
        ids=ids,
        text_mask=text_mask,
        targets=_stacked([one.target for one in learnt], "targets"),
        spans=spans,
        span_mask=span_mask,
        times=_padded([one.times for one in examples], "times")[0],
        durations=(
            torch.tensor(durations, dtype=torch.float32)
            if all(value is not None for value in durations)
            else None
        ),
        choices=choices,
        choice_text_mask=choice_text_mask,
        choice_mask=choice_mask,
        saliency=saliency,
        saliency_mask=saliency_mask,
        notes=tuple(note for one in examples for note in one.notes),
        experts=_experts([one.experts for one in examples]),
    )


def _experts(
    examples: Sequence[Mapping[str, ExpertVectors] | None],
) -> ExpertFeatures | None:
    """The streams of all experts that any example has; it is all or none that has some."""
    present = [experts for experts in examples if experts is not None]
    _fits(len(present) in (0, len(examples)), "experts")
    if not present:
        return None
    streams = {}
    for name in sorted({name for experts in present for name in experts}):
        seen = [experts.get(name) for experts in present]
        vectors, mask = _padded([one and one.vectors for one in seen], name, some=True)
        times, _ = _padded([one and one.times for one in seen], name, some=True)
        assert vectors is not None  # some example has this expert
        largest = vectors.new_zeros(len(seen), vectors.shape[2])
        for row, one in enumerate(seen):
            if one is not None:
                largest[row] = one.largest
        streams[name] = ExpertStream(vectors, times, mask, largest)
    return ExpertFeatures(streams)


def _padded(
    tensors: Sequence[Tensor | None], what: str, *, some: bool = False
) -> tuple[Tensor | None, Tensor | None]:
    """(N_i, ...) each to (B, N, ...), padded with zeros, and (B, N) True where it is real.

    With ``some``, examples may be without; otherwise it is all or none.
    """
    present = _present(tensors, what, some)
    if not present:
        return None, None
    first = present[0]
    longest = max(len(tensor) for tensor in present)
    if len(present) == len(tensors) and all(tensor.shape == first.shape for tensor in present):
        return torch.stack(present), torch.ones(len(tensors), longest, dtype=torch.bool)
    padded = first.new_zeros(len(tensors), longest, *first.shape[1:])
    mask = torch.zeros(len(tensors), longest, dtype=torch.bool)
    for number, tensor in enumerate(tensors):
        if tensor is not None:
            _fits(tensor.shape[1:] == first.shape[1:], what)
            padded[number, : len(tensor)] = tensor
            mask[number, : len(tensor)] = True
    return padded, mask


def _stacked(tensors: Sequence[Tensor | None], what: str) -> Tensor | None:
    present = _present(tensors, what, False)
    if not present:
        return None
    _fits(all(tensor.shape == present[0].shape for tensor in present), what)
    return torch.stack(present)


def _present(tensors: Sequence[Tensor | None], what: str, some: bool) -> list[Tensor]:
    present = [tensor for tensor in tensors if tensor is not None]
    _fits(some or len(present) in (0, len(tensors)), what)
    return present


def _fits(good: bool, what: str) -> None:
    if not good:
        raise DataError(
            f"The {what} of a batch are not alike: rows of different kinds, or of different "
            "sizes, cannot be in one batch."
        )
