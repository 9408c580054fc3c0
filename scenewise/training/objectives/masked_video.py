"""Masked video modelling: the pixels of hidden tubes, told by a small decoder.

Zhan Tong et al., "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised
Video Pre-Training", 2022 (https://arxiv.org/abs/2203.12602): nine tenths of the places of a frame
are hidden at all instants, the encoder sees the rest, and what is told is each cube's pixels less
their mean over their deviation. The network is VideoMAE's encoder, as it is fine-tuned later; its
last norm, the mask token and the decoder are the objective's, and are not handed over.
"""

from __future__ import annotations

from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.backbones.videomae import VideoMAE, VideoMAEPretraining, seen_tokens
from scenewise.models.layers.masks import tube_mask
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.objective_settings import MaskedVideoSettings
from scenewise.training.ranks import over_ranks


class MaskedVideo(Objective):
    """Clips (B, T, 3, H, W) to the mean squared error of hidden, normalised cubes."""

    def __init__(self, network: VideoMAE, settings: MaskedVideoSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or MaskedVideoSettings()
        whole = VideoMAEPretraining(network.options)
        self.norm: nn.Module = whole.videomae.layernorm
        del whole.videomae  # the encoder is the network's
        self.decoder = whole
        self.grid = network.options.grid
        places = self.grid[1] * self.grid[2]
        hidden = int(self.settings.ratio * places)
        if hidden in (0, places):
            raise TrainingError(
                f"Of {places} places in a frame objective.ratio {self.settings.ratio} hides "
                f"{hidden}; give a ratio that hides some and shows some."
            )

    def prepare(self, network: nn.Module) -> None:
        """The norm ahead of the classifier has no part in this."""
        if isinstance(network, VideoMAE):
            network.fc_norm.requires_grad_(False)

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss``."""
        if batch.clips is None or not isinstance(model, VideoMAE):
            raise TrainingError("masked_video needs clips, and VideoMAE to see them.")
        clips = batch.clips
        hidden = tube_mask(len(clips), self.grid, self.settings.ratio).to(clips.device)
        seen = self.norm(seen_tokens(model.videomae, clips, hidden))
        loss = self.decoder.loss(self.decoder.restore(seen, hidden), clips, hidden)
        return {LOSS: over_ranks(loss, len(clips))}
