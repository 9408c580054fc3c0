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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageFont

from benchmarks.machine import describe_machine
from benchmarks.synthetic_windows import encoded_video, synthetic_spec
from benchmarks.text_films import Shown, write_text_film
from scenewise.index.catalog import Catalog
from scenewise.index.extract_tracks import TrackExtractor
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.index.records import Track, TrackKind
from scenewise.index.track_plan import TrackPlan
from scenewise.index.tracks import is_unspaced
from scenewise.media.probe import probe
from scenewise.media.subtitles import Cue, format_srt, format_vtt
from scenewise.metrics.retrieval import bootstrap_interval
from scenewise.tasks.words import find_words

FPS = 2.0
SECONDS = 12
LINES = 6  # of a clip
_ENGLISH = """
skateboard kitchen weather forecast market falls harbour bridge museum window yellow garden
police station winter football player record minister village mountain concert doctor paper
morning traffic airport journey captain island number festival science camera lesson chapter
"""
_GERMAN = "Grüße Straße Köln Frühling Äpfel schön Mädchen Brücke größer Öffnung Übung Müller"
_CHINESE = "天气预报 北京时间 新闻联播 体育比赛 今天晚上 火车站台 人民日报 中国电影 生日快乐"
ENGLISH, GERMAN, CHINESE = _ENGLISH.split(), _GERMAN.split(), _CHINESE.split()
CHINESE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "wqy-zenhei.ttc",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "simhei.ttf",
    "PingFang.ttc",
)


@dataclass(frozen=True)
class Condition:
    """One kind of clip."""

    name: str
    words: Sequence[str]
    size: int = 28
    moving: bool = False
    font: str | None = None
    frame: tuple[int, int] = (640, 360)
    subtitles: str | None = None  # encoding of a file beside the clip, instead of pixels


@dataclass
class Counts:
    """Of one clip."""

    shown: int = 0
    read: int = 0  # of the shown, at their time
    found: int = 0  # of the shown, by search
    given: int = 0  # words that came out
    right: int = 0  # of the given


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


def first_font(names: Iterable[str]) -> str | None:
    """The first of some fonts that this machine has."""
    for name in names:
        try:
            ImageFont.truetype(name, 20)
        except OSError:
            continue
        return name
    return None


def conditions() -> list[Condition]:
    """All that can be drawn here."""
    strokes = ["".join(pair) for pair in zip("中日王田山口工土", "田山口工土中日王", strict=True)]
    found = [
        Condition("English, still", ENGLISH),
        Condition("English, moving background", ENGLISH, moving=True),
        Condition("English, 14 pixels", ENGLISH, size=14),
        Condition("English, 1080p, 32 pixels", ENGLISH, size=32, frame=(1920, 1080)),
        Condition("Chinese by strokes", strokes, size=40),
        Condition("subtitles, SubRip, UTF-8", [*ENGLISH, *GERMAN, *CHINESE], subtitles="utf-8"),
        Condition("subtitles, SubRip, UTF-16", [*ENGLISH, *GERMAN, *CHINESE], subtitles="utf-16"),
        Condition("subtitles, SubRip, Windows", [*ENGLISH, *GERMAN], subtitles="cp1252"),
        Condition("subtitles, WebVTT", [*ENGLISH, *GERMAN, *CHINESE], subtitles="vtt"),
    ]
    latin, chinese = first_font(["DejaVuSans.ttf"]), first_font(CHINESE_FONTS)
    if latin is not None:
        found.append(Condition("German", GERMAN, font=latin))
    else:
        print("not drawn: German, for lack of DejaVuSans.ttf")
    if chinese is not None:
        found.append(Condition(f"Chinese, {chinese}", CHINESE, size=32, font=chinese))
        found.append(Condition(f"Chinese, {chinese}, moving", CHINESE, 32, True, chinese))
    else:
        print(f"not drawn: Chinese sentences, for lack of any of {', '.join(CHINESE_FONTS)}")
    return found


def script(condition: Condition, random: np.random.Generator) -> list[Shown]:
    """Lines of one to three words; each word once in a clip, each line at a height of its own."""
    words = [str(word) for word in random.permutation(list(condition.words))]
    height = condition.frame[1]
    shown = []
    for row in range(LINES):
        count = min(int(random.integers(1, 4)), len(words))
        if is_unspaced("".join(condition.words[:1])):
            count = min(count, 1)
        some, words = words[:count], words[count:]
        if not some:
            break
        start = float(random.integers(0, SECONDS * 10 - 20)) / 10
        end = start + float(random.integers(10, 50)) / 10
        upper = round((row + 0.3) * height / LINES)
        left = int(random.integers(10, 60))
        shown.append(
            Shown(
                start,
                min(end, float(SECONDS)),
                " ".join(some),
                (left, upper),
                condition.size,
                condition.font,
            )
        )
    return shown


def make(path: Path, condition: Condition, lines: list[Shown], seed: int) -> Path:
    """The clip, with the lines in its pictures or in a file beside it."""
    drawn = [] if condition.subtitles else lines
    write_text_film(path, drawn, SECONDS, size=condition.frame, moving=condition.moving, seed=seed)
    if condition.subtitles:
        cues = [Cue(line.start, line.end, line.text) for line in lines]
        if condition.subtitles == "vtt":
            path.with_suffix(".vtt").write_text(format_vtt(cues), "utf-8")
        else:
            path.with_suffix(".srt").write_bytes(format_srt(cues).encode(condition.subtitles))
    return path


def words_of(lines: Iterable[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Every word of some lines, with the line's times."""
    return [(start, end, word) for start, end, text in lines for word in text.split()]


def judge(truth: list[Shown], track: Track, reader: IndexReader, chunk: int) -> Counts:
    """Compare what came out with what was shown."""
    step = 1 / FPS if track.kind == "ocr" else 0.001
    shown = words_of((line.start, line.end, line.text) for line in truth)
    given = words_of((line.start, line.end, line.text) for line in track.texts)

    def at(one: tuple[float, float, str], other: tuple[float, float, str]) -> bool:
        near = abs(one[0] - other[0]) <= step + 1e-6 and abs(one[1] - other[1]) <= step + 1e-6
        return near and one[2].casefold() == other[2].casefold()

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
            figures.clips.append(judge(truth, track, reader, chunk))
    if extractor.text_reader is not None:
        figures.detected = extractor.text_reader.detected
        figures.recognised = extractor.text_reader.recognised
    return figures


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=6, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    print(describe_machine())
    header = (
        "| clips | words | read at their time | precision | found by search | looked at | CPU |"
    )
    print(f"\n{header}\n|---|---:|---:|---:|---:|---:|---:|")
    shapes = []
    for condition in conditions():
        with tempfile.TemporaryDirectory(prefix="scenewise-text-") as folder:
            figures = measure(condition, options.clips, options.seed, Path(folder))
        recall, between = figures.share("read", "shown")
        precision, right_between = figures.share("right", "given")
        found, _ = figures.share("found", "shown")
        words = sum(clip.shown for clip in figures.clips)
        frames = options.clips * round(SECONDS * FPS)
        looked = f"{figures.detected}/{frames}" if not condition.subtitles else ""
        print(
            f"| {condition.name} | {words} | {recall:.3f} ({between[0]:.2f}-{between[1]:.2f}) "
            f"| {precision:.3f} ({right_between[0]:.2f}-{right_between[1]:.2f}) | {found:.3f} "
            f"| {looked} | {figures.seconds:.1f} s |"
        )
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
    if options.json is not None:
        options.json.write_text(json.dumps(shapes, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
