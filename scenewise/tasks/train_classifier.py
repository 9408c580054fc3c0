"""Train a head on examples, and say how good it is on videos that it was not trained on.

An example is one row: the mean of its windows' vectors, at length 1. So a label is learnt of whole
clips; at use a clip's mean is asked for the clip and every window for itself.

Everything that is reported comes from cross-validation: stratified by label and grouped by content,
so that no video, under whichever name or span, is in both halves. Probabilities are calibrated on
the same left-out examples by one factor (see ``heads.sharpness``); the figures of right and wrong
do not depend on it. The head that is kept is then fitted on all examples.

It knows examples, vectors and heads; where windows come from, ``see`` knows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import EncoderSpec, FloatArray, WindowFeatures
from scenewise.encoders.vectors import softmax, unit
from scenewise.errors import MediaError, UsageError
from scenewise.index.window_files import Windows
from scenewise.metrics.classification import mean_absolute_error, r_squared
from scenewise.tasks.classifiers import Classifier, Head
from scenewise.tasks.examples import Example, numbers_of
from scenewise.tasks.heads import Linear, fit_linear, fit_ridge, sharpness
from scenewise.tasks.training_report import TrainingReport, judge
from scenewise.types import Failure

FEWEST_VIDEOS = 2  # of each label: one to learn from, one to be judged on
FEWEST_NUMBERS = 5  # videos of a regression

See = Callable[[str], Windows]  # raises MediaError or UsageError for what is no video
Progress = Callable[[int, int, str], None]  # examples done, of all, and the one just done
Rows = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a head is trained and judged."""

    head: Head = "logistic"
    folds: int = 5  # fewer where a label has fewer videos
    neighbours: int = 5  # of knn
    seed: int = 0

    def __post_init__(self) -> None:
        if self.head not in get_args(Head):
            raise UsageError(
                f"head = {self.head!r} is not allowed; give {', '.join(get_args(Head))}."
            )
        for name in ("folds", "neighbours"):
            value, low = getattr(self, name), 2 if name == "folds" else 1
            if value < low:
                raise UsageError(f"{name} = {value} is not allowed; give {low} or more.")


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Examples that could be read: one row (N, D) each, and which content it is of (N,)."""

    examples: tuple[Example, ...]
    vectors: FloatArray
    groups: Ints
    failed: tuple[Failure, ...]
    notes: tuple[str, ...]


def gather(examples: Sequence[Example], see: See, progress: Progress | None = None) -> Gathered:
    """The vectors of examples; what is no video is among the failed ones.

    One content is one group, whatever its files are called. An example that is there twice counts
    once; UsageError where it is there with two labels, or nothing could be read at all.
    """
    seen: dict[tuple[str, float | None, float | None], Example] = {}
    kept, rows, groups, failed = [], [], [], []
    number: dict[str, int] = {}
    twice = 0
    for place, example in enumerate(examples):
        try:
            windows = see(example.video)
            row = _row(windows, example)
        except (MediaError, UsageError) as error:
            failed.append(Failure(str(example), str(error).removeprefix(f"{example.video}: ")))
            continue
        except OSError as error:
            failed.append(Failure(str(example), f"it cannot be read: {error.strerror or error}"))
            continue
        finally:
            if progress is not None:
                progress(place + 1, len(examples), example.video)
        known = seen.setdefault((windows.video_id, example.start, example.end), example)
        if known is not example:
            if known.label != example.label:
                raise UsageError(
                    f"{known} is an example of {known.label!r}, and {example}, the same content, "
                    f"of {example.label!r}; give it one label."
                )
            twice += 1
            continue
        kept.append(example)
        rows.append(row)
        groups.append(number.setdefault(windows.video_id, len(number)))
    if not kept:
        raise UsageError(
            f"none of the {len(examples)} examples could be read, such as {failed[0].path}: "
            f"{failed[0].reason}"
        )
    notes = (f"{twice} examples were there twice and count once",) if twice else ()
    return Gathered(tuple(kept), np.stack(rows), np.array(groups), tuple(failed), notes)


def _row(windows: Windows, example: Example) -> FloatArray:
    start = example.start or 0.0
    if start >= windows.duration:
        raise UsageError(
            f"it begins at {start:g} s, behind the end of the video ({windows.duration:.1f} s)."
        )
    end = windows.duration if example.end is None else example.end
    inside = (windows.times >= start) & (windows.times < end)
    if not inside.any():  # shorter than the step between two windows
        inside[np.abs(windows.times - (start + min(end, windows.duration)) / 2).argmin()] = True
    return unit(windows.vectors[inside].mean(axis=0))


def train(
    name: str,
    gathered: Gathered,
    spec: EncoderSpec,
    options: TrainingOptions,
    recipe: Mapping[str, Any],
) -> tuple[Classifier, TrainingReport]:
    """The classifier, and how good it is. Raises UsageError for too few examples."""
    if options.head == "ridge":
        return _train_regression(name, gathered, spec, options, recipe)
    labels = tuple(sorted({example.label for example in gathered.examples}))
    classes = np.array([labels.index(example.label) for example in gathered.examples])
    fewest = _check_labels(labels, classes, gathered.groups)
    folds = min(options.folds, fewest)
    vectors = gathered.vectors
    scores = np.zeros((len(classes), len(labels)))
    for train_rows, test_rows in _split(classes, gathered.groups, folds, options.seed):
        head = _fit(options, vectors[train_rows], classes[train_rows], len(labels))
        scores[test_rows] = head(vectors[test_rows])
    final = _fit(options, vectors, classes, len(labels))
    if isinstance(final, Linear):
        factor = sharpness(scores, classes)
        final = final.sharpened(factor)
        scores = softmax(scores * factor)
    notes = gathered.notes
    if folds < options.folds:
        notes = (*notes, f"{folds} folds in place of {options.folds}: a label has no more videos")
    report = replace(
        judge(name, options.head, labels, classes, scores, [*map(str, gathered.examples)]),
        videos=len(set(gathered.groups.tolist())),
        folds=folds,
        failed=gathered.failed,
        notes=notes,
    )
    classifier = Classifier(
        name=name,
        head=options.head,
        labels=labels,
        arrays=final.arrays(),
        encoder=spec.name,
        encoder_digest=spec.digest(),
        neighbours=1 if isinstance(final, Linear) else final.neighbours,
        recipe=recipe,
        report=report.to_dict(),
    )
    return classifier, report


@dataclass(frozen=True, slots=True, eq=False)
class _Nearest:
    """The examples themselves."""

    vectors: FloatArray
    classes: Ints
    count: int
    neighbours: int

    def __call__(self, vectors: FloatArray) -> Rows:
        names = tuple(str(number) for number in range(self.count))
        voter = Classifier("", "knn", names, self.arrays(), "", "", neighbours=self.neighbours)
        return voter.probabilities(WindowFeatures(vectors)).astype(np.float64)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"examples": self.vectors, "members": self.classes}


def _fit(
    options: TrainingOptions, vectors: FloatArray, classes: Ints, count: int
) -> Linear | _Nearest:
    if options.head == "knn":
        return _Nearest(vectors, classes, count, min(options.neighbours, len(vectors)))
    return fit_linear(options.head, vectors, classes, count, seed=options.seed)


def _check_labels(labels: tuple[str, ...], classes: Ints, groups: Ints) -> int:
    """The fewest videos that a label has; UsageError where that is too few."""
    if len(labels) < 2:
        raise UsageError(
            f"all examples have the label {labels[0]!r}; give examples of at least two labels."
        )
    videos = [len(set(groups[classes == number].tolist())) for number in range(len(labels))]
    fewest = int(np.argmin(videos))
    if videos[fewest] < FEWEST_VIDEOS:
        raise UsageError(
            f"the label {labels[fewest]!r} has {videos[fewest]} video; give each label at least "
            f"{FEWEST_VIDEOS} different ones, as it is judged on videos that it was not trained on."
        )
    return videos[fewest]


def _split(classes: Ints, groups: Ints, folds: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Rows to train on and to judge on, fold by fold; no group is in both."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # it says that a label has fewer examples than folds; a fold may do without one
        warnings.simplefilter("ignore", UserWarning)
        yield from splitter.split(np.zeros(len(classes)), classes, groups)


def _train_regression(
    name: str,
    gathered: Gathered,
    spec: EncoderSpec,
    options: TrainingOptions,
    recipe: Mapping[str, Any],
) -> tuple[Classifier, TrainingReport]:
    from sklearn.model_selection import GroupKFold

    targets = np.array(numbers_of(gathered.examples))
    videos = len(set(gathered.groups.tolist()))
    if videos < FEWEST_NUMBERS:
        raise UsageError(
            f"{videos} different videos are too few for a regression; give at least "
            f"{FEWEST_NUMBERS}."
        )
    folds = min(options.folds, videos)
    predicted, mean = np.zeros(len(targets)), np.zeros(len(targets))
    splitter = GroupKFold(folds, shuffle=True, random_state=options.seed)
    for train_rows, test_rows in splitter.split(gathered.vectors, targets, gathered.groups):
        head = fit_ridge(gathered.vectors[train_rows], targets[train_rows])
        predicted[test_rows] = head(gathered.vectors[test_rows])[:, 0]
        mean[test_rows] = targets[train_rows].mean()
    figures = {
        "mae": mean_absolute_error(targets, predicted),
        "mae_of_mean": mean_absolute_error(targets, mean),
        "r2": r_squared(targets, predicted),
    }
    labels = (str(recipe.get("target", "label")),)
    report = TrainingReport(
        name,
        "ridge",
        labels,
        len(targets),
        videos,
        folds,
        {key: value for key, value in figures.items() if np.isfinite(value)},
        failed=gathered.failed,
        notes=gathered.notes,
    )
    classifier = Classifier(
        name=name,
        head="ridge",
        labels=labels,
        arrays=fit_ridge(gathered.vectors, targets).arrays(),
        encoder=spec.name,
        encoder_digest=spec.digest(),
        recipe=recipe,
        report=report.to_dict(),
    )
    return classifier, report
