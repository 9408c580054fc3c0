"""A config and the files that it extends, as one tree whose every value knows where it was given.

    extends = "base.toml"             # or a list; a later one overrules, this file overrules all
    remove = ["augment.flip"]         # keys that the others give and this one does not want

Tables are merged key by key, everything else is replaced, lists too. It knows files and tables; it
knows no section and no key of a config.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenewise.config import expand_user
from scenewise.training.config_syntax import ConfigSyntaxError, Table, parse, parse_toml, shown

EXTENDS, REMOVE = "extends", "remove"
COMMAND_LINE = "--set"
Keys = tuple[str, ...]
_SHOWN = 15  # names that a message lists
_WORD = re.compile(r"[A-Za-z_./~][^\n\"\[\]{}]*")
_OTHER_WORDS = {"true", "false", "yes", "no", "on", "off", "null"}  # but none is a choice


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong: where, what was given, what is allowed."""

    place: str  # a file, or --set
    key: str  # dotted; empty: the file itself
    message: str

    def __str__(self) -> str:
        where = f"{self.place}: {self.key}" if self.key else self.place
        end = "" if self.message.endswith(("?", ".")) else "."
        return f"{where}: {self.message}{end}"


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and where it was given."""

    value: Any
    place: str
    folder: Path  # what its paths are relative to


Tree = dict[str, "Tree | Given"]


@dataclass(slots=True)
class Chain:
    """What all files together say."""

    main: str
    files: list[Path] = field(default_factory=list)  # in the order in which they were read
    tree: Tree = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    broken: bool = False  # a file could not be read, so that it is not known what is missing

    def values(self) -> Table:
        """The tree without places."""
        return _values(self.tree)

    def place(self, keys: Sequence[str | int]) -> str:
        """Where this value was given, or else the table that it lies in; the file if nowhere."""
        node: Tree | Given = self.tree
        for key in keys:
            if isinstance(node, Given) or key not in node:
                break
            node = node[str(key)]
        if node is self.tree:  # nothing of it was given
            return self.main
        return next((given.place for _, given in _leaves(node)), self.main)

    def leaves(self) -> Iterator[tuple[Keys, Given]]:
        """Every value, with its keys."""
        return _leaves(self.tree)


def read_chain(path: Path, overrides: Iterable[str] = ()) -> Chain:
    """Read a file, those it extends, and ``key=value`` on top; mistakes are kept, not raised."""
    chain = Chain(str(path))
    chain.tree = _read(path, chain, ())
    for text in overrides:
        try:
            chain.tree = _merged(chain.tree, parse_override(text))
        except ConfigSyntaxError as mistake:
            chain.mistakes.append(Mistake(COMMAND_LINE, "", str(mistake)))
    return chain


def parse_override(text: str) -> Tree:
    """``optimizer.lr=1e-4`` as a tree: the value is TOML, or a word that needs no quotes.

    Raises ConfigSyntaxError.
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key or not value:
        raise ConfigSyntaxError(f"{text!r} is not key=value, such as optimizer.lr=1e-4")
    try:
        table = parse_toml(f"{key} = {value}")
    except ConfigSyntaxError as mistake:
        if not _is_word(value):
            raise ConfigSyntaxError(f"{text!r} {mistake}") from mistake
        table = parse_toml(f"{'.'.join(keys_of(key))} = 0")
        _set_only_leaf(table, value)
    return _placed(table, COMMAND_LINE, Path.cwd())


def keys_of(dotted: str) -> Keys:
    """``a.b`` as its keys, quoted ones too. Raises ConfigSyntaxError."""
    keys: list[str] = []
    try:
        node: Any = parse_toml(f"{dotted} = 0")
    except ConfigSyntaxError as mistake:
        raise ConfigSyntaxError(f"{dotted!r} is no key such as optimizer.lr") from mistake
    while isinstance(node, dict):
        if len(node) != 1:
            raise ConfigSyntaxError(f"{dotted!r} is no key such as optimizer.lr")
        ((key, node),) = node.items()
        keys.append(key)
    return tuple(keys)


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean X?``, or what is allowed."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"allowed: {', '.join(names[:_SHOWN])}{more}" if names else "nothing is allowed here"


