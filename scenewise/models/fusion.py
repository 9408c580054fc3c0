"""Several streams of features become one: picture, flow, sound, text, numeric series.

Early fusion takes ``{stream: (B, D_s) or (B, N_s, D_s)}`` and gives vectors; late fusion takes
scores ``{stream: (B, K)}`` and gives scores. Any stream may be absent, from the whole batch (it
is not in the dictionary) or from single examples (its mask says so): the others then share its
part, and what the absent stream's numbers are, nan included, changes nothing. An example without
any stream gives zeros ahead of a last linear layer.

Sources: gated units, Arevalo et al., "Gated Multimodal Units for Information Fusion", 2017
(https://arxiv.org/abs/1702.01992); the bilinear form, Liu et al., "Efficient Low-rank Multimodal
Fusion with Modality-Specific Factors", 2018 (https://arxiv.org/abs/1806.00064). How an absent
stream is made up for is ours. It knows features; it knows no stream's network. Fusion by
attention is in ``cross_attention_fusion``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.pooling import masked_mean

Streams = Mapping[str, Tensor]
Gates = Literal["tied", "free"]


class Fusion(nn.Module, ABC):
    """Streams ``{name: (B, D_s) or (B, N_s, D_s)}`` to one vector an example, (B, num_features).

    ``dims`` are the streams' names and widths, in the order in which they are joined. A stream
    of tokens is averaged over its real tokens first.
    """

    num_features: int

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.dims = checked_dims(dims)

    def forward(self, streams: Streams, masks: Streams | None = None) -> Tensor:
        """To (B, num_features). ``masks`` are True where a stream is there: ``{name: (B,)}``, or
        (B, N_s) over the tokens of a stream that has some; a stream without a mask is all there.
        """
        vectors, present = as_vectors(self.dims, streams, masks)
        return self.fuse(vectors, present)

    @abstractmethod
    def fuse(self, vectors: list[Tensor], present: Tensor) -> Tensor:
        """S vectors (B, D_s), zeros where absent, and ``present`` (B, S), to (B, num_features)."""


class WeightedAverage(Fusion):
    """``sum_s w_s W_s x_s`` with weights that add up to 1 over the streams that are there.

    ``weights`` fixes them (any scale); None learns them, by a softmax that begins even. ``width``
    None leaves out the projections ``W_s``, for streams of one width.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        width: int | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(dims)
        if width is None and len(set(self.dims.values())) > 1:
            raise UsageError(
                f"streams of widths {_listed(self.dims)} cannot be averaged as they are; give the "
                "width that all are projected to."
            )
        self.num_features = width or next(iter(self.dims.values()))
        self.projections = nn.ModuleList(
            nn.Identity() if width is None else nn.Linear(dim, width) for dim in self.dims.values()
        )
        self.weighting = StreamWeights(tuple(self.dims), weights)

    def fuse(self, vectors: list[Tensor], present: Tensor) -> Tensor:
        """Projected, then averaged."""
        projected = [layer(x) for layer, x in zip(self.projections, vectors, strict=True)]
        shares = self.weighting(present)
        return torch.einsum("bs,bsd->bd", shares.to(projected[0].dtype), torch.stack(projected, 1))


class Concatenation(Fusion):
    """All streams end to end, then a linear layer to ``width`` (None: none).

    An absent stream leaves zeros, and the others grow by all numbers / numbers that are there,
    as dropout has it, so that the next layer's sums keep their size.
    """

    def __init__(self, dims: Mapping[str, int], *, width: int | None = None) -> None:
        super().__init__(dims)
        joined = sum(self.dims.values())
        self.num_features = width or joined
        self.projection = nn.Linear(joined, width) if width else nn.Identity()
        self.register_buffer(
            "sizes", torch.tensor([*self.dims.values()], dtype=torch.float32), persistent=False
        )
        self.sizes: Tensor

    def fuse(self, vectors: list[Tensor], present: Tensor) -> Tensor:
        """Joined and rescaled."""
        sizes = self.sizes.float()
        there = (present.float() * sizes).sum(dim=1, keepdim=True).clamp(min=1.0)
        joined = torch.cat(vectors, dim=1)
        output: Tensor = self.projection(joined * (sizes.sum() / there).to(joined.dtype))
        return output


