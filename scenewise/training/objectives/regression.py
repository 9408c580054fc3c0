"""Numbers of clips: a rating, a steering angle, a duration.

It knows outputs and targets; it knows no network.
"""

from __future__ import annotations

from einops import rearrange
from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.losses import precise, regression_loss
from scenewise.training.objective_settings import RegressionSettings
from scenewise.training.outputs import outputs_of
from scenewise.training.ranks import over_ranks


class Regression(Objective):
    """Outputs (B, K) of ``model(clips)`` against float targets (B, K), or (B,) of one output."""

    def __init__(self, settings: RegressionSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or RegressionSettings()

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``mae``, the mean distance."""
        targets = batch.targets
        if targets is None or not targets.is_floating_point():
            raise TrainingError("Regression needs a number for each clip and output, no classes.")
        outputs = precise(outputs_of(model, batch))
        if targets.ndim == 1:
            targets = rearrange(targets, "b -> b 1")
        targets = targets.to(outputs.dtype)
        loss = regression_loss(outputs, targets, self.settings.loss, delta=self.settings.delta)
        distance = (outputs - targets).abs().mean()
        return {LOSS: over_ranks(loss, len(batch)), "mae": distance.detach()}
