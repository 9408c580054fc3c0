"""Labels from files: one a video or several, as names, as a ranking, or as scores of classes.

It knows shapes of files, and which figures fit what was given. The formulas are those of
``scenewise.metrics``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.errors import DataError
from scenewise.metrics.classification import (
    class_figures,
    confusion_matrix,
    mean_class_accuracy,
    mean_figures,
    mean_views,
)
from scenewise.metrics.evaluation.files import Entry, number, one_each, read_entries, text_of
from scenewise.metrics.evaluation.result import Evaluation, Met, meet, named
from scenewise.metrics.multi_label import precision_figures
from scenewise.metrics.reliability import (
    adaptive_calibration_error,
    confidences,
    expected_calibration_error,
    maximum_calibration_error,
    multi_class_brier_score,
    negative_log_likelihood,
    reliability_curve,
)
from scenewise.metrics.retrieval import ranks_of

IDS = ("id", "video", "video_id", "path", "name")
VALUES = ("labels", "label", "scores", "text")
TOP = (1, 5)
BINS = 15  # of a reliability diagram, as Guo et al. (2017) have it
_NOTHING = "(nothing)"
_SEPARATOR = "|"  # between the labels of one cell of a table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores (N, C) of those references that have a prediction."""

    classes: tuple[str, ...]
    table: Floats
    names: tuple[str, ...]


def evaluate_labels(
    predictions: Path, references: Path, *, allow_missing: bool, average_views: bool = False
) -> Evaluation:
    """Labels against the right ones; with ``average_views`` an id's rows are views of one video."""
    wanted = {n: _names(e) for n, e in one_each(read_entries(references, IDS, VALUES)).items()}
    entries = read_entries(predictions, IDS, VALUES)
    given: dict[str, list[Entry]] = {}
    for entry in entries:
        given.setdefault(entry.id, []).append(entry)
    if not average_views:
        one_each(entries)  # raises where an id stands there twice
    met = meet(wanted, given, allow_missing=allow_missing)
    several = any(len(labels) != 1 for labels in wanted.values())
    scored = _score_rows(given, wanted)
    if scored is None:
        if average_views:
            raise DataError(f"{predictions} has no scores, which views need to be averaged.")
        if several:
            raise DataError(
                f"{references} has several labels for a video, so {predictions} must give a score "
                "for each class."
            )
        chosen = {name: _only_name(those[0]) for name, those in given.items()}
        truths = {name: labels[0] for name, labels in wanted.items()}
        strange = set(chosen.values()) - set(truths.values())
        notes = (f"no reference has the predicted {named(sorted(strange))}",) if strange else ()
        return Evaluation("labels", len(wanted), _single(truths, chosen), met, notes)
    if several:
        figures = _multiple(wanted, scored, met)
        return Evaluation("labels", len(wanted), figures, met)
    truths = {name: labels[0] for name, labels in wanted.items()}
    figures = _ranked(truths, scored)
    apart = met.missing and "calibration" in figures
    notes = ("calibration is that of the videos with a prediction",) if apart else ()
    return Evaluation("labels", len(wanted), figures, met, notes)


def _names(entry: Entry) -> tuple[str, ...]:
    """The labels of one entry, in their order."""
    value = entry.value
    if isinstance(value, str) and _SEPARATOR in value:
        value = value.split(_SEPARATOR)
    values = value if isinstance(value, list) else [value]
    if isinstance(value, dict) or value is None:
        raise DataError(f"{entry.where} has no label; name it label or labels.")
    names = tuple(text_of(one, entry.where, "a label").strip() for one in values)
    if len(set(names)) < len(names):
        raise DataError(f"{entry.where} has a label twice; leave one of the two.")
    return names


def _only_name(entry: Entry) -> str:
    names = _names(entry)
    if len(names) != 1:
        raise DataError(
            f"{entry.where} predicts {len(names)} labels and each video has one; give one label, "
            "or a score for each class."
        )
    return names[0]


