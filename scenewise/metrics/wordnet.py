"""How near two answers are in meaning: WUPS, by the senses of nouns in WordNet.

Malinowski and Fritz, "A Multi-World Approach to Question Answering about Real-World Scenes based on
Uncertain Input", 2014, with the similarity of Wu and Palmer, 1994. nltk reads WordNet 3.0 and knows
that similarity; this module knows where Debian keeps the database, and answers of several items.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from scenewise.errors import MetricError, MissingExtraError

THRESHOLDS = (0.9, 0.0)  # that tables report: WUPS@0.9 and WUPS@0.0
FAR = 0.1  # what a similarity below the threshold is multiplied by
DEBIAN = Path("/usr/share/wordnet")
_FILES = ("index.noun", "data.noun", "noun.exc", "index.verb", "data.verb")
_NAMES = 45  # of WordNet's lexicographer files

Similarity = Callable[[str, str], float]


class WordNet:
    """Similarity of words by their senses as nouns."""

    def __init__(self, reader: Any) -> None:
        """``reader`` is nltk's ``WordNetCorpusReader``, or what has its ``synsets``."""
        self._reader = reader
        self.similarity: Similarity = lru_cache(maxsize=1 << 17)(self._similarity)

    def senses(self, word: str) -> list[Any]:
        """The senses of a noun, of a compound one as well; none for what WordNet does not know."""
        lemma = "_".join(word.split())
        return list(self._reader.synsets(lemma, pos="n")) if lemma else []

    def _similarity(self, one: str, other: str) -> float:
        """1 for equal words, else the best similarity of a sense of each; 0 without senses."""
        if one == other:
            return 1.0
        pairs = ((mine, its) for mine in self.senses(one) for its in self.senses(other))
        return max((mine.wup_similarity(its) or 0.0 for mine, its in pairs), default=0.0)


def open_wordnet(folder: Path | None = None) -> WordNet:
    """WordNet, where ``read_wordnet`` finds it, and with what that raises."""
    return WordNet(read_wordnet(folder))


def read_wordnet(folder: Path | None = None) -> Any:
    """nltk's reader of WordNet; some seconds of reading, once for a folder.

    ``folder`` None takes that of ``WNSEARCHDIR``, nltk's own data, else Debian's. Raises
    MissingExtraError without nltk, MetricError where there is no WordNet.
    """
    try:
        import nltk.data
    except ImportError:
        raise MissingExtraError(
            'WordNet is read by nltk, which is not installed; run pip install "scenewise[metrics]".'
        ) from None
    places = [folder] if folder is not None else _places(nltk.data.path)
    for place in places:
        if all((place / name).is_file() for name in _FILES):
            return _reader(place)
    raise MetricError(
        f"there is no WordNet in {' or '.join(map(str, places))}; install it (on Debian: apt "
        "install wordnet-base), or name the folder of its files by WNSEARCHDIR."
    )


@cache
def _reader(place: Path) -> Any:
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class Reader(WordNetCorpusReader):  # type: ignore[misc] # nltk has no types
        """nltk's, for a folder without what nltk's own download adds to WordNet."""

        def open(self, file: str) -> Any:
            if file == "lexnames" and not (place / file).is_file():
                # names of the lexicographer files, which nothing here asks for
                return io.StringIO("".join(f"{n:02d}\tfile.{n}\t0\n" for n in range(_NAMES)))
            return super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """Other versions and languages are not asked for."""

    # nltk opens files below its own folders only; this names one more, for the process
    if not any(place.is_relative_to(root) for root in map(Path, nltk.data.path)):
        nltk.data.path.append(str(place))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are no other languages
        return Reader(str(place), None)


def _places(roots: Sequence[str]) -> list[Path]:
    named = os.environ.get("WNSEARCHDIR")
    if named:
        return [Path(named)]
    versions = ("wordnet", "wordnet31", "wordnet2021")
    own = [Path(root) / "corpora" / version for root in roots for version in versions]
    return [*(place for place in own if place.is_dir()), DEBIAN]


def wups(answer: str, truth: str, threshold: float, similarity: Similarity) -> float:
    """WUPS of one answer, from 0 to 1; of many the mean is reported.

    Answers are sets of items between commas, as in the authors' script, and an item may be a
    compound. Each item's best similarity to the other side is multiplied up, and the worse side
    counts: too few items lose as too many do. What lies below the threshold is worth a tenth.
    """
    mine, its = _items(answer), _items(truth)
    return min(
        _membership(mine, its, threshold, similarity),
        _membership(its, mine, threshold, similarity),
    )


def _membership(
    items: Sequence[str], others: Sequence[str], threshold: float, similarity: Similarity
) -> float:
    product = 1.0
    for item in items:
        near = (similarity(item, other) for other in others)
        product *= max(value if value >= threshold else FAR * value for value in near)
    return product


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]
