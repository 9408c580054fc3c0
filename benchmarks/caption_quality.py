"""How well captions fit real clips: which clip a caption tells of, and whether its claims are true.

    python -m benchmarks.caption_quality [--media ../shared/media] [--library DIR] [--half A|B]

For each labelled clip `caption` (the whole video, as users get it). Two questions.

*Does the caption tell which clip it is?* Caption and the `visible` descriptions of all clips
become vectors of the sentence model; the descriptions are ranked by cosine. R@1, R@5 and median
rank beside chance and beside a baseline that says nothing but the name of the most probable concept
(mean over the frames). Intervals: bootstrap over clips, 95 %.

*Are its claims true?* A claim is a thing, kind, place or sport that the caption names, with the
hedge before it (none: certain; probably; perhaps). It counts as right where its own words are in
the clip's description or queries, by this rule and without any choice by hand:

- a name: its last word (of "sports car": car), or another name of the same concept;
- a kind: its last word, or the whole name of a concept of that kind, or of a kind wholly inside it
  ("a vehicle" is right where a car is told of); a person: the words of ``PEOPLE``;
- a place: a word of the places that the phrase stands for ("in snow": ski slope); sport: as a kind.

A broad claim is right more easily, so beside each figure stands how often the same claims would be
right of any clip. Words are compared in the singular. Descriptions do not list all that is seen, so
precision leans low; a word of two senses may lift it, most of all the words of places ("room").
``--half`` takes one random half of the clips (seed 0): designs were compared on A, so B is the
fairer figure. Ranks are among all descriptions either way.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from scenewise.config import load_settings
from scenewise.encoders.sentence import SentenceEmbedder, prepare_sentences
from scenewise.encoders.vocabulary import Concept, load_vocabulary
from scenewise.library import Library
from scenewise.metrics.retrieval import bootstrap_interval, median_rank, ranks_of, recall_at
from scenewise.tasks.broader import KINDS, PERSON, SCENES, SETTINGS, phrases
from scenewise.tasks.wording import Wording, with_article

_PEOPLE_WORDS = """
person people man men woman women child children boy girl kid baby toddler infant somebody hand
finger player drummer musician surfer snowboarder technician worker pedestrian crowd rider runner
jogger face he she
"""
PEOPLE = frozenset(_PEOPLE_WORDS.split())
HEDGES = {"probably ": "probably", "perhaps ": "perhaps"}
_SMALL = frozenset({"a", "an", "the", "in", "on", "at", "of", "to", "and", "with", "by", "during"})


@dataclass(frozen=True)
class Clip:
    file: Path
    visible: str
    text: str  # description and queries, each word singular, blanks around each

    def tells(self, phrases: set[str]) -> bool:
        """Whether one of the phrases stands in it."""
        return any(f" {phrase} " in self.text for phrase in phrases)


@dataclass(frozen=True)
class Claim:
    text: str
    hedge: str
    right: bool
    by_chance: float  # share of all clips for which it would be right


def read_clips(media: Path) -> list[Clip]:
    with (media / "videos.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["role"] == "eval" and row["visible"]]
    return [
        Clip(
            media / row["file"],
            row["visible"],
            " ".join(["", *words_of(row["visible"] + " | " + row["queries"]), ""]),
        )
        for row in rows
    ]


def words_of(text: str) -> list[str]:
    return [singular(word) for word in re.findall(r"[a-z]+(?:-[a-z]+)*", text.casefold())]


def singular(word: str) -> str:
    for ending, stem in (("ies", "y"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if word.endswith(ending) and not word.endswith(("ss", "us")) and len(word) > 3:
            return word[: -len(ending)] + stem
    return word


def last_words(texts: list[str]) -> set[str]:
    return {words[-1] for text in texts if (words := words_of(text))}


def accepted() -> dict[str, set[str]]:
    """By what a caption may say, the words of which one makes it right."""
    vocabulary = load_vocabulary()
    found: dict[str, set[str]] = {}
    for concept in vocabulary:
        found.setdefault(concept.label, set()).update(last_words(phrases(concept.names)))
    for kind, meant in {**KINDS, **SCENES}.items():
        words = last_words([kind, *meant])
        if kind != PERSON:
            within = [concept for concept in vocabulary if is_of(concept, meant)]
            words |= {
                " ".join(words_of(name)) for concept in within for name in phrases(concept.names)
            }
            for other, narrower in KINDS.items():
                of_other = [concept for concept in vocabulary if is_of(concept, narrower)]
                if other != PERSON and all(is_of(concept, meant) for concept in of_other):
                    words |= last_words([other, *narrower])
        found.setdefault(kind, set()).update(words | (PEOPLE if kind == PERSON else set()))
    for phrase, meant in SETTINGS.items():
        parts = [*words_of(phrase), *(word for place in meant for word in words_of(place))]
        found[phrase] = set(parts) - _SMALL
    return found


def is_of(concept: Concept, meant: tuple[str, ...]) -> bool:
    return not set(meant).isdisjoint(phrases(concept.kinds))


def judged(name: str, hedge: str, clip: Clip, clips: list[Clip], words: set[str]) -> Claim:
    """A claim by the rule, and how often it would be right of any clip."""
    chance = float(np.mean([other.tells(words) for other in clips]))
    return Claim(name, hedge, clip.tells(words), chance)


def claims_of(text: str, clip: Clip, clips: list[Clip], known: dict[str, set[str]]) -> list[Claim]:
    """What the part of a caption says that tells what is seen."""
    said = text[:1].lower() + text[1:]
    sayable = {**{with_article(name): name for name in known}, **{name: name for name in known}}
    pattern = re.compile(
        "probably |perhaps |, then |"
        + "|".join(
            rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in sorted(sayable, key=len)[::-1]
        ),
        re.IGNORECASE,
    )
    seen = "; ".join(part for part in said.split("; ") if not part.startswith(_OTHER))
    hedge, found = "certain", []
    for match in pattern.finditer(seen):
        piece = match.group()
        if piece in HEDGES or piece == ", then ":
            hedge = HEDGES.get(piece, "certain")
            continue
        name = next(
            name for phrase, name in sayable.items() if phrase.casefold() == piece.casefold()
        )
        found.append(judged(name, hedge, clip, clips, known[name]))
    return found


_OTHER = ("text: ", "speech: ", "silence", "someone speaks", "music", "a sudden sound", "nothing ",
          "still", "slow", "fast", "camera ", "something ")  # fmt: skip


def retrieval(
    vectors: npt.NDArray[Any], targets: npt.NDArray[Any], own: list[int]
) -> dict[str, Any]:
    """R@1, R@5 and median rank of each row's own target."""
    ranks = ranks_of(vectors.astype(np.float64) @ targets.T.astype(np.float64), np.array(own))
    groups = np.arange(len(ranks))
    found: dict[str, Any] = {}
    for name, statistic in (
        ("r1", lambda drawn: recall_at(drawn, 1)),
        ("r5", lambda drawn: recall_at(drawn, 5)),
        ("median", median_rank),
    ):
        found[name] = statistic(ranks)
        found[f"{name}_interval"] = bootstrap_interval(statistic, ranks, groups)
    return found


