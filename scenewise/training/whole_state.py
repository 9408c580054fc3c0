"""Parameters, buffers and the optimizer's memory as whole tensors by name, and back.

A tensor that is spread over processes (DTensor, of FSDP2) is gathered, which all of them take
part in; the one that writes keeps it. It knows tensors and names; it knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from scenewise.errors import TrainingError
from scenewise.training.parameter_names import without_wrapper

Tensors = dict[str, Tensor]
_BETWEEN = "|"  # a parameter's name and what the optimizer remembers of it


def whole(tensor: Tensor) -> Tensor:
    """The tensor of all processes; all of them call this."""
    tensor = tensor.detach()
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_tensors(tensors: Mapping[str, Tensor], *, keep: bool) -> Tensors:
    """Copies on the processor, where ``keep``; elsewhere only the part in gathering."""
    found: Tensors = {}
    for name, tensor in tensors.items():
        full = whole(tensor)
        if keep:
            found[name] = full.to("cpu", copy=True).contiguous()
    return found


def put(target: Tensor, value: Tensor) -> None:
    """Copy a whole tensor into one that may be spread over processes."""
    with torch.no_grad():
        target.copy_(_like(value, target))


def module_tensors(module: nn.Module) -> Tensors:
    """Parameters and buffers of what is wrapped; they share the module's memory."""
    return dict(_in_parts(module).state_dict())


def load_module(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Put whole tensors in. Raises TrainingError, naming some, where names or shapes differ."""
    own = module_tensors(module)
    missing = [name for name in own if name not in tensors]
    unknown = [name for name in tensors if name not in own]
    shapes = [
        f"{name} is {list(tensors[name].shape)} there and {list(own[name].shape)} here"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    differing = [f"{name} is missing there" for name in missing]
    differing += [f"{name} is not here" for name in unknown] + shapes
    if differing:
        raise TrainingError(f"{what} is of another network: {shortened(differing)}.")
    for name, target in own.items():
        put(target, tensors[name])


def optimizer_state(
    optimizer: torch.optim.Optimizer, module: nn.Module
) -> tuple[Tensors, dict[str, Any]]:
    """What an optimizer remembers: tensors by parameter, and its groups and numbers for JSON."""
    names = _names(module)
    tensors: Tensors = {}
    numbers: dict[str, Any] = {}
    groups = []
    for group in optimizer.param_groups:
        options = {key: value for key, value in group.items() if key != "params"}
        groups.append({**options, "params": [names[one] for one in group["params"]]})
        for parameter in group["params"]:
            for key, value in optimizer.state.get(parameter, {}).items():
                place = f"{names[parameter]}{_BETWEEN}{key}"
                if isinstance(value, Tensor):
                    tensors[place] = value
                elif value is not None:
                    numbers[place] = value
    return tensors, {"kind": type(optimizer).__name__, "groups": groups, "numbers": numbers}


def load_optimizer(
    optimizer: torch.optim.Optimizer,
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    state: Mapping[str, Any],
    what: str,
) -> None:
    """Put back what ``optimizer_state`` gave.

    Raises TrainingError where the optimizer is another, or its groups have other parameters.
    """
    names = _names(module)
    kind = type(optimizer).__name__
    if state["kind"] != kind:
        raise TrainingError(f"{what} is of the optimizer {state['kind']}, and this one is {kind}.")
    own = [[names[one] for one in group["params"]] for group in optimizer.param_groups]
    theirs = [group["params"] for group in state["groups"]]
    if own != theirs:
        strange = {name for part in own for name in part} ^ {n for part in theirs for n in part}
        said = (
            f"{shortened(sorted(strange))} learn(s) in one of them alone"
            if strange
            else (f"{len(theirs)} groups there, {len(own)} here")
        )
        raise TrainingError(f"{what} has other groups of parameters: {said}.")
    parameters = {name: parameter for parameter, name in names.items()}
    for group, saved in zip(optimizer.param_groups, state["groups"], strict=True):
        for key, value in saved.items():
            if key != "params":
                group[key] = tuple(value) if isinstance(value, list) else value
    optimizer.state.clear()
    for place, value in [*tensors.items(), *state["numbers"].items()]:
        name, key = place.rsplit(_BETWEEN, 1)
        parameter = parameters[name]
        if isinstance(value, Tensor) and value.shape == parameter.shape and key != "step":
            value = _like(value, parameter).clone()
        optimizer.state[parameter][key] = value


def shortened(texts: list[str], most: int = 5) -> str:
    """Some of many, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _names(module: nn.Module) -> dict[nn.Parameter, str]:
    return {value: name for name, value in _in_parts(module).named_parameters()}


def _in_parts(module: nn.Module) -> nn.Module:
    """What is wrapped, each process with its own part alone, as the optimizer knows it.

    FSDP2 leaves a module whole after a pass without a backward one, such as an evaluation: its
    parameters are then copies, which the optimizer does not know and the next gathering forgets.
    """
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()
    return without_wrapper(module)


def _like(value: Tensor, target: Tensor) -> Tensor:
    """A whole tensor on the device, or spread over the processes, as another one is."""
    value = value.to(target.device)
    if isinstance(target, DTensor):
        return distribute_tensor(value, target.device_mesh, target.placements)
    return value