def _score_rows(
    given: Mapping[str, Sequence[Entry]], wanted: Mapping[str, Sequence[str]]
) -> _Scores | None:
    """Scores of the classes, views averaged; None where the file has names alone."""
    kinds = {_mapping(entry) is not None for those in given.values() for entry in those}
    if kinds == {False}:
        return None
    if len(kinds) > 1:
        raise DataError("some predictions have scores and some have names; give one of the two.")
    names = tuple(name for name in wanted if name in given)
    views = [entry for name in names for entry in given[name]]
    classes = tuple(_mapping(views[0]) or {})
    rows = []
    for view in views:
        scores = _mapping(view) or {}
        if set(scores) != set(classes):
            odd = sorted(set(scores) ^ set(classes))
            raise DataError(
                f"{view.where}: not the classes of the other predictions: {named(odd)}."
            )
        rows.append([number(scores[c], view.where, f"the score of {c!r}") for c in classes])
    unknown = sorted({label for labels in wanted.values() for label in labels} - set(classes))
    if unknown:
        raise DataError(f"the predictions have no score for the classes {named(unknown)}.")
    groups = np.repeat(np.arange(len(names)), [len(given[name]) for name in names])
    return _Scores(classes, mean_views(np.array(rows), groups)[1], names)


def _mapping(entry: Entry) -> dict[str, Any] | None:
    """Class to score: an object, or the columns of a table beside the id."""
    if isinstance(entry.value, dict):
        return entry.value
    if entry.value is None and entry.fields:
        own_id = next(name for name in IDS if name in entry.fields)
        return {name: value for name, value in entry.fields.items() if name != own_id} or None
    return None


def _single(truths: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Figures of one label a video; a video without prediction was taken for nothing."""
    classes = sorted({*truths.values(), *(chosen[name] for name in truths if name in chosen)})
    known = [*classes, _NOTHING]
    place = {name: number for number, name in enumerate(known)}
    truth = np.array([place[label] for label in truths.values()])
    taken = np.array([place[chosen.get(name, _NOTHING)] for name in truths])
    table = confusion_matrix(truth, taken, len(known))
    shape: dict[str, Any] = {
        "accuracy": float((truth == taken).mean()),
        "mean_class_accuracy": mean_class_accuracy(table),
    }
    shape |= {name: mean.to_dict() for name, mean in mean_figures(table).items()}
    each = class_figures(table)
    there = np.flatnonzero(table.sum(axis=1))
    shape["by_class"] = {known[n]: each[n].to_dict() for n in there}
    shape["confusion"] = {
        known[n]: {known[m]: int(table[n, m]) for m in np.flatnonzero(table[n])} for n in there
    }
    return shape


def _ranked(truths: Mapping[str, str], scored: _Scores) -> dict[str, Any]:
    """Figures of one label a video from scores of all classes."""
    place = {name: number for number, name in enumerate(scored.classes)}
    truth = np.array([place[truths[name]] for name in scored.names])
    ranks = ranks_of(scored.table, truth)
    shape: dict[str, Any] = {
        f"top-{k}": float((ranks <= k).sum() / len(truths)) for k in TOP if k <= len(place)
    }
    best = scored.table == scored.table.max(axis=1, keepdims=True)
    chosen = {
        name: scored.classes[row.argmax()]
        for name, row in zip(scored.names, best, strict=True)
        if row.sum() == 1  # equal best scores choose nothing, as they earn nothing in top-1
    }
    shape |= _single(truths, chosen)
    if _are_probabilities(scored.table):
        shape["calibration"] = _calibration(scored.table, truth)
    return shape


def _multiple(wanted: Mapping[str, Sequence[str]], scored: _Scores, met: Met) -> dict[str, Any]:
    """Mean average precision of several labels a video; what is missing ranks behind all."""
    names = [*scored.names, *met.missing]
    flags = np.array([[c in wanted[name] for c in scored.classes] for name in names], dtype=bool)
    least = np.full((len(met.missing), len(scored.classes)), -np.inf)
    figures = precision_figures(flags, np.concatenate([scored.table, least]))
    by_class = {
        name: {"average_precision": None if np.isnan(value) else value, "support": int(support)}
        for name, value, support in zip(
            scored.classes, figures.classes, flags.sum(axis=0), strict=True
        )
    }
    return {**figures.to_dict(), "by_class": by_class}


def _are_probabilities(table: Floats) -> bool:
    return bool((table >= 0).all() and np.allclose(table.sum(axis=1), 1, atol=1e-3))


def _calibration(table: Floats, truth: npt.NDArray[np.int64]) -> dict[str, Any]:
    stated, right = confidences(table, truth)
    return {
        "ECE": expected_calibration_error(stated, right, BINS),
        "adaptive_ECE": adaptive_calibration_error(stated, right, BINS),
        "MCE": maximum_calibration_error(stated, right, BINS),
        "Brier": multi_class_brier_score(table, truth),
        "NLL": negative_log_likelihood(table, truth),
        "curve": [one.to_dict() for one in reliability_curve(stated, right, BINS)],
    }
