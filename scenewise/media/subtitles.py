"""Subtitles: tracks inside a video, .srt and .vtt files beside it; reading and writing.

It knows text with times, and repairs what real files get wrong. It knows nothing of what is said.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from scenewise.errors import UnreadableMediaError, UsageError
from scenewise.media.container import FOREIGN_ERRORS, foreign_errors, open_container, read_only
from scenewise.media.probe import MediaInfo, probe
from scenewise.media.sidecars import SIDECAR_SUFFIXES, find_sidecars, language_of
from scenewise.media.whole_file import write_text

_MAX_FILE_BYTES = 64 << 20  # subtitles of a day of film are a megabyte or two
_MAX_DEMUX_ERRORS = 16  # in a row
# A cue without a duration lasts until the next one, and no longer than this.
_UNKNOWN_DURATION_SECONDS = 4.0


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    """Text shown in ``[start, end)``, seconds from the first shown frame; lines end in ``\\n``."""

    start: float
    end: float
    text: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"a cue needs finite times, got {self.start} to {self.end}")
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a cue needs 0 <= start <= end, got {self.start} to {self.end}")


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """The cues of one source, by rising start. Cues may overlap."""

    source: str  # the path of a file, or "stream 2" of the video itself
    language: str | None
    cues: tuple[Cue, ...]
    skipped: int = 0  # lines or cues that could not be understood

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "source": self.source,
            "language": self.language,
            "cues": [{"start": c.start, "end": c.end, "text": c.text} for c in self.cues],
            "skipped": self.skipped,
        }


def read_subtitles(path: str | Path) -> tuple[SubtitleTrack, ...]:
    """All text that belongs to a video: files beside it first, then tracks inside it.

    Empty where there is none. Raises UnreadableMediaError.
    """
    beside = tuple(read_file(file) for file in find_sidecars(path))
    return beside + read_embedded(path)


# ---- files beside a video


def read_file(path: str | Path) -> SubtitleTrack:
    """Read one .srt or .vtt file in whatever encoding. Raises UnreadableMediaError."""
    path = Path(path)
    with foreign_errors(path):
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise UnreadableMediaError(
                f"{path}: {path.stat().st_size >> 20} MB are too many for subtitles; "
                f"allowed: {_MAX_FILE_BYTES >> 20} MB."
            )
        data = path.read_bytes()
    cues, skipped = parse(decode_text(data))
    return SubtitleTrack(str(path), language_of(path), cues, skipped)


def decode_text(data: bytes) -> str:
    """Bytes of a text file: by its byte order mark, else UTF-8, UTF-16 by its zeros, Windows."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if data.count(0) > len(data) // 5:  # text in Latin letters has a zero in every second byte
        big = data[::2].count(0) > data[1::2].count(0)
        return data.decode("utf-16-be" if big else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # cp1252 is latin-1 with letters where that has control characters; a few bytes have none
        return data.decode("cp1252", errors="replace")


# ---- parsing

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,:](\d{1,3})\d*)?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-{{1,3}}>\s*{_TIME}(?:\s.*)?")
_MARKUP = re.compile(  # tags of SubRip and WebVTT; "a < b" and "<3" are text
    r"</?(?:i|b|u|s|em|strong|font|c|v|lang|ruby|rt|span|p)(?:[\s.][^<>\n]*)?/?>"
    r"|<(?:\d+:)?\d+:\d+\.\d+>",
    re.I,
)
_BREAK = re.compile(r"<br\s*/?>", re.I)
_OVERRIDE = re.compile(r"\{\\[^{}\n]*\}")  # {\an8} of ASS, which SubRip files borrow
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ufeff]")


