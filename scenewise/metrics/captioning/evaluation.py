"""All captioning metrics of a set of predictions at once: what papers put in one row of a table.

It knows which metrics there are and in what order, and leaves each to its module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from scenewise.errors import UsageError
from scenewise.metrics.captioning.consensus import DocumentFrequency, cider
from scenewise.metrics.captioning.meteor_program import meteor, require_meteor
from scenewise.metrics.captioning.ngrams import count_ngrams
from scenewise.metrics.captioning.overlap import bleu, rouge_l
from scenewise.metrics.captioning.pairs import Scored, pair_up

METRICS = ("bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l", "cider", "cider_d")


def evaluate(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    *,
    without: Collection[str] = (),
    frequency: DocumentFrequency | None = None,
) -> dict[str, float]:
    """The corpus scores ``bleu1`` ... ``bleu4``, ``meteor``, ``rouge_l``, ``cider``, ``cider_d``.

    Equal to pycocoevalcap's, tokenization included. ``cider`` is what papers report under this
    name and what pycocoevalcap and nlg-eval compute; in formula that is CIDEr-D, so that
    ``cider_d`` is the same number. The original CIDEr, without clipping and penalty, is
    ``original_cider``. With one single video CIDEr is 0: nothing is rare among one.

    METEOR is a Java program. Where it cannot run nothing is computed, unless it is left out with
    ``without=("meteor",)``; a metric that is left out has no key. ``frequency`` None counts over
    the references given.

    Raises UsageError for captions that do not pair up and for unknown names in ``without``,
    MissingExtraError without Java or pycocoevalcap, MetricError where METEOR's program fails.
    """
    scored = score(predictions, references, without=without, frequency=frequency)
    return {name: one.corpus for name, one in scored.items()}


def score(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    *,
    without: Collection[str] = (),
    frequency: DocumentFrequency | None = None,
) -> dict[str, Scored]:
    """As ``evaluate``, with the score of each video beside the corpus's."""
    if isinstance(without, str):
        without = (without,)
    if unknown := sorted(set(without) - set(METRICS)):
        raise UsageError(
            f"no captioning metric is named {', '.join(unknown)}; there are {', '.join(METRICS)}."
        )
    pairs = pair_up(predictions, references)
    if "meteor" not in without:
        require_meteor()  # before anything is counted
    ngrams = count_ngrams(pairs)
    found = {f"bleu{n}": one for n, one in enumerate(bleu(pairs, ngrams), start=1)}
    found["rouge_l"] = rouge_l(pairs)
    found["cider"] = found["cider_d"] = cider(pairs, frequency, ngrams)
    if "meteor" not in without:
        found["meteor"] = meteor(pairs)
    return {name: found[name] for name in METRICS if name not in without}
