"""Retrieval from files: a matrix of similarities, or ranked lists of ids.

It knows shapes of files; the formulas are those of ``scenewise.metrics.retrieval``.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.errors import DataError, UsageError, first_line
from scenewise.metrics.evaluation.files import (
    list_of,
    one_each,
    read_document,
    read_entries,
    text_of,
)
from scenewise.metrics.evaluation.result import Evaluation, Met, meet, named
from scenewise.metrics.retrieval import dual_softmax, rank_figures, retrieval_figures

IDS = ("text_id", "id", "caption_id", "query_id", "qid", "sentence_id")
VIDEOS = ("video_id", "video", "text")
MATRIX_ENDINGS = (".npy", ".npz")
DIRECTIONS = ("text_to_video", "video_to_text")

Matrix = npt.NDArray[np.floating]


def evaluate_retrieval(
    predictions: Path, references: Path | None, *, allow_missing: bool, dual: bool = False
) -> Evaluation:
    """Recall and ranks of both directions, where the predictions have both.

    A matrix has a row for each text and a column for each video. Without references text i
    belongs to video i.
    """
    if predictions.suffix.lower() in MATRIX_ENDINGS:
        return _of_matrix(predictions, references, dual=dual)
    if dual:
        raise UsageError("--dual-softmax needs similarities; give a matrix as .npy or .npz.")
    if references is None:
        raise UsageError("ranked lists need --references that say which video a text belongs to.")
    return _of_lists(predictions, references, allow_missing=allow_missing)


def _of_matrix(path: Path, references: Path | None, *, dual: bool) -> Evaluation:
    similarity, texts, videos = read_similarity(path)
    groups, met = _groups(similarity, references, texts, videos)
    try:
        told = retrieval_figures(similarity, groups)
        figures = told.to_dict()
        if dual:
            scores = dual_softmax(similarity)
            figures["dual_softmax"] = retrieval_figures(similarity, groups, dual=scores).to_dict()
    except ValueError as error:
        raise DataError(f"{path}: {error}.") from None
    notes = []
    if dual:
        notes.append("dual softmax looks at all queries of the set at once: another setting")
    if dual and (similarity < 0).any():
        notes.append("some similarities are below 0, where the prior of dual softmax turns round")
    return Evaluation("retrieval", len(similarity), figures, met, tuple(notes))


def read_similarity(path: Path) -> tuple[Matrix, list[str] | None, list[str] | None]:
    """A matrix (texts, videos) and the ids of both, where the file names them.

    ``.npz`` holds ``similarity``, and may hold ``text_ids`` and ``video_ids``. Raises DataError.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = (
            dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {"similarity": loaded}
        )
    except OSError as error:
        said = error.strerror or "it is no array of NumPy"
        raise DataError(f"{path} cannot be read: {said}.") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no array of numbers: {first_line(error)}.") from None
    if "similarity" not in arrays:
        raise DataError(f"{path} holds {named(arrays)}; an array similarity is needed.")
    similarity = arrays["similarity"]
    if similarity.dtype.kind not in "fiu" or similarity.ndim != 2 or not similarity.size:
        raise DataError(
            f"{path}: a matrix of numbers (texts, videos) is needed, got {similarity.dtype} of "
            f"the shape {similarity.shape}."
        )
    if not np.isfinite(similarity).all():
        raise DataError(f"{path} holds values that are not finite numbers.")
    ids: list[list[str] | None] = []
    for name, length in zip(("text_ids", "video_ids"), similarity.shape, strict=True):
        those = [str(one) for one in arrays[name].tolist()] if name in arrays else None
        if those is not None and (len(those) != length or len(set(those)) < length):
            raise DataError(f"{path}: {name} must be {length} different ids.")
        ids.append(those)
    texts, videos = ids
    return np.asarray(similarity, np.result_type(similarity.dtype, np.float32)), texts, videos


