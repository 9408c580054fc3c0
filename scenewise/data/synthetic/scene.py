"""The nouns of the world: what is in a scene, what happens in it and when.

It knows times, places and names; it draws nothing and draws no lots.

Space is a square of 1000 units a side, x to the right and y down. Spans are in seconds. Inside,
time runs in whole ticks, 1200 to a second, and every track has whole numbers at whole ticks, so
that a scene is the same at any frame rate, and a film shown backwards is equal to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from scenewise.data.synthetic.actions import ACTIONS

TICKS = 1200  # in a second: the middles of frames of 8, 10, 12, 24, 25 and 30 to a second are whole
UNITS = 1000  # a side of the picture

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 90, 235),
    "yellow": (240, 220, 50),
    "purple": (160, 60, 200),
    "orange": (245, 135, 30),
    "white": (245, 245, 245),
    "cyan": (70, 210, 220),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
TEXTURES = ("plain", "striped", "dotted", "checked", "halved")

BackgroundKind = Literal["plain", "gradient", "noise", "drifting"]
BACKGROUNDS: tuple[BackgroundKind, ...] = ("plain", "gradient", "noise", "drifting")

Numbers = tuple[int, ...]
Track = tuple[
    tuple[int, Numbers], ...
]  # (tick, value), rising ticks: straight between, level after
ColourTrack = tuple[tuple[int, str], ...]


def ticks(seconds: float) -> int:
    """Seconds in whole ticks."""
    return round(seconds * TICKS)


@dataclass(frozen=True, slots=True)
class Thing:
    """A coloured shape, and what it does over time."""

    shape: str
    texture: str
    colours: ColourTrack
    place: Track  # (x, y) of the middle
    radius: Track
    angle: Track  # degrees, clockwise
    presence: Track  # 0 is not there, 1000 is there, between is see-through

    @property
    def colour(self) -> str:
        """The one it begins with."""
        return self.colours[0][1]

    def colour_at(self, seconds: float) -> str:
        """By which it is called when something begins then."""
        begun = [name for tick, name in self.colours if tick <= ticks(seconds)]
        return begun[-1] if begun else self.colour

    def reversed(self, last: int) -> Thing:
        """The same shown backwards in a film of ``last`` ticks."""
        return Thing(
            self.shape,
            self.texture,
            tuple((last - tick, name) for tick, name in reversed(self.colours)),
            *(
                tuple((last - tick, value) for tick, value in reversed(track))
                for track in (self.place, self.radius, self.angle, self.presence)
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; times in seconds."""
        tracks: dict[str, Track | ColourTrack] = {
            "colours": self.colours,
            "place": self.place,
            "radius": self.radius,
            "angle": self.angle,
            "presence": self.presence,
        }
        shape: dict[str, Any] = {"shape": self.shape, "texture": self.texture}
        for name, track in tracks.items():
            shape[name] = [
                [tick / TICKS, value if isinstance(value, str) else list(value)]
                for tick, value in track
            ]
        return shape


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to one thing, or between it and ``other``, in ``[start, end)``."""

    action: str
    thing: int  # its number in the scene
    start: float
    end: float
    other: int | None = None  # the second thing that takes part
    colour: str | None = None  # that it changes into
    cause: int | None = None  # number of the event of the scene that made this happen
    part_of: int | None = None  # number of the event that says this too, so that nobody tells it

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape, without what it has not."""
        names = ("action", "thing", "start", "end", "other", "colour", "cause", "part_of")
        shape = {name: getattr(self, name) for name in names}
        return {name: value for name, value in shape.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SoundCue:
    """A sound that is heard in ``[start, end)``; ``event`` is the number of what makes it."""

    sound: str
    start: float
    end: float
    event: int | None = None  # None: nothing that is seen

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {"sound": self.sound, "start": self.start, "end": self.end, "event": self.event}


@dataclass(frozen=True, slots=True)
class Background:
    """What is behind all things: dark and dull, so that they stand out."""

    kind: BackgroundKind
    colours: tuple[Numbers, Numbers]  # of a plain one the first, of a gradient both
    upright: bool = False  # a gradient from above to below
    seed: int = 0  # of noise
    drift: tuple[Numbers, Numbers] = ((0, 0), (0, 0))  # shift (x, y) at the beginning, at the end

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "kind": self.kind,
            "colours": [list(colour) for colour in self.colours],
            "upright": self.upright,
            "seed": self.seed,
            "drift": [list(shift) for shift in self.drift],
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole truth of one film."""

    seconds: float
    background: Background
    things: tuple[Thing, ...]  # later ones lie in front
    events: tuple[Event, ...]  # by rising start
    label: str = ""  # the class, where films are told apart by one
    sounds: tuple[SoundCue, ...] | None = None  # None: a film without sound
    textured: bool = False  # things are called by their texture too: a striped red circle

    @property
    def told(self) -> tuple[Event, ...]:
        """The events that are worth telling: not those that others say too."""
        return tuple(event for event in self.events if event.part_of is None)

    def reversed(self) -> Scene:
        """The scene whose film is this one's shown backwards; every event becomes its twin.

        Raises ValueError where events rest on one another: effects do not come first.
        """
        if any(event.cause is not None or event.part_of is not None for event in self.events):
            raise ValueError("a scene whose events rest on one another has no backwards")
        last = ticks(self.seconds)
        label = ACTIONS[self.label].twin if self.label in ACTIONS else self.label
        back = self.background.drift
        sounds = self.sounds and tuple(
            replace(cue, start=_mirrored(cue.end, last), end=_mirrored(cue.start, last))
            for cue in reversed(self.sounds)
        )
        return replace(
            self,
            background=replace(self.background, drift=(back[1], back[0])),
            things=tuple(thing.reversed(last) for thing in self.things),
            events=tuple(self._twin(event, last) for event in reversed(self.events)),
            label=label,
            sounds=sounds,
        )

    def _twin(self, event: Event, last: int) -> Event:
        colour = None
        if event.colour is not None:  # backwards it changes into what it was before
            colour = self.things[event.thing].colour_at(event.start)
        return replace(
            event,
            action=ACTIONS[event.action].twin,
            start=_mirrored(event.end, last),
            end=_mirrored(event.start, last),
            colour=colour,
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: everything that ``render`` and the annotations follow from."""
        return {
            "seconds": self.seconds,
            "label": self.label,
            "background": self.background.to_dict(),
            "things": [thing.to_dict() for thing in self.things],
            "events": [event.to_dict() for event in self.events],
            "sounds": None if self.sounds is None else [cue.to_dict() for cue in self.sounds],
            "textured": self.textured,
        }


def _mirrored(seconds: float, last: int) -> float:
    return (last - ticks(seconds)) / TICKS
