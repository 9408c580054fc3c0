"""Pairs of video and text for contrastive training, from one's own videos.

The text is what lies with a video: its title (of a sidecar, of the container, or else the file's
name made readable), the lines of ``NAME.txt``, the description of ``NAME.json`` or
``NAME.info.json`` (as yt-dlp writes it), and subtitles, beside it or inside. Cues are cleaned and
neighbours joined into spans. It knows text and times; it trains nothing and finds no videos.

How speech and picture go together: VideoCLIP (Xu et al. 2021) pairs texts with videos that overlap
in time in place of exact alignment, as people speak of a thing before or after they show it:
``loose_span``. MIL-NCE (Miech et al. 2020) lets the nearest sentences stand as further candidates:
``candidates``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from scenewise.data.rows import CaptionRow
from scenewise.data.speech_text import clean_cues, readable_name, tidy_text, word_count
from scenewise.errors import UnreadableMediaError, UsageError, first_line
from scenewise.media.probe import MediaInfo, probe
from scenewise.media.sidecars import SidecarFinder, language_of
from scenewise.media.subtitles import Cue, SubtitleTrack, decode_text, read_embedded, read_file
from scenewise.types import Segment

_LONGEST_TEXT = 1 << 20  # bytes of a sidecar of text
_JSON_SUFFIXES = (".info.json", ".json")


@dataclass(frozen=True, slots=True)
class PairSettings:
    """What counts as a text, and how long a span of speech is."""

    min_words: int = 3  # a text with fewer is left out
    span_seconds: float = 10.0  # neighbouring cues are joined up to this length
    overlap: float = 0.0  # part of a span that the next one has too, 0 to below 1
    language: str | None = None  # of subtitles; None: the first track

    def __post_init__(self) -> None:
        if self.min_words < 1:
            raise UsageError(f"min_words is at least 1, got {self.min_words}.")
        if not self.span_seconds > 0:
            raise UsageError(f"span_seconds is above 0, got {self.span_seconds}.")
        if not 0 <= self.overlap < 1:
            raise UsageError(f"overlap is from 0 to below 1, got {self.overlap}.")


def video_pairs(
    path: Path, name: str, settings: PairSettings, beside: SidecarFinder
) -> tuple[CaptionRow, ...]:
    """Rows of one video, called ``name``: texts of all of it first, then spans of speech by time.

    Empty where nothing is written. Raises UnreadableMediaError, also for a broken sidecar.
    """
    info = probe(path)
    if info.video is None:
        raise UnreadableMediaError(f"{path}: holds no picture, so it makes no pair.")
    whole = tuple(
        text
        for text in dict.fromkeys(_whole_texts(path, info))
        if word_count(text) >= settings.min_words
    )
    rows = [CaptionRow(name, whole)] if whole else []
    cues = clean_cues(_chosen_track(path, info, settings.language, beside))
    inside = [cue for cue in cues if cue.start < info.duration]
    for span, text in joined(inside, settings.span_seconds, settings.overlap):
        if word_count(text) >= settings.min_words:
            end = min(span.end, info.duration)
            rows.append(CaptionRow(name, (text,), Segment(span.start, end)))
    return tuple(rows)


# ---- texts of the whole video


def _whole_texts(path: Path, info: MediaInfo) -> list[str]:
    about = _sidecar_object(path)
    title = str(about.get("title") or info.title or readable_name(path.name))
    texts = [tidy_text(title), *_sidecar_lines(path)]
    description = about.get("description")
    if isinstance(description, str):
        # the first paragraph says what is shown; links and thanks follow
        texts.append(tidy_text(description.strip().split("\n\n")[0]))
    return texts


def _sidecar_object(path: Path) -> dict[str, Any]:
    for suffix in _JSON_SUFFIXES:
        file = path.with_name(path.stem + suffix)
        data = _small_file(file)
        if data is None:
            continue
        try:
            value = json.loads(decode_text(data))
        except (ValueError, RecursionError) as error:
            raise UnreadableMediaError(f"{file}: is no JSON: {first_line(error)}.") from None
        if not isinstance(value, dict):
            raise UnreadableMediaError(f"{file}: is no object with title or description.")
        return value
    return {}


def _sidecar_lines(path: Path) -> list[str]:
    data = _small_file(path.with_name(path.stem + ".txt"))
    lines = decode_text(data).splitlines() if data else []
    return [text for line in lines if (text := tidy_text(line))]


def _small_file(file: Path) -> bytes | None:
    try:
        if not file.is_file():
            return None
        if file.stat().st_size > _LONGEST_TEXT:
            raise UnreadableMediaError(
                f"{file}: {file.stat().st_size >> 20} MB are too many for a text beside a video."
            )
        return file.read_bytes()
    except OSError as error:
        raise UnreadableMediaError(f"{file}: cannot be read: {first_line(error)}.") from error


# ---- speech


def _chosen_track(
    path: Path, info: MediaInfo, language: str | None, beside: SidecarFinder
) -> tuple[Cue, ...]:
    """The first track in this language, or the first with words; files beside it come first."""
    for file in beside.beside(path):
        if _speaks(language_of(file), language) and (cues := read_file(file).cues):
            return cues
    inside: Sequence[SubtitleTrack] = read_embedded(path, info)
    for track in inside:
        if _speaks(track.language, language) and track.cues:
            return track.cues
    return ()


def _speaks(found: str | None, wanted: str | None) -> bool:
    """en is en-GB; where a track does not say, it may be the one."""
    if wanted is None or found is None or found.lower() == "und":
        return True
    return _short(found) == _short(wanted)


_THREE_LETTERS = {  # what containers write for what file names write
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "por": "pt",
    "ita": "it", "nld": "nl", "dut": "nl", "rus": "ru", "jpn": "ja", "zho": "zh", "chi": "zh",
    "kor": "ko", "ara": "ar", "hin": "hi", "tur": "tr", "pol": "pl", "ces": "cs", "cze": "cs",
}  # fmt: skip


def _short(language: str) -> str:
    first = re.split(r"[-_]", language.lower())[0]
    return _THREE_LETTERS.get(first, first)


def joined(
    cues: Sequence[Cue], span_seconds: float, overlap: float = 0.0
) -> list[tuple[Segment, str]]:
    """Neighbouring cues as spans of at most ``span_seconds``; a longer cue stands alone.

    A span begins where a cue begins. With ``overlap`` the next one begins with the first cue that
    starts in the last ``overlap`` of a span, and so has the words that are said there as well.
    """
    spans = []
    first = 0
    while first < len(cues):
        start, end, last = cues[first].start, cues[first].end, first + 1
        while last < len(cues) and max(end, cues[last].end) - start <= span_seconds:
            end = max(end, cues[last].end)
            last += 1
        if end > start:
            text = " ".join(cue.text for cue in cues[first:last])
            spans.append((Segment(start, end), text))
        if last == len(cues):
            break
        border = end - overlap * (end - start)
        later = (n for n in range(first + 1, last) if overlap and cues[n].start >= border)
        first = next(later, last)
    return spans


def loose_span(
    span: Segment,
    duration: float,
    random: Random,
    *,
    shortest_seconds: float = 3.0,
    longest_seconds: float = 32.0,
) -> Segment:
    """A part of the video that overlaps the span of a text, drawn as VideoCLIP draws it.

    An instant within the span is its middle; its length is drawn between the two bounds (their
    published values are the defaults), and what lies outside the video is cut off.
    """
    middle = random.uniform(span.start, min(span.end, duration))
    half = random.uniform(shortest_seconds, longest_seconds) / 2
    return Segment(max(0.0, middle - half), min(duration, max(middle + half, 0.0)))


def candidates(spans: Sequence[Segment], number: int, count: int) -> range:
    """Numbers of the ``count`` neighbouring texts that lie nearest to text ``number``, with it.

    The run grows to the side where it stays shorter in time, as MIL-NCE takes its candidates; all
    that there are where there are fewer. ``spans`` are by rising start.
    """
    first, last = number, number + 1
    while last - first < min(count, len(spans)):
        if first == 0:
            last += 1
        elif last == len(spans):
            first -= 1
        elif spans[last].end - spans[first].start < spans[last - 1].end - spans[first - 1].start:
            last += 1
        else:
            first -= 1
    return range(first, last)
