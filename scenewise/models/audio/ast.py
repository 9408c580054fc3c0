"""AST: a vision transformer over a log-mel spectrogram.

Yuan Gong, Yu-An Chung, James Glass, "AST: Audio Spectrogram Transformer", 2021
(https://arxiv.org/abs/2104.01778). Patches of 16 x 16 that overlap, a distilled DeiT with its two
tokens, whose mean is the answer. Names are those of the official code, which takes the blocks from
timm; transformers splits queries, keys and values.

It knows spectra; it makes none. Published weights want those of Kaldi at 16 kHz (25 ms Hann
windows, 128 bins), less the mean and divided by twice the deviation, as the card says. Those are
not spectra of ``log_mel``.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.layers.attention import Attention, Mlp
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

PATCH = 16
_EPS = 1e-6  # of timm; transformers' configuration says 1e-12
_SPLIT = ("query", "key", "value")


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside a skip: tokens (B, N, D) to the same."""

    def __init__(self, width: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPS)
        self.attn = Attention(width, heads, dropout=dropout)
        self.norm2 = nn.LayerNorm(width, eps=_EPS)
        self.mlp = Mlp(width, 4 * width, dropout=dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        output: Tensor = tokens + self.mlp(self.norm2(tokens))
        return output


class PatchEmbed(nn.Module):
    """Spectra (B, 1, bins, frames) to tokens, patches ``stride`` apart."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, PATCH, stride)

    def forward(self, spectra: Tensor) -> Tensor:
        """(B, 1, bins, frames) to (B, F' T', D), bin by bin."""
        tokens: Tensor = rearrange(self.proj(spectra), "b d f t -> b (f t) d")
        return tokens


class Transformer(nn.Module):
    """The part that the official code names ``v``."""

    def __init__(
        self,
        *,
        bins: int,
        frames: int,
        stride: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if min(bins, frames) < PATCH:
            raise UsageError(
                f"AST cuts spectra into patches of {PATCH} x {PATCH}, so {bins} bins and {frames} "
                "frames are too few."
            )
        self.grid = ((bins - PATCH) // stride + 1, (frames - PATCH) // stride + 1)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 2 + self.grid[0] * self.grid[1], width))
        self.patch_embed = PatchEmbed(width, stride)
        self.pos_drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=_EPS)

    def forward(self, spectra: Tensor) -> Tensor:
        """(B, bins, frames) to tokens (B, 2 + F' T', D), [CLS] and the distillation token first."""
        patches = self.patch_embed(rearrange(spectra, "b m t -> b 1 m t"))
        batch = patches.shape[0]
        marks = [token.expand(batch, -1, -1) for token in (self.cls_token, self.dist_token)]
        tokens: Tensor = self.pos_drop(torch.cat([*marks, patches], dim=1) + self.pos_embed)
        for block in self.blocks:
            tokens = block(tokens)
        output: Tensor = self.norm(tokens)
        return output


class AudioSpectrogramTransformer(nn.Module):
    """Spectra (B, bins, frames) to logits (B, K); several classes may be there: a sigmoid each."""

    def __init__(
        self,
        *,
        num_classes: int = 527,
        num_frames: int = 1024,
        bins: int = 128,
        stride: int = 10,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = width
        self.shape = (bins, num_frames)
        self.v = Transformer(
            bins=bins,
            frames=num_frames,
            stride=stride,
            width=width,
            depth=depth,
            heads=heads,
            dropout=dropout,
        )
        self.mlp_head = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, num_classes))
            if num_classes
            else nn.Identity()
        )
        self._initialise()

    def tokens(self, mel: Tensor) -> Tensor:
        """Spectra (B, bins, frames) to (B, N, D), after the last norm."""
        if mel.ndim != 3 or tuple(mel.shape[1:]) != self.shape:
            raise ValueError(
                f"this AST was made for spectra (B, {self.shape[0]}, {self.shape[1]}), got "
                f"{tuple(mel.shape)}"
            )
        tokens: Tensor = self.v(mel)
        return tokens

    def features(self, mel: Tensor) -> Tensor:
        """Spectra (B, bins, frames) to (B, D): the mean of the two tokens without a place."""
        return self.tokens(mel)[:, :2].mean(dim=1)

    def forward(self, mel: Tensor) -> Tensor:
        """Spectra (B, bins, frames) to logits (B, K), or to (B, D) without classes."""
        logits: Tensor = self.mlp_head(self.features(mel))
        return logits

    def adapt_state(self, state: State) -> State:
        """Places of ten seconds for sound of another length, as the official code has it.

        Cut from the middle where it is shorter, else stretched along time.
        """
        table = state.get("v.pos_embed")
        high, long = self.v.grid
        if table is None or (table.shape[1] - 2) % high or table.shape[1] == 2 + high * long:
            return state
        grid = rearrange(table[:, 2:], "one (f t) d -> one d f t", f=high)
        if long <= grid.shape[3]:
            first = grid.shape[3] // 2 - long // 2
            grid = grid[..., first : first + long]
        else:
            grid = F.interpolate(grid, size=(high, long), mode="bilinear")
        places = rearrange(grid, "one d f t -> one (f t) d")
        return {**state, "v.pos_embed": torch.cat([table[:, :2], places], dim=1)}

    def _initialise(self) -> None:
        """As timm does it."""
        for token in (self.v.cls_token, self.v.dist_token, self.v.pos_embed):
            nn.init.trunc_normal_(token, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)


def ast_base(
    num_classes: int = 527,
    num_frames: int = 1024,
    bins: int = 128,
    stride: int = 10,
    dropout: float = 0.0,
) -> AudioSpectrogramTransformer:
    """The published network: 527 classes of AudioSet, ten seconds."""
    return AudioSpectrogramTransformer(
        num_classes=num_classes, num_frames=num_frames, bins=bins, stride=stride, dropout=dropout
    )


def ast_tiny(
    num_classes: int = 10,
    num_frames: int = 128,
    bins: int = 64,
    stride: int = 10,
    dropout: float = 0.0,
) -> AudioSpectrogramTransformer:
    """Three blocks of width 96 over about a second."""
    return AudioSpectrogramTransformer(
        num_classes=num_classes,
        num_frames=num_frames,
        bins=bins,
        stride=stride,
        width=96,
        depth=3,
        heads=3,
        dropout=dropout,
    )


def _joined(state: State) -> State:
    """Queries, keys and values of transformers as the one projection that they were."""
    joined: dict[str, Tensor] = {}
    for key, value in state.items():
        found = re.fullmatch(r"(.*\.attention\.attention\.)(query|key|value)\.(weight|bias)", key)
        if found is None:
            joined[key] = value
        elif found[2] == _SPLIT[0]:
            parts = [state[f"{found[1]}{part}.{found[3]}"] for part in _SPLIT]
            joined[f"{found[1]}qkv.{found[3]}"] = torch.cat(parts)
    return joined


def _options(table: Tensor, patches: Tensor, classes: Tensor | None) -> dict[str, int] | None:
    """What fits, of a published size: 128 bins, ten seconds, and what stride gives its table."""
    if table.shape[2] != 768 or patches.shape[0] != 768:
        return None
    for stride in (10, 12, 14, 16):
        high, long = (128 - PATCH) // stride + 1, (1024 - PATCH) // stride + 1
        if table.shape[1] == 2 + high * long:
            return {"num_classes": 0 if classes is None else classes.shape[0], "stride": stride}
    return None


def _identify_official(state: State, _config: Config) -> Identified | None:
    options = _options(
        state["v.pos_embed"], state["v.patch_embed.proj.weight"], state.get("mlp_head.1.weight")
    )
    return None if options is None else Identified("ast_base", options)


def _identify_huggingface(state: State, config: Config) -> Identified | None:
    prefix = _PREFIX if any(key.startswith(_PREFIX) for key in state) else ""
    embeddings = f"{prefix}embeddings."
    table = state[f"{embeddings}position_embeddings"]
    classes = state.get("classifier.dense.weight")
    options = _options(table, state[f"{embeddings}patch_embeddings.projection.weight"], classes)
    if options is not None:
        return Identified("ast_base", options)
    if table.shape[2] != 768 or "max_length" not in config:
        return None
    return Identified(
        "ast_base",
        {
            "num_classes": 0 if classes is None else classes.shape[0],
            "num_frames": int(config["max_length"]),
            "bins": int(config.get("num_mel_bins", 128)),
            "stride": int(config.get("time_stride", 10)),
        },
    )


_PREFIX = "audio_spectrogram_transformer."
LAYOUTS = (
    Layout(
        name="official",
        signature=(r"v\.dist_token", r"v\.blocks\.0\.attn\.qkv\.weight"),
        # DeiT's own heads, which the official network keeps and does not use
        ignore=(r"v\.head(_dist)?\..*",),
        identify=_identify_official,
    ),
    Layout(
        name="huggingface",
        signature=(
            r"(audio_spectrogram_transformer\.)?embeddings\.distillation_token",
            r"(audio_spectrogram_transformer\.)?encoder\.layer\.0\.attention\.attention\.key\.weight",
        ),
        before=_joined,
        renames=(
            (r"^audio_spectrogram_transformer\.", ""),
            (r"^embeddings\.cls_token$", "v.cls_token"),
            (r"^embeddings\.distillation_token$", "v.dist_token"),
            (r"^embeddings\.position_embeddings$", "v.pos_embed"),
            (r"^embeddings\.patch_embeddings\.projection\.", "v.patch_embed.proj."),
            (r"^encoder\.layer\.(\d+)\.attention\.attention\.qkv\.", r"v.blocks.\1.attn.qkv."),
            (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"v.blocks.\1.attn.proj."),
            (r"^encoder\.layer\.(\d+)\.layernorm_before\.", r"v.blocks.\1.norm1."),
            (r"^encoder\.layer\.(\d+)\.layernorm_after\.", r"v.blocks.\1.norm2."),
            (r"^encoder\.layer\.(\d+)\.intermediate\.dense\.", r"v.blocks.\1.mlp.fc1."),
            (r"^encoder\.layer\.(\d+)\.output\.dense\.", r"v.blocks.\1.mlp.fc2."),
            (r"^layernorm\.", "v.norm."),
            (r"^classifier\.layernorm\.", "mlp_head.0."),
            (r"^classifier\.dense\.", "mlp_head.1."),
        ),
        identify=_identify_huggingface,
    ),
)
