"""The page of the networks is true: its tables name every network of ours, with what cards say."""

from __future__ import annotations

import re
from pathlib import Path

from scenewise.models.registry import FAMILIES, resolve

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "networks.md").read_text("utf-8")
CARDS = [card for place in FAMILIES for card in resolve(place)]


def rows() -> dict[str, list[str]]:
    """The cells of every row, by the name in its first."""
    found: dict[str, list[str]] = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"`\w+`", cells[0]) and len(cells) == 6:
            assert cells[0] not in found, f"{cells[0]} stands in the tables twice"
            found[cells[0].strip("`")] = cells
    return found


def in_words(number: int | None) -> str:
    if number is None:
        return ""
    for unit, size, form in (("G", 10**9, ".1f"), ("M", 10**6, ".0f")):
        if number >= size:
            return f"{number / size:{form}} {unit}"
    return f"{number:,}"


def test_the_tables_name_every_network_and_nothing_else() -> None:
    assert list(rows()) == [
        card.name
        for kind in ("backbone", "video-text", "audio")
        for card in CARDS
        if card.kind == kind
    ]


def test_a_row_says_what_the_card_says() -> None:
    table = rows()
    for card in CARDS:
        _, summary, paper, parameters, multiply_adds, proof = table[card.name]
        millions, thousands = card.parameters / 1e6, card.parameters / 1e3
        assert parameters == (f"{millions:.1f} M" if millions >= 1 else f"{thousands:.0f} k")
        assert summary == card.summary
        assert paper == f"[{card.year}]({card.url})"
        assert multiply_adds == in_words(card.multiply_adds)
        assert proof == card.proof
