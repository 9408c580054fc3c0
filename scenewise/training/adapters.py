"""Domain adapters: one frozen network, and a small bottleneck for each field that it is used in.

Neil Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", 2019
(https://arxiv.org/abs/1902.00751): behind the outputs of attention and feed-forward, ahead of the
sum, x + up(gelu(down(x))). The paper begins near the identity; here ``up`` begins at zero, so that
the beginning is exact. Adapters have names (medical, satellite): one is in use at a time, or none,
and then the network is bit for bit what it was. Each is saved by itself.

It knows linear layers and names; it knows no network and no loss. An adapter may have its own copy
of whole modules (``also``), such as the head of its own classes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from scenewise.errors import TrainingError
from scenewise.training.extra_files import put_in, read_extra, write_extra
from scenewise.training.frozen import (
    ParameterCount,
    count_parameters,
    find_linear,
    find_modules,
    freeze,
    usual,
)
from scenewise.training.objective_settings import AdapterSettings

OUTPUTS = (  # of attention and feed-forward, by their names in the registry's networks
    "*attn.proj",
    "*attn.out_proj",
    "pre_norm_mha.*.out_proj",
    "output.dense",
    "mlp.fc2",
    "mlp.c_proj",
)
FORM = "adapter"
_STD = 1e-2  # of the way down, as published


class Bottleneck(nn.Module):
    """x + up(gelu(down(x))); nothing at the start."""

    def __init__(self, features: int, width: int, like: Tensor) -> None:
        super().__init__()
        self.down = nn.Linear(features, width, device=like.device, dtype=like.dtype)
        self.up = nn.Linear(width, features, device=like.device, dtype=like.dtype)
        nn.init.trunc_normal_(self.down.weight, std=_STD, a=-2 * _STD, b=2 * _STD)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        """(…, features) to (…, features)."""
        adapted: Tensor = x + self.up(F.gelu(self.down(x)))
        return adapted


class _Choice(nn.ModuleDict):
    """What each adapter has at one place, by the adapter's name; one of them in use, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.used: str | None = None

    @property
    def now(self) -> nn.Module | None:
        """What is in use."""
        return self[self.used] if self.used is not None and self.used in self else None


class Adapters(_Choice):
    """Bottlenecks behind one layer."""


class Versions(_Choice):
    """Copies of one module."""


def add_adapter(network: nn.Module, settings: AdapterSettings) -> ParameterCount:
    """Give the network another adapter, and use it: from here on it alone learns.

    Without targets, it stands behind the outputs of attention and feed-forward. Raises
    TrainingError for names that the network does not have, and for an adapter that is there.
    """
    if settings.name in adapters_of(network):
        raise TrainingError(f"The network has an adapter {settings.name!r} already.")
    targets = settings.targets or usual(network, OUTPUTS, "attention and feed-forward")
    layers = {
        name: layer for name, layer in find_linear(network, targets).items() if not _inside(name)
    }
    also = find_modules(network, settings.also)
    for module in also.values():
        version = copy.deepcopy(module)
        remove_adapters(version)  # the base's own weights alone
        _choice(module, "versions", Versions, _version)[settings.name] = version
    for layer in layers.values():
        bank = _choice(layer, "adapters", Adapters, _adapted)
        bank[settings.name] = Bottleneck(layer.out_features, settings.width, layer.weight)
    network.__dict__.setdefault("adapters_by_name", {})[settings.name] = settings
    use_adapter(network, settings.name)
    return train_adapter(network, settings.name)


def adapters_of(network: nn.Module) -> dict[str, AdapterSettings]:
    """The adapters that a network has, by name."""
    return dict(network.__dict__.get("adapters_by_name", {}))


def use_adapter(network: nn.Module, name: str | None) -> None:
    """Switch to an adapter; None: the network as it was. Raises TrainingError for no such name."""
    if name is not None:
        _known(network, name)
    for choice in _choices(network).values():
        choice.used = name


def train_adapter(network: nn.Module, name: str) -> ParameterCount:
    """Let one adapter learn and nothing else."""
    _known(network, name)
    freeze(network)
    for choice in _choices(network).values():
        if name in choice:
            choice[name].requires_grad_(True)
    return count_parameters(network)


def remove_adapters(network: nn.Module) -> None:
    """Take all adapters out: the network is what it was, also for ``save_pretrained``."""
    for place in _choices(network):
        owner, _, last = place.rpartition(".")
        module = network.get_submodule(owner)
        for number, hook in list(module._forward_hooks.items()):
            if hook in (_adapted, _version):
                del module._forward_hooks[number]
                module._forward_hooks_with_kwargs.pop(number, None)
        delattr(module, last)
    network.__dict__.pop("adapters_by_name", None)


def adapter_names(network: nn.Module, name: str) -> set[str]:
    """Keys of the network's state that belong to an adapter."""
    return {
        f"{place}.{name}.{key}"
        for place, choice in _choices(network).items()
        if name in choice
        for key in choice[name].state_dict()
    }


def save_adapter(
    network: nn.Module,
    name: str,
    folder: str | Path,
    *,
    state: Mapping[str, Tensor] | None = None,
) -> Path:
    """Write one adapter: ``adapter.json``, with its name and domain, and ``adapter.safetensors``.

    ``state`` is the network's whole state where its parameters are sharded; None: its own.
    """
    settings = _known(network, name)
    given = network.state_dict() if state is None else state
    kept = {key: given[key] for key in sorted(adapter_names(network, name))}
    return write_extra(network, folder, FORM, settings.model_dump(mode="json"), kept)


def load_adapter(network: nn.Module, folder: str | Path) -> str:
    """Give a network the adapter of a folder, and use it; its name.

    Raises TrainingError where it does not fit, or where the network has one of this name.
    """
    given, state = read_extra(network, folder, FORM)
    settings = AdapterSettings.model_validate(given)
    add_adapter(network, settings)
    put_in(network, state, adapter_names(network, settings.name), folder)
    return settings.name


def _choices(network: nn.Module) -> dict[str, _Choice]:
    return {name: part for name, part in network.named_modules() if isinstance(part, _Choice)}


def _choice(module: nn.Module, name: str, kind: type[_Choice], hook: Any) -> _Choice:
    """The module's own choice; made, and read at each call, from the first adapter on."""
    there = getattr(module, name, None)
    if not isinstance(there, _Choice):
        there = kind()
        module.add_module(name, there)
        module.register_forward_hook(hook, with_kwargs=True)
    return there


def _known(network: nn.Module, name: str) -> AdapterSettings:
    there = adapters_of(network)
    if name not in there:
        raise TrainingError(
            f"The network has no adapter {name!r}; it has {', '.join(there) or 'none'}."
        )
    return there[name]


def _inside(name: str) -> bool:
    """Whether a layer is a part of an adapter."""
    return any(part in ("adapters", "versions") for part in name.split("."))


def _adapted(module: nn.Module, _arguments: Any, _named: Any, output: Tensor) -> Tensor:
    now = module.adapters.now if isinstance(module.adapters, Adapters) else None
    return output if now is None else now(output)


def _version(module: nn.Module, arguments: Any, named: Any, output: Any) -> Any:
    now = module.versions.now if isinstance(module.versions, Versions) else None
    return output if now is None else now(*arguments, **named)
