"""CIDEr: how well a caption says what its references agree on, rare words weighing more.

Vedantam et al., "CIDEr: Consensus-based Image Description Evaluation" (2015). What every paper on
captions reports as "CIDEr" is what pycocoevalcap's class ``Cider`` computes, and that is, in
formula, the paper's CIDEr-D: counts clipped to the reference's, a gaussian penalty on the
difference of lengths (sigma 6), times 10. ``cider`` is that number. The paper's plain CIDEr is
``original_cider``.

How rare a run of words is, is the number of videos whose references hold it, by default of the
videos that are scored. With one single video nothing is rare, each weight is log(1 / 1) = 0, and
so is the score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.errors import UsageError
from scenewise.metrics.captioning.ngrams import LONGEST, Ints, Ngrams, Runs, count_ngrams
from scenewise.metrics.captioning.pairs import CaptionPairs, Scored
from scenewise.metrics.captioning.ptb import tokenize

_SIGMA = 6.0
_SCALE = 10.0
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DocumentFrequency:
    """In the references of how many videos a run of one to four words stands."""

    videos: int
    counts: Mapping[tuple[str, ...], float]

    def __post_init__(self) -> None:
        if self.videos < 1 or any(not 0 <= n <= self.videos for n in self.counts.values()):
            raise UsageError(
                f"document frequencies over {self.videos} videos must lie between 0 and that "
                "number, of at least 1; count them with document_frequency(references)."
            )


def document_frequency(references: Mapping[str, Sequence[str]]) -> DocumentFrequency:
    """Count over the references of a larger set, such as all of training. Raises UsageError."""
    counts: Counter[tuple[str, ...]] = Counter()
    for sentences in references.values():
        found: set[tuple[str, ...]] = set()
        for tokens in tokenize(sentences):
            words = " ".join(tokens).split()
            for n in range(1, LONGEST + 1):
                found.update(zip(*(words[first:] for first in range(n)), strict=False))
        counts.update(found)
    return DocumentFrequency(len(references), counts)


def cider(
    pairs: CaptionPairs,
    frequency: DocumentFrequency | None = None,
    ngrams: Ngrams | None = None,
) -> Scored:
    """CIDEr-D, from 0 to 10, which the field reports as CIDEr; the corpus's is the mean.

    ``frequency`` None counts over the references given.
    """
    ngrams = count_ngrams(pairs) if ngrams is None else ngrams
    # pycocoevalcap takes the number of runs of two words for the length; one less than the words
    length = np.maximum(0, ngrams.length - 1)
    away = length[ngrams.video] - length
    penalty = np.exp(-(away.astype(np.float64) ** 2) / (2 * _SIGMA**2))
    return _consensus(pairs, ngrams, frequency, clipped=True, factor=_SCALE * penalty)


def original_cider(
    pairs: CaptionPairs,
    frequency: DocumentFrequency | None = None,
    ngrams: Ngrams | None = None,
) -> Scored:
    """The paper's CIDEr, from 0 to 1: the mean cosine over references and one to four words.

    No clipping, no penalty, no factor. Words are taken as they are: the paper's reduction to
    stems is left out, as in every implementation that is in use.
    """
    ngrams = count_ngrams(pairs) if ngrams is None else ngrams
    return _consensus(pairs, ngrams, frequency, clipped=False, factor=np.ones(len(ngrams.video)))


def _consensus(
    pairs: CaptionPairs,
    ngrams: Ngrams,
    frequency: DocumentFrequency | None,
    *,
    clipped: bool,
    factor: Floats,
) -> Scored:
    total = np.zeros(len(ngrams.video))  # for each caption; what stands at predictions is not used
    for n, runs in enumerate(ngrams.runs, start=1):
        total += _cosines(ngrams, runs, _rarity(ngrams, n, frequency), clipped=clipped)
    total *= factor / LONGEST
    references = slice(ngrams.videos, None)
    video = ngrams.video[references]
    summed = _summed(video, total[references], ngrams.videos)
    single = summed / np.bincount(video, minlength=ngrams.videos)
    return Scored(float(single.mean()), dict(zip(pairs.ids, single.tolist(), strict=True)))


def _rarity(ngrams: Ngrams, n: int, frequency: DocumentFrequency | None) -> Floats:
    """(kinds,) log of all videos by those that hold the run; one that none holds counts as one."""
    runs = ngrams.runs[n - 1]
    if frequency is not None:
        counts = np.array([frequency.counts.get(run, 0) for run in ngrams.spelled(n)], dtype=float)
        return _rare(frequency.videos, counts)
    kinds = max(runs.kinds, 1)
    of_references = runs.caption >= ngrams.videos
    key = ngrams.video[runs.caption[of_references]] * kinds + runs.run[of_references]
    counts = np.bincount(np.unique(key) % kinds, minlength=runs.kinds)[: runs.kinds]
    return _rare(ngrams.videos, counts.astype(np.float64))


def _rare(videos: int, counts: Floats) -> Floats:
    return np.asarray(np.log(float(videos)) - np.log(np.maximum(1.0, counts)))


def _cosines(ngrams: Ngrams, runs: Runs, rarity: Floats, *, clipped: bool) -> Floats:
    """(S,) between each reference and the prediction of its video, over runs of n words."""
    weight = runs.count * rarity[runs.run]
    captions = len(ngrams.video)
    norm = np.sqrt(_summed(runs.caption, weight**2, captions))
    kinds = max(runs.kinds, 1)
    cut = int(np.searchsorted(runs.caption, ngrams.videos))
    key = ngrams.video[runs.caption] * kinds + runs.run
    found = np.searchsorted(key[:cut], key[cut:])
    hit = found < cut
    hit[hit] = key[:cut][found[hit]] == key[cut:][hit]
    own, theirs = weight[:cut][found[hit]], weight[cut:][hit]
    product = (np.minimum(own, theirs) if clipped else own) * theirs
    dot = _summed(runs.caption[cut:][hit], product, captions)
    both = norm[ngrams.video] * norm
    return np.asarray(np.divide(dot, both, out=np.zeros_like(dot), where=both > 0))


def _summed(place: Ints, weight: Floats, size: int) -> Floats:
    """(size,) the sum of the weights at each place; floats also where there are none."""
    return np.bincount(place, weight, minlength=size).astype(np.float64)
