"""Classes of clips: cross-entropy of the logits, of one class, of shares, or of several at once.

It knows logits and targets; of networks it knows that some have an SVM for a head.
"""

from __future__ import annotations

from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.backbones.two_branch import TwoBranch
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.losses import class_loss, precise, several_labels_loss
from scenewise.training.objective_settings import ClassificationSettings
from scenewise.training.outputs import outputs_of
from scenewise.training.ranks import over_ranks


class Classification(Objective):
    """Logits (B, K) of ``model(clips)`` against classes (B,), or numbers (B, K) of 0..1.

    Numbers are shares of one class (mixup), or with ``several`` each class for itself. A network
    with an SVM for a head has the hinge loss that belongs to it.
    """

    def __init__(self, settings: ClassificationSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or ClassificationSettings()

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy``, with ``several`` the share of right yes and no."""
        targets = batch.targets
        if targets is None:
            raise TrainingError("Classification needs the classes of its clips.")
        logits = precise(outputs_of(model, batch))
        check_shapes(logits, targets)
        if self.settings.several:
            return self._several(logits, targets, len(batch))
        loss = self._one(model, logits, targets)
        return {LOSS: over_ranks(loss, len(batch)), "accuracy": share_right(logits, targets)}

    def _one(self, model: nn.Module, logits: Tensor, targets: Tensor) -> Tensor:
        smoothing = self.settings.label_smoothing
        if isinstance(model, TwoBranch) and model.head == "svm":
            if smoothing or targets.is_floating_point():
                raise TrainingError(
                    "An SVM has one class a clip: no label_smoothing, no mixup and no cutmix; "
                    "or give [model] the head softmax."
                )
            return model.loss(logits, targets)
        return one_class_loss(logits, targets, smoothing)

    def _several(self, logits: Tensor, targets: Tensor, count: int) -> Figures:
        if not targets.is_floating_point():
            raise TrainingError(
                "Several classes at once need a number of 0..1 for each, not one class a clip: "
                "leave out objective.several, or give a dataset with several labels."
            )
        loss = several_labels_loss(
            logits,
            targets.to(logits.dtype),
            gamma=self.settings.focal_gamma,
            alpha=self.settings.focal_alpha,
        )
        right = ((logits > 0) == (targets > 0.5)).float().mean()
        return {LOSS: over_ranks(loss, count), "accuracy": right.detach()}


def check_shapes(logits: Tensor, targets: Tensor) -> None:
    """Raises TrainingError for numbers that are not one for each clip and class."""
    if targets.is_floating_point() and targets.shape != logits.shape:
        raise TrainingError(
            f"Numbers {tuple(targets.shape)} stand against logits {tuple(logits.shape)}: give "
            "one for each clip and class, and the network as many classes."
        )


def one_class_loss(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Cross-entropy of logits (B, K) with classes (B,), or with shares (B, K) of any precision."""
    kind = logits.dtype if targets.is_floating_point() else targets.dtype
    return class_loss(logits, targets.to(kind), label_smoothing=label_smoothing)


def share_right(logits: Tensor, targets: Tensor) -> Tensor:
    """Of how many clips the class comes first; of shares the largest counts."""
    classes = targets.argmax(dim=1) if targets.is_floating_point() else targets
    return (logits.argmax(dim=1) == classes).float().mean().detach()
