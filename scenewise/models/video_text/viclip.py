"""ViCLIP: CLIP whose picture tower reads all frames at once.

Yi Wang et al., "InternVid: A Large-scale Video-Text Dataset for Multimodal Understanding and
Generation", 2023 (https://arxiv.org/abs/2307.06942); it is also the multimodal branch's base in
InternVideo (https://arxiv.org/abs/2212.03191). Patches of all frames and one class token see one
another in every block; a learned row for each frame is added, zero at the start. In training nine
tenths of the patches are left out, by chance over space and time.

It knows ids and clips; it knows no tokenizer.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.models.layers.drop_path import DropPath, linear_rates
from scenewise.models.layers.positions import resize_line
from scenewise.models.video_text.clip_towers import (
    HEAD_WIDTH,
    TINY,
    VIT_B_16,
    VIT_L_14,
    ClipSize,
    ResidualBlock,
    Transformer,
    at_end_mark,
)
from scenewise.models.video_text.contrast import LEAST, contrast, cosines, keep_above
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout


class SpaceTimeBlock(ResidualBlock):
    """CLIP's block with stochastic depth."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__(width, width // HEAD_WIDTH)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        tokens = tokens + self.drop_path(self.attn(self.ln_1(tokens), mask, causal))
        output: Tensor = tokens + self.drop_path(self.mlp(self.ln_2(tokens)))
        return output


