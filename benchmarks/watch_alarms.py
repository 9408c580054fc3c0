"""How often sentence rules alarm for nothing, and how often for their own clip.

    python -m benchmarks.watch_alarms [--media ../shared/media] [--library DIR] [--json FILE]
    python -m benchmarks.watch_alarms --choose

Every query of the labelled clips is a rule at the default threshold, and watches every other
clip from its beginning as a stream of its own. Clips are looked at once, at two instants a second;
the machines of ``watch`` go over what was seen. Clips of one source that show the same thing
(best windows of mean cosine 0.97 or more) count as one. Alarms per rule-hour: events of all rules
over the hours that they watched, its interval by a bootstrap over clips; beside it Poisson's for
the same count, which would hold if alarms came independently. Recall: rules that raise on their
own clip. A label names what its clip shows, not all that others show: an alarm for a dog in a clip
that shows one counts as false, so alarms lean high.
``--choose`` prints how the default threshold was chosen, on generated views alone: see
``watch_world``. Nothing is fitted to the clips.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from benchmarks.search_quality import Truth
from benchmarks.watch_world import CLEAR, SENTENCES, VIEW_SECONDS, View, views
from scenewise.encoders.load import load_encoder
from scenewise.encoders.spec import Encoder, WindowFeatures
from scenewise.index.arrays import select
from scenewise.index.calibration import Calibrator
from scenewise.index.footage import Footage
from scenewise.library import Library
from scenewise.metrics.counts import poisson_interval
from scenewise.tasks.watch.judge import SENTENCE_THRESHOLD, SentenceJudge, probability
from scenewise.tasks.watch.levels import SentenceMachine
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.rule import Rule

SAME_CLIP = 0.97
DRAWS = 2000
THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
Figures = dict[str, Any]
Counts = npt.NDArray[np.int64]
_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A clip as observations, encoded."""

    seconds: float
    seen: tuple[Observation, ...]


def stream_of(footage: Footage) -> Stream:
    seen = observations(footage.features, footage.times.tolist())
    return Stream(footage.duration, seen)


def observations(features: WindowFeatures, times: list[float]) -> tuple[Observation, ...]:
    return tuple(
        Observation("clip", time, time, _NO_PICTURE, select(features, slice(row, row + 1)))
        for row, time in enumerate(times)
    )


def alarms(judge: SentenceJudge, seen: tuple[Observation, ...], threshold: float | None) -> int:
    """Events of a fresh machine."""
    machine = SentenceMachine(Rule(name="r", sentence="r", threshold=threshold), "clip", judge)
    return sum(len(machine.update(one)) for one in seen)


def same_clips(clips: list[Footage]) -> npt.NDArray[np.bool_]:
    """(V, V) whether two clips show the same: each window has its like in the other."""
    count = len(clips)
    found = np.eye(count, dtype=np.bool_)
    for one in range(count):
        for other in range(one):
            near = clips[one].features.vectors @ clips[other].features.vectors.T
            alike = min(float(near.max(axis=axis).mean()) for axis in (0, 1))
            found[one, other] = found[other, one] = alike >= SAME_CLIP
    return found


def measure(encoder: Encoder, truth: Truth, clips: list[Footage], threshold: float) -> Figures:
    """Alarms and recall at one threshold."""
    calibrator = Calibrator(encoder)
    streams = [stream_of(clip) for clip in clips]
    same = same_clips(clips)
    raised = np.zeros((len(truth.queries), len(clips)), np.int64)
    for number, query in enumerate(truth.queries):
        judge = SentenceJudge(query, encoder, calibrator)
        for place, stream in enumerate(streams):
            raised[number, place] = alarms(judge, stream.seen, threshold)
    other = ~same[truth.clips]  # (Q, V)
    seconds = np.array([stream.seconds for stream in streams])
    return figures_of(raised, other, seconds, truth.clips) | {"threshold": threshold}


def figures_of(
    raised: Counts, other: npt.NDArray[np.bool_], seconds: npt.NDArray[np.float64], own: Counts
) -> Figures:
    """From events (Q, V) of rules on clips; ``other``: those that are not the rule's own."""
    per_clip = (raised * other).sum(axis=0)
    hours_per_clip = other.sum(axis=0) * seconds / 3600
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(seconds), (DRAWS, len(seconds)))
    rates = per_clip[drawn].sum(axis=1) / hours_per_clip[drawn].sum(axis=1)
    count, hours = int(per_clip.sum()), float(hours_per_clip.sum())
    low, high = poisson_interval(count)
    hit = raised[np.arange(len(own)), own] > 0
    clips = np.unique(own)
    hits = np.array([hit[own == clip].sum() for clip in clips])
    asked = np.array([(own == clip).sum() for clip in clips])
    again = random.integers(0, len(clips), (DRAWS, len(clips)))
    recalls = hits[again].sum(axis=1) / asked[again].sum(axis=1)
    return {
        "rules": len(own),
        "clips": len(seconds),
        "rule_hours": hours,
        "alarms": count,
        "alarms_per_rule_hour": count / hours,
        "alarms_interval": np.quantile(rates, [0.025, 0.975]).tolist(),
        "alarms_interval_poisson": [low / hours, high / hours],
        "rule_clips_with_alarm": float(((raised > 0) & other).sum() / other.sum()),
        "recall": float(hit.mean()),
        "recall_interval": np.quantile(recalls, [0.025, 0.975]).tolist(),
    }


