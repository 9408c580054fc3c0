"""A network for pictures on every frame, then a recurrent network over the frames' features.

Jeff Donahue et al., "Long-term Recurrent Convolutional Networks for Visual Recognition and
Description", 2014 (https://arxiv.org/abs/1411.4389), whose classifier reads every instant and
averages; Joe Yue-Hei Ng et al., "Beyond Short Snippets: Deep Networks for Video Classification",
2015 (https://arxiv.org/abs/1503.08909), where the last instant alone is among the choices. Their
frame networks (CaffeNet, AlexNet, GoogLeNet) are replaced by ResNet or EfficientNet-Lite, so that
no published weights fit but those of the frame network.

It knows frames and features; it knows no class names.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.efficientnet_lite import EfficientNetLite
from scenewise.models.backbones.resnet2d import Depth, ResNet2d, imagenet_layout

Cell = Literal["lstm", "gru"]
Summary = Literal["mean", "last"]
Frames = Literal["resnet18", "resnet50", "resnet101", "efficientnet_lite0", "none"]

_CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
_FRAMES = ("resnet18", "resnet50", "resnet101", "efficientnet_lite0", "none")
_DEPTHS: dict[str, Depth] = {"resnet18": 18, "resnet50": 50, "resnet101": 101}
_LITE0_FEATURES = 1280


class FrameNetwork(Protocol):
    """A network for pictures that gives a vector for each."""

    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to (B, D)."""
        ...


