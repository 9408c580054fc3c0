"""Captions as files: .srt and .vtt for players, .json for programs.

It knows captions and formats; what the captions say is ``caption``'s.
"""

from __future__ import annotations

import json
from pathlib import Path

from scenewise.errors import UsageError
from scenewise.media.whole_file import write_text
from scenewise.types import Captioned

SUFFIXES = (".srt", ".vtt", ".json")


def check_caption_file(path: Path) -> None:
    """Raise UsageError for a file of another kind."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path}: captions are written as {', '.join(SUFFIXES)}, not {path.suffix!r}."
        )


def write_captions(path: Path, captioned: Captioned) -> Path:
    """Write captions by the suffix; an existing file is replaced whole.

    Raises UsageError for another suffix, StorageError where it cannot be written.
    """
    check_caption_file(path)
    if path.suffix.lower() == ".json":
        text = json.dumps(captioned.to_dict(), ensure_ascii=False, indent=2)
        write_text(path, text + "\n")
    else:
        from scenewise.media.subtitles import Cue, write_file

        write_file(path, [Cue(one.start, one.end, one.text) for one in captioned.captions])
    return path