class SpaceTimeTower(nn.Module):
    """Clips (B, T, 3, H, W) to one vector each (B, E), read at the class token.

    Fewer frames than the learned rows take the first of them, more take rows in between, as the
    official code does when it loads a checkpoint; a single frame takes their mean.
    """

    def __init__(
        self, size: ClipSize, *, num_frames: int, drop_path: float, masking: float
    ) -> None:
        super().__init__()
        width, patch = size.vision_width, size.patch_size
        self.size = size.image_size
        self.masking = masking
        scale = width**-0.5
        places = (size.image_size // patch) ** 2
        self.conv1 = nn.Conv3d(3, width, (1, patch, patch), (1, patch, patch), bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(places + 1, width))
        self.temporal_positional_embedding = nn.Parameter(torch.zeros(1, num_frames, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, 0, width // HEAD_WIDTH)
        rates = linear_rates(drop_path, size.vision_layers)
        self.transformer.resblocks.extend(SpaceTimeBlock(width, rate) for rate in rates)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, size.embed_dim))

    def embed(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 1 + N, D): class token, then patches, all frames of one
        place in a row, as published; in training some are left out.
        """
        if clips.ndim != 5 or clips.shape[2:] != (3, self.size, self.size):
            raise ValueError(
                f"this ViCLIP takes clips (B, T, 3, {self.size}, {self.size}), "
                f"got {tuple(clips.shape)}"
            )
        patches = rearrange(
            self.conv1(rearrange(clips, "b t c h w -> b c t h w")), "b d t h w -> b t (h w) d"
        )
        places = patches + self.positional_embedding[1:]
        times = rearrange(self._rows(patches.shape[1]), "1 t d -> 1 t 1 d")
        tokens = rearrange(places + times, "b t n d -> b (n t) d")
        if self.training and self.masking:
            tokens = leave_out(tokens, self.masking)
        first = self.class_embedding + self.positional_embedding[0]
        marks = repeat(first, "d -> b 1 d", b=tokens.shape[0])
        embedded: Tensor = self.ln_pre(torch.cat([marks, tokens], dim=1))
        return embedded

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 1 + N, D), after the last norm."""
        tokens: Tensor = self.ln_post(self.transformer(self.embed(clips)))
        return tokens

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, E), not normalised."""
        return self.tokens(clips)[:, 0] @ self.proj

    def _rows(self, frames: int) -> Tensor:
        table = self.temporal_positional_embedding
        if frames == 1:
            return table.mean(dim=1, keepdim=True)
        if frames <= table.shape[1]:
            return table[:, :frames]
        return resize_line(table, frames, "linear")


class CausalTextTower(nn.Module):
    """Ids (B, L) to vectors (B, E), with the keys of CLIP's text side."""

    def __init__(self, size: ClipSize) -> None:
        super().__init__()
        width = size.text_width
        self.token_embedding = nn.Embedding(size.vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(size.context_length, width))
        self.transformer = Transformer(width, size.text_layers, width // HEAD_WIDTH)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, size.embed_dim))
        # CLIP's; the official code leaves them to CLIP's checkpoint
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=width**-0.5)
        self.transformer.initialise()

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (B, L) to (B, E), read at the end mark, the highest id of a row."""
        most = self.positional_embedding.shape[0]
        if ids.ndim != 2 or ids.shape[1] > most:
            raise ValueError(f"this ViCLIP takes ids (B, up to {most}), got {tuple(ids.shape)}")
        tokens = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        hidden = self.ln_final(self.transformer(tokens, causal=True))
        return at_end_mark(hidden, ids) @ self.text_projection


class ViCLIP(VideoTextModel):
    """Clips (B, T, 3, H, W) and ids (B, L) to cosines over the temperature."""

    def __init__(
        self,
        size: ClipSize,
        *,
        num_frames: int,
        drop_path: float,
        masking: float,
        freeze_text: bool,
    ) -> None:
        super().__init__()
        self.embed_dim = size.embed_dim
        self.vision_encoder = SpaceTimeTower(
            size, num_frames=num_frames, drop_path=drop_path, masking=masking
        )
        self.text_encoder = CausalTextTower(size)
        self.text_encoder.requires_grad_(not freeze_text)
        self.temp = nn.Parameter(torch.tensor(LEAST))

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Clips (B, T, 3, H, W) to pooled (B, E); all frames are read.

        Raises ValueError for a mask that hides some: tokens of all frames see one another.
        """
        if mask is not None and not bool(mask.all()):
            raise ValueError("ViCLIP reads all frames of a clip; leave the mask away")
        return Features(self.vision_encoder(clips))

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Ids (B, L) to pooled (B, E); ``mask`` is not needed, the highest id ends a row."""
        del mask
        return Features(self.text_encoder(ids))

    def similarity(self, text: Features, video: Features) -> Tensor:
        """Cosines over the temperature, (texts, videos)."""
        if self.training:
            keep_above(self.temp)
        return cosines(text.pooled, video.pooled) / self.temp

    def loss(self, similarity: Tensor, groups: Tensor | None = None) -> Tensor:
        """As ``contrast`` says; ``groups`` are films, whose texts and clips belong together."""
        return contrast(similarity, groups)


def leave_out(tokens: Tensor, share: float) -> Tensor:
    """Tokens (B, N, D) without a share of them, others in each example; the order stays."""
    batch, count, width = tokens.shape
    kept = torch.rand(batch, count, device=tokens.device).argsort(dim=-1)[:, int(share * count) :]
    places = kept.sort(dim=-1).values
    return tokens.gather(1, repeat(places, "b n -> b n d", d=width))


def viclip_b16(
    num_frames: int = 8,
    context_length: int = 32,
    drop_path: float = 0.1,
    masking: float = 0.9,
    freeze_text: bool = False,
) -> ViCLIP:
    """Base: CLIP ViT-B/16."""
    return _viclip(VIT_B_16, num_frames, context_length, drop_path, masking, freeze_text)


def viclip_l14(
    num_frames: int = 8,
    context_length: int = 32,
    drop_path: float = 0.1,
    masking: float = 0.9,
    freeze_text: bool = False,
) -> ViCLIP:
    """Large: CLIP ViT-L/14."""
    return _viclip(VIT_L_14, num_frames, context_length, drop_path, masking, freeze_text)


def viclip_tiny(
    num_frames: int = 8,
    context_length: int = 32,
    drop_path: float = 0.0,
    masking: float = 0.0,
    freeze_text: bool = False,
    vocabulary: int = 49_408,
) -> ViCLIP:
    """Two blocks on either side."""
    size = replace(TINY, embed_dim=64, vocab_size=vocabulary)
    return _viclip(size, num_frames, context_length, drop_path, masking, freeze_text)


def _viclip(
    size: ClipSize,
    num_frames: int,
    context_length: int,
    drop_path: float,
    masking: float,
    freeze_text: bool,
) -> ViCLIP:
    return ViCLIP(
        replace(size, context_length=context_length),
        num_frames=num_frames,
        drop_path=drop_path,
        masking=masking,
        freeze_text=freeze_text,
    )


_NAMES = {768: "viclip_b16", 1024: "viclip_l14"}  # by the width of the video side


def _identify(state: State, _config: Config) -> Identified | None:
    name = _NAMES.get(state["vision_encoder.class_embedding"].shape[0])
    if name is None:
        return None
    options = {
        "num_frames": state["vision_encoder.temporal_positional_embedding"].shape[1],
        "context_length": state["text_encoder.positional_embedding"].shape[0],
    }
    return Identified(name, options)


def _with_time(state: State) -> State:
    """CLIP's picture filters, one instant long."""
    key = "vision_encoder.conv1.weight"
    if key not in state or state[key].ndim == 5:
        return state
    return {**state, key: rearrange(state[key], "d c h w -> d c 1 h w")}


LAYOUTS = (
    Layout(
        name="official",
        signature=(
            r"vision_encoder\.temporal_positional_embedding",
            r"vision_encoder\.transformer\.resblocks\.0\.attn\.in_proj_weight",
            r"text_encoder\.token_embedding\.weight",
        ),
        identify=_identify,
    ),
    # what training starts from: rows for frames are absent, so it is loaded with strict=False
    Layout(
        name="openai clip",
        signature=(r"visual\.conv1\.weight", r"visual\.proj", r"token_embedding\.weight"),
        ignore=(r"input_resolution", r"context_length", r"vocab_size", r"logit_scale"),
        renames=(
            (r"^visual\.", "vision_encoder."),
            (r"^(token_|positional_|transformer\.|ln_final|text_projection)", r"text_encoder.\1"),
        ),
        after=_with_time,
        identify=lambda _state, _config: None,  # a CLIP by itself
    ),
)
