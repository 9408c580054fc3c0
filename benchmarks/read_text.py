"""How much of the text in generated clips is read, at the right time, and found by search.

    python -m benchmarks.read_text [--clips 6] [--seed 0] [--json FILE]

Each clip shows lines of random words, or has them as subtitles, from random times to others: the
truth is known by construction. A word counts as read where a line that holds it begins and ends
within one sampling step (0.5 s; subtitles: 1 ms) of when it was shown; any other word that was
read counts against precision. A word counts as found where a search for it alone gives a span
of that clip that overlaps when it was shown. Intervals: bootstrap over clips, 95 %.

Chinese is drawn stroke by stroke in eight simple characters, and with a font where one of the
machine has it; accents need DejaVu Sans. What could not be drawn is said.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.synthetic_windows import encoded_video, synthetic_spec
from benchmarks.text_conditions import FPS, Condition, conditions, script
from benchmarks.text_films import RATE, Shown, write_text_film
from benchmarks.textless_films import textless_films
from scenewise.index.catalog import Catalog
from scenewise.index.extract_tracks import TrackExtractor
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.index.records import Track, TrackKind
from scenewise.index.track_plan import TrackPlan
from scenewise.media.film import FilmSettings, write_film
from scenewise.media.ocr import TextReader
from scenewise.media.probe import probe
from scenewise.media.subtitles import Cue, format_srt, format_vtt
from scenewise.metrics.retrieval import bootstrap_interval
from scenewise.tasks.words import find_words


@dataclass
class Counts:
    """Of one clip."""

    shown: int = 0
    read: int = 0  # of the shown, at their time
    found: int = 0  # of the shown, by search
    given: int = 0  # words that came out
    right: int = 0  # of the given
    missed: list[tuple[float, float, str]] = field(default_factory=list)
    wrong: list[tuple[float, float, str]] = field(default_factory=list)


@dataclass
class Figures:
    """Of one condition."""

    clips: list[Counts] = field(default_factory=list)
    detected: int = 0
    recognised: int = 0
    seconds: float = 0.0

    def share(self, part: str, whole: str) -> tuple[float, tuple[float, float]]:
        """A share over all clips, with its interval."""
        pairs = np.array([[getattr(c, part), getattr(c, whole)] for c in self.clips], float)

        def ratio(rows: Any) -> float:
            return float(rows[:, 0].sum() / max(1.0, rows[:, 1].sum()))

        low, high = bootstrap_interval(ratio, pairs, np.arange(len(pairs)))
        return ratio(pairs), (low, high)


def make(path: Path, condition: Condition, lines: list[Shown], seed: int) -> Path:
    """The clip, with the lines in its pictures or in a file beside it."""
    drawn = [] if condition.subtitles else lines
    write_text_film(
        path,
        drawn,
        condition.seconds,
        size=condition.frame,
        moving=condition.moving,
        paper=condition.paper,
        seed=seed,
    )
    if condition.subtitles:
        cues = [Cue(line.start, line.end, line.text) for line in lines]
        if condition.subtitles == "vtt":
            path.with_suffix(".vtt").write_text(format_vtt(cues), "utf-8")
        else:
            path.with_suffix(".srt").write_bytes(format_srt(cues).encode(condition.subtitles))
    return path


def words_of(lines: Iterable[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Every word of some lines, with the line's times; where lines follow one another, joined."""
    words: list[tuple[float, float, str]] = []
    for start, end, text in sorted(lines):
        for word in text.split():
            earlier = next((w for w in words if w[2] == word and abs(w[1] - start) < 1e-6), None)
            if earlier is not None:
                words.remove(earlier)
            words.append((start if earlier is None else earlier[0], end, word))
    return words


def judge(
    truth: list[Shown], track: Track, reader: IndexReader, chunk: int, *, exact: bool = False
) -> Counts:
    """Compare what came out with what was shown; ``exact``: capitals count."""
    step = 1 / FPS if track.kind == "ocr" else 0.001
    shown = words_of((line.start, line.end, line.text) for line in truth)
    given = words_of((line.start, line.end, line.text) for line in track.texts)

    def at(one: tuple[float, float, str], other: tuple[float, float, str]) -> bool:
        near = abs(one[0] - other[0]) <= step + 1e-6 and abs(one[1] - other[1]) <= step + 1e-6
        same = one[2] == other[2] if exact else one[2].casefold() == other[2].casefold()
        return near and same

    found = sum(
        any(hit.start < end and hit.end > start for hit in find_words(reader, word, {chunk}))
        for start, end, word in shown
    )
    return Counts(
        shown=len(shown),
        read=sum(any(at(one, other) for other in given) for one in shown),
        found=found,
        given=len(given),
        right=sum(any(at(one, other) for other in shown) for one in given),
        missed=[one for one in shown if not any(at(one, other) for other in given)],
        wrong=[one for one in given if not any(at(one, other) for other in shown)],
    )


