"""How well ``locate`` finds moments: on the reference clips, and on generated footage.

    python -m benchmarks.locate_quality            # the reference clips, beside blind baselines
    python -m benchmarks.locate_quality --generated  # what its numbers were chosen on

The reference clips serve for measuring alone. Baselines see no query: the whole video, and the
constant span (as shares of the video's length) with the best mean IoU on all *other* clips.
Intervals are bootstrapped over clips, since moments of one clip are no independent samples.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.locate_films import labelled_footage
from benchmarks.machine import describe_machine
from benchmarks.search_data import SHARED
from scenewise.encoders.load import load_encoder
from scenewise.index.calibration import Calibrator
from scenewise.library import Library
from scenewise.metrics.localization import Span, first_ious, recall_at_iou, temporal_iou
from scenewise.metrics.retrieval import bootstrap_interval
from scenewise.tasks.locate import locate

GRID = 0.05  # of the constant spans that are tried
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Question:
    """A sentence about a video, and when it is true."""

    video: str
    duration: float
    sentence: str
    truth: Span


def questions() -> list[Question]:
    """The moments that the reference clips are labelled with."""
    found = []
    with (SHARED / "media" / "videos.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for moment in filter(None, row["moments"].split(";")):
                span, sentence = moment.strip().split(":", 1)
                start, end = (float(part) for part in span.split("-"))
                path = str(SHARED / "media" / row["file"])
                found.append(Question(path, float(row["seconds"]), sentence.strip(), (start, end)))
    return found


def constant_spans(asked: Sequence[Question]) -> list[Span]:
    """For each question the span that does best on the other clips, scaled to its video."""
    grid = [
        (float(a), float(b))
        for a in np.arange(0, 1, GRID)
        for b in np.arange(a + GRID, 1 + GRID / 2, GRID)
    ]
    table = np.array(
        [[temporal_iou((a * q.duration, b * q.duration), q.truth) for a, b in grid] for q in asked]
    )
    videos = np.array([q.video for q in asked])
    best = {video: grid[int(table[videos != video].mean(axis=0).argmax())] for video in set(videos)}
    return [(best[q.video][0] * q.duration, best[q.video][1] * q.duration) for q in asked]


def figures(videos: Sequence[str], ious: npt.NDArray[np.float64]) -> dict[str, object]:
    """R1@0.3, R1@0.5 and mean IoU, each with its interval."""
    kinds: dict[str, Callable[[npt.NDArray[np.floating]], float]] = {
        "R1@0.3": lambda values: recall_at_iou(np.asarray(values, np.float64), 0.3),
        "R1@0.5": lambda values: recall_at_iou(np.asarray(values, np.float64), 0.5),
        "mIoU": lambda values: float(values.mean()),
    }
    found: dict[str, object] = {}
    for name, kind in kinds.items():
        # over clips, since moments of one clip are no independent samples
        drawn = bootstrap_interval(kind, ious, _numbered(videos), samples=RESAMPLES)
        interval = [round(value, 3) for value in drawn]
        found[name] = {"value": round(kind(ious), 3), "interval": interval}
    return found


def _numbered(videos: Sequence[str]) -> npt.NDArray[np.intp]:
    """(N,) a number for each clip."""
    return np.unique(np.array(videos), return_inverse=True)[1]


def measure_clips(encoder: str | None) -> dict[str, object]:
    """On the reference clips."""
    asked = questions()
    videos = [q.video for q in asked]
    truth = [q.truth for q in asked]
    with (
        tempfile.TemporaryDirectory() as folder,
        Library.open(Path(folder) / "library", encoder=encoder) as library,
    ):
        predicted: list[Span | None] = []
        for question in asked:
            hits = library.locate(question.video, question.sentence, limit=1).hits
            predicted.append((hits[0].start, hits[0].end) if hits else None)
    return {
        "clips": len(set(videos)),
        "moments": len(asked),
        "locate": figures(videos, first_ious(predicted, truth)),
        "whole video": figures(videos, first_ious([(0.0, q.duration) for q in asked], truth)),
        "constant span": figures(videos, first_ious(constant_spans(asked), truth)),
    }


def measure_generated(films: int, seed: int) -> dict[str, object]:
    """On generated footage, kind by kind."""
    encoder = load_encoder("concept")
    calibrator = Calibrator(encoder)
    by_kind: dict[str, list[tuple[str, float]]] = {}
    for film in labelled_footage(encoder, films, seed):
        for words, truth in film.moments:
            hit = locate(film.footage, encoder, calibrator, words, limit=1).hits[0]
            iou = temporal_iou((hit.start, hit.end), (truth.start, truth.end))
            by_kind.setdefault(film.kind, []).append((film.footage.path, iou))
    encoder.close()
    return {
        kind: figures([video for video, _ in rows], np.array([iou for _, iou in rows]))
        | {"moments": len(rows)}
        for kind, rows in by_kind.items()
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generated", action="store_true", help="generated footage instead")
    parser.add_argument("--films", type=int, default=15, help="generated films of each kind")
    parser.add_argument("--seed", type=int, default=2, help="of the generated films")
    parser.add_argument("--encoder", help="another encoder than the default")
    options = parser.parse_args()
    found = (
        measure_generated(options.films, options.seed)
        if options.generated
        else measure_clips(options.encoder)
    )
    print(json.dumps({"machine": describe_machine(), **found}, indent=2))


if __name__ == "__main__":
    main()
