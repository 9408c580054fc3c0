"""How to save what is seen. It knows values alone, so that naming them loads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenewise.errors import UsageError

_LONGEST_CLIP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SaveOptions:
    """Where events leave a picture and a clip, and how much of the stream a clip shows."""

    folder: Path
    clips: bool = True
    before_seconds: float = 5.0
    after_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name, value in (("before", self.before_seconds), ("after", self.after_seconds)):
            if not 0 <= value <= _LONGEST_CLIP_SECONDS:
                raise UsageError(
                    f"a clip shows 0 to {_LONGEST_CLIP_SECONDS:g} seconds {name} its event, "
                    f"got {value}."
                )
