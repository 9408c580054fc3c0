"""Runs whose batches are of videos alike: found by the network, kept, and the same again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_films import LEVELS, SIZE, write_caption_config, write_captions, write_films

from scenewise.data.feature_files import Vectors, Windows, write_features
from scenewise.errors import TrainingError
from scenewise.media.target import Target
from scenewise.models import load_pretrained
from scenewise.training import read_config, train
from scenewise.training.alike import Looks
from scenewise.training.config import ConfigError
from scenewise.training.outputs import video_features
from scenewise.training.report import TrainProgress

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone")
ROWS = 12
# each step changes who is near whom
ALIKE = ["data.batches=alike", "data.alike_pool=1", "train.epochs=3", "train.checkpoint_steps=1"]
ALIKE += ["optimizer.lr=0.01"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("alike")
    write_captions(write_films(root / "films", ROWS // 2), ROWS // 2)
    write_caption_config(root)
    return root


# what the two processes have whole, and what each has a part of
STRATEGIES = ["ddp", pytest.param("fsdp", marks=pytest.mark.slow)]


class Losses:
    """The loss of each step; with ``stop`` the process is as good as killed in that step."""

    def __init__(self, stop: int | None = None) -> None:
        self.seen: dict[int, float] = {}
        self.chance: dict[int, bytes] = {}  # of the process, as the step leaves it
        self._stop = stop

    def __call__(self, progress: TrainProgress) -> None:
        if not progress.evaluating:
            self.seen[progress.step] = progress.loss
            self.chance[progress.step] = torch.get_rng_state().numpy().tobytes()
        if progress.step == self._stop:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[Path, Losses]:
    """A run that nobody stopped: three epochs of four steps."""
    losses, out = Losses(), folder / "whole"
    train(read_config(folder / "captions.toml", ALIKE), out, progress=losses)
    return out, losses


def orders(out: Path) -> dict[str, list[int]]:
    kept = (out / "trainer" / "alike").glob("*.npy")
    return {path.name: np.load(path).tolist() for path in kept}


def test_every_epoch_but_the_first_is_dealt_by_what_was_found(whole: tuple[Path, Losses]) -> None:
    out, losses = whole
    assert list(losses.seen) == list(range(1, 13))
    kept = orders(out)
    assert set(kept) == {"epoch-000001.npy", "epoch-000002.npy"}
    assert all(sorted(order) == list(range(ROWS)) for order in kept.values())


def test_the_first_epoch_alone_is_shuffled(
    whole: tuple[Path, Losses], folder: Path, tmp_path: Path
) -> None:
    shuffled = Losses()
    train(read_config(folder / "captions.toml", ALIKE[2:]), tmp_path, progress=shuffled)
    same = {step for step, loss in whole[1].seen.items() if shuffled.seen[step] == loss}
    assert same == {1, 2, 3, 4}


@pytest.mark.parametrize("step", [4, 5, 6, 10])
def test_it_goes_on_as_if_nothing_had_happened(
    whole: tuple[Path, Losses], folder: Path, tmp_path: Path, step: int
) -> None:
    config = read_config(folder / "captions.toml", ALIKE)
    cut = Losses(stop=step)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path, progress=cut)
    rest = Losses()
    report = train(config, tmp_path, resume=True, progress=rest)
    assert report.resumed_from == step - 1
    assert cut.seen | rest.seen == whole[1].seen
    assert orders(tmp_path) == orders(whole[0])
    first = load_pretrained(whole[0] / "final").state_dict()
    second = load_pretrained(tmp_path / "final").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_in_the_middle_of_an_epoch_nothing_is_found_anew(folder: Path, tmp_path: Path) -> None:
    config = read_config(folder / "captions.toml", ALIKE)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path, progress=Losses(stop=7))
    (kept,) = (tmp_path / "trainer" / "alike").glob("*.npy")
    whole = kept.read_bytes()
    for damaged in (whole[:100], b""):
        kept.write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"cannot be read: .*; begin a new run"):
            train(config, tmp_path, resume=True)
    np.save(kept, np.zeros(ROWS, dtype=np.int64))
    with pytest.raises(TrainingError, match="is of other rows, or damaged"):
        train(config, tmp_path, resume=True)
    kept.unlink()
    with pytest.raises(TrainingError, match="is not there, by which the rows of this epoch"):
        train(config, tmp_path, resume=True)


def test_only_orders_that_a_checkpoint_may_want_are_kept(folder: Path, tmp_path: Path) -> None:
    train(read_config(folder / "captions.toml", ["data.batches=alike", "train.epochs=5"]), tmp_path)
    assert set(orders(tmp_path)) == {"epoch-000003.npy", "epoch-000004.npy"}


def test_a_network_that_has_diverged_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = video_features

    def nowhere(*given: Any) -> Any:
        features = real(*given)
        features.pooled.fill_(float("nan"))
        return features

    monkeypatch.setattr("scenewise.training.alike.video_features", nowhere)
    with pytest.raises(TrainingError, match=r"it has diverged\. Lower optimizer\.lr"):
        train(read_config(folder / "captions.toml", ALIKE), tmp_path)


def test_looking_draws_nothing_from_training(
    whole: tuple[Path, Losses], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = video_features

    def careless(*given: Any) -> Any:
        torch.rand(3)
        return real(*given)

    monkeypatch.setattr("scenewise.training.alike.video_features", careless)
    losses = Losses()
    train(read_config(folder / "captions.toml", ALIKE), tmp_path, progress=losses)
    assert losses.chance == whole[1].chance
    assert losses.seen == whole[1].seen


def test_kept_frames_and_processes_that_decode(
    whole: tuple[Path, Losses], folder: Path, tmp_path: Path
) -> None:
    more = [*ALIKE, "data.workers=1"]
    losses = Losses()
    train(read_config(folder / "captions.toml", more), tmp_path / "run", progress=losses)
    assert losses.seen == whole[1].seen
    cached = [*ALIKE, f"data.cache={tmp_path / 'cache'}"]
    train(read_config(folder / "captions.toml", cached), tmp_path / "cached")
    assert len(orders(tmp_path / "cached")) == 2


def test_kept_vectors_are_looked_at_in_place_of_videos(folder: Path, tmp_path: Path) -> None:
    def numbers(frames: np.ndarray[Any, np.dtype[np.uint8]]) -> Vectors:
        level = frames.mean(axis=(1, 2, 3, 4), dtype=np.float64)
        return np.repeat(level[:, None] / 255, 32, axis=1).astype(np.float32)

    names = [f"{label}/{number}" for label in LEVELS for number in range(ROWS // 2)]
    films = {name: folder / "films" / f"{name}.mp4" for name in names}
    windows = Windows("levels", Target(SIZE, SIZE), frames=4, seconds=0.5, stride=0.5)
    write_features(tmp_path / "vectors", films, numbers, windows)
    network = ["model.name=videoclip_tiny", "model.options={pixels=false}", "train.epochs=2"]
    config = [*network, f"data.features={tmp_path / 'vectors'}", *ALIKE[:1], "data.text_length=32"]
    train(read_config(folder / "captions.toml", config), tmp_path / "run")
    (order,) = orders(tmp_path / "run").values()
    assert sorted(order) == list(range(ROWS))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_deal_one_order(folder: Path, tmp_path: Path, strategy: str) -> None:
    more = (*ALIKE, f"distributed.strategy={strategy}", "train.epochs=2", "train.batch_size=2")
    typed = ["scenewise", "train", str(folder / "captions.toml"), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [*TORCHRUN, "-m", *typed, "--json", "--device", "cpu"]
        + [part for one in more for part in ("--set", one)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 6
    (order,) = orders(tmp_path / "run").values()
    assert sorted(order) == list(range(ROWS))


def test_of_each_video_some_rows_are_looked_at() -> None:
    videos = ["a"] * 7 + ["b"] + ["c", "a"]
    assert Looks.chosen(videos, 1) == ([0] * 7 + [1, 2, 0], [4, 7, 8])
    assert Looks.chosen(videos, 3)[1] == [1, 4, 6, 7, 8]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.alike_clips=2"], "alike_clips belongs to batches = 'alike'"),
        (["data.batches=alike", "data.alike_pool=0"], "must be at least 1"),
        (
            ["data.batches=alike", "model.name=c3d_tiny", "data.dataset=folder"],
            "needs vectors of a video-text network, and c3d_tiny is none",
        ),
        (
            ["data.batches=alike", "data.dataset=folder", "objective.name=class_texts"],
            "is for captions, and data.task is labels",
        ),
        (
            ["data.batches=alike", "model.name=videobert_tiny", "objective.name=videobert"],
            "is for objective.name = 'contrastive', and that is videobert",
        ),
        (["data.batches=alik"], "did you mean alike?"),
    ],
)
def test_mistakes_are_a_sentence(folder: Path, overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(folder / "captions.toml", overrides)
    assert [one for one in map(str, caught.value.mistakes) if said in one]
