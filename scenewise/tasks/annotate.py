"""What is known of each video of a folder, as a JSON file beside it and one table of all.

It knows sidecars, tables and what was asked for; how a video is captioned and labelled, it is told.
A sidecar appears whole or not at all. One of the same content, made with the same settings, is
left as it is, so a run that was interrupted goes on where it ended.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scenewise.errors import StorageError, UsageError
from scenewise.index.encode_video import hash_file
from scenewise.index.footage import ID_DIGITS, Footage
from scenewise.index.records import FileStamp
from scenewise.media.whole_file import write_text
from scenewise.types import Caption, Failure, Label

FORMAT = "scenewise annotation 1"
WORDING = 2
SUFFIX = ".scenewise.json"
TABLE = "scenewise.csv"
COLUMNS = (
    "path",
    "video_id",
    "duration",
    "shots",
    "caption",
    "labels",
    "text",
    "sounds",
    "sidecar",
    "failed",
)
_MOST_IN_CELL = 3  # labels in one cell of the table
_LONGEST_CELL = 500  # characters of text in one cell
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would calculate


@dataclass(frozen=True, slots=True)
class AnnotateSettings:
    """What a sidecar depends on beside the content of its video."""

    encoder: str  # name
    encoder_digest: str
    sampling: str
    labels: tuple[str, ...] = ()
    motion: bool = True
    model: str | None = None
    tracks: tuple[str, ...] = ()  # which text and sounds the library has of this video
    wording: int = WORDING  # rises when captions of the same video would read otherwise

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self) | {"labels": list(self.labels), "tracks": list(self.tracks)}


@dataclass(frozen=True, slots=True)
class Annotation:
    """All that is said of one video."""

    footage: Footage
    stamp: FileStamp
    settings: AnnotateSettings
    caption: Caption
    captions: tuple[Caption, ...]  # of the shots
    labels: tuple[Label, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape of a sidecar."""
        footage = self.footage
        return {
            "format": FORMAT,
            "settings": self.settings.to_dict(),
            "video": {
                "path": footage.path,
                "video_id": footage.video_id,
                "duration": footage.duration,
                "size": self.stamp.size,
                "modified_ns": self.stamp.modified_ns,
            },
            "caption": self.caption.to_dict(),
            "captions": [caption.to_dict() for caption in self.captions],
            "labels": [label.to_dict() for label in self.labels],
            "shots": [shot.to_dict() for shot in footage.shots],
            "texts": [asdict(line) for line in footage.texts],
            "sounds": [sound.to_dict() for sound in footage.sounds],
            "warnings": list(footage.warnings),
        }


@dataclass(frozen=True, slots=True)
class AnnotateReport:
    """What one run did, in files."""

    written: int
    unchanged: int  # sidecars of the same content and settings
    failed: tuple[Failure, ...]
    table: str  # the path of the CSV
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self) | {"failed": [failure.to_dict() for failure in self.failed]}


