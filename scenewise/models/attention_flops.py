"""What attention over time and space costs: by formula, and by counting our own layers.

For T frames of P patches and a width of D, a product of all queries with all keys and of the
weights with the values takes 2 D multiply-adds for each pair that may look at each other. Heads
share the width, so their number changes nothing.

    joint        pairs (T P + 1)^2                all tokens and [CLS]
    divided      pairs P T^2 + T (P + 1)^2        over time, then in each frame with [CLS]
    space-only   pairs T (P + 1)^2                in each frame with [CLS]
    windowed     pairs N W                        N tokens, padded to windows of W tokens

as in Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", 2021
(https://arxiv.org/abs/2102.05095), and Liu et al., "Video Swin Transformer", 2021
(https://arxiv.org/abs/2106.13230). The projections and the MLP grow with the number of tokens
alone, and at usual widths they are most of a block: what is saved of the products is not saved
of the network. It knows formulas and layers; it knows no processor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.flops import (
    convolution_multiply_adds,
    count_modules,
    linear_multiply_adds,
)
from scenewise.models.layers.attention import Attention, Mlp

Scheme = Literal["joint", "divided", "space-only", "windowed"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
_MLP = 4  # hidden width of the MLP, in widths


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip and the transformer that looks at it; the defaults are ViT-B/16 on 16 frames."""

    frames: int = 16
    size: int = 224
    patch: int = 16
    width: int = 768
    heads: int = 12
    depth: int = 12
    classes: int = 400
    window: tuple[int, int, int] = (8, 7, 7)  # frames, rows, columns; of windowed attention

    def __post_init__(self) -> None:
        if min(self.frames, self.size) < 1 or self.size % self.patch:
            raise UsageError(
                f"{self.frames} frames of {self.size} pixels cannot be cut into patches; the "
                f"frames are at least 1, the size is a multiple of {self.patch}."
            )
        if self.width % self.heads:
            raise UsageError(f"a width of {self.width} cannot be shared by {self.heads} heads.")

    @property
    def patches(self) -> int:
        """Of one frame."""
        return (self.size // self.patch) ** 2

    @property
    def windows(self) -> tuple[int, int]:
        """How many windows there are, and the tokens of one; windows shrink to the clip."""
        side = self.size // self.patch
        sizes = (self.frames, side, side)
        shrunk = [min(one, whole) for one, whole in zip(self.window, sizes, strict=True)]
        counts = [-(-whole // one) for one, whole in zip(shrunk, sizes, strict=True)]
        return math.prod(counts), math.prod(shrunk)


@dataclass(frozen=True, slots=True)
class AttentionCost:
    """Multiply-adds of one way to attend."""

    products: int  # queries with keys, weights with values; of one block
    block: int  # with the projections and the MLP
    network: int  # all blocks, patch embedding and classifier


@dataclass(frozen=True, slots=True)
class Compared:
    """One way to attend beside the joint one; savings are shares of 1."""

    scheme: Scheme
    formula: AttentionCost
    counted: AttentionCost
    saved_products: float
    saved_block: float
    saved_network: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All ways to attend to one clip."""

    clip: Clip
    patches: int
    tokens: int  # of the clip, without [CLS]
    schemes: tuple[Compared, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def comparison(clip: Clip | None = None) -> Comparison:
    """All ways to attend, by formula and by counting layers, and what each saves of joint."""
    clip = clip or Clip()
    joint = formula("joint", clip)
    compared = []
    for scheme in SCHEMES:
        cost = formula(scheme, clip)
        compared.append(
            Compared(
                scheme,
                cost,
                counted(scheme, clip),
                1.0 - cost.products / joint.products,
                1.0 - cost.block / joint.block,
                1.0 - cost.network / joint.network,
            )
        )
    return Comparison(clip, clip.patches, clip.frames * clip.patches, tuple(compared))


def formula(scheme: Scheme, clip: Clip) -> AttentionCost:
    """By the formulas alone."""
    frames, patches, width = clip.frames, clip.patches, clip.width
    with_cls = frames * (patches + 1)
    outer = 1 + frames * patches  # tokens of the clip with one [CLS]
    products = 2 * width * attention_pairs(scheme, frames, patches, clip.windows)
    if scheme == "divided":
        # queries, keys, values and output over time, the linear layer behind, and over space
        projected = 5 * frames * patches + 4 * with_cls
        mlp = outer
    elif scheme == "windowed":
        projected, mlp = 4 * math.prod(clip.windows), frames * patches
    else:
        tokens = outer if scheme == "joint" else with_cls
        projected, mlp = 4 * tokens, tokens
    block = products + linear_multiply_adds(width, width, projected + 2 * _MLP * mlp)
    ends = convolution_multiply_adds(
        3, width, (clip.patch, clip.patch), (frames, patches)
    ) + linear_multiply_adds(width, clip.classes, 1)
    return AttentionCost(products, block, clip.depth * block + ends)


def attention_pairs(scheme: Scheme, frames: int, patches: int, windows: tuple[int, int]) -> int:
    """How many pairs of tokens look at each other. ``windows``: their number, tokens of one."""
    in_frames = frames * (patches + 1) ** 2
    if scheme == "joint":
        return (frames * patches + 1) ** 2
    if scheme == "divided":
        return patches * frames**2 + in_frames
    if scheme == "space-only":
        return in_frames
    return windows[0] * windows[1] ** 2


def counted(scheme: Scheme, clip: Clip) -> AttentionCost:
    """By running our own layers on shapes."""
    pixels = (1, clip.frames, 3, clip.size, clip.size)
    costs = count_modules(lambda: Counted(scheme, clip), lambda: [torch.zeros(pixels)])
    first = next(cost for cost in costs if cost.name == "blocks.0")
    return AttentionCost(first.attention_products, first.multiply_adds, costs[0].multiply_adds)


class Counted(nn.Module):
    """The matrix products of a video transformer, and nothing else: for counting alone.

    Norms, skips and tables are left out, as they have no products.
    """

    def __init__(self, scheme: Scheme, clip: Clip) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, clip.width, clip.patch, clip.patch)
        self.blocks = nn.ModuleList(CountedBlock(scheme, clip) for _ in range(clip.depth))
        self.head = nn.Linear(clip.width, clip.classes)

    def forward(self, clips: Tensor) -> Tensor:
        """(1, T, 3, H, W) to (1, K), of the right shapes and no meaning."""
        patches = self.patch_embed(clips[0])
        for block in self.blocks:
            block(patches)
        logits: Tensor = self.head(patches.new_zeros(1, self.head.in_features))
        return logits


class CountedBlock(nn.Module):
    """The attention and the MLP of one block, over tokens grouped as the scheme has them."""

    def __init__(self, scheme: Scheme, clip: Clip) -> None:
        super().__init__()
        self.width = clip.width
        self.groups = _groups(scheme, clip)
        self.attentions = nn.ModuleList(Attention(clip.width, clip.heads) for _ in self.groups)
        self.temporal_fc = nn.Linear(clip.width, clip.width) if scheme == "divided" else None
        self.mlp = Mlp(clip.width, _MLP * clip.width)
        self.mlp_tokens = {
            "joint": 1 + clip.frames * clip.patches,
            "divided": 1 + clip.frames * clip.patches,
            "space-only": clip.frames * (clip.patches + 1),
            "windowed": clip.frames * clip.patches,
        }[scheme]

    def forward(self, patches: Tensor) -> None:
        """Shapes only; ``patches`` say on which device."""
        for number, (attention, (count, tokens)) in enumerate(
            zip(self.attentions, self.groups, strict=True)
        ):
            mixed = attention(patches.new_zeros(count, tokens, self.width))
            if number == 0 and self.temporal_fc is not None:
                self.temporal_fc(mixed)
        self.mlp(patches.new_zeros(1, self.mlp_tokens, self.width))


def _groups(scheme: Scheme, clip: Clip) -> Sequence[tuple[int, int]]:
    """How many groups of how many tokens attend among themselves, one entry an attention."""
    frames, patches = clip.frames, clip.patches
    if scheme == "joint":
        return [(1, 1 + frames * patches)]
    if scheme == "divided":
        return [(patches, frames), (frames, 1 + patches)]
    if scheme == "space-only":
        return [(frames, 1 + patches)]
    return [clip.windows]
