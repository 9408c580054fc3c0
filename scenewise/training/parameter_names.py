"""Parameters by the names that people write: those of the network, without what wraps it.

``clip.visual.conv1.weight`` is the network's; what the objective learns begins with
``objective.``. It knows names and patterns; it knows no optimizer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from scenewise.errors import TrainingError
from scenewise.training.learner import Learner


def without_wrapper(module: nn.Module) -> nn.Module:
    """What a wrapper of several processes holds. Sharding in place (FSDP2) wraps nothing."""
    inside: nn.Module = module.module if isinstance(module, DistributedDataParallel) else module
    return inside


def named_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters, each once, in the order in which the module has them."""
    inside = without_wrapper(module)
    cut = "model." if isinstance(inside, Learner) else ""
    return {name.removeprefix(cut): value for name, value in inside.named_parameters()}


def named_modules(module: nn.Module) -> dict[str, nn.Module]:
    """The same of modules; the whole itself and the network itself are not in it."""
    inside = without_wrapper(module)
    cut = "model." if isinstance(inside, Learner) else ""
    return {
        name.removeprefix(cut): value
        for name, value in inside.named_modules()
        if name and not (cut and name == "model")
    }


def matching(pattern: str, names: Sequence[str], what: str) -> list[str]:
    """The names that fit; ``*`` stands for anything, dots too.

    Raises TrainingError where none does, with the nearest names; ``what`` the pattern is for.
    """
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        near = _near(pattern, names)
        raise TrainingError(
            f"{what}: no name fits {pattern!r}; "
            + (f"near it are {', '.join(near)}." if near else "there are no names at all.")
        )
    return found


def _near(pattern: str, names: Sequence[str], count: int = 3) -> list[str]:
    """Names, or beginnings of names, that are most like the pattern."""
    wanted = pattern.rstrip("*").rstrip(".")
    depth = wanted.count(".") + 1
    starts = list(dict.fromkeys(".".join(name.split(".")[:depth]) for name in names))
    close = difflib.get_close_matches(wanted, [*starts, *names], count, cutoff=0.5)
    return list(dict.fromkeys(close)) or _shortened(starts, count)


def _shortened(names: Iterable[str], count: int) -> list[str]:
    return sorted(names, key=len)[:count]
