"""How InternVideo2's encoder learns without labels: visible tokens are aligned with teachers'.

Yi Wang et al. 2024 (https://arxiv.org/abs/2403.15377), stage 1 and the distillation of the small
sizes. Most patches are hidden and never enter the encoder. What comes out for the visible ones is
compared with the tokens that a multimodal teacher has at the same places, block by block, and the
pooled vector with the teacher's pooled vector; the masked branch does the same with the tokens of
a VideoMAE teacher. So the masked branch aligns features; it reconstructs no pixels.

It knows the decoders and the loss; it has no teachers and draws no masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.models.backbones.internvideo2 import (
    EncoderOptions,
    InternVideo2,
    initialise_linears,
    sine_cosine_grid,
)
from scenewise.models.layers.masks import tube_mask


@dataclass(frozen=True, slots=True)
class TeacherOptions:
    """What is aligned. Distillation from 1B: widths 1408 and 768, 6 layers, mlp, no masked branch.

    ``layers`` are the last so many blocks, ``interval`` blocks apart.
    """

    width: int = 3200  # of the multimodal teacher's tokens
    pooled_width: int = 768  # 0: its pooled vector is not aligned
    layers: int = 1
    interval: int = 1
    decoder: Literal["linear", "mlp"] = "linear"
    masked_width: int = 1408  # of the VideoMAE teacher's tokens
    masked_layers: int = 1  # 0: no masked branch


class Alignment(NamedTuple):
    """Vectors of length 1, either a student's or its teachers'."""

    tokens: Tensor  # (layers, B, N, D) of [CLS] and visible patches, the last block last
    pooled: Tensor | None  # (B, E)
    masked: Tensor | None  # (layers, B, N - 1, F), without [CLS]


class Decoder(nn.Module):
    """A student's vectors in a teacher's space, normed to length 1."""

    def __init__(self, inputs: int, outputs: int, kind: Literal["linear", "mlp"]) -> None:
        super().__init__()
        last = nn.Linear(inputs, outputs)
        self.head = (
            last if kind == "linear" else nn.Sequential(nn.Linear(inputs, inputs), nn.GELU(), last)
        )
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) to (…, E)."""
        return F.normalize(self.norm(self.head(x)), dim=-1)


class InternVideo2Alignment(InternVideo2):
    """The encoder with decoders into its teachers' spaces; clips and mask to an ``Alignment``."""

    def __init__(self, options: EncoderOptions, teachers: TeacherOptions) -> None:
        super().__init__(options, num_classes=0)
        self.teachers = teachers
        width, side = options.width, options.size // options.patch
        table = sine_cosine_grid(options.num_frames, side, width)
        self.clip_pos_embed = nn.Parameter(table)
        self.clip_decoder = nn.ModuleList(
            Decoder(width, teachers.width, teachers.decoder) for _ in range(teachers.layers)
        )
        self.final_clip_decoder = (
            Decoder(options.embed_dim, teachers.pooled_width, teachers.decoder)
            if teachers.pooled_width
            else nn.Identity()
        )
        if teachers.masked_layers:
            self.mae_pos_embed = nn.Parameter(table[:, 1:].clone())
            self.mae_decoder = nn.ModuleList(
                Decoder(width, teachers.masked_width, "mlp") for _ in range(teachers.masked_layers)
            )
            initialise_linears(self.mae_decoder)
        initialise_linears(self.clip_decoder)
        initialise_linears(self.final_clip_decoder)

    def align(self, clips: Tensor, hidden: Tensor) -> Alignment:
        """Clips (B, T, 3, H, W) and ``hidden`` (B, 1 + N), True: not seen; [CLS] is never hidden.

        Every clip hides equally many patches. Raises ValueError otherwise.
        """
        seen = _visible(hidden)
        tokens = _at(self.embed(clips), seen)
        outputs = []
        for block in self.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        teachers = self.teachers
        places = _at(self.clip_pos_embed.expand(len(clips), -1, -1), seen)
        chosen = outputs[:: -teachers.interval][: teachers.layers][::-1]
        aligned = [
            decoder(output + places)
            for decoder, output in zip(self.clip_decoder, chosen, strict=True)
        ]
        pooled = self.clip_projector(tokens)
        return Alignment(
            torch.stack(aligned),
            self.final_clip_decoder(pooled) if teachers.pooled_width else None,
            self._masked(outputs, seen) if teachers.masked_layers else None,
        )

    def _masked(self, outputs: list[Tensor], seen: Tensor) -> Tensor:
        """Visible patches in the VideoMAE teacher's space, (layers, B, N - 1, F)."""
        table = self.mae_pos_embed.expand(len(seen), -1, -1)
        places = _at(table, seen[:, 1:] - 1)
        chosen = outputs[:: -self.teachers.interval][: self.teachers.masked_layers][::-1]
        return torch.stack(
            [
                decoder(output[:, 1:] + places)
                for decoder, output in zip(self.mae_decoder, chosen, strict=True)
            ]
        )


def alignment_loss(
    student: Alignment,
    teacher: Alignment,
    ratios: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Tensor:
    """The sum over parts of 2 - 2 cos, each part's mean times its ratio; what is None is left out.

    The teacher's vectors have length 1 and are those of the visible tokens. 2 - 2 cos is the
    squared distance of two such vectors.
    """
    loss = student.tokens.new_zeros(())
    for ours, theirs, ratio in zip(student, teacher, ratios, strict=True):
        if ours is not None and theirs is not None:
            loss = loss + ratio * (2.0 - 2.0 * (ours * theirs).sum(dim=-1)).mean()
    return loss


def hide_tubes(batch: int, grid: tuple[int, int, int], ratio: float) -> Tensor:
    """A random mask (B, 1 + T * H * W): the same patches of every frame; [CLS] stays visible."""
    marks = torch.zeros(batch, 1, dtype=torch.bool)
    return torch.cat([marks, tube_mask(batch, grid, ratio)], dim=1)


def hide_by_attention(attention: Tensor, ratio: float) -> Tensor:
    """A mask (B, 1 + N) that keeps patches by chance, as likely as the teacher looks at them.

    ``attention`` (B, N) is the teacher's, of its pooled vector to the patches.
    """
    batch, patches = attention.shape
    visible = patches - int(ratio * patches)
    kept = torch.multinomial(attention, visible)
    hidden = torch.ones(batch, 1 + patches, dtype=torch.bool, device=attention.device)
    hidden[:, 0] = False
    return hidden.scatter(1, 1 + kept, value=False)


def _visible(hidden: Tensor) -> Tensor:
    """Places of visible tokens (B, N), in order."""
    counts = (~hidden).sum(dim=1)
    if bool(hidden[:, 0].any()) or bool((counts != counts[0]).any()):
        raise ValueError("every clip must hide equally many patches, and none its [CLS]")
    return rearrange((~hidden).nonzero()[:, 1], "(b n) -> b n", b=len(hidden))


def _at(tokens: Tensor, places: Tensor) -> Tensor:
    """(B, N, D) at (B, M) to (B, M, D)."""
    return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.shape[-1]))
