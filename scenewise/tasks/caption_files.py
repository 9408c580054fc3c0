"""Captions as files: .srt and .vtt for players, .json for programs.

It knows captions and formats; what the captions say is ``caption``'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenewise.errors import UsageError
from scenewise.media.whole_file import write_text
from scenewise.types import Caption

SUFFIXES = (".srt", ".vtt", ".json")


def check_caption_file(path: Path) -> None:
    """Raise UsageError for a file of another kind."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path}: captions are written as {', '.join(SUFFIXES)}, not {path.suffix!r}."
        )


def captions_to_dict(video: str | Path, captions: Sequence[Caption]) -> dict[str, Any]:
    """The JSON shape."""
    return {"video": str(video), "captions": [caption.to_dict() for caption in captions]}


def write_captions(path: Path, video: str | Path, captions: Sequence[Caption]) -> Path:
    """Write captions by the suffix; an existing file is replaced whole.

    Raises UsageError for another suffix, StorageError where it cannot be written.
    """
    check_caption_file(path)
    if path.suffix.lower() == ".json":
        text = json.dumps(captions_to_dict(video, captions), ensure_ascii=False, indent=2)
        write_text(path, text + "\n")
    else:
        from scenewise.media.subtitles import Cue, write_file

        write_file(path, [Cue(caption.start, caption.end, caption.text) for caption in captions])
    return path
