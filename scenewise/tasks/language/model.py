"""What a video language model is to the verbs.

It knows the face that all of them have; it knows no protocol and no network. Everything behind
this face is asked for words alone: when something happens, the library says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FrameImage:
    """One frame as a model is shown it."""

    time: float  # seconds from the first shown frame
    jpeg: bytes


class VideoLanguageModel(Protocol):
    """A network that answers in words about frames."""

    @property
    def name(self) -> str:
        """What the user called it."""
        ...

    def reply(self, prompt: str, frames: Sequence[FrameImage], *, instruction: str = "") -> str:
        """A non-empty answer to the prompt about frames in order of time.

        ``instruction`` says how to answer. Raises ModelError.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
