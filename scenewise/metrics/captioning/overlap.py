"""BLEU and ROUGE-L: how much of a caption's wording its references share.

BLEU is Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation" (2002),
ROUGE-L is Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004). The numbers are
those of pycocoevalcap, its small constants and its maxima included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scenewise.metrics.captioning.ngrams import LONGEST, Ngrams, Runs, count_ngrams
from scenewise.metrics.captioning.pairs import CaptionPairs, Scored

# pycocoevalcap adds these above and below each quotient instead of smoothing: with no match of n
# words BLEU-n is not 0 but of the order of 1e-5
_ABOVE, _BELOW = 1e-15, 1e-9
_BETA = 1.2  # ROUGE-L: recall weighs so much more than precision

Floats = npt.NDArray[np.float64]


def bleu(pairs: CaptionPairs, ngrams: Ngrams | None = None) -> tuple[Scored, ...]:
    """BLEU-1, -2, -3 and -4, each from 0 to 1.

    The corpus number is counted over all captions (clipped matches, and the length of the closest
    reference, the shorter of two as close), not the mean of single ones.
    """
    ngrams = count_ngrams(pairs) if ngrams is None else ngrams
    matched = np.stack([clipped_matches(ngrams, one) for one in ngrams.runs], axis=1)
    length = ngrams.length[: ngrams.videos]
    offered = np.maximum(0, length[:, None] - np.arange(LONGEST))
    closest = _closest_lengths(ngrams)
    single = _bleu(matched, offered, length, closest)
    whole = _bleu(
        matched.sum(axis=0, keepdims=True),
        offered.sum(axis=0, keepdims=True),
        length.sum(keepdims=True),
        closest.sum(keepdims=True),
    )[0]
    return tuple(
        Scored(float(whole[n]), dict(zip(pairs.ids, single[:, n].tolist(), strict=True)))
        for n in range(LONGEST)
    )


def clipped_matches(ngrams: Ngrams, runs: Runs) -> npt.NDArray[np.int64]:
    """(N,) of the runs of a prediction, how many stand in a reference, each as often as there."""
    kinds = max(runs.kinds, 1)
    cut = int(np.searchsorted(runs.caption, ngrams.videos))
    key = ngrams.video[runs.caption] * kinds + runs.run
    own, theirs = key[:cut], key[cut:]
    found = np.searchsorted(own, theirs)
    hit = found < len(own)
    hit[hit] = own[found[hit]] == theirs[hit]
    most = np.zeros(cut, dtype=np.int64)  # over the references of the video
    np.maximum.at(most, found[hit], runs.count[cut:][hit])
    clipped = np.minimum(most, runs.count[:cut])
    return np.bincount(runs.caption[:cut], clipped, minlength=ngrams.videos).astype(np.int64)


def _closest_lengths(ngrams: Ngrams) -> npt.NDArray[np.int64]:
    video, length = ngrams.video[ngrams.videos :], ngrams.length[ngrams.videos :]
    away = np.abs(length - ngrams.length[: ngrams.videos][video])
    order = np.lexsort((length, away, video))
    return length[order][np.unique(video[order], return_index=True)[1]]


def _bleu(
    matched: npt.NDArray[np.int64],
    offered: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
    reference: npt.NDArray[np.int64],
) -> Floats:
    """(M, 4) from counts (M, 4) and lengths (M,)."""
    precision = np.cumprod((matched + _ABOVE) / (offered + _BELOW), axis=1)
    score = precision ** (1 / np.arange(1, LONGEST + 1))
    ratio = (length + _ABOVE) / (reference + _BELOW)
    short = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1.0)
    return np.asarray(score * short[:, None])


def rouge_l(pairs: CaptionPairs) -> Scored:
    """ROUGE-L, from 0 to 1: the F-measure of the longest common subsequence; the corpus's mean.

    As in pycocoevalcap the best precision and the best recall may be of two references.
    """
    single = [
        _rouge(prediction, references)
        for prediction, references in zip(pairs.predictions, pairs.references, strict=True)
    ]
    return Scored(math.fsum(single) / len(single), dict(zip(pairs.ids, single, strict=True)))


def _rouge(prediction: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    if not prediction:
        return 0.0  # pycocoevalcap gives 1 where a reference has no tokens either
    bits: dict[str, int] = {}
    for place, word in enumerate(prediction):
        bits[word] = bits.get(word, 0) | 1 << place
    precision = recall = 0.0
    for reference in references:
        common = _common(bits, len(prediction), reference)
        if common:
            precision = max(precision, common / len(prediction))
            recall = max(recall, common / len(reference))
    if not precision:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words of one stand in the other in the same order."""
    bits: dict[str, int] = {}
    for place, word in enumerate(one):
        bits[word] = bits.get(word, 0) | 1 << place
    return _common(bits, len(one), other)


def _common(bits: dict[str, int], size: int, other: Sequence[str]) -> int:
    """One column of the table at a time, as the bits of a number (Hyyrö, 2004)."""
    everything = (1 << size) - 1
    column = everything
    for word in other:
        places = bits.get(word)
        if places:
            both = column & places
            column = ((column + both) | (column - both)) & everything
    return size - column.bit_count()
