"""How often ``classify`` puts the right label first, zero-shot, on real clips.

    python -m benchmarks.classify_quality [--media ../shared/media] [--library DIR] [--json FILE]

Two label lists are made by rule, without any choice by hand. "first query": the first query of
each labelled clip is its label; a label that several clips would have is kept once and is right for
all of them. So there are about as many labels as clips, and each clip is asked for one of all.
"every query": all queries of all clips, general ones and particular ones; each of a clip's own is
right, and the best placed one counts.
Beside ``Library.classify``: the same with the labels' raw scores (no standardising), with raw
cosines of the dense vectors, with the template that CLIP takes, and chance. Top-1 and top-5 with
bootstrap intervals over clips, 95 %; and how honest the first label's probability is. A label
names what one person wrote first of a clip: where another label fits too, a good answer counts as
wrong, so all figures lean low.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from scenewise.encoders.load import load_encoder
from scenewise.library import Library
from scenewise.metrics.reliability import brier_score, expected_calibration_error
from scenewise.metrics.retrieval import bootstrap_interval, ranks_of, recall_at
from scenewise.tasks.classify import CLIP_TEMPLATE
from scenewise.tasks.ranking import rank_video
from scenewise.types import Failure

Floats = npt.NDArray[np.float64]
Right = npt.NDArray[np.bool_]


def read_labels(media: Path, *, every: bool = False) -> tuple[list[Path], list[str], Right]:
    """Clips, the distinct labels, and which are right for which clip (clips, labels)."""
    files, labels, own = [], list[str](), []
    with (media / "videos.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            queries = [" ".join(query.split()) for query in row["queries"].split("|")]
            queries = [query for query in queries if query]
            if row["role"] != "eval" or not queries:
                continue
            files.append(media / row["file"])
            own.append(queries if every else queries[:1])
            labels += [query for query in dict.fromkeys(own[-1]) if query not in labels]
    right = np.zeros((len(files), len(labels)), dtype=bool)
    for number, queries in enumerate(own):
        right[number, [labels.index(query) for query in queries]] = True
    return files, labels, right


def classified(
    library: Library, files: list[Path], labels: list[str], template: str | None = None
) -> Floats:
    """Probabilities (clips, labels), as users get them."""
    place = {label: number for number, label in enumerate(labels)}
    rows = np.zeros((len(files), len(labels)))
    answers = library.classify_many(files, labels=labels, top_k=len(labels), template=template)
    for number, answer in enumerate(answers):
        if isinstance(answer, Failure):
            raise SystemExit(f"{answer.path}: {answer.reason}")
        for label in answer.labels:
            rows[number, place[label.name]] = label.probability
    return rows


def raw_scores(library: Library, files: list[Path], labels: list[str]) -> tuple[Floats, Floats]:
    """The encoder's own scores, pooled as in search, and mean cosines: (clips, labels) each."""
    encoder = load_encoder("concept")
    try:
        queries = [encoder.encode_query(label) for label in labels]
        pooled, cosines = np.zeros((2, len(files), len(labels)))
        for number, path in enumerate(files):
            features = library._footage(path).footage.features
            for place, query in enumerate(queries):
                scores = encoder.score(query, features)
                pooled[number, place] = rank_video(scores, float(scores.mean()))
                cosines[number, place] = float((features.vectors @ query.vector).mean())
    finally:
        encoder.close()
    return pooled, cosines


def figures_of(scores: Floats, right: Right) -> dict[str, Any]:
    best = np.where(right, scores, -np.inf).argmax(axis=1)
    ranks = ranks_of(scores, best)
    found: dict[str, Any] = {}
    for k in (1, 5):
        found[f"top{k}"] = recall_at(ranks, k)
        found[f"top{k}_interval"] = bootstrap_interval(
            lambda drawn, k=k: recall_at(drawn, k),  # type: ignore[misc]  # mypy: default args
            ranks,
            np.arange(len(ranks)),
        )
    return found


def measure(library: Library, media: Path, *, every: bool) -> dict[str, Any]:
    files, labels, right = read_labels(media, every=every)
    probabilities = classified(library, files, labels)
    pooled, cosines = raw_scores(library, files, labels)
    first = probabilities.max(axis=1)
    hit = right[np.arange(len(files)), probabilities.argmax(axis=1)]
    chance = right.sum(axis=1).mean() / len(labels)
    return {
        "clips": len(files),
        "labels": len(labels),
        "chance_top1": float(chance),
        "methods": {
            "classify": figures_of(probabilities, right),
            f'the same, asked for "{CLIP_TEMPLATE.format("…")}"': figures_of(
                classified(library, files, labels, CLIP_TEMPLATE), right
            ),
            "raw scores, not standardised": figures_of(pooled, right),
            "raw cosines of the dense vectors": figures_of(cosines, right),
        },
        "reliability": {
            "calibration_error": expected_calibration_error(first, hit),
            "brier": brier_score(first, hit),
            "mean_probability": float(first.mean()),
            "right": float(hit.mean()),
        },
    }


def print_table(name: str, figures: dict[str, Any]) -> None:
    print(f"\n{name}: {figures['clips']} clips, {figures['labels']} labels\n")
    print("| method | top-1 | top-5 |\n|---|---|---|")
    for method, row in figures["methods"].items():
        cells = [
            "{:.3f} ({:.2f} to {:.2f})".format(row[f"top{k}"], *row[f"top{k}_interval"])
            for k in (1, 5)
        ]
        print(f"| {method} | {' | '.join(cells)} |")
    chance = figures["chance_top1"]
    print(f"| chance | {chance:.3f} | about {min(1, 5 * chance):.3f} |\n")
    reliability = figures["reliability"]
    print(
        "first label: calibration error {calibration_error:.3f}, Brier {brier:.3f}, mean "
        "probability {mean_probability:.2f}, right {right:.2f}".format(**reliability)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("--library", type=Path, help="keep the index here, and reuse it")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as scratch,
        Library.open(options.library or Path(scratch), encoder="concept") as library,
    ):
        report = library.index([options.media / "eval"])
        if report.failed:
            raise SystemExit(f"clips failed: {report.failed}")
        figures = {
            "first query": measure(library, options.media, every=False),
            "every query": measure(library, options.media, every=True),
        }
    print(describe_machine())
    for name, part in figures.items():
        print_table(name, part)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
