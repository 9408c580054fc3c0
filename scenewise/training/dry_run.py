"""What a run would do, without doing it: shapes, parameters, memory, rows, steps, learning rates.

It takes the way of a run up to the first step (``make_plan``) and reads one batch; the rest is
counted on torch's device "meta". Nothing is trained, and no file is written but in a temporary
folder that is gone afterwards. It knows a plan; it knows no command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from scenewise.errors import NetworkError, TrainingError, first_line
from scenewise.models.flops import count_modules, example_inputs
from scenewise.models.registry import create_model
from scenewise.training.config import Config
from scenewise.training.distributed import Place
from scenewise.training.learner import Learner
from scenewise.training.optimizers import make_optimizer
from scenewise.training.run import Plan, first_batch, make_plan, steps_of
from scenewise.training.schedules import Schedule
from scenewise.training.step_memory import StepMemory, step_memory, tensors_of

_DEPTH = 2  # levels of modules that are listed


@dataclass(frozen=True, slots=True)
class Block:
    """One module, as one batch passes it."""

    name: str  # as in named_modules of the network
    kind: str  # its class
    inputs: tuple[str, ...]  # shapes of tensors
    outputs: tuple[str, ...]
    parameters: int
    trained: int  # of these


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters with one learning rate."""

    parameters: int
    lr: float  # at the first step
    weight_decay: float | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would do."""

    network: str
    objective: str
    batch: dict[str, str]  # shape by part
    blocks: tuple[Block, ...]
    parameters: int
    trained: int
    multiply_adds: int | None  # of one clip; None: the card names no clip
    memory: StepMemory | None  # of one step; None: it cannot be counted ahead, see notes
    rows: dict[str, int]  # by split
    videos: int
    missing: tuple[str, ...]
    batches_per_epoch: int
    steps: int  # of the optimizer, in the whole run
    groups: tuple[Group, ...]
    figure: str | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def dry_run(config: Config) -> DryRun:
    """Everything ahead of the first step, on the processor. Raises as ``make_plan`` does."""
    with TemporaryDirectory() as folder:
        plan = make_plan(config, Path(folder), device="cpu", place=Place())
        batch = first_batch(plan)
    notes = list(plan.notes)
    each = -(-plan.batches.steps // config.train.accumulate)
    Schedule(config.schedule, steps_of(plan), each).apply(plan.optimizer, 0)
    groups = tuple(_groups(plan.optimizer))
    network = plan.prepared.network
    parameters = sum(one.numel() for one in network.parameters())
    trained = sum(one.numel() for one in plan.learner.parameters() if one.requires_grad)
    shapes = {name: _shape(value) for name, value in tensors_of(batch).items()}
    try:
        blocks = _blocks(plan.learner, batch)
    except TrainingError as error:
        blocks = ()
        notes.append(str(error))
    try:
        memory = step_memory(plan.learner, lambda one: make_optimizer(one, config.optimizer), batch)
    except TrainingError as error:
        memory = None
        notes.append(str(error))
    return DryRun(
        network=plan.card.name,
        objective=type(plan.learner.objective).__name__,
        batch=shapes,
        blocks=blocks,
        parameters=parameters,
        trained=trained,
        multiply_adds=_multiply_adds(plan),
        memory=memory,
        rows={split.split: len(split) for split in (plan.found.train, plan.found.val) if split},
        videos=len(plan.found.files),
        missing=plan.found.missing,
        batches_per_epoch=plan.batches.steps,
        steps=steps_of(plan),
        groups=groups,
        figure=plan.figure,
        notes=tuple(notes),
    )


def _blocks(learner: Learner, batch: Any) -> tuple[Block, ...]:
    """One forward pass on "meta", with the shapes that each block takes and gives."""
    learner.to("meta").train()
    found: dict[str, Block] = {}
    try:
        with _watched(learner.model, found), torch.no_grad():
            learner(batch.to("meta"))
    except (RuntimeError, NotImplementedError) as error:
        raise TrainingError(f"Shapes cannot be told ahead: {first_line(error)}.") from error
    return tuple(found.values())


@contextmanager
def _watched(network: nn.Module, found: dict[str, Block]) -> Iterator[None]:
    """Note what passes each module of the first levels, in the order in which they end."""
    hooks: list[RemovableHandle] = []

    def watch(name: str, module: nn.Module) -> None:
        def note(one: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            sizes = [parameter.numel() for parameter in one.parameters()]
            learns = [p.numel() for p in one.parameters() if p.requires_grad]
            found.setdefault(
                name,
                Block(
                    name,
                    type(one).__name__,
                    _shapes((args, kwargs)),
                    _shapes(result),
                    sum(sizes),
                    sum(learns),
                ),
            )

        hooks.append(module.register_forward_hook(note, with_kwargs=True))

    for name, module in network.named_modules():
        if name and name.count(".") < _DEPTH:
            watch(name, module)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _shapes(values: Any) -> tuple[str, ...]:
    return tuple(_shape(leaf) for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def _shape(tensor: Tensor) -> str:
    size = "x".join(map(str, tensor.shape)) or "1"
    return f"{size} {str(tensor.dtype).removeprefix('torch.')}"


def _groups(optimizer: torch.optim.Optimizer) -> Iterator[Group]:
    for group in optimizer.param_groups:
        count = sum(parameter.numel() for parameter in group["params"])
        yield Group(count, float(group["lr"]), group.get("weight_decay"))


def _multiply_adds(plan: Plan) -> int | None:
    card, data = plan.card, plan.config.data
    if card.input is None or card.input.channels not in ("rgb", "bgr"):
        return None
    length = plan.prepared.options.get("text_length", card.text_length)
    words = [] if length is None else [(1, length)]
    try:
        modules = count_modules(
            lambda: create_model(card.name, **plan.prepared.options),
            lambda: [
                *example_inputs(card, data.frames, data.size)[:1],
                *(torch.zeros(shape, dtype=torch.long) for shape in words),
            ],
        )
    except (NetworkError, ValueError, RuntimeError):
        return None
    return modules[0].multiply_adds
