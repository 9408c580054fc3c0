"""What speaks for a moment, whichever sense it comes from: the noun that search fuses.

It knows spans and probabilities; it knows no words, no network and no database.
"""

from __future__ import annotations

from dataclasses import dataclass

from scenewise.types import Modality, Why


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason to answer a query with [start, end) seconds of a chunk's video.

    ``match`` is calibrated: the estimated probability that the span is what was asked for, were
    this the only reason. So evidence of different senses can be weighed against each other.
    """

    chunk_id: int
    start: float
    end: float
    match: float
    why: Why

    def __post_init__(self) -> None:
        if not 0.0 <= self.match <= 1.0:
            raise ValueError(f"match is a probability, got {self.match}")

    @property
    def modality(self) -> Modality:
        """Whether it was seen, read or heard."""
        return self.why.modality
