"""The words for what the embedded image classifier can see: 1,000 concepts, each in four facets.

It reads one table, ``vocabulary.tsv``, whose rows stand in the order of the ImageNet-1k classes.
It knows words alone: no embedding, no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

FACETS = ("names", "kinds", "places", "activities")


@dataclass(frozen=True, slots=True)
class Concept:
    """One class of the classifier in words; each facet is a list of comma-separated phrases."""

    index: int  # position among the classifier's outputs
    names: str  # what it is called; the first is the label that people are shown
    kinds: str  # broader terms, and who is usually seen with it
    places: str  # where it is seen
    activities: str  # what is done with it, or what it does

    @property
    def label(self) -> str:
        """The name that people are shown."""
        return self.names.split(",")[0].strip()

    @property
    def facets(self) -> tuple[str, str, str, str]:
        """The four texts, in the order of ``FACETS``."""
        return (self.names, self.kinds, self.places, self.activities)


@cache
def load_vocabulary() -> tuple[Concept, ...]:
    """All concepts in the order of the classifier's outputs."""
    table = resources.files("scenewise.encoders").joinpath("vocabulary.tsv")
    lines = table.read_text(encoding="utf-8").splitlines()
    concepts = []
    for line in lines[1:]:  # the first line names the columns
        index, names, kinds, places, activities = line.split("\t")
        concepts.append(Concept(int(index), names, kinds, places, activities))
    return tuple(concepts)