def parse(text: str) -> tuple[tuple[Cue, ...], int]:
    """Parse SubRip or WebVTT, told apart by the header; cues by rising start, and what is left out.

    Forgiven: missing counters, missing blank lines, comma or dot, missing hours or milliseconds,
    overlap, any order, odd line ends. Lines that belong to no cue, and cues whose times cannot
    be read or run backwards, are counted and left out; empty cues are left out silently.
    """
    lines = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((line for line in lines if line.strip()), "")
    is_vtt = first.lstrip("\ufeff \t").startswith("WEBVTT")
    cues: list[Cue] = []
    skipped = 0
    for block in _blocks(lines, is_vtt):
        if isinstance(block, _Stray):
            skipped += block.lines
            continue
        content = _plain(block.text, unescape=is_vtt)
        if block.end < block.start:
            skipped += 1
        elif content:
            cues.append(Cue(block.start, block.end, content))
    return tuple(sorted(cues, key=lambda cue: (cue.start, cue.end))), skipped


@dataclass(slots=True)
class _Raw:
    start: float
    end: float
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(slots=True)
class _Stray:
    lines: int


def _blocks(lines: list[str], is_vtt: bool) -> Iterator[_Raw | _Stray]:
    """Cues as written, and lines that belong to none."""
    cue: _Raw | None = None
    label: str | None = None  # a line that may be the counter or name of the next cue
    is_comment = is_vtt  # the header, until a blank line
    for line in lines:
        timing = _TIMING.fullmatch(line)
        if timing is not None:
            if cue is not None:
                if cue.lines and cue.lines[-1].strip().isdigit():
                    cue.lines.pop()  # the next cue's counter, without a blank line before it
                yield cue
            cue = _Raw(_seconds(timing.groups()[:4]), _seconds(timing.groups()[4:]), [])
            label, is_comment = None, False
        elif not line.strip():
            if cue is not None:
                yield cue
            cue, is_comment = None, False
        elif cue is not None:
            cue.lines.append(line)
        elif is_vtt and re.match(r"(NOTE|STYLE|REGION)\b", line):
            is_comment = True
        elif not is_comment:
            if label is not None:
                yield _Stray(1)
            label = line
    if cue is not None:
        yield cue
    if label is not None:
        yield _Stray(1)


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    milliseconds = int((fraction or "0").ljust(3, "0"))
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    return (whole * 1000 + milliseconds) / 1000


def _plain(text: str, *, unescape: bool) -> str:
    text = _MARKUP.sub("", _BREAK.sub("\n", _OVERRIDE.sub("", text)))
    if unescape:
        text = html.unescape(text)
    return tidy(text)


def tidy(text: str) -> str:
    """Lines without white space around them, control characters, or empty lines between."""
    text = _CONTROL.sub("", text.replace("\u00a0", " "))
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


# ---- writing


def format_srt(cues: Iterable[Cue]) -> str:
    """SubRip text. An arrow ``-->`` inside a text becomes ``→``: the format cannot hold it."""
    blocks = []
    for number, cue in enumerate(sorted(cues, key=lambda c: (c.start, c.end)), start=1):
        text = tidy(cue.text).replace("-->", "→")
        times = f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}"
        blocks.append(f"{number}\n{times}\n{text}\n")
    return "\n".join(blocks)


def format_vtt(cues: Iterable[Cue]) -> str:
    """WebVTT text."""
    blocks = ["WEBVTT\n"]
    for cue in sorted(cues, key=lambda c: (c.start, c.end)):
        text = html.escape(tidy(cue.text), quote=False)
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def write_file(path: str | Path, cues: Iterable[Cue]) -> Path:
    """Write cues as .srt or .vtt, by the suffix; an existing file is replaced whole.

    Raises UsageError for another suffix, StorageError where it cannot be written.
    """
    path = Path(path)
    formats = {".srt": format_srt, ".vtt": format_vtt}
    if path.suffix.lower() not in formats:
        allowed = ", ".join(SIDECAR_SUFFIXES)
        raise UsageError(f"{path}: subtitles are written as {allowed}, not {path.suffix!r}.")
    return write_text(path, formats[path.suffix.lower()](cues))


