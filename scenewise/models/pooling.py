"""From many tokens, or a map over time and place, to fewer or one.

Tokens (B, N, D): mean, max, [CLS], attention with learned queries (Lee et al., "Set Transformer",
2019, https://arxiv.org/abs/1810.00825). Maps (B, D, T, H, W): average, max, both joined, and time
ahead of place, over all of it or in windows. Masks are True where something is real; what stands
where they are False, nan included, changes nothing, and where nothing is real there are zeros.
It knows tokens, maps and masks; it knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError

Pool = Literal["average", "max"]
MapPool = Literal["average", "max", "joint", "temporal-spatial"]
Window = tuple[int, int, int]  # frames, rows, columns


def masked_mean(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """Tokens (B, N, D) to their mean (B, D); ``mask`` (B, N) True: a real token."""
    if mask is None:
        return tokens.mean(dim=1)
    real = rearrange(mask.bool(), "b n -> b n 1")
    kept = torch.where(real, tokens, torch.zeros_like(tokens))
    return kept.sum(dim=1) / real.sum(dim=1).clamp(min=1).to(tokens.dtype)


def masked_max(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """Tokens (B, N, D) to the largest of each number (B, D); ``mask`` (B, N) True: a real token."""
    if mask is None:
        return tokens.amax(dim=1)
    real = rearrange(mask.bool(), "b n -> b n 1")
    largest = tokens.masked_fill(~real, torch.finfo(tokens.dtype).min).amax(dim=1)
    return torch.where(real.any(dim=1), largest, torch.zeros_like(largest))


def first_token(tokens: Tensor) -> Tensor:
    """Tokens (B, N, D) to the first (B, D), which is [CLS] where a network has one."""
    return tokens[:, 0]


class AttentionPooling(nn.Module):
    """Learned queries look at all tokens: (B, N, D) to (B, D), or (B, Q, D) for Q > 1 queries.

    A norm, several heads, a projection; no residual, since the queries carry nothing of the clip.
    """

    def __init__(self, width: int, *, heads: int = 8, queries: int = 1) -> None:
        super().__init__()
        if width % heads:
            raise UsageError(f"a width of {width} cannot be shared by {heads} heads.")
        self.heads = heads
        self.queries = nn.Parameter(torch.empty(1, queries, width))
        nn.init.trunc_normal_(self.queries, std=0.02)
        self.norm = nn.LayerNorm(width)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` (B, N) True: a real token."""
        real = None if mask is None else rearrange(mask.bool(), "b n -> b 1 1 n")
        if real is not None:
            tokens = tokens.masked_fill(~rearrange(real, "b 1 1 n -> b n 1"), 0.0)
        query = rearrange(self.q(self.queries), "1 q (h d) -> 1 h q d", h=self.heads)
        key, value = rearrange(
            self.kv(self.norm(tokens)), "b n (two h d) -> two b h n d", two=2, h=self.heads
        )
        query = query.expand(key.shape[0], -1, -1, -1)
        if real is None:
            mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            any_real = real.any(dim=-1, keepdim=True)
            # softmax of nothing is nan: what it sees then is thrown away
            mixed = F.scaled_dot_product_attention(query, key, value, real | ~any_real)
            mixed = torch.where(any_real, mixed, torch.zeros_like(mixed))
        pooled: Tensor = self.proj(rearrange(mixed, "b h q d -> b q (h d)"))
        return pooled[:, 0] if self.queries.shape[1] == 1 else pooled