@dataclass(slots=True)
class Folder:
    """Where sidecars go: beside their videos, or into ``output`` in the folders they lie in."""

    roots: tuple[str, ...]  # what was searched; symbolic links resolved
    output: Path | None = None
    replace: bool = False  # also what is up to date, and files that are not ours
    _rows: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def table(self) -> Path:
        """The path of the CSV."""
        if self.output is not None:
            return self.output / TABLE
        first = Path(self.roots[0])
        return (first if first.is_dir() else first.parent) / TABLE

    def prepare(self) -> None:
        """Make the output folder, and see that nothing of others is in the way.

        Raises StorageError where it cannot be made, UsageError where a foreign file has the
        table's name.
        """
        if self.output is not None:
            try:
                self.output.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"{self.output}: cannot be made ({error.strerror}); name another folder."
                ) from None
        if self.table.exists() and not self.replace and not _is_table(self.table):
            raise UsageError(
                f"{self.table} is there and no table of ours; move it, or --yes to replace it."
            )

    def sidecar(self, video: str) -> Path:
        """The sidecar of a video: its file name, and what it is."""
        path = Path(video)
        if self.output is None:
            return path.with_name(path.name + SUFFIX)
        for root in self.roots:
            if Path(root).is_dir() and path.is_relative_to(root):
                return self.output / path.relative_to(root).parent / (path.name + SUFFIX)
        return self.output / (path.name + SUFFIX)

    def up_to_date(self, stamp: FileStamp, settings: AnnotateSettings) -> dict[str, Any] | None:
        """What the sidecar of a video says, where it is of this content and these settings."""
        shape = read_sidecar(self.sidecar(stamp.path))
        if shape is None or self.replace or shape["settings"] != _plain(settings.to_dict()):
            return None
        video = shape["video"]
        if (video["size"], video["modified_ns"]) == (stamp.size, stamp.modified_ns):
            return shape
        # touched or copied: the same content under another date
        same = video["size"] == stamp.size and (
            hash_file(stamp.path)[:ID_DIGITS] == video["video_id"]
        )
        return shape if same else None

    def write(self, annotation: Annotation) -> dict[str, Any]:
        """Write a sidecar. Raises StorageError, UsageError for a foreign file in its place."""
        target = self.sidecar(annotation.stamp.path)
        if target.exists() and not self.replace and read_sidecar(target) is None:
            raise UsageError(
                f"{target} is there and no sidecar of ours; move it, or --yes to replace it."
            )
        with suppress(OSError):  # writing says what is wrong
            target.parent.mkdir(parents=True, exist_ok=True)
        shape: dict[str, Any] = annotation.to_dict()
        write_text(target, json.dumps(shape, ensure_ascii=False, indent=1) + "\n")
        return shape

    def add_row(self, path: str, shape: dict[str, Any]) -> None:
        """Note a video for the table."""
        self._rows[path] = _row(path, shape, self.sidecar(path))

    def add_failure(self, failure: Failure) -> None:
        """Note a video that could not be annotated."""
        cells = dict.fromkeys(COLUMNS, "")
        self._rows[failure.path] = cells | {"path": failure.path, "failed": failure.reason}

    def write_table(self) -> None:
        """Write the CSV of all that was noted, by path. Raises StorageError."""
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        for path in sorted(self._rows):
            table.writerow({name: _safe(cell) for name, cell in self._rows[path].items()})
        write_text(self.table, text.getvalue())


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """What a sidecar says; None where there is none, or something else under its name."""
    try:
        shape = json.loads(path.read_text("utf-8", errors="surrogateescape"))
        if shape["format"] != FORMAT:
            return None
        for name, kind in (("settings", dict), ("video", dict), ("captions", list)):
            if not isinstance(shape[name], kind):
                return None
        for name in ("size", "modified_ns", "video_id", "duration"):
            shape["video"][name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return dict(shape)


def _plain(shape: dict[str, Any]) -> Any:
    """A shape as it comes back from JSON."""
    return json.loads(json.dumps(shape))


def _row(path: str, shape: dict[str, Any], sidecar: Path) -> dict[str, str]:
    labels = [f"{label['name']} {label['probability']:.2f}" for label in shape["labels"]]
    return {
        "path": path,
        "video_id": shape["video"]["video_id"],
        "duration": f"{shape['video']['duration']:.3f}",
        "shots": str(len(shape["shots"])),
        "caption": shape["caption"]["text"],
        "labels": "; ".join(labels[:_MOST_IN_CELL]),
        "text": _cut(_once(line["text"] for line in shape["texts"])),
        "sounds": _once(sound["kind"] for sound in shape["sounds"]),
        "sidecar": str(sidecar),
        "failed": "",
    }


def _once(texts: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(" ".join(text.split()) for text in texts))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1].rstrip() + "…"


def _safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: words of a video are anybody's."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _is_table(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return next(csv.reader(file), []) == list(COLUMNS)
    except (OSError, csv.Error):
        return False


def check_output(output: Path | None, roots: Sequence[str]) -> None:
    """Raise UsageError for an output folder that is a file, or a root that is not there."""
    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder for the sidecars.")
    for root in roots:
        if not Path(root).exists():
            raise UsageError(f"{root} does not exist; name a folder or a video.")
