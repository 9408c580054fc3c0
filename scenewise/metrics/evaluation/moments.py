"""Moments and highlights from files: QVHighlights' own, DiDeMo's, and plain ones.

It knows shapes of files; the formulas are those of ``scenewise.metrics``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenewise.errors import DataError
from scenewise.metrics.didemo import AGREEING, Pieces, piece_figures
from scenewise.metrics.evaluation.files import Entry, list_of, number, one_each, read_entries
from scenewise.metrics.evaluation.result import Evaluation, meet
from scenewise.metrics.highlights import HighlightQuery, highlight_figures
from scenewise.metrics.localization import Span
from scenewise.metrics.moments import LONGEST_LIST, MomentQuery, moment_figures
from scenewise.metrics.qvhighlights import qvhighlights_report

IDS = ("qid", "id", "query_id", "annotation_id")
PREDICTED = ("pred_relevant_windows", "windows", "spans", "times")
TRUE = ("relevant_windows", "windows", "spans", "times")
SCORES = ("pred_saliency_scores", "scores")
RATINGS = ("saliency_scores", "ratings")
CLIP_SECONDS = 2.0  # of QVHighlights
_OFFICIAL = "official percent"


def evaluate_moments(predictions: Path, references: Path, *, allow_missing: bool) -> Evaluation:
    """Ranked windows against the true ones of each query."""
    wanted = _grouped(read_entries(references, IDS, TRUE))
    given = _grouped(read_entries(predictions, IDS, PREDICTED))
    met = meet(wanted, given, allow_missing=allow_missing)
    if all("times" in those[0].fields for those in wanted.values()):
        marked = [_pieces(those, least=AGREEING) for those in wanted.values()]
        ranked = [_pieces(given.get(name, []), least=0) for name in wanted]
        figures: dict[str, Any] = piece_figures(ranked, marked).to_dict()
        return Evaluation("moments", len(wanted), figures, met)
    queries = []
    for name, those in wanted.items():
        true, _ = _windows(those, most=2)
        if not true:
            raise DataError(f"{those[0].where} has no true window; each query needs one.")
        spans, scores = _windows(given.get(name, []), most=3)
        queries.append(MomentQuery(tuple(true), tuple(spans), scores))
    told = moment_figures(queries)
    figures = told.to_dict()
    if all("relevant_windows" in those[0].fields for those in wanted.values()):
        figures[_OFFICIAL] = qvhighlights_report(told)["brief"]
    longer = sum(len(query.predicted) > LONGEST_LIST for query in queries)
    notes = (
        (f"{longer} queries have more than {LONGEST_LIST} windows: mAP looks at the first ten",)
        if longer
        else ()
    )
    return Evaluation("moments", len(wanted), figures, met, notes)


def evaluate_highlights(predictions: Path, references: Path, *, allow_missing: bool) -> Evaluation:
    """Scores of clips against the ratings of several people."""
    wanted = one_each(read_entries(references, IDS, RATINGS))
    given = one_each(read_entries(predictions, IDS, SCORES))
    met = meet(wanted, given, allow_missing=allow_missing)
    queries, other_length = [], 0
    for name, entry in wanted.items():
        ratings = _ratings(entry)
        scores = _scores(given[name]) if name in given else np.zeros(0)
        other_length += bool(len(scores)) and len(scores) != len(ratings)
        queries.append(HighlightQuery(ratings, scores))
    if len({query.ratings.shape[1] for query in queries}) > 1:
        raise DataError(f"{references}: not all clips were rated by as many people.")
    told = highlight_figures(queries)
    figures = told.to_dict()
    if all("relevant_clip_ids" in entry.fields for entry in wanted.values()):
        figures[_OFFICIAL] = qvhighlights_report(highlights=told)["brief"]
    notes = (
        (f"{other_length} queries have more or fewer scores than clips: cut, or filled with 0",)
        if other_length
        else ()
    )
    return Evaluation("highlights", len(wanted), figures, met, notes)


def _grouped(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Entries by id; rows of a table with ``start`` and ``end`` may be several of one query."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.id, []).append(entry)
    for those in found.values():
        if len(those) > 1 and not all({"start", "end"} <= set(one.fields) for one in those):
            one_each(those)  # raises
    return found


def _windows(entries: Sequence[Entry], *, most: int) -> tuple[list[Span], tuple[float, ...] | None]:
    """Spans in order, and their scores where every one has a third number."""
    rows: list[list[float]] = []
    for entry in entries:
        if entry.value is None and {"start", "end"} <= set(entry.fields):
            names = [n for n in ("start", "end", "score")[:most] if n in entry.fields]
            rows.append([number(entry.fields[n], entry.where, n) for n in names])
            continue
        if entry.value is None:
            raise DataError(f"{entry.where} has no windows; name them by {TRUE[0]} or windows.")
        for window in list_of(entry.value, entry.where, "the windows"):
            cells = list_of(window, entry.where, "a window")
            if not 2 <= len(cells) <= most:
                shape = "[start, end]" + (" or [start, end, score]" if most == 3 else "")
                raise DataError(f"{entry.where}: a window is {shape}, got {len(cells)} numbers.")
            rows.append([number(cell, entry.where, "a window's number") for cell in cells])
    if len({len(row) for row in rows}) > 1:
        raise DataError(f"{entries[0].where}: some windows have a score and some have none.")
    scores = tuple(row[2] for row in rows) if rows and len(rows[0]) == 3 else None
    return [(row[0], row[1]) for row in rows], scores


def _pieces(entries: Sequence[Entry], *, least: int) -> list[Pieces]:
    found: list[Pieces] = []
    for entry in entries:
        rows = list_of(entry.value, entry.where, "the moments")
        if len(rows) < least:
            raise DataError(f"{entry.where}: {least} people must have marked it, got {len(rows)}.")
        for row in rows:
            cells = list_of(row, entry.where, "a moment")
            whole = all(isinstance(c, int) and not isinstance(c, bool) and c >= 0 for c in cells)
            if len(cells) != 2 or not whole or cells[0] > cells[1]:
                raise DataError(
                    f"{entry.where}: a moment is [first piece, last piece] in whole pieces of "
                    f"five seconds, got {cells}."
                )
            found.append((cells[0], cells[1]))
    return found


def _scores(entry: Entry) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = list_of(entry.value, entry.where, "the clips' scores")
    return np.array([number(value, entry.where, "a clip's score") for value in values])


def _ratings(entry: Entry) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Ratings (C, people) of all clips; in QVHighlights some are rated, the rest is 0."""
    rows = [
        [
            number(cell, entry.where, "a rating")
            for cell in (row if isinstance(row, list) else [row])
        ]
        for row in list_of(entry.value, entry.where, "the ratings")
    ]
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise DataError(f"{entry.where}: each rated clip needs as many ratings as the others.")
    table = np.array(rows)
    if (table != np.floor(table)).any() or table.min() < 0 or table.max() > 4:
        raise DataError(f"{entry.where}: ratings are whole numbers from 0 to 4.")
    if "relevant_clip_ids" not in entry.fields:
        return table.astype(np.int64)
    clips = int(number(entry.fields.get("duration"), entry.where, "duration") / CLIP_SECONDS)
    places = list_of(entry.fields["relevant_clip_ids"], entry.where, "relevant_clip_ids")
    inside = all(type(place) is int and 0 <= place < clips for place in places)
    if len(places) != len(table) or not inside:
        raise DataError(
            f"{entry.where}: {len(table)} ratings need as many clip numbers from 0 to {clips - 1}."
        )
    whole = np.zeros((clips, table.shape[1]), dtype=np.int64)
    whole[places] = table
    return whole
