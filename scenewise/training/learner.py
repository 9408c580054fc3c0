"""What is trained as one module: a network, and the objective that says what it should do.

An objective is a module as well, as some have parameters of their own: a head that tells whether
a clip plays backwards, say. One forward pass of the learner gives the loss, so that wrapping it
(several processes, sharded parameters) wraps all that learns. It knows both interfaces; it knows
no optimizer and no data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from scenewise.data.batch import Batch

LOSS = "loss"
Figures = dict[str, Tensor]  # numbers () by name; "loss" is what becomes smaller


class Objective(nn.Module, ABC):
    """What a network should learn from a batch."""

    @abstractmethod
    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` (), with its gradient, and figures that are logged beside it.

        The loss is a mean over the batch, or over what is predicted in it. Raises TrainingError
        for a network or batch that the objective cannot use.
        """


class Learner(nn.Module):
    """A network and its objective."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: Batch) -> Figures:
        """The objective's figures of this batch."""
        figures: Figures = self.objective(self.model, batch)
        return figures
