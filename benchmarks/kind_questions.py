"""How well questions for a kind of things ("an animal", "food") are answered on real clips.

    python -m benchmarks.kind_questions [--media ../shared/media] [--library DIR]

Which clips show which kind follows from their labels by a written rule: a regular expression per
kind (``KINDS``), matched against the clip's queries and its column ``visible``. So a clip that
shows a thing which nobody wrote down counts as wrong, and the figures lean low. Searched is what
is seen alone. Mean average precision over the kinds that occur, the share of those whose first
clip is right, and how often the verdict is "found" when the first clip is right and when not, in
the whole set and in halves of it drawn at random.
"""

from __future__ import annotations

import argparse
import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from scenewise.library import Library
from scenewise.metrics.reliability import auroc, brier_score

HALVES = 12
_MAMMALS = r"\bbears?\b|orangutan|\bape\b|\bdogs?\b|\bcats?\b|\bwolf|rabbit|bunny|\bdeer|camel"
_BIRDS = r"seagull|\bbirds?\b"
_CARS = r"\bcars?\b|jeep|motorway|highway|freeway|traffic"
KINDS = {
    "an animal": f"{_MAMMALS}|{_BIRDS}|turtle",
    "a mammal": _MAMMALS,
    "a pet": r"\bdogs?\b|\bcats?\b|rabbit|bunny",
    "a bird": _BIRDS,
    "a fish": r"\bfish",
    "an insect": r"insect|butterfl|\bbees?\b",
    "a reptile": r"turtle|lizard|snake",
    "a snake": "snake",
    "a monkey": r"orangutan|\bape\b|monkey",
    "a dog": r"\bdogs?\b|wolf|canine",
    "a bear": r"\bbears?\b",
    "a vehicle": rf"{_CARS}|truck|plane\b|bicycle|bikes",
    "a car": _CARS,
    "a boat": r"\bboat|\bship\b",
    "an aircraft": r"plane\b",
    "food": r"pepper|vegetable|pancake|watermelon|fruit|\bfood|cook",
    "a drink": "coffee|drinking|bottle",
    "a vegetable": "pepper|vegetable",
    "a fruit": "watermelon|fruit",
    "a building": "street|building|house",
    "furniture": r"\btable|\bbed|chair|sofa|desk",
    "a musical instrument": "drum|guitar|piano",
    "sports": "basketball|soccer|skiing|snowboard|surf|football|exercis|yoga|push-up|jogging|"
    "running along|aerobics|workout",
    "a toy": "toy|figurine|lego|blocks",
    "a flower": "flower",
    "a plant": "flower|plant|tree|forest|grass|leaf",
    "nature": "forest|mountain|lake|meadow|nature|reef|snow",
    "a weapon": r"\bgun|weapon|sword|rifle",
    "clothing": r"shirt|suit\b|hoodie|jacket|\bvest\b|\bhat\b",
    "a computer": "computer|laptop|slides",
    "a person": r"person|m[ae]n\b|wom[ae]n|people|boy|girl|kid|child|hands?\b|baby|technician|"
    "crowd|toddler",
}
_POSES = "downward facing dog"  # no dog
Truths = npt.NDArray[np.bool_]


def labels(rows: list[dict[str, str]]) -> dict[str, Truths]:
    """For each kind, which clips show it."""
    texts = [f"{row['queries']} | {row['visible']}".lower().replace(_POSES, "") for row in rows]
    return {
        kind: np.array([re.search(rule, text) is not None for text in texts])
        for kind, rule in KINDS.items()
    }


def average_precision(ranked: Truths) -> float:
    """Of clips in ranked order, whether each is right; at least one is."""
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].mean())


def measure(library: Library, files: list[Path], truth: dict[str, Truths]) -> None:
    """Ask every kind of all clips and of halves, and print what came of it."""
    place = {str(path.resolve()): number for number, path in enumerate(files)}
    draw = np.random.default_rng(0)
    precisions, firsts = [], []
    match, right = [], []
    for kind, shown in truth.items():
        hits = library.search(kind, group="video", top_k=len(files), modalities=["visual"]).hits
        ranked = shown[[place[hit.path] for hit in hits]]
        if shown.any():
            precisions.append(average_precision(ranked))
            firsts.append(bool(ranked[0]))
        for _ in range(HALVES):
            half = draw.permutation(len(files))[: len(files) // 2]
            names = [str(files[number]) for number in half]
            (hit,) = library.search(
                kind, group="video", top_k=1, modalities=["visual"], video=names
            ).hits
            match.append(hit.match)
            right.append(bool(shown[place[hit.path]]))
    stated, correct = np.array(match), np.array(right)
    found = stated >= 0.25
    print("| what | figure |\n|---|---|")
    print(f"| kinds that occur / all | {len(precisions)} / {len(truth)} |")
    print(f"| mean average precision | {np.mean(precisions):.3f} |")
    print(f"| first clip right, where the kind occurs | {np.mean(firsts):.2f} |")
    print(f"| first match, right against wrong (halves): AUROC | {auroc(stated, correct):.3f} |")
    print(f"| the same: Brier score | {brier_score(stated, correct):.3f} |")
    print(
        "| verdict found: first clip right / wrong (halves) | "
        f"{found[correct].mean():.2f} / {found[~correct].mean():.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("--library", type=Path, help="keep the index here, and reuse it")
    options = parser.parse_args()
    with (options.media / "videos.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["role"] == "eval"]
    files = [(options.media / row["file"]).resolve() for row in rows]
    print(f"{describe_machine()}\n{len(files)} clips\n")
    with (
        tempfile.TemporaryDirectory() as scratch,
        Library.open(options.library or Path(scratch), encoder="concept") as library,
    ):
        report = library.index([options.media / "eval"])
        if report.failed:
            raise SystemExit(f"clips failed: {report.failed}")
        measure(library, files, labels(rows))


if __name__ == "__main__":
    main()
