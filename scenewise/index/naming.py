"""Which video of a library a person means by a few words: a path, an id, a file name.

It knows entries of a library and how people abbreviate; it knows no database.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from scenewise.errors import UsageError
from scenewise.types import Video

FEWEST_DIGITS = 4  # of an abbreviated video id
_SHOWN = 3  # candidates in a message


def named(videos: Sequence[Video], text: str) -> list[Video]:
    """The entries meant by a path, a video id, the beginning of one, or a file name.

    They are looked for in this order. A file name may be the end of a path (``holiday/a.mp4``);
    it counts only where no file of this name lies here, so that another one is never meant by
    mistake. Several entries are returned only where one content lies under several paths.

    Raises UsageError where no video is meant, or more than one.
    """
    if not text.strip() or "\0" in text:
        raise _unknown(text)
    here = os.path.realpath(os.path.expanduser(text))  # noqa: PTH111 - leaves an unknown ~user
    for path in (text, here):
        found = [video for video in videos if video.path == path]
        if found:
            return found
    found = _by_id(videos, text.strip().lower())
    if not found:
        if os.path.isdir(here):  # noqa: PTH112 - leaves an unknown ~user
            raise UsageError(
                f"{text} is a folder, where one video is meant; name a file in it, or a video "
                "that scenewise list shows."
            )
        if os.path.lexists(here):
            raise UsageError(
                f"{text} is not in this library; index it first, or name a video that "
                "scenewise list shows."
            )
        end = os.sep + text.removeprefix(f".{os.sep}").lstrip(os.sep)
        found = [video for video in videos if video.path.endswith(end)]
    if not found:
        raise _unknown(text)
    _check_one(found, text)
    return found


def video_named(videos: Sequence[Video], text: str) -> list[Video]:
    """``named``, and UsageError for a file that failed: the entries of one content."""
    found = named(videos, text)
    if found[0].video_id is None:
        raise UsageError(f"{text} could not be indexed ({found[0].reason}), so it has no moments.")
    return found


def _by_id(videos: Sequence[Video], digits: str) -> list[Video]:
    exact = [video for video in videos if video.video_id == digits]
    if exact or len(digits) < FEWEST_DIGITS:
        return exact
    return [video for video in videos if (video.video_id or "").startswith(digits)]


def _check_one(found: Sequence[Video], text: str) -> None:
    contents = {video.video_id or video.path: video for video in reversed(found)}
    if len(contents) < 2:
        return
    several = list(reversed(contents.values()))
    shown = ", ".join(
        f"{video.path} ({(video.video_id or 'failed')[:12]})" for video in several[:_SHOWN]
    )
    more = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
    raise UsageError(
        f"{text!r} could be any of {len(several)} videos: {shown}{more}; give more of the path "
        "or of the id."
    )


def _unknown(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is no video of this library, nor is there such a file; give a path, a file "
        f"name, or {FEWEST_DIGITS} or more digits of a video id, as scenewise list shows them."
    )
