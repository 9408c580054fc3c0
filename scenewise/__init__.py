"""scenewise: search videos in plain words and get the exact moment.

Importing this package loads nothing heavy; names are looked up when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenewise.errors import ScenewiseError
    from scenewise.library import Library
    from scenewise.types import (
        Answer,
        Caption,
        Event,
        Failure,
        IndexReport,
        Label,
        Moment,
        Progress,
        SearchResult,
        Segment,
        Sound,
        Video,
        Why,
    )

__version__ = "0.1.0"

_HOME = {
    "Answer": "scenewise.types",
    "Caption": "scenewise.types",
    "Event": "scenewise.types",
    "Failure": "scenewise.types",
    "IndexReport": "scenewise.types",
    "Label": "scenewise.types",
    "Library": "scenewise.library",
    "Moment": "scenewise.types",
    "Progress": "scenewise.types",
    "ScenewiseError": "scenewise.errors",
    "SearchResult": "scenewise.types",
    "Segment": "scenewise.types",
    "Sound": "scenewise.types",
    "Video": "scenewise.types",
    "Why": "scenewise.types",
}

__all__ = [
    "Answer",
    "Caption",
    "Event",
    "Failure",
    "IndexReport",
    "Label",
    "Library",
    "Moment",
    "Progress",
    "ScenewiseError",
    "SearchResult",
    "Segment",
    "Sound",
    "Video",
    "Why",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'scenewise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
