"""Classes of clips: cross-entropy of the logits.

It knows logits and targets; it knows no network.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.training.learner import LOSS, Figures, Objective


class Classification(Objective):
    """Logits (B, K) of ``model(clips)`` against classes (B,)."""

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy``."""
        if batch.clips is None or batch.targets is None:
            raise TrainingError("Classification needs clips and their classes.")
        logits = model(batch.clips)
        right = (logits.argmax(dim=1) == batch.targets).float().mean()
        return {LOSS: F.cross_entropy(logits, batch.targets), "accuracy": right.detach()}
