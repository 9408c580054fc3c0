"""A tiny network of each family, and a batch that it reads: what tests of training share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.models import create_model
from scenewise.models.video_text.expert_features import ExpertFeatures, ExpertStream
from scenewise.models.video_text.interface import VideoTextModel
from scenewise.models.video_text.videobert import VideoBERT
from scenewise.training.learner import Objective

BATCH = 3


@dataclass(frozen=True)
class Tiny:
    """A network's name and options, and what it is shown."""

    name: str
    options: dict[str, Any]
    frames: int = 8
    size: int = 64
    words: int = 0  # tokens of a text; 0: no text

    def network(self, **options: Any) -> nn.Module:
        """Seeded, as fresh weights have zeros that hide what is ahead of them."""
        network = create_model(self.name, **{**self.options, **options})
        shapes = {key: tuple(value.shape) for key, value in network.named_parameters()}
        network.load_state_dict(seeded_state(shapes), strict=False)
        return network

    def clips(self, batch: int = BATCH) -> Tensor:
        return seeded_input(self.name, (batch, self.frames, 3, self.size, self.size))

    def ids(self, batch: int = BATCH) -> Tensor:
        ids = seeded_ids(self.name, (batch, self.words), 200)
        ids[:, -1] = int(self.options.get("vocab_size", 201)) - 1  # CLIP's end mark
        return ids

    def answer(self, network: nn.Module) -> Tensor:
        """Logits, or similarities of texts and clips."""
        if isinstance(network, VideoTextModel):
            return network(self.clips(), self.ids())  # type: ignore[no-any-return]
        return network(self.clips())  # type: ignore[no-any-return]


TINY = {
    tiny.name: tiny
    for tiny in (
        Tiny("timesformer_tiny", {"num_classes": 5}),
        Tiny("video_swin_tiny", {"num_classes": 5}),
        Tiny("videomae_tiny", {"num_classes": 5, "num_frames": 4, "size": 32}, 4, 32),
        Tiny("vivit_tiny", {"num_classes": 5}),
        Tiny("clip4clip_tiny", {"vocab_size": 256}, 2, 64, 8),
        Tiny("dual_encoder_tiny", {"num_frames": 2, "size": 32, "vocab_size": 256}, 2, 32, 8),
        Tiny("xclip_recognition_tiny", {"vocab_size": 256}, 8, 64, 8),
    )
}


def experts(widths: dict[str, int], batch: int = BATCH) -> ExpertFeatures:
    return ExpertFeatures(
        {
            name: ExpertStream(seeded_input(name, (batch, 2, width)))
            for name, width in widths.items()
        }
    )


def fitted_videobert() -> VideoBERT:
    network = create_model("videobert_tiny", vocabulary=50)
    assert isinstance(network, VideoBERT)
    network.video_words.level(2).copy_(seeded_input("centroids", (16, 64)))
    return network


def learned(
    network: nn.Module, objective: Objective, forward: Callable[[], Tensor], steps: int, lr: float
) -> list[float]:
    """The losses of some steps of Adam."""
    parameters = [*network.parameters(), *objective.parameters()]
    optimizer = torch.optim.Adam([p for p in parameters if p.requires_grad], lr=lr)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = forward()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return losses
