"""One's own videos: a folder for each label.

    DIR/train/LABEL/*.mp4, DIR/val/LABEL/*.mp4   or, without splits, DIR/LABEL/*.mp4

It knows folders; it opens no video.
"""

from __future__ import annotations

from pathlib import Path

from scenewise.data.rows import Annotations, LabelRow, Task
from scenewise.errors import DataError


def read_folder(folder: Path, split: str, task: Task) -> Annotations[LabelRow]:
    """Every file below a subfolder, labelled by the subfolder's name; classes in their order."""
    root = folder / split if (folder / split).is_dir() else folder
    labels = (
        sorted(place.name for place in root.iterdir() if place.is_dir()) if root.is_dir() else []
    )
    rows = tuple(
        LabelRow(path.relative_to(folder).as_posix(), (label,))
        for label in labels
        for path in sorted((root / label).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    )
    if not rows:
        raise DataError(f"{root}: holds no file in a subfolder; make one subfolder for each label.")
    return Annotations("folder", split, task, rows, tuple(labels))
