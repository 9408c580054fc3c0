"""The page of configs has every section and key, what it takes and its default, as the code has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from scenewise.data.settings import Section
from scenewise.training.config import Config
from scenewise.training.config_mistakes import sections_of
from scenewise.training.config_syntax import to_toml_value

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training-configs.md").read_text("utf-8")
NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def tables() -> dict[str, type[Section]]:
    """Headings of the page, and the section that each is about."""
    found: dict[str, type[Section]] = {}
    for name, sections in sections_of(Config).items():
        for section in sections:
            chosen = section.model_fields["name"].default if len(sections) > 1 else None
            found[f"[{name}] {chosen}" if chosen else f"[{name}]"] = section
        for inner, groups in sections_of(sections[0]).items():
            found[f"[[{name}.{inner}]]"] = groups[0]
    return found


def taken(annotation: Any) -> str:
    """What a key takes, in words."""
    if annotation in NAMES:
        return NAMES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "table"
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{to_toml_value(value)}`" for value in inside)
    if origin is tuple:
        parts = [taken(part) for part in inside if part is not Ellipsis]
        return f"list of {parts[0]}" if Ellipsis in inside else f"[{', '.join(parts)}]"
    if origin is dict:
        return "table"
    if hasattr(annotation, "__metadata__"):
        limits = limits_of(FieldInfo.from_annotation(annotation))
        return f"{taken(inside[0])}{limits}"
    return " or ".join(taken(part) for part in inside if part is not type(None))


def limits_of(field: FieldInfo) -> str:
    said = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in LIMITS.items()
        if getattr(limit, name, None) is not None
    ]
    return f" {', '.join(said)}" if said else ""


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    return "–" if value is None else f"`{to_toml_value(value)}`"


def rows_of(section: type[Section]) -> list[str]:
    """The first three cells of each row."""
    rows = []
    for name, field in section.model_fields.items():
        cells = (f"`{name}`", f"{taken(field.annotation)}{limits_of(field)}", default_of(field))
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def written(heading: str) -> list[str]:
    part = PAGE.partition(f"\n### {heading}\n")[2].partition("\n##")[0]
    return [line for line in part.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize(("heading", "section"), tables().items(), ids=list(tables()))
def test_a_table_has_every_key_as_the_code_has_it(heading: str, section: type[Section]) -> None:
    rows = written(heading)
    assert [row[: len(wanted)] for row, wanted in zip(rows, rows_of(section), strict=True)] == (
        rows_of(section)
    )
    meanings = [row.strip("| ").rpartition(" | ")[2] for row in rows]
    assert all(re.search(r"[a-z]", meaning) for meaning in meanings)


def test_there_is_no_other_table() -> None:
    assert re.findall(r"^### (\[.+)$", PAGE, re.MULTILINE) == list(tables())
