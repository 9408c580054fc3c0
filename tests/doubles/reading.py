"""Reads the sentences of the generated world back into what they claim: another way than theirs.

It knows every wording and finds the longest that stands at a place; it knows no template.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from scenewise.data.synthetic.statements import Fact, Name, Statement
from scenewise.data.synthetic.words import (
    COLOUR_WORDS,
    PHRASES,
    SHAPE_WORDS,
    TEXTURE_WORDS,
    Form,
)

_FORMS: tuple[Form, ...] = ("base", "third", "ing")
COLOURS = {word: name for name, words in COLOUR_WORDS.items() for word in words}
SHAPES = {word: name for name, words in SHAPE_WORDS.items() for word in words}
TEXTURES = {word: name for name, words in TEXTURE_WORDS.items() for word in words}
# what is said -> the action, and the colour that a thing changes into
ACTIONS: dict[str, set[tuple[str, str | None]]] = {}
for _action, _phrases in PHRASES.items():
    for _phrase in _phrases:
        for _form in _FORMS:
            if "{colour}" in _phrase.rest:
                for _word, _name in COLOURS.items():
                    _said = _phrase.form(_form, _word)
                    ACTIONS.setdefault(_said, set()).add((_action, _name))
            else:
                ACTIONS.setdefault(_phrase.form(_form), set()).add((_action, None))


def _any_of(words: object) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]


_NAMED = rf"(?P<colour>{_any_of(COLOURS)}) (?P<shape>{_any_of(SHAPES)})"
_THING = rf"(?:it|(?:an?|the) (?:(?P<texture>{_any_of(TEXTURES)}) )?{_NAMED})\b"
_TOKEN = re.compile(rf"(?P<thing>{_THING})|(?P<action>\b(?:{_any_of(ACTIONS)})\b)|(?P<word>\w+)")
_EARLIER = {"before"}  # what follows is later all the same
_CONNECT = {"then", "after", "that", "first", "finally", "at", "the", "beginning", "later"}
_FRAME = {"here", "in", "this", "film", "you", "can", "see", "there", "is", "shows", "a", "of"}


class Clause(NamedTuple):
    """What one clause says."""

    things: tuple[Name, ...]
    action: str
    colour: str | None


def clauses(text: str) -> list[tuple[str, Clause]]:
    """Each clause with the words between it and the one before."""
    made: list[tuple[str, Clause]] = []
    things: list[Name] = []
    open_action: tuple[str, str | None] | None = None
    between: list[str] = []
    before: list[str] = []
    last: Name | None = None

    def close() -> None:
        nonlocal open_action, last
        if open_action is not None:
            made.append((" ".join(before), Clause(tuple(things), *open_action)))
            # what it has become is what "it" is from then on
            last = (open_action[1] or things[0][0], *things[0][1:])
            things.clear()
            open_action = None

    for token in _TOKEN.finditer(text[0].lower() + text[1:].rstrip(".?")):
        if token["thing"]:
            if open_action is not None and (open_action[0] != "hit" or len(things) == 2):
                close()
            if not things:
                before, between = between, []
            if token["colour"]:
                texture = (TEXTURES[token["texture"]],) if token["texture"] else ()
                things.append((COLOURS[token["colour"]], SHAPES[token["shape"]], *texture))
            else:
                assert last is not None, text
                things.append(last)
        elif token["action"]:
            (meaning,) = ACTIONS[token["action"]]  # no wording means two things
            open_action = meaning
        else:
            assert (
                token["word"] in {"and", "while", "followed", "by"} | _EARLIER | _CONNECT | _FRAME
            )
            between.append(token["word"])
    close()
    return made


def read_caption(text: str) -> Statement:
    """What a caption claims."""
    groups: list[set[Fact]] = []
    for before, clause in clauses(text):
        fact = as_fact(clause)
        if before == "while":
            groups[-1].add(fact)
        else:
            groups.append({fact})
    return tuple(frozenset(group) for group in groups)


def as_fact(clause: Clause) -> Fact:
    """One clause as a fact."""
    other = clause.things[1] if len(clause.things) > 1 else None
    return Fact(clause.action, clause.things[0], other, clause.colour)
