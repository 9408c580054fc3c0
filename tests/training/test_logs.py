"""What a run writes of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from scenewise.errors import MissingExtraError
from scenewise.training.logs import LOG, RunLog
from scenewise.training.settings import LogSettings

LINE = {"epoch": 0, "loss": 0.5, "lr": {"base": 0.1}, "memory_bytes": None}

_BOTH = """
import sys
from pathlib import Path
from scenewise.training.logs import RunLog
from scenewise.training.settings import LogSettings
settings = LogSettings(tensorboard="tensorboard" in sys.argv, wandb="wandb" in sys.argv)
log = RunLog(Path(sys.argv[1]), settings, id="abc", config={"seed": 1})
for step in (1, 2):
    log.write("train", step, {"epoch": 0, "loss": 0.5 / step, "lr": {"base": 0.1}})
log.close()
"""


def written(folder: Path, what: str, **environment: str) -> str:
    """Two lines by another process, so that its threads end with it; what it printed."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    done = subprocess.run(
        [sys.executable, "-c", _BOTH, str(folder), what],
        capture_output=True,
        text=True,
        env={**kept, "PYTHONPATH": path, **environment},
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_lines_are_there_at_once_and_nan_is_null(tmp_path: Path) -> None:
    log = RunLog(tmp_path, LogSettings())
    log.write("train", 1, {**LINE, "gradient_norm": float("inf")})
    read = json.loads((tmp_path / LOG).read_text("utf-8"))
    assert read == {"kind": "train", "step": 1, **LINE, "gradient_norm": None}
    log.close()


def test_a_run_that_goes_on_cuts_the_log_back(tmp_path: Path) -> None:
    log = RunLog(tmp_path, LogSettings())
    log.write("train", 1, LINE)
    position = log.position()
    log.write("train", 2, LINE)
    log.close()
    log = RunLog(tmp_path, LogSettings(), position=position, step=1)
    log.write("train", 2, {"loss": 7})
    log.close()
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text("utf-8").splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 0.5), (2, 7)]


def test_a_log_that_lost_lines_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    RunLog(tmp_path, LogSettings(), position=100).close()
    assert "lines are missing" in caplog.text


def test_tensorboard_has_the_same_figures(tmp_path: Path) -> None:
    if find_spec("tensorboard") is None:
        pytest.skip("tensorboard is not installed: its files were not tested")
    written(tmp_path, "tensorboard")
    (events,) = (tmp_path / "tensorboard").iterdir()
    content = events.read_bytes()
    assert all(name in content for name in (b"train/loss", b"train/lr/base"))


def test_wandb_writes_a_run_and_asks_nobody(tmp_path: Path) -> None:
    """Offline, though no WANDB_MODE says so; and it prints nothing by itself."""
    if find_spec("wandb") is None:
        pytest.skip("wandb is not installed: its files were not tested")
    home = str(tmp_path / "home")
    said = written(tmp_path, "wandb", HOME=home, WANDB_BASE_URL="http://127.0.0.1:9")
    (run,) = (tmp_path / "wandb").glob("offline-run-*-abc")
    assert (run / "run-abc.wandb").stat().st_size > 0
    assert said == ""


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_what_is_not_installed_is_said(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}
    monkeypatch.setitem(sys.modules, modules[name], None)
    with pytest.raises(MissingExtraError, match=f"log.{name} needs {name}, which is not installed"):
        RunLog(tmp_path, LogSettings.model_validate({name: True}))
