"""Subtitles, titles and file names made into sentences: what is no word is taken out.

It knows text with times; it knows no file and no video.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from scenewise.media.subtitles import Cue
from scenewise.media.video_names import without_suffix

# a caption that rolls comes again at once; what is said anew after a pause is said twice
_AT_ONCE_SECONDS = 0.5

_NOTES = re.compile(r"[♩♪♫♬🎵🎶#]+(?=\s|$)|[♩♪♫♬🎵🎶]+")
# [Music], (applause), *laughs*: at most a few words, so that a sentence in brackets stays
_SOUNDS = re.compile(r"\[[^\[\]]{0,40}\]|\((?:[^()\s]+\s?){1,3}\)|\*[^*\s][^*]{0,30}\*")
_DASH = re.compile(r"^\s*(?:>>+|&gt;&gt;|[-–—•])\s*", re.M)
# JOHN:, DR. SMITH:, Speaker 1:
_SPEAKER = re.compile(
    r"^\s*(?:[A-Z][A-Z.'\- ]{1,24}\d{0,2}|(?:Speaker|Narrator)(?: \d+)?)\s*:\s+", re.M
)
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_SPACE = re.compile(r"\s+")
_SIGN = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # scripts without spaces, or nearly so
_WORD = re.compile(rf"{_SIGN}|[^\W\d_](?:(?!{_SIGN})[\w'’])*")
# of yt-dlp in square brackets, of its forerunner behind a dash: there a digit must tell it
_YOUTUBE_ID = re.compile(r"\s*\[[\w-]{11}\]\s*$|-(?=[\w-]*[\d_])[\w-]{11}$")
_CAMERA = re.compile(
    r"^(?:img|vid|mov|mvi|dsc[fn]?|dji|gopr|g[hxp]\d*|pxl|video|clip|screen|whatsapp|trim)[\W_]*"
    r"(?:video|recording)?[\W_]*(?=\d|$)",
    re.I,
)


def word_count(text: str) -> int:
    """Words that begin with a letter; of scripts without spaces, signs."""
    return len(_WORD.findall(text))


def tidy_text(text: str) -> str:
    """On one line, without links."""
    return _SPACE.sub(" ", _LINK.sub("", text)).strip()


def readable_name(name: str) -> str:
    """``My_dog-runs.home [dQw4w9WgXcQ].mp4`` is ``My dog runs home``; what a camera named is empty.

    A number that a camera or a program gave is no text.
    """
    stem = _YOUTUBE_ID.sub("", without_suffix(name))
    words = _SPACE.sub(" ", re.sub(r"[_.\-–—]+", " ", stem)).strip()
    return "" if _CAMERA.match(words) or not word_count(words) else words


def clean_cues(cues: Iterable[Cue]) -> list[Cue]:
    """Cues of words alone, by rising start, each said once.

    Notes of music, sounds in brackets and marks of speakers go. Where captions roll, a line that
    was on the screen already goes, and a text that only grows is kept in its last form.
    """
    plain = [replace(cue, text=text) for cue in cues if (text := _lines(cue.text))]
    plain.sort(key=lambda cue: (cue.start, cue.end))
    kept: list[Cue] = []
    shown: list[str] = []  # lines of the cue before, as it stood on the screen
    shown_until = -1.0
    for cue in plain:
        lines = cue.text.split("\n")
        rolls = cue.start <= shown_until + _AT_ONCE_SECONDS
        fresh = [line for line in lines if line not in shown] if rolls else lines
        shown, shown_until = lines, max(cue.end, shown_until if rolls else cue.end)
        text = " ".join(fresh)
        if not text:
            kept[-1:] = [replace(one, end=max(one.end, cue.end)) for one in kept[-1:]]
        elif rolls and kept and _grows(kept[-1].text, text):
            kept[-1] = Cue(kept[-1].start, max(kept[-1].end, cue.end), text)
        else:
            kept.append(replace(cue, text=text))
    return kept


def _grows(before: str, after: str) -> bool:
    return after.startswith(f"{before} ")


def _lines(text: str) -> str:
    text = _SPEAKER.sub("", _DASH.sub("", _NOTES.sub("", _SOUNDS.sub("", text))))
    lines = (_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