def _groups(
    similarity: Matrix,
    references: Path | None,
    texts: list[str] | None,
    videos: list[str] | None,
) -> tuple[npt.NDArray[np.int64], Met]:
    """The column of each row, and whether the references fit."""
    rows, columns = similarity.shape
    nothing = Met((), ())
    if references is None:
        if rows != columns:
            raise UsageError(
                f"the matrix has {rows} texts and {columns} videos; say by --references which "
                "video a text belongs to."
            )
        return np.arange(rows), nothing
    document = read_document(references)
    if isinstance(document, list) and not any(isinstance(one, dict) for one in document):
        return _columns(references, document, videos, similarity.shape), nothing
    if texts is None or videos is None:
        raise DataError(
            f"{references} names ids, and the matrix has none; save it as .npz with text_ids and "
            "video_ids, or give a list with a column's number for each row."
        )
    wanted = _belonging(references)
    met = meet(wanted, texts, allow_missing=False)
    if met.superfluous:
        raise DataError(
            f"{len(met.superfluous)} rows of the matrix are not in {references}: "
            f"{named(met.superfluous)}; each row needs its video."
        )
    return _columns(references, [wanted[name] for name in texts], videos, similarity.shape), met


def _columns(
    path: Path, values: Sequence[Any], videos: list[str] | None, shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    rows, columns = shape
    if len(values) != rows:
        raise DataError(f"{path} has {len(values)} entries for {rows} rows of the matrix.")
    if videos is not None and not all(type(value) is int for value in values):
        place = {name: number for number, name in enumerate(videos)}
        lost = [str(value) for value in values if str(value) not in place]
        if lost:
            raise DataError(f"{path}: no column of the matrix is {named(lost)}.")
        return np.array([place[str(value)] for value in values])
    if not all(type(value) is int and 0 <= value < columns for value in values):
        raise DataError(f"{path}: each row needs a column's number from 0 to {columns - 1}.")
    return np.array(values)


def _belonging(path: Path) -> dict[str, str]:
    """The video of each text."""
    found = {}
    for name, entry in one_each(read_entries(path, IDS, VIDEOS)).items():
        if entry.value is None or isinstance(entry.value, dict | list):
            raise DataError(f"{entry.where} does not say its video; name it video_id.")
        found[name] = text_of(entry.value, entry.where, "the video")
    return found


def _of_lists(predictions: Path, references: Path, *, allow_missing: bool) -> Evaluation:
    """Ranks from lists of ids, best first; a list that ends too early did not find it."""
    belonging = _belonging(references)
    document = read_document(predictions)
    if not document:
        raise DataError(f"{predictions} holds nothing; give a ranked list for each text.")
    both = isinstance(document, dict) and set(document) <= set(DIRECTIONS)
    lists = document if both else {"text_to_video": document}
    figures: dict[str, Any] = {}
    notes: list[str] = []
    missing: list[str] = []
    superfluous: list[str] = []
    count = 0
    for direction in DIRECTIONS:
        if direction not in lists:
            continue
        wanted = _wanted(belonging, direction)
        ranked = _ranked(predictions, lists[direction], direction)
        met = meet(wanted, ranked, allow_missing=allow_missing)
        missing += met.missing
        superfluous += met.superfluous
        ranks = [_rank(ranked.get(name, []), right) for name, right in wanted.items()]
        figures[direction] = rank_figures(np.array(ranks)).to_dict()
        count = max(count, len(wanted))
        lost = sum(math.isinf(rank) for rank in ranks)
        if lost:
            notes.append(
                f"{direction}: {lost} lists end without what is right: not found, so there is no "
                "mean rank"
            )
    return Evaluation(
        "retrieval", count, figures, Met(tuple(missing), tuple(superfluous)), tuple(notes)
    )


def _wanted(belonging: Mapping[str, str], direction: str) -> dict[str, set[str]]:
    if direction == "text_to_video":
        return {text: {video} for text, video in belonging.items()}
    found: dict[str, set[str]] = {}
    for text, video in belonging.items():
        found.setdefault(video, set()).add(text)
    return found


def _ranked(path: Path, lists: Any, direction: str) -> dict[str, list[str]]:
    if not isinstance(lists, dict):
        raise DataError(f"{path}: a mapping of ids to ranked lists of ids is needed.")
    found = {}
    for name, values in lists.items():
        where = f"{path}, {direction} {name!r}"
        ids = [text_of(value, where, "an id") for value in list_of(values, where, "a ranking")]
        if len(set(ids)) < len(ids):
            raise DataError(f"{where}: an id stands there twice.")
        found[name] = ids
    return found


def _rank(ids: Sequence[str], right: set[str]) -> float:
    return next((float(place) for place, name in enumerate(ids, 1) if name in right), math.inf)
