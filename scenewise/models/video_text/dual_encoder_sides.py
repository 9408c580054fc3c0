"""The sides of a dual encoder: clips, or words, to one vector; with masks.

Frame by frame and averaged, as Luo et al., "CLIP4Clip", 2021 (https://arxiv.org/abs/2104.08860),
found hard to beat; or a video backbone on stretches of the clip. It knows encoders of one side;
it knows nothing of the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from scenewise.config import expand_user
from scenewise.errors import UsageError, first_line
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.efficientnet_lite import VARIANTS, EfficientNetLite
from scenewise.models.language.sentence_encoder import load_sentence_encoder
from scenewise.models.layers.attention import Attention, Mlp
from scenewise.models.pooling import masked_mean
from scenewise.models.registry import create_model, list_models, options_of

SMALL = "small"
_LITE = {f"efficientnet_{name}": name for name in VARIANTS}
_SMALL_WIDTHS = (16, 32, 64, 128)


class PictureNetwork(Protocol):
    """A module that sees single pictures."""

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, num_features)."""
        ...


class VideoSide(nn.Module, ABC):
    """Clips (B, T, C, H, W), ``mask`` (B, T) True: a real frame, to (B, num_features)."""

    num_features: int

    @abstractmethod
    def forward(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """What masked frames hold changes nothing."""


class TextSide(nn.Module, ABC):
    """Token ids (B, L), ``mask`` (B, L) True: a real token, to (B, num_features)."""

    num_features: int

    @abstractmethod
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` None: every token that is no padding."""


class FrameByFrame(VideoSide):
    """A network of pictures on every frame, then the mean over the real ones.

    ``pictures`` has ``features``: (N, 3, H, W) to (N, num_features).
    """

    def __init__(self, pictures: PictureNetwork, num_features: int) -> None:
        super().__init__()
        assert isinstance(pictures, nn.Module)
        self.pictures = pictures
        self.num_features = num_features

    def forward(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, 3, H, W) to (B, D)."""
        clips = _without_masked(clips, mask)
        network = cast(PictureNetwork, self.pictures)
        each = network.features(rearrange(clips, "b t c h w -> (b t) c h w"))
        return masked_mean(rearrange(each, "(b t) d -> b t d", t=clips.shape[1]), mask)


class Stretches(VideoSide):
    """A video backbone on stretches of ``frames`` frames, then the mean over them.

    A stretch counts where at least one of its frames is real; the others of it are zeros, which
    is the mean colour.
    """

    def __init__(self, backbone: VideoBackbone, frames: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.frames = frames
        self.num_features = backbone.num_features

    def forward(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, C, H, W) to (B, D); T is a multiple of ``frames``."""
        if clips.ndim != 5 or clips.shape[1] % self.frames:
            raise ValueError(
                f"this video encoder takes clips (B, T, C, H, W) of a multiple of {self.frames} "
                f"frames, got {tuple(clips.shape)}"
            )
        parts = rearrange(
            _without_masked(clips, mask), "b (n t) c h w -> (b n) t c h w", t=self.frames
        )
        number = clips.shape[1] // self.frames
        each = rearrange(self.backbone.features(parts), "(b n) d -> b n d", n=number)
        real = (
            None
            if mask is None
            else reduce(mask.to(torch.uint8), "b (n t) -> b n", "max", t=self.frames).bool()
        )
        return masked_mean(each, real)


class SmallPictures(nn.Module):
    """Four strided convolutions and a mean: pictures (N, 3, H, W) to (N, 128).

    Group norm, as batches of contrastive training may be tiny.
    """

    num_features = _SMALL_WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in _SMALL_WIDTHS:
            layers += [
                nn.Conv2d(inputs, width, 3, stride=2, padding=1),
                nn.GroupNorm(8, width),
                nn.ReLU(),
            ]
            inputs = width
        self.layers = nn.Sequential(*layers)

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 128)."""
        pooled: Tensor = reduce(self.layers(images), "n d h w -> n d", "mean")
        return pooled


class SmallText(TextSide):
    """A transformer with learned positions, norms first; the mean over real tokens."""

    def __init__(
        self, *, vocab_size: int, length: int, width: int, depth: int, heads: int, pad: int = 0
    ) -> None:
        super().__init__()
        self.num_features = width
        self.pad = pad
        self.heads = heads
        self.token_embed = nn.Embedding(vocab_size, width)
        self.pos_embed = nn.Parameter(torch.empty(1, length, width))
        self.blocks = nn.ModuleList(_TextBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.token_embed.weight, std=0.02)
        nn.init.normal_(self.pos_embed, std=0.01)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L) to (B, D)."""
        length = self.pos_embed.shape[1]
        if ids.ndim != 2 or ids.shape[1] > length:
            raise ValueError(f"ids are (B, L) of at most {length} tokens, got {tuple(ids.shape)}")
        real = ids != self.pad if mask is None else mask.bool()
        tokens = self.token_embed(ids) + self.pos_embed[:, : ids.shape[1]]
        # not -inf: a text without any token would become nan
        lowest = torch.finfo(tokens.dtype).min
        hidden = rearrange(~real, "b l -> b 1 1 l").to(tokens.dtype) * lowest
        for block in self.blocks:
            tokens = block(tokens, hidden)
        return masked_mean(self.norm(tokens), real)


class _TextBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens), mask)
        output: Tensor = tokens + self.mlp(self.norm2(tokens))
        return output


class TransformersText(TextSide):
    """A text model of transformers; the mean over real tokens of its last layer.

    With ``unit`` that mean has unit length, as sentence encoders have it.
    """

    def __init__(self, model: Any, *, unit: bool = False) -> None:
        super().__init__()
        self.model = model
        self.unit = unit
        self.num_features = int(model.config.hidden_size)
        self.pad = model.config.pad_token_id or 0

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L) to (B, D)."""
        real = ids != self.pad if mask is None else mask.bool()
        hidden = self.model(input_ids=ids, attention_mask=real.long()).last_hidden_state
        mean = masked_mean(hidden, real)
        return F.normalize(mean, dim=-1) if self.unit else mean


def video_side(name: str, *, num_frames: int, size: int) -> VideoSide:
    """The video side of this name, with fresh weights; raises UsageError."""
    if name == SMALL:
        return FrameByFrame(SmallPictures(), SmallPictures.num_features)
    if name in _LITE:
        lite = EfficientNetLite(_LITE[name])
        features = lite._fc.in_features
        lite.add_module("_fc", nn.Identity())  # the classifier has nothing to do here
        return FrameByFrame(lite, features)
    backbones = list_models(kind="backbone")
    if name not in backbones:
        raise UsageError(
            f"{name!r} is no video encoder; allowed: {SMALL}, {', '.join(_LITE)}, or one of "
            f"{', '.join(backbones)}."
        )
    wanted = {"num_frames": num_frames, "size": size, "num_classes": 0}
    allowed = options_of(name)
    backbone = create_model(name, **{key: wanted[key] for key in wanted if key in allowed})
    if not isinstance(backbone, VideoBackbone):
        raise UsageError(f"{name} gives no features of clips; name another backbone.")
    return Stretches(backbone, num_frames)


def text_side(
    text: str | Mapping[str, Any],
    *,
    vocab_size: int,
    length: int,
    width: int,
    depth: int,
    heads: int,
) -> TextSide:
    """The text side of this name, settings or folder; raises UsageError.

    The sizes are those of the small one alone.
    """
    if text == SMALL:
        return SmallText(
            vocab_size=vocab_size, length=length, width=width, depth=depth, heads=heads
        )
    if isinstance(text, Mapping):
        return TransformersText(_from_settings(text))
    folder = expand_user(text)
    if not (folder / "config.json").is_file():
        raise UsageError(
            f"{text!r} is no text encoder; give {SMALL}, settings such as "
            '{"model_type": "bert"}, or a folder with config.json and weights.'
        )
    if (folder / "modules.json").is_file():
        return TransformersText(load_sentence_encoder(folder).transformer, unit=True)
    return TransformersText(_from_folder(folder))


def _from_settings(settings: Mapping[str, Any]) -> Any:
    import transformers

    values = dict(settings)
    try:
        config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
        return transformers.AutoModel.from_config(config)
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"transformers makes no text model of {dict(settings)}: {first_line(error)}; give at "
            'least {"model_type": "bert"}.'
        ) from error


def _from_folder(folder: Path) -> Any:
    import transformers

    try:
        return transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} cannot be read as a text model: {first_line(error)}; give another folder."
        ) from error


def _without_masked(clips: Tensor, mask: Tensor | None) -> Tensor:
    """Zeros for frames that are not real: they may be nan, and norms must not see them."""
    if mask is None:
        return clips
    if mask.shape != clips.shape[:2]:
        raise ValueError(
            f"the mask of clips {tuple(clips.shape)} is (B, T), got {tuple(mask.shape)}"
        )
    return clips.masked_fill(~rearrange(mask.bool(), "b t -> b t 1 1 1"), 0.0)
