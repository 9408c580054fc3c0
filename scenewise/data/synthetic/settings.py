"""What a world is made of: ``WorldSettings``. Equal settings give equal films, to the pixel.

It knows names, ranges and which of them go together; it draws nothing.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from scenewise.data.rows import Split
from scenewise.data.settings import Section
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.scene import BACKGROUNDS, TEXTURES, BackgroundKind
from scenewise.data.synthetic.sound_scenes import SOUND_CLASSES
from scenewise.data.synthetic.staging import (
    COMMON,
    FASTEST_TURN,
    LARGEST,
    SLOWEST_TURN,
    SMALLEST,
    TURNING,
    TURNING_TEXTURES,
)
from scenewise.data.synthetic.story_scenes import MOST_EVENTS, SHORTEST_SLOT_SECONDS
from scenewise.errors import UsageError

Kind = Literal["actions", "stories", "sounds"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
_SECONDS: dict[Kind, float] = {"actions": 1.0, "stories": 6.0, "sounds": 1.0}
_STEPS = 20  # to a second: all times are whole twentieths


class WorldSettings(Section):
    """One world. ``seconds`` and ``classes`` that are not named are those of the kind.

    Scenes do not depend on ``size`` and ``frame_rate``: the same world at 24 and at 30 frames a
    second tells the same stories.
    """

    kind: Kind = "actions"
    seed: int = Field(default=0, ge=0)
    size: int = Field(default=64, ge=16, le=1024, multiple_of=2)  # pixels, a square
    frame_rate: Fraction = Field(default=Fraction(8), gt=0, le=120)
    seconds: float = Field(default=0.0, ge=0, le=600)  # of each film
    events: int | None = Field(default=None, ge=1, le=MOST_EVENTS)  # of a story; None: 1 to 4
    classes: tuple[str, ...] = ()  # in their order they take turns
    backgrounds: tuple[BackgroundKind, ...] = Field(default=BACKGROUNDS, min_length=1)
    compositional: bool = False  # actions: looks and actions that train has are not joined in test
    # actions: things are called by their texture too, and of val and test no two films fit one
    # caption; twins that follow each other in ``classes`` come as pairs that differ in that alone
    told_apart: bool = False
    textures: tuple[str, ...] = Field(default=TEXTURES, min_length=1)  # actions: of one thing
    radius: tuple[int, int] = COMMON  # actions: of one thing, lowest and highest; of 1000 a side
    turning: tuple[int, int] = TURNING  # actions: lowest and highest, degrees a second

    @model_validator(mode="before")
    @classmethod
    def _of_the_kind(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        whole = dict(given)
        kind = whole.get("kind", "actions")
        if kind in _SECONDS and not whole.get("seconds"):
            events = whole.get("events")
            whole["seconds"] = float(events) if isinstance(events, int) else _SECONDS[kind]
        if not whole.get("classes"):
            known = {"actions": tuple(ACTIONS), "sounds": tuple(SOUND_CLASSES)}
            whole["classes"] = known.get(kind, ())
        return whole

    @model_validator(mode="after")
    def _fit_together(self) -> WorldSettings:
        frames = Fraction(self.seconds).limit_denominator(1000) * self.frame_rate
        if self.seconds * _STEPS != round(self.seconds * _STEPS):
            raise ValueError(f"seconds {self.seconds:g}: allowed are whole twentieths of a second")
        if frames.denominator != 1:
            raise ValueError(
                f"{self.seconds:g} s at {self.frame_rate} frames a second is no whole number of "
                "frames; change one of them"
            )
        if self.seconds < SHORTEST_SLOT_SECONDS * (self.events or 1):
            raise ValueError(
                f"seconds {self.seconds:g}: allowed are {SHORTEST_SLOT_SECONDS:g} and more, for "
                "each event of a film"
            )
        if self.events is not None and self.kind != "stories":
            raise ValueError(f"a number of events belongs to kind stories, not {self.kind}")
        if self.compositional and self.kind != "actions":
            raise ValueError(f"compositional belongs to kind actions, not {self.kind}")
        self._check_looks()
        known = {"actions": list(ACTIONS), "sounds": list(SOUND_CLASSES)}.get(self.kind, [])
        for name in self.classes:
            if name not in known:
                raise ValueError(f"class {name!r}: allowed are {', '.join(known) or 'none'}")
        return self

    def _check_looks(self) -> None:
        for name in self.textures:
            if name not in TEXTURES:
                raise ValueError(f"texture {name!r}: allowed are {', '.join(TEXTURES)}")
        turning = any(name.startswith("turn") for name in self.classes)
        if turning and not set(self.textures) & set(TURNING_TEXTURES):
            raise ValueError(
                f"textures {', '.join(self.textures)}: what turns is {', '.join(TURNING_TEXTURES)}"
            )
        if not SMALLEST <= self.radius[0] <= self.radius[1] <= LARGEST:
            raise ValueError(
                f"radius {self.radius[0]} to {self.radius[1]}: allowed are {SMALLEST} to "
                f"{LARGEST}, the smaller first"
            )
        if not SLOWEST_TURN <= self.turning[0] <= self.turning[1] <= FASTEST_TURN:
            raise ValueError(
                f"turning {self.turning[0]} to {self.turning[1]}: allowed are {SLOWEST_TURN} to "
                f"{FASTEST_TURN}, the slower first"
            )
        if not self.told_apart:
            return
        if self.kind != "actions":
            raise ValueError(f"told_apart belongs to kind actions, not {self.kind}")
        if any(ACTIONS[name].things > 1 for name in self.classes if name in ACTIONS):
            raise ValueError("told_apart is for actions of one thing; name those as classes")


def world_settings(**given: Any) -> WorldSettings:
    """Settings; what is not allowed raises UsageError with one sentence."""
    try:
        return WorldSettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        shown = f"{place} {first['input']!r}: {message}" if place else message
        raise UsageError(f"{shown[:1].upper()}{shown[1:]}.") from None
