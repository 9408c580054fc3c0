"""The kinds of clips that on-screen text is read in, and what each of them shows when.

It knows words, places and times; drawing is ``text_films``', reading and judging ``read_text``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import ImageFont

from benchmarks.text_films import STROKES, Shown, font_of
from scenewise.index.tracks import is_unspaced

FPS = 2.0
LINES = 6  # of a clip, at most
_ENGLISH = """
skateboard kitchen weather forecast market falls harbour bridge museum window yellow garden
police station winter football player record minister village mountain concert doctor paper
morning traffic airport journey captain island number festival science camera lesson chapter
"""
_GERMAN = "Grüße Straße Köln Frühling Äpfel schön Mädchen Brücke größer Öffnung Übung Müller"
_CHINESE = "天气预报 北京时间 新闻联播 体育比赛 今天晚上 火车站台 人民日报 中国电影 生日快乐"
_FIGURES = """
12:45 3-2 99.5% $1,250 (new) 2026 Q&A U.S. 07/14 +49 #21 "ready" No.8 100m? 4th! km/h A-1 50:50
"""
_CASES = """
BREAKING NEWS Berlin TOKYO Live goal EXIT Platform WARNING OPEN McDonald iPhone JANUARY Monday
"""
ENGLISH, GERMAN, CHINESE = _ENGLISH.split(), _GERMAN.split(), _CHINESE.split()
FIGURES, CASES = _FIGURES.split(), _CASES.split()
CHINESE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "wqy-zenhei.ttc",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "simhei.ttf",
    "PingFang.ttc",
)
HD, FULL, ULTRA = (1280, 720), (1920, 1080), (3840, 2160)


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
    layout: Literal["rows", "corners", "pairs", "ticker"] = "rows"
    ink: int | None = None
    paper: int | None = None
    steps: int | None = None  # of sampling that each text is shown for; None: 1 to 5 seconds
    seconds: int = 12
    exact: bool = False  # capitals count


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
        Condition("English, 1080p, 32 pixels", ENGLISH, size=32, frame=FULL),
        Condition("lone in a corner, 720p, 16 pixels", ENGLISH, 16, frame=HD, layout="corners"),
        Condition("lone in a corner, 1080p, 24 pixels", ENGLISH, 24, frame=FULL, layout="corners"),
        Condition(
            "lone in a corner, 2160p, 48 pixels", ENGLISH, 48, frame=ULTRA, layout="corners",
            seconds=4,
        ),
        Condition("light on light, 3 to 1", ENGLISH, ink=131, paper=235),
        Condition("dark on dark, 3 to 1", ENGLISH, ink=102, paper=20),
        Condition("ticker, 80 pixels a second", ENGLISH, 24, layout="ticker"),
        Condition("two lines", ENGLISH, 24, layout="pairs"),
        Condition("figures and punctuation", FIGURES, 26),
        Condition("capitals, to the letter", CASES, 26, exact=True),
        Condition("shown for two steps", ENGLISH, steps=2, moving=True),
        Condition("Chinese by strokes", strokes, size=40),
        Condition("subtitles, SubRip, UTF-8", [*ENGLISH, *GERMAN, *CHINESE], subtitles="utf-8"),
        Condition("subtitles, SubRip, UTF-16", [*ENGLISH, *GERMAN, *CHINESE], subtitles="utf-16"),
        Condition("subtitles, SubRip, Windows", [*ENGLISH, *GERMAN], subtitles="cp1252"),
        Condition("subtitles, WebVTT", [*ENGLISH, *GERMAN, *CHINESE], subtitles="vtt"),
    ]  # fmt: skip
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
    """Lines of one to three words; each word once in a clip."""
    places = {"rows": _rows, "corners": _corners, "pairs": _pairs, "ticker": _ticker}
    return list(places[condition.layout](condition, random))


def _rows(condition: Condition, random: np.random.Generator) -> Iterator[Shown]:
    """Each line at a height of its own, in times that overlap."""
    height = condition.frame[1]
    for row, text in enumerate(_texts(condition, random, LINES)):
        start, end = _span(condition, random)
        place = (int(random.integers(10, 60)), round((row + 0.3) * height / LINES))
        yield _shown(condition, start, end, text, place)


def _corners(condition: Condition, random: np.random.Generator) -> Iterator[Shown]:
    """One line after the other, each alone in one corner."""
    width, height = condition.frame
    count = condition.seconds // 2
    for number, text in enumerate(_texts(condition, random, count)):
        start, end = 2.0 * number + 0.3, 2.0 * number + float(random.integers(13, 19)) / 10
        one = _shown(condition, start, end, text, (0, 0))
        margin = int(random.integers(condition.size // 2, condition.size * 2))
        left = margin if random.random() < 0.5 else round(width - margin - _length(one))
        upper = margin if random.random() < 0.5 else round(height - margin - 1.3 * one.size)
        yield _shown(condition, start, end, text, (left, upper))


def _pairs(condition: Condition, random: np.random.Generator) -> Iterator[Shown]:
    """Two lines close together, as subtitles burnt into the picture."""
    texts = list(_texts(condition, random, 8))
    for number in range(0, len(texts) - 1, 2):
        start = 1.5 * number + 0.2
        end = start + float(random.integers(10, 26)) / 10
        for row, text in enumerate(texts[number : number + 2]):
            one = _shown(condition, start, end, text, (0, 0))
            left = round((condition.frame[0] - _length(one)) / 2)
            upper = round(condition.frame[1] - (3.2 - 1.25 * row) * condition.size)
            yield _shown(condition, start, end, text, (left, upper))


def _ticker(condition: Condition, random: np.random.Generator) -> Iterator[Shown]:
    """A line that runs from right to left, whole in the picture all the time."""
    speed, top = 80.0, condition.frame[1] - 2 * condition.size
    for number, text in enumerate(_texts(condition, random, 3)):
        start = 4.0 * number + 0.3
        one = _shown(condition, start, start, text, (0, 0))
        left = round(condition.frame[0] - _length(one) - 4)
        end = start + min(3.3, round(left / speed, 1) - 0.1)
        yield _shown(condition, start, end, text, (left, top), speed)


def _texts(condition: Condition, random: np.random.Generator, count: int) -> Iterator[str]:
    words = [str(word) for word in random.permutation(list(condition.words))]
    unspaced = is_unspaced("".join(condition.words[:1]))
    for _ in range(count):
        some = 1 if unspaced else min(int(random.integers(1, 4)), len(words))
        if not words:
            return
        yield " ".join(words[:some])
        words = words[some:]


def _span(condition: Condition, random: np.random.Generator) -> tuple[float, float]:
    start = float(random.integers(0, condition.seconds * 10 - 20)) / 10
    if condition.steps is not None:
        return start, start + condition.steps / FPS
    return start, min(start + float(random.integers(10, 50)) / 10, float(condition.seconds))


def _shown(
    condition: Condition,
    start: float,
    end: float,
    text: str,
    place: tuple[int, int],
    speed: float = 0.0,
) -> Shown:
    return Shown(start, end, text, place, condition.size, condition.font, condition.ink, speed)


def _length(shown: Shown) -> float:
    """Pixels from left to right."""
    if shown.font is None and all(letter in STROKES for letter in shown.text):
        return len(shown.text) * shown.size * 1.15
    return font_of(shown).getlength(shown.text)
