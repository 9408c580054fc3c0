"""Where a network repeats itself: rows of blocks of one kind, lowest first.

A row is all lists (ModuleList, Sequential) of one kind of block whose names differ in numbers
alone: ``blocks`` of a transformer, ``layer1`` to ``layer4`` of a ResNet, the blocks of all stages
of a Swin. Blocks inside blocks are no row of their own. It knows names and classes; it knows no
network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import nn

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """Blocks by name, in the order in which the network has them; ``pattern`` has * for numbers."""

    pattern: str
    blocks: tuple[str, ...]


def rows_of_blocks(module: nn.Module) -> list[Row]:
    """The rows of a network, in its order; none where nothing is repeated."""
    found: dict[tuple[str, type[nn.Module]], list[str]] = {}
    for name, part in module.named_modules():
        if not isinstance(part, nn.ModuleList | nn.Sequential) or not len(part):
            continue
        kinds = {type(child) for child in part}
        first = part[0]
        # single layers are no blocks, and lists in lists are looked at themselves
        if len(kinds) > 1 or isinstance(first, nn.ModuleList | nn.Sequential):
            continue
        if next(first.children(), None) is None or next(first.parameters(), None) is None:
            continue
        key = _NUMBER.sub("*", name), type(first)
        found.setdefault(key, []).extend(
            f"{name}.{number}".lstrip(".") for number in range(len(part))
        )
    rows = [Row(pattern, tuple(names)) for (pattern, _), names in found.items() if len(names) > 1]
    return _outermost(module, rows)


def _outermost(module: nn.Module, rows: list[Row]) -> list[Row]:
    """Of rows that lie in each other the outer one, unless it is one of stages.

    So the blocks of a Swin's stages count, and not its stages; a transformer's block counts, and
    not what it is made of.
    """
    sizes = {row: sum(_size(module, name) for name in row.blocks) for row in rows}

    def stages(outer: Row, inner: Row) -> bool:
        """The inner row is longer, and nearly all of the outer one is in it."""
        longer = len(inner.blocks) > len(outer.blocks)
        return _inside(inner, outer) and longer and sizes[inner] > 0.8 * sizes[outer]

    return [
        row
        for row in rows
        if not any(stages(row, other) for other in rows)
        and all(stages(other, row) for other in rows if _inside(row, other))
    ]


def _inside(row: Row, other: Row) -> bool:
    """Whether the blocks of ``row`` lie in those of ``other``."""
    return any(row.blocks[0].startswith(f"{name}.") for name in other.blocks)


def _size(module: nn.Module, name: str) -> int:
    return sum(parameter.numel() for parameter in module.get_submodule(name).parameters())
