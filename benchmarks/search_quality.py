"""How well the default encoder finds real clips, and how honest its ``match`` is.

    python -m benchmarks.search_quality [--media ../shared/media] [--library DIR] [--json FILE]
    python -m benchmarks.search_quality --fit

The labelled clips are indexed and searched by ``Library`` (``--library`` keeps the index), by
what is seen alone: the clips' subtitles are left out. Retrieval: for each query the rank of its
clip among all, by ``Library.search(group="video")``; beside it plain ConSE (Norouzi et al., 2014:
ten label embeddings, the mean over the frames) from the same stored concepts, and chance.
Intervals: bootstrap over clips, 95 %.
Absent queries: random halves of the clips are taken as libraries and every query is asked, also
those of the other half; their ``match`` comes from ``Calibrator`` on the scores that search gave,
as a rank score does not depend on the other videos. Its two parameters are fitted anew without
the clips whose queries are judged (five folds, several times). A label names one clip: where
another shows the same thing, a good answer counts as wrong, so all figures lean low.
Moments: overlap of the best moment in the right clip with the labelled one.
``--fit`` prints the parameters from all clips, for ``scenewise.index.calibration``.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from scenewise.encoders.concept_space import CONVEX_CONCEPTS, VISUAL_DIMENSION
from scenewise.encoders.load import load_encoder
from scenewise.encoders.spec import Concepts, Encoder, FloatArray
from scenewise.encoders.vectors import unit
from scenewise.encoders.vocabulary import load_vocabulary
from scenewise.index.calibration import FOUND_FROM, OFFSET, SLOPE, Calibrator, standing
from scenewise.index.catalog import Catalog
from scenewise.library import Library
from scenewise.metrics.reliability import auroc, brier_score, expected_calibration_error
from scenewise.metrics.retrieval import bootstrap_interval, median_rank, ranks_of, recall_at

PRESENT = 0.6  # share of queries, when fitting, whose clip is in the library
FOLDS, ROUNDS, HALVES = 5, 4, 20
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Figures = dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """What is labelled: clips, queries with the clip they are about, moments in clips."""

    files: list[Path]
    queries: list[str]
    clips: Ints  # (Q,) number of each query's clip
    moments: list[tuple[int, float, float, str]]  # clip, start, end, query

    @classmethod
    def read(cls, media: Path) -> Truth:
        with (media / "videos.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["role"] == "eval"]
        queries, clips, moments = [], [], []
        for number, row in enumerate(rows):
            for query in filter(None, map(str.strip, row["queries"].split("|"))):
                queries.append(query)
                clips.append(number)
            for moment in filter(None, map(str.strip, row["moments"].split(";"))):
                span, query = moment.split(":", 1)
                start, end = map(float, span.split("-"))
                moments.append((number, start, end, query.strip()))
        return cls([media / row["file"] for row in rows], queries, np.array(clips), moments)


@dataclass(frozen=True)
class Searched:
    """What search said: rank score of each clip for each query, and its first ``match``."""

    scores: Floats  # (Q, V)
    first_match: Floats  # (Q,)


def search_all(library: Library, truth: Truth) -> Searched:
    place = {path.resolve(): number for number, path in enumerate(truth.files)}
    scores = np.full((len(truth.queries), len(truth.files)), -np.inf)
    first = np.zeros(len(truth.queries))
    for number, query in enumerate(truth.queries):
        hits = library.search(
            query, group="video", top_k=len(truth.files), modalities=("visual",)
        ).hits
        for hit in hits:
            scores[number, place[Path(hit.path).resolve()]] = hit.score
        first[number] = hits[0].match
    if not np.isfinite(scores).all():
        raise SystemExit("search did not return every clip: are all of them indexed?")
    return Searched(scores, first)


def stored_concepts(directory: Path, truth: Truth) -> list[Concepts]:
    """The concepts that the library keeps of each clip, in the order of the labels."""
    place = {path.resolve(): number for number, path in enumerate(truth.files)}
    found: dict[int, Concepts] = {}
    with Catalog.open(directory) as catalog:
        generation = catalog.active()
        assert generation is not None
        ids = catalog.chunk_rows(generation.id).ids.tolist()
        for chunk_id, chunk in catalog.chunks(ids).items():
            concepts = catalog.features(chunk_id).concepts
            assert concepts is not None
            found[place[Path(chunk.path).resolve()]] = concepts
    return [found[number] for number in range(len(truth.files))]


def plain_conse(encoder: Encoder, concepts: list[Concepts], queries: list[str]) -> Floats:
    """Scores (Q, V) of the published method, on label names alone."""
    labels = _sentences(encoder, [concept.label for concept in load_vocabulary()])
    films = []
    for film in concepts:
        values = film.values[:, :CONVEX_CONCEPTS].astype(np.float32)
        convex = np.einsum("nk,nkd->nd", values, labels[film.indices[:, :CONVEX_CONCEPTS]])
        films.append(unit(unit(convex).mean(axis=0)))
    return np.asarray(_sentences(encoder, queries) @ np.stack(films).T, dtype=np.float64)


def _sentences(encoder: Encoder, texts: list[str]) -> FloatArray:
    """The sentence model's own vectors: the first part of a query's."""
    rows = [encoder.encode_query(text).vector[:-VISUAL_DIMENSION] for text in texts]
    return unit(np.stack(rows))


class Standings:
    """How far the first hit of each query stands out in any library made of these clips."""

    def __init__(self, encoder: Encoder, truth: Truth, scores: Floats) -> None:
        calibrator = Calibrator(encoder)
        self._background = [
            calibrator.background_scores(encoder.encode_query(query)) for query in truth.queries
        ]
        self._scores = scores
        self._clips = truth.clips

    def of(self, numbers: Ints, library: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """z of the first hit, and whether it is right, for these queries in this library."""
        part = self._scores[np.ix_(numbers, library)]
        z = [
            float(standing(row.max(keepdims=True), row, self._background[number])[0])
            for number, row in zip(numbers, part, strict=True)
        ]
        return np.array(z), library[part.argmax(axis=1)] == self._clips[numbers]


def fit(
    standings: Standings, truth: Truth, clips: Ints, generator: np.random.Generator
) -> tuple[float, float]:
    """SLOPE and OFFSET from the queries of these clips, in libraries of some of these clips."""
    numbers = np.flatnonzero(np.isin(truth.clips, clips))
    z, right, weight = [], [], []
    for _ in range(12):
        size = int(np.exp(generator.uniform(np.log(len(clips) / 4), np.log(len(clips)))))
        library = generator.permutation(clips)[:size]
        here = np.isin(truth.clips[numbers], library)
        some_z, some_right = standings.of(numbers, library)
        z.append(some_z)
        right.append(some_right)
        share = here.mean()
        weight.append(np.where(here, PRESENT / share, (1 - PRESENT) / max(1 - share, 0.01)))
    return fit_logistic(np.concatenate(z), np.concatenate(right), np.concatenate(weight))


def fit_logistic(z: Floats, right: npt.NDArray[np.bool_], weight: Floats) -> tuple[float, float]:
    """Weighted logistic regression of one variable, by Newton's method."""
    design = np.stack([z, np.ones_like(z)], axis=1)
    answer = np.zeros(2)
    for _ in range(50):
        stated = 1 / (1 + np.exp(-design @ answer))
        slope = design.T @ (weight * (right - stated)) - 1e-3 * answer
        curve = (design.T * (weight * stated * (1 - stated))) @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        answer = answer + step
        if np.abs(step).max() < 1e-9:
            break
    return float(answer[0]), float(answer[1])


