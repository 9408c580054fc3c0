"""The sides of a network of the registry as they are exported, and what is measured at it.

It knows torch, and is imported at preparation only. A video side takes what the rest of the
package has at hand, bytes of RGB pictures; the card's normalisation and order of channels are part
of the graph. Vectors are of length 1, so that an inner product is a cosine.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from scenewise.encoders.network_folder import Pixels, building
from scenewise.errors import EncoderError, first_line
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.registry import create_model, options_of
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.weights.load import load_pretrained

Sides = VideoBackbone | VideoTextModel
_STRAIGHT = 1e-3  # of the scores' spread: how far a line may miss them
_ALIVE = 3  # results of the largest step's size that a runtime holds at once


class ClipSide(nn.Module):
    """Clips (B, T, H, W, 3) uint8 RGB to what ``answer`` makes of the network's own pixels."""

    def __init__(self, network: Sides, pixels: Pixels) -> None:
        super().__init__()
        self.network = network
        mean, std = torch.tensor(pixels.mean), torch.tensor(pixels.std)
        # (x / 255 - mean) / std, as one multiplication and one addition
        self.scale = nn.Buffer(1 / (255 * std))
        self.shift = nn.Buffer(-mean / std)
        self.turned = pixels.channels == "bgr"

    def forward(self, frames: Tensor) -> Tensor:
        """``frames`` (B, T, H, W, 3) uint8; returns (B, D) float32."""
        return self.answer(self.clips(frames))

    def clips(self, frames: Tensor) -> Tensor:
        """``frames`` (B, T, H, W, 3) uint8 to the network's own pixels (B, T, 3, H, W)."""
        values = frames.float()
        if self.turned:
            values = values.flip(-1)
        return rearrange(values * self.scale + self.shift, "b t h w c -> b t c h w")

    def answer(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W), normalised, to unit vectors (B, D)."""
        if isinstance(self.network, VideoBackbone):
            return F.normalize(self.network.features(clips), dim=-1)
        return F.normalize(self.network.encode_video(clips).pooled, dim=-1)


class ClassSide(ClipSide):
    """Clips (B, T, H, W, 3) uint8 RGB to probabilities (B, K)."""

    def answer(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W), normalised, to the softmax of the logits (B, K)."""
        return F.softmax(self.network(clips), dim=-1)


class NamedClassSide(ClipSide):
    """Clips (B, T, H, W, 3) uint8 RGB to probabilities (B, K) of classes that have ``text``."""

    def __init__(self, network: VideoTextModel, pixels: Pixels, text: Features) -> None:
        super().__init__(network, pixels)
        self.compares = network
        self.pooled = nn.Buffer(text.pooled)
        self.tokens = None if text.tokens is None else nn.Buffer(text.tokens)
        self.mask = None if text.mask is None else nn.Buffer(text.mask)

    def answer(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W), normalised, to the softmax of their similarities (B, K)."""
        text = Features(self.pooled, self.tokens, self.mask)
        similarity = self.compares.similarity(text, self.compares.encode_video(clips))
        return F.softmax(similarity.T, dim=-1)


class TextSide(nn.Module):
    """Token ids (B, L) int64 to unit vectors (B, D); the model itself says what is padding."""

    def __init__(self, network: VideoTextModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor) -> Tensor:
        """``input_ids`` (B, L) int64; returns (B, D) float32 of length 1."""
        return F.normalize(self.network.encode_text(input_ids).pooled, dim=-1)


class PooledSide(nn.Module):
    """One side of a video-text model as the toolkit has it: pixels or ids to pooled vectors."""

    def __init__(self, network: VideoTextModel, side: Literal["video", "text"]) -> None:
        super().__init__()
        self.network = network
        self.side = side

    def forward(self, inputs: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W), normalised, or ids (B, L), to (B, D)."""
        encode = self.network.encode_video if self.side == "video" else self.network.encode_text
        return encode(inputs).pooled


def load_sides(folder: Path, name: str) -> Sides:
    """The network of a folder with its weights. Raises NetworkError, EncoderError."""
    with building(name, {}):
        network = load_pretrained(folder)
    return _checked(network, name)


