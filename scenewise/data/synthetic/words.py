"""How people put it: names of things and of what they do, in several wordings each.

It knows English words and forms; it knows no scene. No two things or actions share a wording, so a
sentence says one thing only.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Form = Literal["base", "third", "ing"]  # they move, it moves, moving

SHAPE_WORDS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "cross": ("cross", "plus sign"),
    "ring": ("ring", "hoop"),
}
COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red",),
    "green": ("green",),
    "blue": ("blue",),
    "yellow": ("yellow",),
    "purple": ("purple", "violet"),
    "orange": ("orange",),
    "white": ("white",),
    "cyan": ("cyan", "turquoise"),
}
TEXTURE_WORDS: dict[str, tuple[str, ...]] = {
    "plain": ("plain",),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted"),
    "checked": ("checked", "chequered"),
    "halved": ("halved", "half dark"),
}
_IRREGULAR: dict[str, tuple[str, str]] = {  # third person, -ing
    "become": ("becomes", "becoming"),
    "bounce": ("bounces", "bouncing"),
    "change": ("changes", "changing"),
    "collide": ("collides", "colliding"),
    "come": ("comes", "coming"),
    "get": ("gets", "getting"),
    "go": ("goes", "going"),
    "hit": ("hits", "hitting"),
    "move": ("moves", "moving"),
    "rotate": ("rotates", "rotating"),
    "run": ("runs", "running"),
    "slide": ("slides", "sliding"),
    "spin": ("spins", "spinning"),
    "vanish": ("vanishes", "vanishing"),
    "flash": ("flashes", "flashing"),
    "approach": ("approaches", "approaching"),
}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A verb in its base form and what follows it; ``{colour}`` is what a thing changes into."""

    verb: str
    rest: str = ""

    def form(self, form: Form, colour: str = "") -> str:
        """``moves left``, ``moving left``, ``move left``."""
        third, ing = _IRREGULAR.get(self.verb, (f"{self.verb}s", f"{self.verb}ing"))
        verb = {"base": self.verb, "third": third, "ing": ing}[form]
        return f"{verb} {self.rest}".strip().format(colour=colour)


PHRASES: dict[str, tuple[Phrase, ...]] = {
    "move left": (Phrase("move", "left"), Phrase("go", "left"), Phrase("slide", "to the left")),
    "move right": (Phrase("move", "right"), Phrase("go", "right"), Phrase("slide", "to the right")),
    "move up": (Phrase("move", "up"), Phrase("go", "up"), Phrase("slide", "upwards")),
    "move down": (Phrase("move", "down"), Phrase("go", "down"), Phrase("slide", "downwards")),
    "turn clockwise": (
        Phrase("turn", "clockwise"),
        Phrase("spin", "clockwise"),
        Phrase("rotate", "clockwise"),
    ),
    "turn counterclockwise": (
        Phrase("turn", "counterclockwise"),
        Phrase("spin", "counterclockwise"),
        Phrase("rotate", "counterclockwise"),
    ),
    "grow": (Phrase("grow"), Phrase("get", "bigger")),
    "shrink": (Phrase("shrink"), Phrase("get", "smaller")),
    "appear": (Phrase("appear"), Phrase("come", "into view")),
    "vanish": (Phrase("vanish"), Phrase("disappear")),
    "change colour": (Phrase("become", "{colour}"), Phrase("change", "to {colour}")),
    "blink": (Phrase("blink"), Phrase("flash")),
    "rest": (Phrase("rest"), Phrase("stay", "still")),
    # of two things, in the plural
    "approach": (Phrase("approach", "each other"), Phrase("come", "together")),
    "part": (Phrase("move", "apart"), Phrase("go", "apart")),
    "collide": (Phrase("collide"), Phrase("bounce", "off each other")),
    # of one thing, with another
    "hit": (Phrase("hit"), Phrase("run", "into"), Phrase("knock", "against")),
}


class Wording:
    """Chooses among wordings, by ``lots``; a thing that was called a disc once stays one."""

    def __init__(self, lots: Random | None = None) -> None:
        """``lots`` None: always the first wording."""
        self._lots = lots
        self._chosen: dict[str, str] = {}

    def colour(self, name: str) -> str:
        """``purple``, or ``violet``."""
        return self._stay(name, COLOUR_WORDS[name])

    def shape(self, name: str) -> str:
        """``circle``, or ``disc``."""
        return self._stay(name, SHAPE_WORDS[name])

    def texture(self, name: str) -> str:
        """``striped``, or ``stripy``."""
        return self._stay(name, TEXTURE_WORDS[name])

    def thing(self, colour: str, shape: str, texture: str = "") -> str:
        """``red circle``, or ``striped red circle``."""
        name = f"{self.colour(colour)} {self.shape(shape)}"
        return f"{self.texture(texture)} {name}" if texture else name

    def action(self, name: str, form: Form, colour: str | None = None) -> str:
        """``moves left``; ``colour`` is what a thing changes into."""
        phrase = PHRASES[name][0] if self._lots is None else self._lots.choice(PHRASES[name])
        return phrase.form(form, self.colour(colour) if colour else "")

    def _stay(self, name: str, wordings: tuple[str, ...]) -> str:
        if name not in self._chosen:
            self._chosen[name] = wordings[0] if self._lots is None else self._lots.choice(wordings)
        return self._chosen[name]


def with_article(words: str) -> str:
    """``a red circle``, ``an orange ring``."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def closed(text: str, mark: str = ".") -> str:
    """As a sentence of its own."""
    return f"{text[:1].upper()}{text[1:]}{mark}"
