"""The folder of a run: what it was made by, its figures, and its networks.

    RUN/config.resolved.json   the config with all defaults: scenewise train reads it again
    RUN/run.json               files that it came of, --set, versions, the commit of the folder
    RUN/metrics.json           how it ended: steps, loss, the last figures and the best one
    RUN/best, RUN/final        networks in our own format: classify --model, index --encoder
    RUN/trainer                the trainer's: log.jsonl, checkpoints, weights of best evaluations,
                               rows of epochs as they were dealt, with batches = "alike"

It knows files; it trains and measures nothing.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from scenewise.errors import StorageError, TrainingError, UsageError, first_line
from scenewise.media.whole_file import write_text
from scenewise.models.registry import create_model
from scenewise.models.weights.own import TOKENIZER, save_pretrained
from scenewise.training.adapters import add_adapter, save_adapter
from scenewise.training.config import Config
from scenewise.training.distributed import full_state
from scenewise.training.lora import add_lora, fold_lora, save_lora
from scenewise.training.objective_settings import AdapterSettings, LoraSettings
from scenewise.training.processes import Processes
from scenewise.training.report import TrainReport

RESOLVED, RECORD, METRICS = "config.resolved.json", "run.json", "metrics.json"
BEST, FINAL, TRAINER = "best", "final", "trainer"
ALIKE = "alike"  # below the trainer's: by what epochs of rows alike were dealt
# what may be another when a run goes on: it changes no number
_FREE = ("data.workers",)


@dataclass(frozen=True, slots=True)
class Saved:
    """What is written of a network, and what its folder holds beside the weights."""

    network: str  # of the registry
    options: Mapping[str, Any]
    lora: LoraSettings | None = None  # what it learned is added to the weights, and kept apart
    adapter: AdapterSettings | None = None  # then the adapter is written, and nothing else
    labels: tuple[str, ...] | None = None
    tokenizer: Path | None = None
    text: Mapping[str, Any] | None = None

    def with_words_in(self, folder: Path, *, write: bool) -> Saved:
        """The same, with the tokenizer in the run's own folder, copied there with ``write``."""
        if self.tokenizer is None or self.tokenizer.parent == folder:
            return self
        if write:
            shutil.copyfile(self.tokenizer, folder / TOKENIZER)
        return replace(self, tokenizer=folder / TOKENIZER)

    def write(self, module: nn.Module, folder: Path) -> None:
        """The network in our own format; every process calls it, and the first one writes."""
        prefix = "model."
        group = Processes()
        whole = full_state(module) if group.world > 1 else module.state_dict()
        if not group.first:
            return
        state = {
            name.removeprefix(prefix): tensor
            for name, tensor in whole.items()
            if name.startswith(prefix)
        }
        # made anew: what trained stays as it is, wherever its parameters lie
        network = create_model(self.network, **self.options)
        if self.adapter is not None:
            add_adapter(network, self.adapter)
            save_adapter(network, self.adapter.name, folder, state=state)
            return
        if self.lora is not None:
            add_lora(network, self.lora)
        network.load_state_dict(state)
        if self.lora is not None:
            save_lora(network, folder)
            fold_lora(network)
        save_pretrained(
            network, folder, labels=self.labels, tokenizer=self.tokenizer, text=self.text
        )


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
    then = {key: value for key, value in _flat(before).items() if key not in _FREE}
    now = identity(config)
    changed = sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key))
    if changed:
        raise UsageError(
            f"{folder} was begun with another config: {', '.join(changed)} differ. Take "
            f"{folder / RESOLVED}, or begin a new run in another --out."
        )


def identity(config: Config) -> dict[str, Any]:
    """What must be the same when a run goes on."""
    flat = _flat(json.loads(config.model_dump_json()))
    return {key: value for key, value in flat.items() if key not in _FREE}


def write_figures(folder: Path, figure: str | None, report: TrainReport) -> None:
    """How the run ended. Raises StorageError."""
    text = json.dumps({"figure": figure, **report.to_dict()}, indent=1, ensure_ascii=False)
    write_text(folder / METRICS, text + "\n")


def versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    import torch

    package = import_module("scenewise")  # the face of the library, which stands above this floor
    return {
        "scenewise": str(package.__version__),
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