class GatedFusion(Fusion):
    """Gated multimodal units: ``h_s = tanh(W_s x_s)``, gates of all streams together.

    ``gates`` tied is the published unit of two streams, ``z * h_1 + (1 - z) * h_2`` with
    ``z = sigmoid(W_z [x_1, x_2])``; free is that of any number, ``sum_s z_s * h_s``. None takes
    tied for two. The published equations have no biases, and neither has this. Where streams are
    absent, tied gates give the one that is there its whole value, and free gates grow by
    streams / streams that are there.
    """

    def __init__(self, dims: Mapping[str, int], *, width: int, gates: Gates | None = None) -> None:
        super().__init__(dims)
        self.gates: Gates = gates or ("tied" if len(self.dims) == 2 else "free")
        if self.gates == "tied" and len(self.dims) != 2:
            raise UsageError(f"tied gates join 2 streams, not {len(self.dims)}; take gates='free'.")
        self.num_features = width
        joined = sum(self.dims.values())
        self.values = nn.ModuleList(nn.Linear(dim, width, bias=False) for dim in self.dims.values())
        count = 1 if self.gates == "tied" else len(self.dims)
        self.gate = nn.Linear(joined, count * width, bias=False)

    def fuse(self, vectors: list[Tensor], present: Tensor) -> Tensor:
        """Gated and summed."""
        values = [layer(x).tanh() for layer, x in zip(self.values, vectors, strict=True)]
        hidden = torch.stack(values, dim=1)
        opened = self.gate(torch.cat(vectors, dim=1)).sigmoid()
        there = rearrange(present, "b s -> b s 1").to(hidden.dtype)
        if self.gates == "tied":
            pair = torch.stack([opened, 1.0 - opened], dim=1)
            one_alone = (there.sum(dim=1, keepdim=True) == 1.0).to(pair.dtype)
            opened = there * (one_alone + (1.0 - one_alone) * pair)
        else:
            opened = rearrange(opened, "b (s d) -> b s d", s=len(self.dims))
            opened = there * opened * (len(self.dims) / there.sum(1, keepdim=True).clamp(min=1.0))
        fused: Tensor = (opened * hidden).sum(dim=1)
        return fused


class BilinearFusion(Fusion):
    """Products of all streams with all others: ``sum_r w_r prod_s W_sr [x_s, 1]``.

    The low-rank form of the outer product of the streams with a 1 appended, so that each stream
    and each smaller product of streams has its term, too. An absent stream has the factor 1.
    """

    def __init__(self, dims: Mapping[str, int], *, width: int, rank: int = 4) -> None:
        super().__init__(dims)
        self.num_features = width
        self.rank = rank
        self.factors = nn.ModuleList(nn.Linear(dim, rank * width) for dim in self.dims.values())
        self.rank_weights = nn.Parameter(torch.full((rank,), 1.0 / math.sqrt(rank)))
        self.bias = nn.Parameter(torch.zeros(width))
        for factor in self.factors:
            assert isinstance(factor, nn.Linear)
            nn.init.xavier_normal_(factor.weight)
            nn.init.ones_(factor.bias)  # a product of small numbers would vanish

    def fuse(self, vectors: list[Tensor], present: Tensor) -> Tensor:
        """Multiplied, then summed over the rank."""
        product = None
        for number, (layer, x) in enumerate(zip(self.factors, vectors, strict=True)):
            factor = torch.where(present[:, number, None], layer(x), torch.ones_like(layer(x)))
            product = factor if product is None else product * factor
        assert product is not None
        ranks = rearrange(product, "b (r d) -> b r d", r=self.rank)
        fused = torch.einsum("r,brd->bd", self.rank_weights, ranks) + self.bias
        return torch.where(present.any(dim=1, keepdim=True), fused, torch.zeros_like(fused))


