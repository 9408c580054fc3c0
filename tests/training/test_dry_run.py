"""What a dry run says is what a run would do, and it leaves no trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_films import write_caption_config, write_captions, write_config, write_films

from scenewise.cli.main import main
from scenewise.models.flops import network_cost
from scenewise.training import read_config
from scenewise.training.dry_run import dry_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dry")
    write_captions(write_films(root / "films"))
    write_caption_config(root)
    write_config(root, more="accumulate = 2\n[optimizer]\nlr = 2e-4\n")
    return root


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def test_it_counts_what_a_run_would_do(folder: Path) -> None:
    found = dry_run(read_config(folder / "labels.toml"))
    cost = network_cost("c3d_tiny", num_classes=2)
    assert (found.network, found.objective, found.figure) == ("c3d_tiny", "Classification", "top_1")
    assert found.rows == {"train": 6, "val": 6}
    assert (found.videos, found.missing) == (6, ())
    # 6 rows in batches of 3, two of which make a step; 2 epochs
    assert (found.batches_per_epoch, found.steps) == (2, 2)
    assert found.parameters == found.trained == cost.parameters
    assert found.multiply_adds == cost.multiply_adds
    assert found.batch["clips"] == "3x8x3x64x64 float32"
    assert {group.lr for group in found.groups} == {2e-4}
    assert sum(group.parameters for group in found.groups) == found.trained
    assert found.memory is not None
    assert found.memory.weights == 4 * found.parameters
    assert found.memory.gradients == 4 * found.trained


def test_blocks_are_those_that_a_clip_passes(folder: Path) -> None:
    blocks = dry_run(read_config(folder / "labels.toml")).blocks
    names = [block.name for block in blocks]
    assert names[0] == "conv1"
    assert names[-1] == "fc8"
    assert blocks[0].inputs == ("3x3x8x64x64 float32",)
    assert blocks[-1].outputs == ("3x2 float32",)
    assert (
        sum(block.parameters for block in blocks)
        == dry_run(read_config(folder / "labels.toml")).parameters
    )


def test_frozen_parameters_are_counted_apart(folder: Path) -> None:
    found = dry_run(read_config(folder / "labels.toml", ['model.freeze=["conv*"]']))
    frozen = sum(block.parameters for block in found.blocks if block.name.startswith("conv"))
    assert frozen > 0
    assert found.trained == found.parameters - frozen
    assert found.memory is not None
    assert found.memory.gradients == 4 * found.trained


def test_missing_videos_are_named(folder: Path) -> None:
    root = folder / "gap"
    write_captions(write_films(root / "films", 3), 4)  # captions of one more than there are
    found = dry_run(read_config(write_caption_config(root)))
    assert found.missing == ("bright/3", "dark/3")
    assert any("2 videos are missing, and 4 rows with them: bright/3" in n for n in found.notes)


@pytest.mark.parametrize("name", ["labels", "captions"])
def test_it_writes_nothing(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = contents(folder)
    assert main(["train", f"{name}.toml", "--dry-run"]) == 0
    assert contents(folder) == before
    said = capsys.readouterr()
    assert "memory of a step:" in said.out
    assert "parameters: " in said.out
    assert main(["train", f"{name}.toml", "--dry-run", "--json", "--out", "elsewhere"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert {"blocks", "memory", "steps", "groups", "missing"} <= set(shape)
    assert contents(folder) == before


def test_one_way_at_a_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(folder / "labels.toml")
    for options, said in (
        (("--dry-run", "--overfit-batch"), "--dry-run and --overfit-batch do not go together"),
        (("--dry-run", "--resume"), "--dry-run and --resume do not go together"),
        (("--trials", "3"), "--trials belongs to --search SPACE"),
    ):
        assert main(["train", config, *options]) == 2
        assert said in capsys.readouterr().err