class MapPooling(nn.Module):
    """Maps (B, D, T, H, W) to vectors (B, D), or with a window to smaller maps (B, D, T', H', W').

    ``how`` joint is the sum of max and average, or with ``concatenate`` both end to end (2 D);
    temporal-spatial pools over time by ``temporal`` first, then over place by ``spatial``: max
    and then average keeps what is briefly seen anywhere. ``window`` (frames, rows, columns) None
    takes all; ``stride`` None is the window. Windows that would stick out are left away.
    """

    def __init__(
        self,
        how: MapPool = "average",
        *,
        window: Sequence[int] | None = None,
        stride: Sequence[int] | None = None,
        temporal: Pool = "max",
        spatial: Pool = "average",
        concatenate: bool = False,
    ) -> None:
        super().__init__()
        if how not in ("average", "max", "joint", "temporal-spatial"):
            raise UsageError(
                f"maps are pooled by average, max, joint or temporal-spatial, not by {how!r}."
            )
        if concatenate and how != "joint":
            raise UsageError(f"concatenate belongs to how='joint', not to {how!r}.")
        if stride is not None and window is None:
            raise UsageError("a stride needs a window; give both, or none for the whole map.")
        for name, pool in (("temporal", temporal), ("spatial", spatial)):
            if pool not in ("average", "max"):
                raise UsageError(f"{name} is average or max, not {pool!r}.")
        self.how = how
        self.window = None if window is None else _triple("window", window)
        self.stride = self.window if stride is None else _triple("stride", stride)
        self.temporal: Pool = temporal
        self.spatial: Pool = spatial
        self.concatenate = concatenate

    def forward(self, maps: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` (B, T) or (B, T, H, W) True: real."""
        if maps.ndim != 5:
            raise ValueError(f"maps are (B, D, T, H, W), got {tuple(maps.shape)}")
        real = None if mask is None else _map_mask(maps, mask)
        pooled = self._pool(maps, real)
        return pooled if self.window else rearrange(pooled, "b d 1 1 1 -> b d")

    def pooled_mask(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Which windows (B, T', H', W') hold anything real."""
        real = _map_mask(maps, mask)
        whole = real.expand(-1, -1, *maps.shape[2:]).to(maps.dtype)
        window, stride = self._window(maps)
        return F.max_pool3d(whole, window, stride)[:, 0] > 0

    def _pool(self, maps: Tensor, real: Tensor | None) -> Tensor:
        window, stride = self._window(maps)
        if self.how in ("average", "max"):
            return _pooled(maps, real, window, stride, self.how)[0]
        if self.how == "joint":
            both = [_pooled(maps, real, window, stride, how)[0] for how in ("max", "average")]
            return torch.cat(both, dim=1) if self.concatenate else both[0] + both[1]
        over_time, over_place = (window[0], 1, 1), (1, window[1], window[2])
        maps, real = _pooled(maps, real, over_time, (stride[0], 1, 1), self.temporal)
        return _pooled(maps, real, over_place, (1, stride[1], stride[2]), self.spatial)[0]

    def _window(self, maps: Tensor) -> tuple[Window, Window]:
        size = (maps.shape[2], maps.shape[3], maps.shape[4])
        if self.window is None or self.stride is None:
            return size, size
        if any(one > there for one, there in zip(self.window, size, strict=True)):
            raise ValueError(f"a window of {self.window} does not fit into a map of {size}")
        return self.window, self.stride

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"{self.how}, window={self.window}, stride={self.stride}"


def _pooled(
    maps: Tensor, real: Tensor | None, window: Window, stride: Window, how: str
) -> tuple[Tensor, Tensor | None]:
    """Maps in windows, and which of these (B, 1, T', H', W') hold anything real."""
    if real is None:
        pool = F.max_pool3d if how == "max" else _averages
        return pool(maps, window, stride), None
    whole = real.expand(-1, -1, *maps.shape[2:]).to(maps.dtype)
    share = _averages(whole, window, stride)
    any_real = share > 0
    if how == "max":
        lowest = torch.finfo(maps.dtype).min
        pooled = F.max_pool3d(maps.masked_fill(~real, lowest), window, stride)
    else:
        sums = _averages(torch.where(real, maps, torch.zeros_like(maps)), window, stride)
        pooled = sums / torch.where(any_real, share, torch.ones_like(share))
    return torch.where(any_real, pooled, torch.zeros_like(pooled)), any_real


def _averages(maps: Tensor, window: Window, stride: Window) -> Tensor:
    if maps.dtype not in (torch.bfloat16, torch.float16):
        return F.avg_pool3d(maps, window, stride)
    # sums in short numbers lose too much, and torch has none of these on a processor
    return F.avg_pool3d(maps.float(), window, stride).to(maps.dtype)


def _map_mask(maps: Tensor, mask: Tensor) -> Tensor:
    """As (B, 1, T, 1, 1) or (B, 1, T, H, W)."""
    batch, frames, rows, columns = (maps.shape[axis] for axis in (0, 2, 3, 4))
    if mask.shape == (batch, frames):
        return rearrange(mask.bool(), "b t -> b 1 t 1 1")
    if mask.shape == (batch, frames, rows, columns):
        return rearrange(mask.bool(), "b t h w -> b 1 t h w")
    raise ValueError(
        f"the mask of maps {tuple(maps.shape)} is (B, T) or (B, T, H, W), got {tuple(mask.shape)}"
    )


def _triple(name: str, sizes: Sequence[int]) -> Window:
    if len(sizes) != 3 or any(size < 1 for size in sizes):
        raise UsageError(f"{name} is three numbers (frames, rows, columns), got {list(sizes)}.")
    return sizes[0], sizes[1], sizes[2]
