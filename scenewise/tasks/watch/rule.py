"""What is watched for: one rule, checked when it is made.

It knows which kinds of rules there are and which values they take; it knows no file (see
``rules``), no stream and no score.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from scenewise.tasks.watch.schedule import Schedule
from scenewise.types import SoundKind

Kind = Literal["sentence", "classifier", "anomaly", "detect", "line", "zone", "moves", "sound"]
# in this order: what comes earlier may say what, or where, of what comes later
KINDS: tuple[Kind, ...] = (
    "sentence",
    "classifier",
    "anomaly",
    "detect",
    "line",
    "zone",
    "moves",
    "sound",
)
_WITH: dict[Kind, tuple[Kind, ...]] = {
    "line": ("sentence", "detect"),
    "zone": ("sentence", "detect"),
    "moves": ("sentence", "detect", "zone"),
}
Trigger = Literal["enter", "leave", "dwell"]
Direction = Literal["in", "out", "both"]
Way = Literal["left", "right", "up", "down", "towards", "away"]
DAY_SECONDS = 86_400.0

# seconds: how long it must hold, and how long there is silence after an event
_COOLDOWN: dict[Kind, float] = {
    "sentence": 30.0,
    "classifier": 30.0,
    "anomaly": 60.0,
    "detect": 30.0,
    "line": 0.0,  # each crossing counts
    "zone": 30.0,
    "moves": 0.0,  # each thing counts
    "sound": 10.0,
}
_ZONE_DWELL = 10.0  # of a zone that asks for dwelling and does not say how long

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Coordinate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]  # (x, y), fractions of the picture from its upper left
Seconds = Annotated[float, Field(ge=0, le=DAY_SECONDS, allow_inf_nan=False)]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | dict | Schedule) else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Line(_Part):
    """A line that things cross. ``in`` is from its left to its right.

    Left and right are those of somebody who walks from the first point to the last, as the
    picture is seen: a line drawn from left to right counts what comes down as ``in``.
    """

    points: tuple[Point, ...] = Field(min_length=2, max_length=32)
    direction: Direction = "both"

    @model_validator(mode="after")
    def _has_length(self) -> Line:
        if any(a == b for a, b in zip(self.points, self.points[1:], strict=False)):
            raise ValueError("two neighbouring points are the same")
        return self


class Zone(_Part):
    """A polygon that things enter, leave, or stay in. It closes itself."""

    points: tuple[Point, ...] = Field(min_length=3, max_length=64)
    event: Trigger = "enter"

    @model_validator(mode="after")
    def _has_area(self) -> Zone:
        shifted = (*self.points[1:], self.points[0])
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(self.points, shifted, strict=True))
        if abs(area) < 1e-6:
            raise ValueError("the points enclose nothing")
        return self


class TrainedClass(_Part):
    """A classifier of the library and the class that raises; None: its positive class."""

    name: Words
    label: Words | None = None


def _classifier(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _labels(value: object) -> object:
    """Labels with single spaces, each once."""
    if not isinstance(value, str | list | tuple) or not all(isinstance(v, str) for v in value):
        return value
    labels = tuple(" ".join(one.split()) for one in ([value] if isinstance(value, str) else value))
    comma = next((one for one in labels if "," in one), None)
    if comma is not None:
        words = ", ".join(f'"{word.strip()}"' for word in comma.split(","))
        raise ValueError(f"the label {comma!r} has a comma: write a list, detect = [{words}]")
    twice = next((one for one in labels if labels.count(one) > 1), None)
    if twice is not None:
        raise ValueError(f"the label {twice!r} is there twice: keep one")
    return labels


class Rule(_Part):
    """One rule. Exactly one of ``KINDS`` says what is watched for.

    A line, a zone and ``moves`` may have a sentence or ``detect`` too: then what moves must look
    like it, or be that; ``moves`` may have a zone, in which it is asked.
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    sentence: Words | None = None
    classifier: Annotated[TrainedClass | None, BeforeValidator(_classifier)] = None
    anomaly: bool = False
    detect: Annotated[
        tuple[Words, ...], BeforeValidator(_labels), Field(min_length=1, max_length=100)
    ] = ()
    detector: Words | None = None  # None: things that move, labelled by the encoder
    line: Line | None = None
    zone: Zone | None = None
    moves: Way | None = None
    sound: SoundKind | None = None
    # match, probability or strength from which it holds; None: the kind's own, see the machines
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    dwell_seconds: Seconds | None = None
    cooldown_seconds: Seconds | None = None
    schedule: Annotated[tuple[Schedule, ...], BeforeValidator(_listed)] = ()
    sources: Annotated[tuple[Words, ...], BeforeValidator(_listed)] = ("*",)

    @model_validator(mode="after")
    def _one_kind(self) -> Rule:
        given = [kind for kind in KINDS if getattr(self, kind)]
        what = f"it has {' and '.join(given)}" if given else "it has none"
        extra = given[:-1]
        allowed = _WITH.get(given[-1], ()) if given else ()
        if not given or not set(extra) <= set(allowed) or {"sentence", "detect"} <= set(extra):
            raise ValueError(
                f"a rule needs one of {', '.join(KINDS)} (a line, a zone or moves may have a "
                f"sentence or detect too, and moves a zone), and {what}"
            )
        if self.detector is not None and not self.detect:
            raise ValueError("a detector goes with detect, which says what it looks for")
        self._check_values(given)
        return self

    def _check_values(self, given: list[Kind]) -> None:
        kind = given[-1]
        if self.dwell_seconds and kind == "line":
            raise ValueError("a line is crossed in an instant: dwell_seconds is for a zone")
        if self.dwell_seconds and kind == "moves":
            raise ValueError("a way is gone once: dwell_seconds is for a zone")
        if self.zone is not None and kind == "moves" and self.zone.event != "enter":
            raise ValueError("with moves a zone says where, and has no event")
        if self.dwell_seconds and kind == "zone" and self.zone and self.zone.event != "dwell":
            raise ValueError('dwell_seconds of a zone goes with event = "dwell"')
        what = set(given) & {"sentence", "detect"}
        if self.threshold is not None and kind in ("line", "zone", "moves") and not what:
            raise ValueError(
                f"the threshold of {'moves' if kind == 'moves' else f'a {kind}'} is for its "
                "sentence or detect, and it has none"
            )

    @property
    def kind(self) -> Kind:
        """What it listens to."""
        return next(kind for kind in reversed(KINDS) if getattr(self, kind))

    @property
    def dwell(self) -> float:
        """Seconds for which it must hold."""
        if self.dwell_seconds is not None:
            return self.dwell_seconds
        return _ZONE_DWELL if self.zone is not None and self.zone.event == "dwell" else 0.0

    @property
    def cooldown(self) -> float:
        """Seconds of silence after an event."""
        return _COOLDOWN[self.kind] if self.cooldown_seconds is None else self.cooldown_seconds

    @property
    def needs_motion(self) -> bool:
        """Whether it asks for ``Observation.moving``."""
        return self.detector is None and self.kind in ("detect", "line", "zone", "moves")

    @property
    def needs_sound(self) -> bool:
        """Whether it asks for ``Observation.sounds``."""
        return self.kind == "sound"

    def applies_to(self, source: str) -> bool:
        """Whether the rule is for this source."""
        return any(fnmatchcase(source, pattern) for pattern in self.sources)

    def armed(self, wall: float) -> bool:
        """Whether an instant, in seconds since 1970, is within the schedule."""
        return not self.schedule or any(part.armed(wall) for part in self.schedule)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: what was set."""
        return self.model_dump(mode="json", exclude_defaults=True, by_alias=True)