def precision(claims: list[list[Claim]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for hedge in ("certain", "probably", "perhaps", "all"):
        rights, groups, chances = [], [], []
        for number, clip in enumerate(claims):
            for claim in clip:
                if hedge in ("all", claim.hedge):
                    rights.append(claim.right)
                    chances.append(claim.by_chance)
                    groups.append(number)
        if rights:
            low, high = bootstrap_interval(
                lambda drawn: float(np.mean(drawn)), np.array(rights, float), np.array(groups)
            )
            found[hedge] = {
                "claims": len(rights),
                "right": float(np.mean(rights)),
                "by_chance": float(np.mean(chances)),
                "interval": [low, high],
            }
    found["clips that claim nothing"] = sum(not clip for clip in claims)
    found["clips with a right claim"] = sum(any(c.right for c in clip) for clip in claims)
    return found


def measure(
    library: Library, clips: list[Clip], chosen: list[int], *, motion: bool
) -> dict[str, Any]:
    embedder = SentenceEmbedder(prepare_sentences(load_settings().cache))
    try:
        known = accepted()
        captions, names = [], []
        for number in chosen:
            seen = library._footage(clips[number].file)
            wording = Wording(seen.encoder)
            probabilities = wording.probabilities(seen.footage.features)
            names.append(wording.vocabulary[int(probabilities.argmax())].label)
            captions.append(library.caption(clips[number].file, motion=motion).captions[0].text)
        targets = embedder.embed([clip.visible for clip in clips])
        claims = [
            claims_of(text, clips[number], clips, known)
            for text, number in zip(captions, chosen, strict=True)
        ]
        single = [
            [judged(name, "perhaps", clips[number], clips, known[name])]
            for name, number in zip(names, chosen, strict=True)
        ]
        return {
            "machine": describe_machine(),
            "clips": len(chosen),
            "descriptions": len(clips),
            "retrieval": {
                "caption": retrieval(embedder.embed(captions), targets, chosen),
                "most probable concept": retrieval(embedder.embed(names), targets, chosen),
                "chance": {
                    "r1": 1 / len(clips),
                    "r5": 5 / len(clips),
                    "median": (len(clips) + 1) / 2,
                },
            },
            "claims": precision(claims),
            "most probable concept, right": precision(single)["all"],
            "captions": [
                {
                    "file": clips[number].file.name,
                    "visible": clips[number].visible,
                    "caption": text,
                    "claims": [[claim.text, claim.hedge, claim.right] for claim in made],
                }
                for number, text, made in zip(chosen, captions, claims, strict=True)
            ],
        }
    finally:
        embedder.close()


def half_of(count: int, half: str | None) -> list[int]:
    """Numbers of the clips: all, or one random half."""
    order = np.random.default_rng(0).permutation(count).tolist()
    middle = count // 2
    return sorted(order[:middle] if half == "A" else order[middle:] if half == "B" else order)


def print_tables(figures: dict[str, Any]) -> None:
    print(f"{figures['clips']} clips, {figures['descriptions']} descriptions\n")
    print("| | R@1 | R@5 | median rank |\n|---|---|---|---|")
    for name, row in figures["retrieval"].items():
        cells = []
        for key, form in (("r1", "{:.2f}"), ("r5", "{:.2f}"), ("median", "{:.1f}")):
            span = row.get(f"{key}_interval")
            between = f" ({form} to {form})".format(*span) if span else ""
            cells.append(form.format(row[key]) + between)
        print(f"| {name} | {' | '.join(cells)} |")
    print("\n| claims | number | right | of any clip |\n|---|---|---|---|")
    for name, row in figures["claims"].items():
        if isinstance(row, dict):
            low, high = row["interval"]
            between = f"{row['right']:.2f} ({low:.2f} to {high:.2f})"
            print(f"| {name} | {row['claims']} | {between} | {row['by_chance']:.2f} |")
        else:
            print(f"| {name} | {row} | | |")
    row = figures["most probable concept, right"]
    print(
        f"| most probable concept | {row['claims']} | {row['right']:.2f} | {row['by_chance']:.2f} |"
    )


def main() -> None:
    """Index (where that is not done), caption, rank, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("--library", type=Path, help="keep the index here, and reuse it")
    parser.add_argument("--half", choices=("A", "B"), help="one random half of the clips")
    parser.add_argument("--no-motion", action="store_true", help="captions without how it moves")
    parser.add_argument("--show", action="store_true", help="print each caption and its claims")
    parser.add_argument("--json", type=Path, help="write the figures and captions here too")
    options = parser.parse_args()
    clips = read_clips(options.media)
    with (
        tempfile.TemporaryDirectory() as scratch,
        Library.open(options.library or Path(scratch) / "library", encoder="concept") as library,
    ):
        report = library.index([options.media / "eval"])
        if report.failed:
            raise SystemExit(f"clips failed: {report.failed}")
        chosen = half_of(len(clips), options.half)
        figures = measure(library, clips, chosen, motion=not options.no_motion)
    print(figures["machine"])
    if options.show:
        for row in figures["captions"]:
            print(f"- {row['visible'][:80]}\n    {row['caption']}  {row['claims']}")
    print_tables(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
