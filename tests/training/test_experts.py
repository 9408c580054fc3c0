"""A network that reads what other networks saw is trained by a config like any other."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from scenewise.cli.main import main
from scenewise.models import load_pretrained
from scenewise.models.video_text.mmt import MMT
from scenewise.training import read_config, train
from scenewise.training.config import ConfigError

WIDTHS = {"rgb": 48, "vggish": 16}
SOUNDS = ("bell", "horn")
COLOURS = ("red", "blue", "green")


def write_world(folder: Path) -> Path:
    """Colours are seen, sounds are heard, and captions name both; one kind is silent."""
    lots = np.random.default_rng(0)
    for name in WIDTHS:
        (folder / name).mkdir(parents=True)
    for split in ("train", "val"):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["video", "caption"])
            for colour, seen in enumerate(COLOURS):
                for sound, heard in enumerate((*SOUNDS, "")):
                    video = f"{split}-{seen}-{heard or 'silent'}"
                    rows.writerow([video, f"a {seen} thing {f'with a {heard}' if heard else ''}"])
                    keep(folder / "rgb" / video, colour, WIDTHS["rgb"], lots)
                    if heard:
                        keep(folder / "vggish" / video, sound, WIDTHS["vggish"], lots)
    path = folder / "experts.toml"
    path.write_text(
        '[model]\nname = "mmt_tiny"\n[model.options.experts]\nrgb = 48\nvggish = 16\n'
        '[data]\ndataset = "csv"\ntask = "captions"\nannotations = "."\ntokenizer = "words"\n'
        'text_length = 10\nfeature_length = 4\n[data.experts]\nrgb = "rgb"\nvggish = "vggish"\n'
        "[optimizer]\nlr = 1e-3\n[train]\nmax_steps = 150\nbatch_size = 9\nevaluate_epochs = 0\n"
    )
    return path


def keep(path: Path, number: int, width: int, lots: np.random.Generator) -> None:
    shown = np.eye(3, width)[number] * 3 + lots.normal(0, 0.1, (6, width))
    np.savez(
        path.with_name(f"{path.name}.npz"),
        vectors=shown.astype(np.float32),
        times=np.arange(6) + 0.5,
        duration=6.0,
        made_from="",
    )


def test_a_run_learns_what_is_seen_and_heard(tmp_path: Path) -> None:
    report = train(read_config(write_world(tmp_path / "data")), tmp_path / "run", device="cpu")
    assert report.figures["text_to_video_recall_1"] == 1.0
    kept = load_pretrained(str(tmp_path / "run" / "final"))
    assert isinstance(kept, MMT)
    assert kept.experts == WIDTHS


def test_folders_are_checked_ahead_and_a_dry_run_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_world(tmp_path / "data")
    assert main(["train", str(path), "--dry-run"]) == 0
    assert "mmt_tiny learns Contrastive" in capsys.readouterr().out
    with pytest.raises(ConfigError) as error:
        read_config(path, ["data.experts.rgb=gone"])
    assert "data.experts.rgb" in str(error.value)
    assert "is not there" in str(error.value)
    with pytest.raises(ConfigError, match="two ways to name vectors; give one"):
        read_config(path, [f"data.features={tmp_path}"])
