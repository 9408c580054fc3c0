"""Teach a yes/no classifier from a few moments that a person calls good or bad.

The windows of good moments are positive, those of bad ones negative. Other windows of the library,
a fair sample, are weak negatives: most of a library does not show what somebody teaches, though
some of it may, so all of them together weigh as much as the bad moments together, and half of what
the good ones weigh. Softmax regression on these (see ``heads``); its probability is that of *yes*
where yes and no are equally likely beforehand.

With two good moments or more, each is left out once (with its share of the others), which tells
how well the classifier separates and makes its probabilities honest.

What was called good or bad is kept with the classifier, so that it can be taught more, corrected,
and made again for another encoder. It knows moments, windows and heads; where windows come from,
``WindowsOf`` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import EncoderSpec, FloatArray
from scenewise.errors import UsageError
from scenewise.metrics.reliability import auroc
from scenewise.tasks.classifiers import Classifier
from scenewise.tasks.heads import fit_linear, sharpness

BACKGROUND_WINDOWS = 1_000
FOLDS = 5
PRIOR_SPREAD = 0.7  # a few moments may halve or double the logits, many decide by themselves
SAME_SECONDS = 0.05  # spans whose ends lie nearer to each other are the same
_NO, _YES = 0, 1

Rows = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Taught:
    """``[start, end)`` seconds of a video of the library, and whether it is good."""

    video_id: str
    path: str  # where it was; the id counts
    start: float
    end: float
    good: bool

    def same_span(self, other: Taught) -> bool:
        """Whether both name one moment."""
        return self.video_id == other.video_id and (
            abs(self.start - other.start) < SAME_SECONDS
            and abs(self.end - other.end) < SAME_SECONDS
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


# the vectors (n, D) of a moment's windows; None where the library has its video no more
WindowsOf = Callable[[Taught], FloatArray | None]


def taught_moments(classifier: Classifier) -> tuple[Taught, ...]:
    """What a classifier was taught. Raises UsageError for one that was trained otherwise."""
    if classifier.recipe.get("verb") != "teach":
        raise UsageError(
            f"the classifier {classifier.name!r} was trained, not taught; choose another name."
        )
    return tuple(Taught(**moment) for moment in classifier.recipe["moments"])


def revise(
    known: Sequence[Taught], new: Sequence[Taught], forget: Sequence[Taught]
) -> tuple[Taught, ...]:
    """What is known, less what is to be forgotten, with what is new in place of the same span.

    Raises UsageError where a moment to forget is not known, or one is called good and bad.
    """
    for place, moment in enumerate(new):
        for other in new[:place]:
            if moment.same_span(other) and moment.good != other.good:
                raise UsageError(
                    f"{moment.path}@{moment.start:g}-{moment.end:g} is called good and bad; "
                    "call it one of both."
                )
    for moment in forget:
        if not any(moment.same_span(other) for other in known):
            raise UsageError(
                f"{moment.path}@{moment.start:g}-{moment.end:g} was never taught; scenewise "
                "classifiers show NAME lists what was."
            )
    gone = [*forget, *new]
    kept = [one for one in known if not any(one.same_span(other) for other in gone)]
    distinct: list[Taught] = []
    for moment in new:
        if not any(moment.same_span(other) for other in distinct):
            distinct.append(moment)
    return (*kept, *distinct)


def teach(
    name: str,
    moments: Sequence[Taught],
    windows_of: WindowsOf,
    background: tuple[FloatArray, Ints],
    spec: EncoderSpec,
) -> Classifier:
    """The classifier of these moments: labels "not NAME" and "NAME", the second one positive.

    ``background``: vectors (M, D) of other windows of the library, and the number of the video of
    each (M,). Raises UsageError where there is nothing good, or nothing to hold it against.
    """
    found = [(moment, windows_of(moment)) for moment in moments]
    lost = [moment for moment, rows in found if rows is None]
    there = [(moment, rows) for moment, rows in found if rows is not None]
    good = sum(moment.good for moment, _ in there)
    others, videos = background
    if good == 0:
        raise UsageError(
            f"nothing good is left to teach {name!r} from; name at least one moment with --good."
        )
    if good == len(there) and len(others) == 0:
        raise UsageError(
            f"there is nothing that is not {name!r}: index other videos, or name a moment with "
            "--bad."
        )
    vectors = np.concatenate([rows for _, rows in there] + [others])
    counts = [len(rows) for _, rows in there]
    kinds = [moment.good for moment, _ in there]
    classes = np.concatenate([np.repeat(np.array(kinds, np.int64), counts), np.zeros(len(others))])
    # a moment, or a video of the background, is left out as a whole
    groups = np.concatenate([np.repeat(np.arange(len(there)), counts), len(there) + videos])
    is_background = np.arange(len(vectors)) >= sum(counts)
    classes, groups = classes.astype(np.int64), groups.astype(np.int64)
    report, factor = _judge(vectors, classes, groups, is_background, good)
    weights = _weights(classes, is_background, groups)
    head = fit_linear("logistic", vectors, classes, 2, weights=weights).sharpened(factor)
    report |= {"good": good, "bad": len(there) - good, "background_windows": len(others)}
    if lost:
        report["lost"] = [f"{moment.path}@{moment.start:g}-{moment.end:g}" for moment in lost]
    return Classifier(
        name=name,
        head="logistic",
        labels=(f"not {name}", name),
        arrays=head.arrays(),
        encoder=spec.name,
        encoder_digest=spec.digest(),
        positive=_YES,
        recipe={"verb": "teach", "moments": [moment.to_dict() for moment in moments]},
        report=report,
    )


def _weights(classes: Ints, is_background: npt.NDArray[np.bool_], groups: Ints) -> Rows:
    """(N,): yes and no weigh alike; of no, the bad moments as much as the whole background.

    Moments weigh alike, however long they are. The sum is the number of moments that were named,
    and at least four, so that a few moments are not drowned by the strength of the ridge.
    """
    kinds = [classes == _YES, (classes == _NO) & ~is_background, is_background]
    total = max(4, len(np.unique(groups[~is_background])))
    negative = sum(bool(kind.any()) for kind in kinds[1:])
    weights = np.zeros(len(classes))
    for number, kind in enumerate(kinds):
        if not kind.any():
            continue
        share = total / 2 if number == 0 else total / 2 / negative
        _, member, sizes = np.unique(groups[kind], return_inverse=True, return_counts=True)
        weights[kind] = share / len(sizes) / sizes[member]
    return weights


def _judge(
    vectors: FloatArray,
    classes: Ints,
    groups: Ints,
    is_background: npt.NDArray[np.bool_],
    good: int,
) -> tuple[dict[str, Any], float]:
    """Figures of left-out moments, and the factor that makes logits honest."""
    folds = min(FOLDS, good)
    if folds < 2:
        return {}, 1.0
    # good moments, bad ones and videos of the background are dealt out one after the other
    fold_of = {}
    for kind in (classes == _YES, (classes == _NO) & ~is_background, is_background):
        for place, group in enumerate(np.unique(groups[kind]).tolist()):
            fold_of[group] = place % folds
    fold = np.array([fold_of[group] for group in groups.tolist()])
    logits = np.zeros((len(classes), 2))
    for number in range(folds):
        out = fold == number
        kept = ~out
        if len(np.unique(classes[kept])) < 2:
            return {}, 1.0
        weights = _weights(classes[kept], is_background[kept], groups[kept])
        head = fit_linear("logistic", vectors[kept], classes[kept], 2, weights=weights)
        logits[out] = head(vectors[out])
    figures: dict[str, Any] = {"folds": folds}
    separated = auroc(logits[:, _YES] - logits[:, _NO], classes == _YES)
    if np.isfinite(separated):
        figures["auroc"] = separated
    # windows of one moment are no independent trials: the mean of each group stands for it
    names = np.unique(groups)
    means = np.stack([logits[groups == group].mean(axis=0) for group in names])
    kinds = np.array([classes[groups == group][0] for group in names])
    # yes and no as likely as the classifier takes them to be, and no more trials than of the rarer
    few = min(int((kinds == _YES).sum()), int((kinds == _NO).sum()))
    trials = np.where(kinds == _YES, few / (kinds == _YES).sum(), few / (kinds == _NO).sum())
    return figures, sharpness(means, kinds, trials, prior_spread=PRIOR_SPREAD)


def background_of(
    rows: Mapping[int, int], per_library: int = BACKGROUND_WINDOWS
) -> dict[int, npt.NDArray[np.int64]]:
    """Which windows of each chunk stand for the library: spread evenly over chunks and times.

    ``rows``: the number of windows of each chunk. The same library gives the same windows.
    """
    total = sum(rows.values())
    if total == 0:
        return {}
    numbers = np.unique(np.linspace(0, total - 1, min(total, per_library)).astype(np.int64))
    found: dict[int, npt.NDArray[np.int64]] = {}
    first = 0
    for chunk, count in rows.items():
        inside = numbers[(numbers >= first) & (numbers < first + count)] - first
        if len(inside):
            found[chunk] = inside
        first += count
    return found