def bare_sides(network: str, options: dict[str, Any], name: str) -> Sides:
    """The same without weights: what its sizes are, at no cost."""
    with torch.device("meta"), building(name, options):
        made = create_model(network, **options)
    return _checked(made, name)


def _checked(network: nn.Module, name: str) -> Sides:
    if not isinstance(network, VideoBackbone | VideoTextModel):
        raise EncoderError(
            f"{name}: {type(network).__name__} is neither a backbone nor a video-text model, so "
            "it makes no vectors of videos; take one of those (scenewise models list)."
        )
    return network


def all_options(network: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, over the builder's defaults."""
    return {**options_of(network), **options}


def dimension(network: Sides) -> int:
    """The length of its vectors."""
    return network.num_features if isinstance(network, VideoBackbone) else network.embed_dim


def example_clips(pixels: Pixels) -> Tensor:
    """Two clips of seeded noise, uint8 (2, T, H, W, 3)."""
    generator = torch.Generator().manual_seed(0)
    shape = (2, pixels.frames, pixels.target.height, pixels.target.width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def try_out(side: nn.Module, inputs: Tensor, name: str, what: str) -> tuple[Tensor, int]:
    """What a side makes of an example, and an upper estimate of one item's bytes on the way.

    Raises EncoderError where the network refuses it, with the network's own words.
    """
    sizes = _Sizes()
    try:
        with torch.no_grad(), sizes:
            outputs: Tensor = side.eval()(inputs)
    except (ValueError, RuntimeError, IndexError, TypeError, NotImplementedError) as error:
        raise EncoderError(
            f"{name}: its {what} does not take an input of the shape {tuple(inputs.shape)}: "
            f"{first_line(error)}. Options and weights must be of one network."
        ) from error
    if outputs.ndim != 2 or not bool(outputs.isfinite().all()):
        raise EncoderError(
            f"{name}: its {what} gives no finite vectors (its output has the shape "
            f"{tuple(outputs.shape)}); its weights are damaged, or of another network."
        )
    return outputs, _ALIVE * sizes.largest // len(inputs)


def check_ids(side: TextSide, largest: int, length: int, name: str) -> None:
    """Raise EncoderError for a tokenizer with ids that the text side has no vector for."""
    try:
        with torch.no_grad():
            side.eval()(torch.full((2, length), largest))
    except (IndexError, RuntimeError, ValueError) as error:
        raise EncoderError(
            f"{name}: its text side does not take the tokenizer's id {largest} in {length} "
            f"positions: {first_line(error)}. Take tokenizer and weights from one network, and "
            "the length (text.length of config.json) that it was made for."
        ) from error


def logit_scale(network: VideoTextModel, pixels: Pixels, ids: Tensor) -> float | None:
    """What the published similarity multiplies a cosine by; None where it is no line over it."""
    if not network.pooled_ranks:
        return None
    frames = example_clips(pixels)
    frames[1] //= 4  # noise is like noise: a dark one differs
    side = ClipSide(network, pixels)
    with torch.no_grad():
        text, video = network.encode_text(ids), network.encode_video(side.clips(frames))
        scores = network.similarity(text, video).double().flatten()
    cosines = F.normalize(text.pooled, dim=-1) @ F.normalize(video.pooled, dim=-1).T
    across = cosines.double().flatten()
    across, scores = across - across.mean(), scores - scores.mean()
    if float(across.abs().max()) < 1e-4:
        return None
    slope = float((across * scores).sum() / (across * across).sum())
    missed = float((scores - slope * across).abs().max())
    straight = missed <= _STRAIGHT * float(scores.abs().max())
    return slope if slope > 0 and math.isfinite(slope) and straight else None


class _Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's own has no types
    """Remembers the bytes of the largest result of any step, attention's scores among them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        for result in results if isinstance(results, tuple | list) else (results,):
            if isinstance(result, Tensor):
                self.largest = max(self.largest, result.nbytes)
        if "scaled_dot_product" in str(func):
            queries, keys = args[0], args[1]
            scores = math.prod(queries.shape[:-1]) * keys.shape[-2] * queries.element_size()
            self.largest = max(self.largest, scores)
        return results
