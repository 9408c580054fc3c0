"""Tokens, BLEU, ROUGE-L and CIDEr beside pycocoevalcap: seconds, and whether the numbers agree.

    python -m benchmarks.caption_metrics [--captions 10000] [--references 5] [--rounds 3]

Captions are generated: words by Zipf's law from a vocabulary, with names, contractions, numbers and
punctuation; a prediction shares phrases with its references. Both sides run in one process, one
after the other in turn, and the faster round of each counts. Our memory of words is emptied before
each round. METEOR is the same program on both sides and is not timed. Prints Markdown; fails where
a number differs by more than 1e-6.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from benchmarks.machine import describe_machine
from scenewise.metrics.captioning import bleu, cider, pair_up, ptb, rouge_l
from scenewise.metrics.captioning.ngrams import count_ngrams

TOLERANCE = 1e-6
Captions = dict[str, str]
References = dict[str, list[str]]


class Stages:
    """The least seconds of each stage, and the numbers that came out last."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.numbers: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        before = time.perf_counter()
        yield
        took = time.perf_counter() - before
        self.seconds[name] = min(took, self.seconds.get(name, took))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--captions", type=int, default=10_000)
    parser.add_argument("--references", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    predictions, references = generated(given.captions, given.references, given.seed)
    theirs, ours = Stages(), Stages()
    for _ in range(given.rounds):
        run_theirs(theirs, predictions, references)
        run_ours(ours, predictions, references)
    print(f"{describe_machine()}, numpy {np.__version__}, ")
    print(f"{given.captions} captions, {given.references} references each\n")
    print("| | pycocoevalcap, s | scenewise, s | x |")
    print("|---|---|---|---|")
    for name, stages in rows().items():
        print(row(name, theirs, ours, stages))
    print("\n| | pycocoevalcap | scenewise | apart |")
    print("|---|---|---|---|")
    for name, value in theirs.numbers.items():
        apart = abs(value - ours.numbers[name])
        print(f"| {name} | {value:.9f} | {ours.numbers[name]:.9f} | {apart:.1e} |")
        if not apart <= TOLERANCE:
            raise SystemExit(f"{name} differs by {apart:.1e}, more than {TOLERANCE:.0e}")


def rows() -> dict[str, list[str]]:
    scoring = ["runs of words", "BLEU", "ROUGE-L", "CIDEr"]
    single = {name: [name] for name in ("tokens", *scoring)}
    return single | {"all": ["tokens", *scoring], "all but tokens": scoring}


def row(name: str, theirs: Stages, ours: Stages, stages: list[str]) -> str:
    before = sum(theirs.seconds.get(one, 0.0) for one in stages)
    after = sum(ours.seconds[one] for one in stages)
    if not before:
        return f"| {name} | in BLEU and CIDEr | {after:.3f} | |"
    return f"| {name} | {before:.3f} | {after:.3f} | {before / after:.1f} |"


def run_theirs(stages: Stages, predictions: Captions, references: References) -> None:
    with stages.timed("tokens"):
        tokenizer = PTBTokenizer()
        truth = tokenizer.tokenize(
            {one: [{"caption": text} for text in texts] for one, texts in references.items()}
        )
        found = tokenizer.tokenize({one: [{"caption": text}] for one, text in predictions.items()})
    scorers: dict[str, Callable[[], Any]] = {
        "BLEU": lambda: Bleu(4).compute_score(truth, found, verbose=0)[0],
        "ROUGE-L": lambda: [Rouge().compute_score(truth, found)[0]],
        "CIDEr": lambda: [Cider().compute_score(truth, found)[0]],
    }
    for name, scorer in scorers.items():
        with stages.timed(name):
            numbers = scorer()
        keys = [f"BLEU-{n}" for n in range(1, 5)] if name == "BLEU" else [name]
        stages.numbers |= {key: float(one) for key, one in zip(keys, numbers, strict=True)}


def run_ours(stages: Stages, predictions: Captions, references: References) -> None:
    ptb.forget()
    with stages.timed("tokens"):
        pairs = pair_up(predictions, references)
    with stages.timed("runs of words"):
        ngrams = count_ngrams(pairs)
    with stages.timed("BLEU"):
        scores = bleu(pairs, ngrams)
    stages.numbers |= {f"BLEU-{n}": one.corpus for n, one in enumerate(scores, start=1)}
    with stages.timed("ROUGE-L"):
        stages.numbers["ROUGE-L"] = rouge_l(pairs).corpus
    with stages.timed("CIDEr"):
        stages.numbers["CIDEr"] = cider(pairs, ngrams=ngrams).corpus


def generated(captions: int, each: int, seed: int) -> tuple[Captions, References]:
    """A prediction and so many references for each of so many videos, about ten words each."""
    random = np.random.default_rng(seed)
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    words = ["".join(random.choice(syllables, size=1 + n % 4)) for n in range(8000)]
    odd = ["isn't", "it's", "twenty-one", "T-shirt", "the U.S.", "3.5", "$5", "(small)", "Mr. Bo"]
    weight = 1 / np.arange(1, len(words) + 1)
    stream = iter(
        random.choice(words, size=(captions * (each + 2), 9), p=weight / weight.sum()).tolist()
    )

    def sentence(topic: list[str]) -> str:
        drawn: list[str] = next(stream)[: random.integers(4, 9)]
        place = int(random.integers(0, len(drawn)))
        drawn[place:place] = topic[: random.integers(2, 6)]
        if random.random() < 0.1:
            drawn.append(str(random.choice(odd)))
        if random.random() < 0.2:
            drawn[len(drawn) // 2] += ","
        return "A " + " ".join(drawn) + ("." if random.random() < 0.5 else "")

    predictions, references = {}, {}
    for number in range(captions):
        topic = next(stream)[:5]
        predictions[f"video{number}"] = sentence(topic)
        references[f"video{number}"] = [sentence(topic) for _ in range(each)]
    return predictions, references


if __name__ == "__main__":
    main()