def without(table: Table, keys: Sequence[str | int]) -> None:
    """Take a value out of nested tables, if it is there."""
    node: Any = table
    for key in keys[:-1]:
        if not isinstance(node, dict) or key not in node:
            return
        node = node[key]
    if isinstance(node, dict) and keys:
        node.pop(keys[-1], None)


def _read(path: Path, chain: Chain, above: tuple[Path, ...]) -> Tree:
    """One file over those that it extends; ``above`` are the files that led here."""
    whole = path.resolve()
    if whole in above:
        chain.broken = True
        circle = " -> ".join(one.name for one in (*above[above.index(whole) :], whole))
        chain.mistakes.append(Mistake(str(path), EXTENDS, f"goes in a circle: {circle}"))
        return {}
    try:
        table = parse(path.read_text("utf-8"), path.suffix)
    except (ConfigSyntaxError, OSError, UnicodeDecodeError) as error:
        chain.broken = True
        chain.mistakes.append(Mistake(str(path), "", _unreadable(error)))
        return {}
    if path not in chain.files:
        chain.files.append(path)
    tree: Tree = {}
    for base in _texts(table.pop(EXTENDS, []), EXTENDS, path, chain):
        tree = _merged(tree, _read(path.parent / expand_user(base), chain, (*above, whole)))
    for dotted in _texts(table.pop(REMOVE, []), REMOVE, path, chain):
        _remove(tree, dotted, path, chain)
    return _merged(tree, _placed(table, str(path), path.parent))


def _unreadable(error: Exception) -> str:
    if isinstance(error, ConfigSyntaxError):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error}); name a file that is there"
    return "is no text in UTF-8"


def _texts(value: Any, key: str, path: Path, chain: Chain) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(one, str) and one for one in texts):
        return texts
    said = f"must be one text or a list of them, not {shown(value)}"
    chain.mistakes.append(Mistake(str(path), key, said))
    return []


def _remove(tree: Tree, dotted: str, path: Path, chain: Chain) -> None:
    try:
        keys = keys_of(dotted)
    except ConfigSyntaxError as mistake:
        chain.mistakes.append(Mistake(str(path), REMOVE, str(mistake)))
        return
    node = tree
    for key in keys[:-1]:
        below = node.get(key)
        node = below if isinstance(below, dict) else {}
    if keys[-1] not in node:
        given = [".".join(known) for known, _ in _leaves(tree)]
        said = f"{dotted} is given by no file that this one extends; {nearest(dotted, given)}"
        chain.mistakes.append(Mistake(str(path), REMOVE, said))
        return
    del node[keys[-1]]


def _merged(below: Tree, above: Tree) -> Tree:
    merged = dict(below)
    for key, node in above.items():
        before = merged.get(key)
        merged[key] = (
            _merged(before, node) if isinstance(before, dict) and isinstance(node, dict) else node
        )
    return merged


def _placed(table: Table, place: str, folder: Path) -> Tree:
    return {
        key: _placed(value, place, folder)
        if isinstance(value, dict)
        else Given(value, place, folder)
        for key, value in table.items()
    }


def _values(tree: Tree) -> Table:
    return {
        key: node.value if isinstance(node, Given) else _values(node) for key, node in tree.items()
    }


def _leaves(node: Tree | Given, keys: Keys = ()) -> Iterator[tuple[Keys, Given]]:
    if isinstance(node, Given):
        yield keys, node
        return
    for key, below in node.items():
        yield from _leaves(below, (*keys, key))


def _is_word(value: str) -> bool:
    """A name or a path; what looks like a number, truth or list in another syntax is neither."""
    if not _WORD.fullmatch(value) or value.lower() in _OTHER_WORDS or value == "None":
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False


def _set_only_leaf(table: Table, value: str) -> None:
    ((key, below),) = table.items()
    if isinstance(below, dict):
        _set_only_leaf(below, value)
    else:
        table[key] = value
