"""How well the default encoder answers questions about real clips, and how often it may not tell.

    python -m benchmarks.ask_quality [--media ../shared/media] [--library DIR] [--limit N]

Each labelled query of a clip becomes the question "Is there QUERY?", asked of its own clip (the
right answer is yes) and of one other, drawn at random (no; where another clip shows the same thing
a right yes counts as wrong). Answers are yes, perhaps (of a sentence with words that the encoder
lacks), cannot tell, or no. Multiple choice: "What is shown?" with the clip's own query and three of
other clips; beside it chance. Intervals: bootstrap over clips, 95 %.
``--library`` keeps the index; nothing is fitted here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.search_quality import Truth
from scenewise.library import Library
from scenewise.metrics.retrieval import bootstrap_interval
from scenewise.types import Answer

CHOICES = 4
VERDICTS = ("yes", "perhaps", "cannot tell", "no")


def verdict(answer: Answer) -> str:
    """Which of the four an answer to a yes-or-no question is."""
    if answer.text is None:
        return "cannot tell"
    if answer.text.startswith("No"):
        return "no"
    return "yes" if answer.text.startswith(("Yes", "Probably yes")) else "perhaps"


def measure(library: Library, truth: Truth, limit: int | None) -> dict[str, Any]:
    """All figures; ``limit`` takes the first so many queries."""
    random = np.random.default_rng(0)
    present: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    right, groups = [], []
    count = len(truth.queries) if limit is None else min(limit, len(truth.queries))
    for number in range(count):
        query, clip = truth.queries[number], int(truth.clips[number])
        others = np.flatnonzero(truth.clips != clip)
        asked = f"Is there {query}?"
        present[verdict(library.ask(asked, truth.files[clip]))] += 1
        other = int(truth.clips[random.choice(others)])
        absent[verdict(library.ask(asked, truth.files[other]))] += 1
        wrong = [truth.queries[place] for place in random.choice(others, CHOICES - 1, False)]
        if len({query, *wrong}) == CHOICES:
            chosen = library.ask("What is shown?", truth.files[clip], choices=[query, *wrong])
            right.append(chosen.text == query)
            groups.append(clip)
    low, high = bootstrap_interval(
        lambda values: float(np.mean(values)), np.array(right, float), np.array(groups)
    )
    return {
        "machine": describe_machine(),
        "queries": count,
        "present": {name: present[name] for name in VERDICTS},
        "absent": {name: absent[name] for name in VERDICTS},
        "choice": {
            "asked": len(right),
            "right": float(np.mean(right)),
            "interval": [low, high],
            "chance": 1 / CHOICES,
        },
    }


def main() -> None:
    """Index (where that is not done), ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("--library", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    truth = Truth.read(options.media)
    with (
        tempfile.TemporaryDirectory() as scratch,
        Library.open(options.library or Path(scratch) / "library") as library,
    ):
        library.index(truth.files)
        figures = measure(library, truth, options.limit)
    for name in ("present", "absent"):
        shares = ", ".join(f"{verdict} {count}" for verdict, count in figures[name].items())
        print(f"{name}: {shares}")
    choice = figures["choice"]
    low, high = choice["interval"]
    print(
        f"choice: {choice['right']:.2f} ({low:.2f} to {high:.2f}) of {choice['asked']}, "
        f"chance {choice['chance']:.2f}"
    )
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
