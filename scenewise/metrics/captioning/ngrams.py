"""How often each run of one to four words stands in each caption, as sorted arrays.

Words and runs become whole numbers once, for all captions together; BLEU and CIDEr then count by
sorting and searching instead of by tuples in dictionaries. It knows nothing of either metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from scenewise.metrics.captioning.pairs import CaptionPairs

LONGEST = 4
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of n words: R rows, sorted by caption, then by run; each pair stands once."""

    caption: Ints  # (R,)
    run: Ints  # (R,) below ``kinds``
    count: Ints  # (R,)
    kinds: int
    where: Ints  # (kinds,) a position in ``Ngrams.words`` at which the run begins


@dataclass(frozen=True, slots=True)
class Ngrams:
    """Captions 0 to N - 1 are the predictions of the N videos; the references follow, in order."""

    videos: int
    video: Ints  # (S,) the video of each caption
    length: Ints  # (S,) in words
    words: Ints  # all captions, one after the other
    vocabulary: list[str]
    runs: tuple[Runs, ...]  # for 1, 2, 3 and 4 words

    def spelled(self, n: int) -> list[tuple[str, ...]]:
        """The words of each kind of run of n words."""
        numbers = self.words[self.runs[n - 1].where[:, None] + np.arange(n)]
        return [tuple(self.vocabulary[one] for one in row) for row in numbers.tolist()]


def count_ngrams(pairs: CaptionPairs) -> Ngrams:
    """All runs of one to four words of all captions."""
    captions = [*pairs.predictions, *chain.from_iterable(pairs.references)]
    vocabulary: dict[str, int] = {}
    number = vocabulary.setdefault
    words = [number(word, len(vocabulary)) for caption in captions for word in caption]
    if any("\xa0" in word for word in vocabulary):
        # the reference implementation joins tokens and splits them again at any white space, so
        # that a fraction such as 1 1/2, one token, counts as two words here, though not in ROUGE
        captions = [" ".join(caption).split() for caption in captions]
        vocabulary.clear()
        words = [number(word, len(vocabulary)) for caption in captions for word in caption]
    flat = np.array(words, dtype=np.int64)
    length = np.fromiter(map(len, captions), dtype=np.int64, count=len(captions))
    counts = np.fromiter(map(len, pairs.references), dtype=np.int64, count=len(pairs.ids))
    every = np.arange(len(pairs.ids))
    video = np.concatenate([every, np.repeat(every, counts)])
    return Ngrams(
        len(pairs.ids), video, length, flat, list(vocabulary), _runs(flat, length, len(vocabulary))
    )


def _runs(words: Ints, length: Ints, vocabulary: int) -> tuple[Runs, ...]:
    caption = np.repeat(np.arange(len(length)), length)
    ends = np.repeat(np.cumsum(length), length)
    position = np.arange(len(words))
    run = words.copy()  # of the n words from each position, where so many are left
    found = []
    for n in range(1, LONGEST + 1):
        begins = position[position + n <= ends]
        if n > 1:
            # a run of n words is one of n - 1 and one word more
            pair = run[begins] * vocabulary + words[begins + n - 1]
            run[begins] = np.unique(pair, return_inverse=True)[1]
        kinds = int(run[begins].max()) + 1 if len(begins) else 0
        where = np.zeros(kinds, dtype=np.int64)
        where[run[begins]] = begins
        key, count = np.unique(caption[begins] * kinds + run[begins], return_counts=True)
        rows = np.divmod(key, max(kinds, 1))
        found.append(Runs(rows[0], rows[1], count, kinds, where))
    return tuple(found)