def judged_without_own_clips(
    standings: Standings, truth: Truth, seed: int
) -> Iterator[tuple[str, Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """(library, match, right, present) of queries whose clips did not help to fit."""
    generator = np.random.default_rng(seed)
    everything = np.arange(len(truth.files))
    for _ in range(ROUNDS):
        fold_of = generator.permutation(len(truth.files)) % FOLDS
        for fold in range(FOLDS):
            slope, offset = fit(standings, truth, np.flatnonzero(fold_of != fold), generator)
            numbers = np.flatnonzero(fold_of[truth.clips] == fold)
            halves = [
                generator.permutation(everything)[: len(everything) // 2]
                for _ in range(HALVES // ROUNDS)
            ]
            for name, library in [("all", everything), *(("half", half) for half in halves)]:
                z, right = standings.of(numbers, library)
                match = 1 / (1 + np.exp(-(slope * z + offset)))
                yield name, match, right, np.isin(truth.clips[numbers], library)


def retrieval_figures(scores: Floats, truth: Truth) -> Figures:
    ranks = ranks_of(scores, truth.clips)
    figures: Figures = {"median_rank": median_rank(ranks)}
    for k in (1, 5, 10):
        low, high = bootstrap_interval(
            lambda drawn, k=k: recall_at(drawn, k),  # type: ignore[misc]  # mypy: default args
            ranks,
            truth.clips,
        )
        figures[f"R@{k}"] = recall_at(ranks, k)
        figures[f"R@{k}_interval"] = [low, high]
    return figures


def reliability_figures(standings: Standings, truth: Truth) -> Figures:
    """AUROC within each half with the parameters in use; errors leave-clips-out."""
    generator = np.random.default_rng(1)
    everything, queries = np.arange(len(truth.files)), np.arange(len(truth.queries))
    present_auroc, right_auroc, verdicts = [], [], []
    for _ in range(HALVES):
        half = generator.permutation(everything)[: len(everything) // 2]
        z, right = standings.of(queries, half)
        present = np.isin(truth.clips, half)
        present_auroc.append(auroc(z, present))
        right_auroc.append(auroc(z, right))
        found = 1 / (1 + np.exp(-(SLOPE * z + OFFSET))) >= FOUND_FROM
        verdicts.append([found[right].mean(), found[present].mean(), found[~present].mean()])
    figures: Figures = {
        "auroc_present": float(np.mean(present_auroc)),
        "auroc_present_deviation": float(np.std(present_auroc)),
        "auroc_right": float(np.mean(right_auroc)),
        "found_when_right_present_absent": np.mean(verdicts, axis=0).tolist(),
    }
    judged = list(judged_without_own_clips(standings, truth, seed=2))
    for name in ("half", "all"):
        match = np.concatenate([one[1] for one in judged if one[0] == name])
        right = np.concatenate([one[2] for one in judged if one[0] == name])
        figures[f"ece_{name}"] = expected_calibration_error(match, right)
        figures[f"brier_{name}"] = brier_score(match, right)
        figures[f"mean_match_{name}"] = float(match.mean())
        figures[f"first_right_{name}"] = float(right.mean())
    return figures


def within_query_auroc(scores: Floats, truth: Truth) -> float:
    """What the best score alone can tell: halves with the clip against halves without, query by
    query, as if each query's own scale were known."""
    generator = np.random.default_rng(3)
    areas = []
    for number, clip in enumerate(truth.clips):
        others = np.delete(np.arange(len(truth.files)), clip)
        half = len(truth.files) // 2
        draws = [generator.permutation(others)[:half] for _ in range(2 * HALVES)]
        best = [
            scores[number, np.append(draw[1:], clip) if place % 2 else draw].max()
            for place, draw in enumerate(draws)
        ]
        areas.append(auroc(np.array(best), np.arange(len(draws)) % 2 == 1))
    return float(np.mean(areas))


def moment_figures(library: Library, truth: Truth) -> Figures:
    """Overlap (intersection over union) of the best moment in the right clip."""
    overlaps, centred = [], []
    for clip, start, end, query in truth.moments:
        hit = library.search(
            query, video=str(truth.files[clip]), top_k=1, modalities=("visual",)
        ).hits[0]
        shared = max(0.0, min(end, hit.end) - max(start, hit.start))
        overlaps.append(shared / (max(end, hit.end) - min(start, hit.start)))
        centred.append(start <= hit.thumbnail_time < end)
    return {
        "moments": len(overlaps),
        "mean_iou": float(np.mean(overlaps)),
        "iou_half": float(np.mean(np.array(overlaps) >= 0.5)),
        "peak_inside": float(np.mean(centred)),
    }


def print_tables(figures: Figures) -> None:
    print(f"{figures['machine']}\n{figures['clips']} clips, {figures['queries']} queries\n")
    print("| method | R@1 | R@5 | R@10 | median rank |\n|---|---|---|---|---|")
    for name in ("search", "plain ConSE"):
        row = figures[name]
        cells = [
            "{:.3f} ({:.2f} to {:.2f})".format(row[f"R@{k}"], *row[f"R@{k}_interval"])
            for k in (1, 5, 10)
        ]
        print(f"| {name} | {' | '.join(cells)} | {row['median_rank']:.0f} |")
    size = figures["clips"]
    print(
        f"| chance | {1 / size:.3f} | {5 / size:.3f} | {10 / size:.3f} | {(size + 1) / 2:.0f} |\n"
    )
    print("| what | figure |\n|---|---|")
    reliability = figures["reliability"]
    right, present, absent = reliability["found_when_right_present_absent"]
    rows = {
        "AUROC of the first match, present against absent (halves)": (
            f"{reliability['auroc_present']:.3f} ± {reliability['auroc_present_deviation']:.3f}"
        ),
        "the same if each query's own scale were known": (f"{figures['auroc_within_query']:.3f}"),
        "AUROC of the first match, right against wrong (halves)": (
            f"{reliability['auroc_right']:.3f}"
        ),
        "calibration error of the first hit, halves (leave-clips-out)": (
            f"{reliability['ece_half']:.3f}"
        ),
        "calibration error of the first hit, all clips (leave-clips-out)": (
            f"{reliability['ece_all']:.3f}"
        ),
        "verdict found: first hit right / query present / absent (halves)": (
            f"{right:.2f} / {present:.2f} / {absent:.2f}"
        ),
        "moments: mean IoU / IoU ≥ 0.5 / peak inside": (
            "{mean_iou:.2f} / {iou_half:.2f} / {peak_inside:.2f}".format(**figures["moments"])
        ),
        "search's own match differs from the one judged here by at most": (
            f"{figures['match_difference']:.4f}"
        ),
    }
    for what, figure in rows.items():
        print(f"| {what} | {figure} |")


def measure(library: Library, directory: Path, truth: Truth) -> Figures:
    searched = search_all(library, truth)
    encoder = load_encoder("concept")
    try:
        conse = plain_conse(encoder, stored_concepts(directory, truth), truth.queries)
        standings = Standings(encoder, truth, searched.scores)
        z, _ = standings.of(np.arange(len(truth.queries)), np.arange(len(truth.files)))
        own = 1 / (1 + np.exp(-(SLOPE * z + OFFSET)))
        return {
            "machine": describe_machine(),
            "clips": len(truth.files),
            "queries": len(truth.queries),
            "search": retrieval_figures(searched.scores, truth),
            "plain ConSE": retrieval_figures(conse, truth),
            "reliability": reliability_figures(standings, truth),
            "auroc_within_query": within_query_auroc(searched.scores, truth),
            "moments": moment_figures(library, truth),
            "match_difference": float(np.abs(own - searched.first_match).max()),
        }
    finally:
        encoder.close()


def print_fit(library: Library, truth: Truth) -> None:
    searched = search_all(library, truth)
    encoder = load_encoder("concept")
    generator = np.random.default_rng(0)
    everything = np.arange(len(truth.files))
    try:
        standings = Standings(encoder, truth, searched.scores)
        fits = np.array([fit(standings, truth, everything, generator) for _ in range(10)])
        folds = generator.permutation(len(everything)) % FOLDS
        without = np.array(
            [fit(standings, truth, everything[folds != fold], generator) for fold in range(FOLDS)]
        )
    finally:
        encoder.close()
    for number, name in enumerate(("SLOPE", "OFFSET")):
        low, high = without[:, number].min(), without[:, number].max()
        print(f"{name} = {fits[:, number].mean():.2f}  # {low:.2f} to {high:.2f} over the folds")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("--library", type=Path, help="keep the index here, and reuse it")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--fit", action="store_true", help="print the calibrator's parameters")
    options = parser.parse_args()
    truth = Truth.read(options.media)
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.library or Path(scratch)
        with Library.open(directory, encoder="concept") as library:
            report = library.index([options.media / "eval"])
            if report.failed:
                raise SystemExit(f"clips failed: {report.failed}")
            if options.fit:
                print_fit(library, truth)
                return
            figures = measure(library, directory, truth)
    print_tables(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