class LateFusion(nn.Module):
    """Scores of several streams, ``{name: (B, K)}``, to scores (B, K).

    ``how`` mean takes ``weights`` (None: even), max the largest, learned a softmax of one weight
    a stream. Streams that are absent have no say.
    """

    def __init__(
        self,
        streams: Sequence[str],
        *,
        how: Literal["mean", "max", "learned"] = "mean",
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.streams = tuple(checked_dims(dict.fromkeys(streams, 1)))
        if how not in ("mean", "max", "learned"):
            raise UsageError(f"scores are fused by mean, max or learned, not by {how!r}.")
        if weights is not None and how != "mean":
            raise UsageError(f"weights belong to how='mean', not to {how!r}.")
        self.how = how
        even = dict.fromkeys(self.streams, 1.0)
        self.weighting = (
            None
            if how == "max"
            else StreamWeights(self.streams, None if how == "learned" else weights or even)
        )

    def forward(self, scores: Streams, masks: Streams | None = None) -> Tensor:
        """To (B, K); ``masks`` ``{name: (B,)}`` are True where a stream is there."""
        check_names(self.streams, scores, masks or {})
        first = next(iter(scores.values()))
        if first.ndim != 2 or any(value.shape != first.shape for value in scores.values()):
            shapes = {name: tuple(value.shape) for name, value in scores.items()}
            raise ValueError(f"scores are (B, K), the same of all streams; got {shapes}")
        dims = dict.fromkeys(self.streams, first.shape[1])
        vectors, present = as_vectors(dims, scores, masks)
        stacked = torch.stack(vectors, dim=1)
        if self.weighting is not None:
            return torch.einsum("bs,bsk->bk", self.weighting(present).to(stacked.dtype), stacked)
        lowest = torch.finfo(stacked.dtype).min
        largest = stacked.masked_fill(~present[:, :, None], lowest).amax(dim=1)
        return torch.where(present.any(dim=1, keepdim=True), largest, torch.zeros_like(largest))


class StreamWeights(nn.Module):
    """One share for each stream: fixed, or learned by a softmax; over those that are there."""

    def __init__(self, streams: Sequence[str], weights: Mapping[str, float] | None) -> None:
        super().__init__()
        self.learned = weights is None
        if weights is None:
            self.logits = nn.Parameter(torch.zeros(len(streams)))
            return
        if set(weights) != set(streams):
            raise UsageError(
                f"weights are given for {_listed(weights)}; they are needed for {_listed(streams)}."
            )
        values = [float(weights[name]) for name in streams]
        if not all(math.isfinite(value) and value >= 0.0 for value in values) or not sum(values):
            raise UsageError(
                f"weights of streams are at least 0 and not all 0, got {_listed(values)}."
            )
        self.register_buffer("fixed", torch.tensor(values), persistent=False)
        self.fixed: Tensor

    def forward(self, present: Tensor) -> Tensor:
        """``present`` (B, S) to shares (B, S) that add up to 1, or are 0 where none is there.

        Where only streams of weight 0 are there, these share evenly.
        """
        weights = self.logits.softmax(dim=0) if self.learned else self.fixed
        masked = present.to(weights.dtype) * weights
        none = masked.sum(dim=1, keepdim=True) == 0.0
        masked = torch.where(none, present.to(weights.dtype), masked)
        total = masked.sum(dim=1, keepdim=True)
        return masked / torch.where(total == 0.0, torch.ones_like(total), total)


def checked_dims(dims: Mapping[str, int]) -> dict[str, int]:
    """Names and widths of streams, as they can be used; raises UsageError."""
    if not dims:
        raise UsageError("a fusion needs at least one stream with its width.")
    for name, dim in dims.items():
        if dim < 1:
            raise UsageError(f"the stream {name!r} has a width of {dim}; at least 1 is needed.")
    return dict(dims)


def check_names(known: Sequence[str], streams: Streams, masks: Streams) -> None:
    """Raises ValueError for streams that nobody announced, for none at all, for stray masks."""
    unknown = sorted((set(streams) | set(masks)) - set(known))
    if unknown:
        raise ValueError(f"no stream is called {unknown[0]!r}; there are {_listed(known)}")
    if not streams:
        raise ValueError(f"at least one stream is needed of {_listed(known)}")
    stray = sorted(set(masks) - set(streams))
    if stray:
        raise ValueError(f"there is a mask for {stray[0]!r}, and no such stream")
    batches = {name: value.shape[0] for name, value in streams.items()}
    first = next(iter(batches.values()))
    # no set: hashing a size would fix it while a graph is traced
    if any(size != first for size in batches.values()):
        raise ValueError(f"streams have different batch sizes: {batches}")


def as_vectors(
    dims: Mapping[str, int], streams: Streams, masks: Streams | None
) -> tuple[list[Tensor], Tensor]:
    """One vector (B, D_s) for each stream of ``dims``, zeros where absent; which are there (B, S).

    Raises ValueError for names, widths and masks that do not fit.
    """
    masks = masks or {}
    check_names(tuple(dims), streams, masks)
    first = next(iter(streams.values()))
    vectors, present = [], []
    for name, dim in dims.items():
        value = streams.get(name)
        if value is None:
            vectors.append(first.new_zeros(first.shape[0], dim))
            present.append(torch.zeros(first.shape[0], dtype=torch.bool, device=first.device))
            continue
        check_stream(name, value, dim, masks.get(name))
        there = token_mask(value, masks.get(name))
        vectors.append(masked_mean(rearrange(value, "b ... d -> b (...) d"), there))
        present.append(there.any(dim=1))
    return vectors, torch.stack(present, dim=1)


def check_stream(name: str, value: Tensor, dim: int, mask: Tensor | None) -> None:
    """Raises ValueError where a stream or its mask has another shape."""
    if value.ndim not in (2, 3) or value.shape[-1] != dim:
        raise ValueError(
            f"the stream {name!r} is (B, {dim}) or (B, N, {dim}), got {tuple(value.shape)}"
        )
    allowed = (value.shape[:1], value.shape[:-1])
    if mask is not None and not any(mask.shape == shape for shape in allowed):
        raise ValueError(
            f"the mask of {name!r} is {' or '.join(str(tuple(one)) for one in allowed)}, "
            f"got {tuple(mask.shape)}"
        )


def token_mask(value: Tensor, mask: Tensor | None) -> Tensor:
    """Which tokens (B, N) of a stream are real; a stream of vectors has one token."""
    count = 1 if value.ndim == 2 else value.shape[1]
    if mask is None:
        return torch.ones(value.shape[0], count, dtype=torch.bool, device=value.device)
    flat = rearrange(mask, "b ... -> b (...)").bool()
    return flat.expand(-1, count)


def _listed(items: Sequence[object] | Mapping[str, object]) -> str:
    values = (
        [f"{key}: {value}" for key, value in items.items()]
        if isinstance(items, Mapping)
        else [str(item) for item in items]
    )
    return ", ".join(values)