class CnnRnn(VideoBackbone):
    """Clips (B, T, 3, H, W), or features of frames (B, T, D), to logits (B, K).

    ``frames`` gives ``inputs`` numbers a frame; None where features alone come in. ``summary``
    mean averages the recurrent outputs of all instants, last takes the output at the last frame:
    of both directions, where the network is ``bidirectional``, each at the end of its own way.
    """

    def __init__(
        self,
        frames: nn.Module | None,
        inputs: int,
        *,
        num_classes: int = 400,
        cell: Cell = "lstm",
        hidden: int = 512,
        layers: int = 1,
        bidirectional: bool = False,
        summary: Summary = "mean",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if cell not in _CELLS:
            raise UsageError(f"cell is lstm or gru, got {cell!r}.")
        if summary not in ("mean", "last"):
            raise UsageError(f"summary is mean or last, got {summary!r}.")
        self.num_classes = num_classes
        self.num_features = hidden * (2 if bidirectional else 1)
        self.summary = summary
        self.inputs = inputs
        self.frames = frames
        self.rnn = _CELLS[cell](
            inputs,
            hidden,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = (
            nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        )

    def frame_features(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, T, D); features that are ready stay as they are.

        Frames outside ``mask`` are not looked at, not even by a norm in training: they give zeros.
        """
        if clips.ndim == 3 and clips.shape[2] == self.inputs:
            return clips
        if clips.ndim != 5 or self.frames is None:
            wanted = "" if self.frames is None else "clips (B, T, 3, H, W) or "
            raise ValueError(
                f"this network takes {wanted}features (B, T, {self.inputs}), got "
                f"{tuple(clips.shape)}"
            )
        network: FrameNetwork = self.frames  # type: ignore[assignment]
        if mask is not None:
            real = network.features(clips[mask])
            each = real.new_zeros(*clips.shape[:2], real.shape[1])
            each[mask] = real
            return each
        each = network.features(rearrange(clips, "b t c h w -> (b t) c h w"))
        return rearrange(each, "(b t) d -> b t d", t=clips.shape[1])

    def features(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """Clips (B, T, 3, H, W) or features (B, T, D) to (B, D').

        ``mask`` (B, T) is True where a frame is real; frames that fill up a clip come last. They
        change nothing, neither of the features nor of the other direction.
        """
        if mask is None:
            outputs, state = self.rnn(self.frame_features(clips))
            return outputs.mean(dim=1) if self.summary == "mean" else self._last(state)
        real = mask.bool()
        lengths = _lengths(real, clips)
        each = self.frame_features(clips, real)
        packed = pack_padded_sequence(each, lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed_outputs, state = self.rnn(packed)
        if self.summary == "last":
            return self._last(state)
        outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True)  # zeros behind the end
        mean: Tensor = outputs.sum(dim=1) / lengths[:, None].to(outputs)
        return mean

    def forward(self, clips: Tensor, mask: Tensor | None = None) -> Tensor:
        """To logits (B, K), or to features (B, D') without classes; ``mask`` as in ``features``."""
        logits: Tensor = self.classifier(self.dropout(self.features(clips, mask)))
        return logits

    def _last(self, state: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """The last layer's state (B, D'), of each direction at its own end."""
        ends = state if isinstance(state, Tensor) else state[0]
        directions = 2 if self.rnn.bidirectional else 1
        return rearrange(ends[-directions:], "way b d -> b (way d)")


def _lengths(real: Tensor, clips: Tensor) -> Tensor:
    """Real frames of each clip (B,); raises ValueError where they do not come first."""
    if real.shape != clips.shape[:2]:
        raise ValueError(f"the mask is {tuple(clips.shape[:2])}, got {tuple(real.shape)}")
    lengths = real.sum(dim=1)
    first = torch.arange(real.shape[1], device=real.device) < lengths[:, None]
    if not bool((real == first).all()) or not bool((lengths > 0).all()):
        raise ValueError("each clip has one real frame at least, and those that fill it up last")
    return lengths


def _frame_network(name: Frames, inputs: int) -> tuple[nn.Module | None, int]:
    """The frame network and the width of its features; ``inputs`` where there is none."""
    if name not in _FRAMES:
        raise UsageError(f"frames is one of {', '.join(_FRAMES)}, got {name!r}.")
    if name == "none":
        return None, inputs
    if name == "efficientnet_lite0":
        lite = EfficientNetLite("lite0")
        lite._fc = nn.Identity()  # type: ignore[assignment]  # the classifier of pictures
        return lite, _LITE0_FEATURES
    network = ResNet2d(_DEPTHS[name])
    return network, network.num_features


def cnn_lstm_resnet50(
    num_classes: int = 400,
    frames: Frames = "resnet50",
    inputs: int = 2048,
    hidden: int = 512,
    layers: int = 1,
    bidirectional: bool = False,
    summary: Summary = "mean",
    dropout: float = 0.5,
    cell: Cell = "lstm",
) -> CnnRnn:
    """An LSTM over ResNet-50, or over another frame network.

    With ``frames`` none features of ``inputs`` numbers a frame come in; else ``inputs`` is unused.
    """
    network, width = _frame_network(frames, inputs)
    return CnnRnn(
        network,
        width,
        num_classes=num_classes,
        cell=cell,
        hidden=hidden,
        layers=layers,
        bidirectional=bidirectional,
        summary=summary,
        dropout=dropout,
    )


def cnn_gru_resnet50(
    num_classes: int = 400,
    frames: Frames = "resnet50",
    inputs: int = 2048,
    hidden: int = 512,
    layers: int = 1,
    bidirectional: bool = False,
    summary: Summary = "mean",
    dropout: float = 0.5,
) -> CnnRnn:
    """A GRU over ResNet-50, or over another frame network; options as of ``cnn_lstm_resnet50``."""
    return cnn_lstm_resnet50(
        num_classes, frames, inputs, hidden, layers, bidirectional, summary, dropout, cell="gru"
    )


def cnn_rnn_tiny(
    num_classes: int = 10,
    cell: Cell = "gru",
    hidden: int = 64,
    layers: int = 1,
    bidirectional: bool = False,
    summary: Summary = "mean",
    dropout: float = 0.0,
) -> CnnRnn:
    """A ResNet of one block a stage with a quarter of the channels, and 64 hidden numbers."""
    network = ResNet2d(10, width=16)
    return CnnRnn(
        network,
        network.num_features,
        num_classes=num_classes,
        cell=cell,
        hidden=hidden,
        layers=layers,
        bidirectional=bidirectional,
        summary=summary,
        dropout=dropout,
    )


LAYOUTS = (imagenet_layout("frames."),)