def choose(encoder: Encoder, shown: list[View]) -> list[Figures]:
    """For each threshold: alarms per rule-hour on views that do not show the thing."""
    calibrator = Calibrator(encoder)
    judges = {text: SentenceJudge(text, encoder, calibrator) for text in SENTENCES}
    clear = {text: SentenceJudge(text, encoder, calibrator) for text, _ in CLEAR}
    background = {
        text: np.array([probability(z) for z in standings(judge, encoder)])
        for text, judge in judges.items()
    }
    rows = []
    for threshold in THRESHOLDS:
        false = absent = shows = hits = 0
        for view in shown:
            seen = observations(view.features, [n / 2 for n in range(len(view.features))])
            for text, photograph in CLEAR:
                if view.photograph == photograph:
                    shows += 1
                    hits += alarms(clear[text], seen, threshold) > 0
            for text, judge in judges.items():
                if view.photograph not in SENTENCES[text]:
                    absent += 1
                    false += alarms(judge, seen, threshold) > 0
        share = false / absent
        beyond = float(np.mean([(values >= threshold).mean() for values in background.values()]))
        rows.append(
            {
                "threshold": threshold,
                "views": absent,
                "alarming_views": false,
                "alarms_per_rule_hour": share * 3600 / VIEW_SECONDS,
                "imagined_frames_beyond": beyond,
                "found": hits / shows,
            }
        )
    return rows


def standings(judge: SentenceJudge, encoder: Encoder) -> list[float]:
    """z of each imagined frame of the encoder's background."""
    frames = encoder.background()  # type: ignore[attr-defined]  # the concept encoder has one
    return [judge.standing(select(frames, slice(n, n + 1))) for n in range(len(frames))]


def print_choice(rows: list[Figures]) -> None:
    print(f"{len(SENTENCES)} sentences; views of {VIEW_SECONDS:g} s that do not show the thing\n")
    print(
        "| threshold | views with an alarm | alarms per rule-hour | of imagined frames beyond "
        "| views of the thing that raise |\n|---|---|---|---|---|"
    )
    for row in rows:
        print(
            f"| {row['threshold']:.2f} | {row['alarming_views']} of {row['views']} "
            f"| {row['alarms_per_rule_hour']:.2f} | {100 * row['imagined_frames_beyond']:.2f} % "
            f"| {row['found']:.2f} |"
        )


def print_figures(found: list[Figures]) -> None:
    first = found[0]
    print(
        f"{describe_machine()}\n{first['rules']} rules on {first['clips']} clips, "
        f"{first['rule_hours']:.1f} rule-hours\n"
    )
    print("| threshold | alarms per rule-hour | interval | Poisson's | recall on its own clip |")
    print("|---|---|---|---|---|")
    for row in found:
        print(
            "| {threshold:.2f} | {alarms_per_rule_hour:.2f} | {0:.2f} to {1:.2f} "
            "| {2:.2f} to {3:.2f} | {recall:.2f} ({4:.2f} to {5:.2f}) |".format(
                *row["alarms_interval"],
                *row["alarms_interval_poisson"],
                *row["recall_interval"],
                **row,
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("--library", type=Path, help="keep the index here, and reuse it")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--choose", action="store_true", help="show the choice of the threshold")
    parser.add_argument("--all", action="store_true", help="also at other thresholds")
    options = parser.parse_args()
    encoder = load_encoder("concept")
    try:
        if options.choose:
            found = choose(encoder, views(encoder, per_photograph=6, instants=8))
            print_choice(found)
        else:
            truth = Truth.read(options.media)
            with tempfile.TemporaryDirectory() as scratch:
                clips = look_at(options.library or Path(scratch), options.media, truth)
            some = THRESHOLDS if options.all else (SENTENCE_THRESHOLD,)
            found = [measure(encoder, truth, clips, threshold) for threshold in some]
            print_figures(found)
    finally:
        encoder.close()
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def look_at(directory: Path, media: Path, truth: Truth) -> list[Footage]:
    """All labelled clips, in the order of the labels."""
    with Library.open(directory, encoder="concept") as library:
        report = library.index([media / "eval"])
        if report.failed:
            raise SystemExit(f"clips failed: {report.failed}")
        # a verb's own way to a video
        return [library._footage(path).footage for path in truth.files]


if __name__ == "__main__":
    main()
