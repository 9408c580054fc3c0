"""The folder of a run: what it was made by, its figures, and its networks.

    RUN/config.resolved.json   the config with all defaults: scenewise train reads it again
    RUN/run.json               files that it came of, --set, versions, the commit of the folder
    RUN/metrics.json           the last evaluation, the best one, and all of them in order
    RUN/best, RUN/final        networks in our own format: classify --model, index --encoder

It knows files; it trains and measures nothing.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

import scenewise
from scenewise.errors import StorageError, TrainingError, UsageError, first_line
from scenewise.media.whole_file import write_text
from scenewise.models.weights.own import TOKENIZER, save_pretrained
from scenewise.training.config import Config
from scenewise.training.figures import is_falling

RESOLVED, RECORD, METRICS = "config.resolved.json", "run.json", "metrics.json"
BEST, FINAL = "best", "final"
# what may be another when a run goes on: it changes no number
_FREE = ("data.workers",)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a network's folder holds beside its weights."""

    labels: tuple[str, ...] | None = None
    tokenizer: Path | None = None
    text: Mapping[str, Any] | None = None

    def with_words_in(self, folder: Path) -> Saved:
        """The same, with the tokenizer copied into the run's own folder."""
        if self.tokenizer is None or self.tokenizer.parent == folder:
            return self
        kept = folder / TOKENIZER
        shutil.copyfile(self.tokenizer, kept)
        return replace(self, tokenizer=kept)

    def write(self, network: nn.Module, folder: Path) -> Path:
        """The network in our own format."""
        return save_pretrained(
            network, folder, labels=self.labels, tokenizer=self.tokenizer, text=self.text
        )


@dataclass(slots=True)
class Figures:
    """The evaluations of a run; ``figure`` says which of its numbers is the one that counts."""

    figure: str | None = None
    falling: bool | None = None  # whether less of it is better; None: as its name says
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] | None = None

    def add(self, figures: Mapping[str, float]) -> bool:
        """Keep an evaluation; True where it is the best so far. Raises TrainingError."""
        self.history.append(dict(figures))
        if self.figure is None:
            return False
        if self.figure not in figures:
            raise TrainingError(
                f"train.best_figure = {self.figure!r} was not measured; there are "
                f"{', '.join(figures)}."
            )
        value, before = figures[self.figure], (self.best or {}).get(self.figure)
        falling = is_falling(self.figure) if self.falling is None else self.falling
        better = before is None or (value < before if falling else value > before)
        if better:
            self.best = dict(figures)
        return better

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "figure": self.figure,
            "last": self.history[-1] if self.history else None,
            "best": self.best,
            "history": self.history,
        }


def check_folder(folder: Path, *, resume: bool, shown: str | None = None) -> None:
    """Refuse a folder that holds a run already, or ``resume`` where none is. Raises UsageError."""
    name = shown or str(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{name} is a file; name a folder for the run.")
    there = (folder / RESOLVED).is_file()
    if there and not resume:
        raise UsageError(
            f"{name} holds a run already; go on with it by --resume, or name another --out."
        )
    if resume and not there:
        raise UsageError(f"{name} holds no run to go on with; leave --resume out.")


def begin(
    folder: Path, config: Config, *, files: Sequence[Path] = (), overrides: Sequence[str] = ()
) -> None:
    """Write what the run is made by. Raises StorageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be made ({error.strerror or error}); name another folder."
        ) from error
    write_text(folder / RESOLVED, config.model_dump_json(indent=1) + "\n")
    record = {
        "files": [str(path.resolve()) for path in files],
        "set": list(overrides),
        "versions": versions(),
        "commit": commit_of(Path.cwd()),
    }
    write_text(folder / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def check_same(folder: Path, config: Config) -> None:
    """Refuse to go on with another config than the run has. Raises UsageError."""
    try:
        before = json.loads((folder / RESOLVED).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{folder / RESOLVED} cannot be read: {first_line(error)}; begin a new run."
        ) from error
    now = json.loads(config.model_dump_json())
    changed = sorted(
        key
        for key in _flat(before).keys() | _flat(now).keys()
        if _flat(before).get(key) != _flat(now).get(key) and key not in _FREE
    )
    if changed:
        raise UsageError(
            f"{folder} was begun with another config: {', '.join(changed)} differ. Take "
            f"{folder / RESOLVED}, or begin a new run in another --out."
        )


def read_figures(folder: Path, figure: str | None, falling: bool | None = None) -> Figures:
    """The evaluations so far, where the run goes on; none for a fresh one."""
    path = folder / METRICS
    if not path.is_file():
        return Figures(figure, falling)
    try:
        shape = json.loads(path.read_text("utf-8"))
        return Figures(figure, falling, list(shape["history"]), shape["best"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} cannot be read: {first_line(error)}; begin a new run."
        ) from error


def write_figures(folder: Path, figures: Figures) -> None:
    """Write them whole. Raises StorageError."""
    text = json.dumps(figures.to_dict(), indent=1, ensure_ascii=False)
    write_text(folder / METRICS, text + "\n")


def versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    import torch

    return {
        "scenewise": scenewise.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def commit_of(folder: Path) -> str | None:
    """The commit of a folder under git, with + where files were changed; None without git."""
    git = shutil.which("git")
    if git is None:
        return None
    said = []
    for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no")):
        try:
            done = subprocess.run(
                [git, "-C", str(folder), *command], capture_output=True, text=True, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None
        said.append(done.stdout.strip())
    return said[0] + ("+" if said[1] else "")


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{name}.")
        else:
            flat[name] = value
    return flat
