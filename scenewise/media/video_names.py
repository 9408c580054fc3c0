"""Which file names are those of videos: the suffixes of containers and raw streams.

It knows names; it opens nothing.
"""

from __future__ import annotations

import os

# What a folder is searched for. A file that is named directly is always tried.
VIDEO_SUFFIXES = frozenset(
    [
        ".3g2",
        ".3gp",
        ".asf",
        ".av1",
        ".avi",
        ".divx",
        ".dv",
        ".f4v",
        ".flv",
        ".h264",
        ".h265",
        ".264",
        ".265",
        ".hevc",
        ".ivf",
        ".m2t",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpe",
        ".mpeg",
        ".mpg",
        ".mpv",
        ".mts",
        ".mxf",
        ".nut",
        ".ogm",
        ".ogv",
        ".qt",
        ".rm",
        ".rmvb",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".wtv",
        ".y4m",
    ]
)
COMMON_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".mpg", ".wmv")


def looks_like_video(path: str) -> bool:
    """By its name alone: a video suffix (an unfinished download ends differently), not hidden."""
    name = os.path.basename(path)  # noqa: PTH119 - called for every file of a tree, on plain text
    if name.startswith(".") or name.endswith("~"):
        return False
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - as above


def without_suffix(name: str) -> str:
    """The name without a video's suffix; any other part after a dot belongs to the name."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - as above
    return stem if suffix.lower() in VIDEO_SUFFIXES else name
