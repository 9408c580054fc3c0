"""What pydantic says of a config, as sentences: the value, what is allowed, the nearest name.

It knows the forms of pydantic's errors and of ``Section``; it knows no file format.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from scenewise.data.settings import Section
from scenewise.training.config_chain import Chain, Keys, Mistake, nearest
from scenewise.training.config_syntax import Table, shown

Place = tuple[str | int, ...]
_KINDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path, as text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "finite_number": "must be finite",
    "none_required": "must be left out",
}
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def sections_of(model: type[Section]) -> dict[str, tuple[type[Section], ...]]:
    """The tables inside a table, by name; several where a name inside chooses one of them."""
    return {
        name: inner
        for name, field in model.model_fields.items()
        if (inner := _sections(field.annotation))
    }


def fields_of(model: type[Section], prefix: Keys = ()) -> Iterator[tuple[Keys, FieldInfo]]:
    """Every key that is no table of its own, with all tables above it."""
    inner = sections_of(model)
    seen: set[Keys] = set()
    for name, field in model.model_fields.items():
        if name not in inner or _is_list(field.annotation):
            yield (*prefix, name), field
            continue
        for section in inner[name]:
            for keys, below in fields_of(section, (*prefix, name)):
                if keys not in seen:
                    seen.add(keys)
                    yield keys, below


def is_path(field: FieldInfo) -> bool:
    """Whether a key holds a path, or several."""
    return _mentions_path(field.annotation)


def words_of(field: FieldInfo) -> tuple[str, ...]:
    """Words that a key takes as they are, such as bytes in place of a path."""
    return tuple(_words(field.annotation))


def mistakes_of(error: ValidationError, chain: Chain, config: type[Section]) -> dict[Keys, Mistake]:
    """Every mistake once, by its keys; alternatives of one value are joined."""
    values = chain.values()
    said: dict[Keys, list[str]] = {}
    for one in error.errors():
        place = _place(one["loc"], values, missing=one["type"] == "missing")
        sentence = _sentence(one, place, config, values)
        sentences = said.setdefault(tuple(map(str, place)), [])
        if sentence not in sentences:
            sentences.append(sentence)
    return {
        keys: Mistake(chain.place(keys), _joined(keys, values), " or ".join(sentences))
        for keys, sentences in said.items()
    }


def endless(chain: Chain) -> Iterator[tuple[Keys, Mistake]]:
    """Numbers that are not finite: no setting means anything by them."""
    for keys, given in chain.leaves():
        if _has_endless(given.value):
            key = f"{'.'.join(keys)} = {shown(given.value)}"
            yield keys, Mistake(given.place, key, "must be finite")


def key_and_value(keys: Iterable[str | int], value: Any) -> str:
    """How a message begins: ``train.epochs = 0``."""
    return f"{'.'.join(map(str, keys))} = {shown(value)}"


def _joined(keys: Keys, values: Table) -> str:
    node: Any = values
    for key in keys:
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
        else:
            return ".".join(keys)
    return ".".join(keys) if isinstance(node, Mapping) else key_and_value(keys, node)


def _place(found: Sequence[str | int], values: Table, *, missing: bool) -> Place:
    """The keys alone: pydantic also names the alternative that it tried."""
    kept: list[str | int] = []
    node: Any = values
    for number, key in enumerate(found):
        inside = isinstance(node, Mapping) and key in node
        if inside or (isinstance(node, list) and isinstance(key, int) and key < len(node)):
            node = node[key]
        elif isinstance(node, Mapping) and node.get("name") == key:
            continue  # of several sections, the one that its name chooses
        else:
            if missing and number == len(found) - 1:
                kept.append(key)
            break
        kept.append(key)
    return tuple(kept)


def _sentence(error: Any, place: Place, config: type[Section], values: Table) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "must be given"
    if kind == "extra_forbidden":
        return _unknown(place, config, values)
    if kind == "union_tag_invalid":
        names = context["expected_tags"].replace("'", "").split(", ")
        return f"there is no {context['tag']!r}; {nearest(context['tag'], names)}"
    if kind == "union_tag_not_found":
        return "name must be given"
    if kind == "literal_error":
        allowed = context["expected"].replace("'", "")
        names = allowed.replace(" or ", ", ").split(", ")
        near = nearest(str(error["input"]), names)
        return f"must be {allowed}" + (f"; {near}" if near.startswith("did") else "")
    for name, words in _LIMITS.items():
        if name in context and kind.startswith(("greater", "less")):
            return f"must be {words} {context[name]:g}"
    if kind in _KINDS:
        return _KINDS[kind]
    said = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return said if kind == "value_error" else said[:1].lower() + said[1:]


def _unknown(place: Place, config: type[Section], values: Table) -> str:
    """Of a key that is not known: the nearest, or the section that has one of this name."""
    model = config
    node: Any = values
    for key in place[:-1]:
        node = _below(node, key)
        model = _chosen(sections_of(model).get(str(key), (model,)), node)
    word = str(place[-1])
    near = nearest(word, model.model_fields)
    here = tuple(map(str, place))
    elsewhere = [
        ".".join(keys) for keys, _ in fields_of(config) if keys[-1] == word and keys != here
    ]
    if elsewhere and not near.startswith("did"):
        near = f"did you mean {' or '.join(elsewhere)}?"
    table = isinstance(node, Mapping) and isinstance(node.get(word), Mapping)
    what = "section" if table and len(place) == 1 else "key"
    return f"there is no such {what}; {near}"


def _below(node: Any, key: Any) -> Any:
    try:
        return node[key]
    except (KeyError, IndexError, TypeError):
        return {}


def _chosen(sections: tuple[type[Section], ...], node: Any) -> type[Section]:
    """The one of several whose name stands in the table."""
    name = node.get("name") if isinstance(node, Mapping) else None
    for section in sections:
        field = section.model_fields.get("name")
        if field is not None and field.default == name:
            return section
    return sections[0]


def _sections(annotation: Any) -> tuple[type[Section], ...]:
    """The sections that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return (annotation,)
    if get_origin(annotation) is dict:
        return ()
    return tuple(one for inner in get_args(annotation) for one in _sections(inner))


def _is_list(annotation: Any) -> bool:
    """Whether a key holds several tables: a value like any other, as lists are replaced whole."""
    return get_origin(annotation) in (list, tuple)


def _words(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from (word for word in get_args(annotation) if isinstance(word, str))
    else:
        for one in get_args(annotation):
            yield from _words(one)


def _mentions_path(annotation: Any) -> bool:
    if annotation is Path:
        return True
    return any(_mentions_path(one) for one in get_args(annotation))


def _has_endless(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(_has_endless(one) for one in value.values())
    return isinstance(value, list) and any(_has_endless(one) for one in value)
