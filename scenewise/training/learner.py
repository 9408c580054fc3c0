"""What is trained as one module: a network, and the objective that says what it should do.

An objective is a module as well, as some have parameters of their own: a head that tells whether
a clip plays backwards, say. One forward pass of the learner gives the loss, so that wrapping it
(several processes, sharded parameters) wraps all that learns. It knows both interfaces; it knows
no optimizer and no data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError, first_line

LOSS = "loss"
Anything = TypeVar("Anything")
Figures = dict[str, Tensor]  # numbers () by name; "loss" is what becomes smaller


class Objective(nn.Module, ABC):
    """What a network should learn from a batch."""

    @abstractmethod
    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` (), with its gradient, and figures that are logged beside it.

        The loss is a mean over the batch, or over what is predicted in it. Raises TrainingError
        for a network or batch that the objective cannot use.
        """

    def prepare(self, network: nn.Module) -> None:
        """Take out of training (``requires_grad`` False) what the objective never reads."""


class Learner(nn.Module):
    """A network and its objective."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: Batch) -> Figures:
        """The objective's figures of this batch; raises TrainingError where it does not fit."""
        try:
            figures: Figures = self.objective(self.model, batch)
        except (ValueError, IndexError) as error:  # how networks meet shapes that are not theirs
            raise TrainingError(
                f"{type(self.model).__name__} cannot learn from this batch: {first_line(error)}; "
                "the frames, size and classes of [data] must be those of [model]."
            ) from error
        return figures

    def within(self, function: Callable[[nn.Module], Anything]) -> Anything:
        """What ``function`` says of the network, called where its parameters are at hand.

        Sharded parameters are whole only inside a call of the learner: so an evaluation, which
        calls the network by itself, runs in here.
        """
        return function(self.model)