def measure(condition: Condition, clips: int, seed: int, folder: Path) -> Figures:
    """All clips of one condition, in a library of their own."""
    extractor = TrackExtractor(TrackPlan(sound=False, ocr_fps=FPS))
    extractor.load()
    figures = Figures()
    kind: TrackKind = "subtitle" if condition.subtitles else "ocr"
    random = np.random.default_rng([seed, sum(map(ord, condition.name))])
    with Catalog.open(folder / "library", write=True, create=True) as catalog:
        generation = catalog.begin(synthetic_spec(8), "fps=2")
        for number in range(clips):
            truth = script(condition, random)
            path = make(folder / f"{number}.mp4", condition, truth, seed + number)
            started = time.process_time()
            [track] = extractor.extract(path, probe(path), [kind])
            figures.seconds += time.process_time() - started
            for warning in track.warnings:
                print(f"{condition.name}, clip {number}: {warning}")
            video = replace(encoded_video(number, windows=2, dimension=8), tracks=(track,))
            chunk = catalog.commit_video(generation.id, video)
            reader = IndexReader(catalog, generation, FeatureCache())
            figures.clips.append(judge(truth, track, reader, chunk, exact=condition.exact))
    if extractor.text_reader is not None:
        figures.detected = extractor.text_reader.detected
        figures.recognised = extractor.text_reader.recognised
    return figures


def measure_textless(seed: int) -> dict[str, Any]:
    """Print what is read in films that show no text."""
    reader = TextReader()
    minutes, words = 0.0, 0
    print("\nwithout text: words read in each film")
    for name, pictures in textless_films(seed):
        with tempfile.TemporaryDirectory(prefix="scenewise-text-") as folder:
            path = Path(folder) / "film.mp4"
            count = write_film(path, pictures, FilmSettings(frame_rate=RATE, gop=20))
            lines = reader.read(path, fps=FPS)
        minutes += count / float(RATE) / 60
        words += sum(len(text.split()) for _, _, text in lines)
        print(f"    {name}: {[text for _, _, text in lines]}")
    print(f"{words} words in {minutes:.1f} minutes, {words / minutes:.2f} a minute")
    return {"clips": "without text", "words": words, "minutes": minutes}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=6, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    parser.add_argument("--errors", action="store_true", help="print what was missed or wrong")
    options = parser.parse_args()
    print(describe_machine())
    header = (
        "| clips | words | read at their time | precision | found by search | looked at | CPU |"
    )
    print(f"\n{header}\n|---|---:|---:|---:|---:|---:|---:|")
    shapes = []
    for condition in conditions():
        if options.only not in condition.name:
            continue
        with tempfile.TemporaryDirectory(prefix="scenewise-text-") as folder:
            figures = measure(condition, options.clips, options.seed, Path(folder))
        recall, between = figures.share("read", "shown")
        precision, right_between = figures.share("right", "given")
        found, _ = figures.share("found", "shown")
        words = sum(clip.shown for clip in figures.clips)
        frames = options.clips * round(condition.seconds * FPS)
        looked = f"{figures.detected}/{frames}" if not condition.subtitles else ""
        print(
            f"| {condition.name} | {words} | {recall:.3f} ({between[0]:.2f}-{between[1]:.2f}) "
            f"| {precision:.3f} ({right_between[0]:.2f}-{right_between[1]:.2f}) | {found:.3f} "
            f"| {looked} | {figures.seconds:.1f} s |"
        )
        for clip in figures.clips if options.errors else ():
            print(f"    missed {clip.missed}; wrong {clip.wrong}")
        shapes.append(
            {
                "clips": condition.name,
                "words": words,
                "recall": recall,
                "precision": precision,
                "found": found,
                "detected": figures.detected,
                "recognised": figures.recognised,
                "processor_seconds": figures.seconds,
            }
        )
    if not options.only or options.only in "without text":
        shapes.append(measure_textless(options.seed))
    if options.json is not None:
        options.json.write_text(json.dumps(shapes, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
