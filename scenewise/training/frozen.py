"""Which layers of a network are meant by names, which parameters learn, and how many those are.

What LoRA and adapters have in common. It knows names and parameters; it knows no method.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from scenewise.errors import TrainingError

_NEAR = 3  # names that a message quotes


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """How much of a network learns."""

    trained: int
    total: int

    @property
    def share(self) -> float:
        """Of all parameters, in [0, 1]."""
        return self.trained / max(1, self.total)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {**asdict(self), "share": self.share}


def count_parameters(network: nn.Module) -> ParameterCount:
    """How many numbers learn, and how many there are."""
    parameters = list(network.parameters())
    return ParameterCount(
        sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        sum(parameter.numel() for parameter in parameters),
    )


def freeze(network: nn.Module) -> None:
    """Nothing learns: parameters get no gradients, and batch norms keep the means they have."""
    network.requires_grad_(False)
    for module in network.modules():
        if isinstance(module, _BatchNorm) and not module.__dict__.get("stays"):
            module.__dict__["stays"] = True
            module.register_forward_pre_hook(_in_eval)


def find_modules(network: nn.Module, patterns: Sequence[str]) -> dict[str, nn.Module]:
    """Modules by full name whose name, or its end, a pattern matches (``head``, ``blocks.*.mlp``).

    Raises TrainingError for a pattern that no module has, naming near ones.
    """
    there = {name: module for name, module in network.named_modules() if name}
    return {name: there[name] for name in _matching(patterns, there, "module", network)}


def find_linear(network: nn.Module, patterns: Sequence[str]) -> dict[str, nn.Linear]:
    """Linear layers by full name; a pattern matches as in ``find_modules``.

    Plain nn.Linear alone: its subclasses (that of nn.MultiheadAttention, for one) are not called by
    their owners, who read the weight. Raises TrainingError for a pattern that no layer has.
    """
    there = linear_layers(network)
    return {name: there[name] for name in _matching(patterns, there, "linear layer", network)}


def linear_layers(network: nn.Module) -> dict[str, nn.Linear]:
    """All plain linear layers by full name."""
    return {name: module for name, module in network.named_modules() if type(module) is nn.Linear}


def usual(network: nn.Module, patterns: Iterable[str], what: str) -> tuple[str, ...]:
    """Of usual patterns those that the network has. Raises TrainingError where it has none."""
    there = linear_layers(network)
    found = tuple(pattern for pattern in patterns if any(matches(pattern, name) for name in there))
    if not found:
        raise TrainingError(
            f"{type(network).__name__} has none of the usual linear layers of {what}; name some of "
            f"its own in targets: {', '.join(_ends(there)) or 'it has none'}."
        )
    return found


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern is a name or the end of one: ``qkv`` is ``blocks.0.attn.qkv``."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}")


def _matching(
    patterns: Sequence[str], there: Iterable[str], what: str, network: nn.Module
) -> list[str]:
    names = list(there)
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            ends = _ends(names)
            near = sorted(ends, key=lambda end: -_alike(pattern, end))[:_NEAR]
            raise TrainingError(
                f"{type(network).__name__} has no {what} named {pattern!r}"
                f"{_what_it_is(pattern, network)}; near: {', '.join(near) or 'none at all'}."
            )
    return [name for name in names if any(matches(pattern, name) for pattern in patterns)]


def _alike(pattern: str, end: str) -> float:
    """How near a name is to what was asked for, in [0, 1]: as a whole, or its last part."""
    return max(
        difflib.SequenceMatcher(None, pattern, name).ratio()
        for name in (end, end.rpartition(".")[2])
    )


def _what_it_is(pattern: str, network: nn.Module) -> str:
    """Where the name is that of something else, what that is."""
    for name, module in network.named_modules():
        if name and matches(pattern, name):
            return f" ({name} is {type(module).__name__})"
    for name, _parameter in network.named_parameters():
        if matches(pattern, name) or matches(f"{pattern}_weight", name):
            owner = type(network.get_submodule(name.rpartition(".")[0])).__name__
            return f" ({name} is a bare parameter of {owner})"
    return ""


def _ends(names: Iterable[str]) -> list[str]:
    """Last parts of names, each once: two of them, without numbers of layers."""
    parts = (
        [part for part in name.split(".") if not part.isdigit()][-2:] or [name] for name in names
    )
    return list(dict.fromkeys(".".join(part) for part in parts))


def _in_eval(module: nn.Module, _arguments: Any) -> None:
    module.eval()