def _clock(seconds: float, point: str) -> str:
    total = round(seconds * 1000)
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, rest = divmod(milliseconds, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{point}{rest:03d}"


# ---- tracks inside a video


def read_embedded(path: str | Path, info: MediaInfo | None = None) -> tuple[SubtitleTrack, ...]:
    """Every text track of a video: mov_text, subrip, ass, webvtt. Pictures of text are counted.

    Empty where there is none. ``info`` is what ``probe`` said, where that was asked already. Raises
    UnreadableMediaError.
    """
    path = Path(path)
    if info is None:
        container = open_container(path)
        try:
            texts = [s for s in container.streams.subtitles if s.codec_context is not None]
        finally:
            container.close()
        if not texts:
            return ()
        info = probe(path)
    return tuple(_read_track(path, stream.index, info.first_pts) for stream in info.subtitles)


def _read_track(path: Path, index: int, origin: float) -> SubtitleTrack:
    container = open_container(path)
    try:
        stream = container.streams[index]
        assert isinstance(stream, SubtitleStream)
        read_only(container, stream)
        shown: list[tuple[float, float | None, str]] = []
        skipped = 0
        for start, duration, rects in _events(container, stream):
            codec = stream.codec_context.name
            texts = [_words(rect.ass, codec) for rect in rects if isinstance(rect, AssSubtitle)]
            text = tidy("\n".join(texts))
            if start is None or not math.isfinite(start) or (rects and not texts):
                skipped += 1
            elif text:
                shown.append((start - origin, duration, text))
        return SubtitleTrack(f"stream {index}", stream.language, tuple(_with_ends(shown)), skipped)
    finally:
        container.close()


def _events(
    container: InputContainer, stream: SubtitleStream
) -> Iterator[tuple[float | None, float | None, list[Any]]]:
    """Start, duration (None: unknown) and rectangles of each packet, on the container's clock."""
    errors = 0
    while errors <= _MAX_DEMUX_ERRORS:
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                errors = 0
                base = packet.time_base
                start = None if packet.pts is None else float(packet.pts * base)
                duration = float(packet.duration * base) if packet.duration else None
                try:
                    rects = list(packet.decode() or ())
                except FOREIGN_ERRORS:
                    yield None, None, []
                    continue
                yield start, duration, rects
            return
        except FOREIGN_ERRORS:
            errors += 1


def _with_ends(shown: list[tuple[float, float | None, str]]) -> Iterator[Cue]:
    """Cues in order, on the clock of the pictures; what lies before the first frame is cut."""
    shown.sort(key=lambda event: event[0])
    for place, (start, duration, text) in enumerate(shown):
        if duration is None:
            later = (event[0] for event in shown[place + 1 :] if event[0] > start)
            end = min(next(later, math.inf), start + _UNKNOWN_DURATION_SECONDS)
        else:
            end = start + max(0.0, duration)
        if end > 0:
            yield Cue(max(0.0, start), end, text)


_ASS_CODECS = ("ass", "ssa")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}.*?(?=\{[^{}]*\\p0|$)", re.S)
_ASS_BLOCK = re.compile(r"\{[^{}]*\}")  # overrides and comments
_WORD_JOINER = "\u2060"
_OPEN, _CLOSE = "\x00", "\x01"  # stand for braces that are text


def _words(event: bytes, codec: str) -> str:
    """The words of one event: FFmpeg hands every text codec over in the notation of ASS.

    Its WebVTT decoder escapes braces and backslashes, the SubRip and mov_text decoders do not.
    """
    text = event.decode("utf-8", errors="replace")
    text = text.split(",", 8)[-1]  # ReadOrder, Layer, Style, Name, three margins, Effect
    text = text.replace(r"\{{}", _OPEN)
    if codec in _ASS_CODECS:
        text = text.replace(r"\{", _OPEN).replace(r"\}", _CLOSE)
        text = _ASS_BLOCK.sub("", _DRAWING.sub("", text))
        text = text.replace(r"\n", "\n").replace(r"\h", " ")
    else:
        text = _MARKUP.sub("", _BREAK.sub("\n", _OVERRIDE.sub("", text)))
    text = text.replace(r"\N", "\n").replace("\\" + _WORD_JOINER, "\\")
    return text.replace(_OPEN, "{").replace(_CLOSE, "}")
