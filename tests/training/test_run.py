"""Whole runs: from a config to a network that the other verbs use, and what a run refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from training_films import write_caption_config, write_captions, write_config, write_films

from scenewise.cli.learning import describe
from scenewise.cli.main import main
from scenewise.errors import NetworkError, TrainingError, UsageError
from scenewise.models import load_pretrained
from scenewise.training import read_config, train
from scenewise.training.report import TrainProgress
from scenewise.training.run import overfit_batch

ROOT = Path(__file__).resolve().parents[2]
SCENEWISE = (sys.executable, "-m", "scenewise")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    write_captions(write_films(root / "films"))
    write_caption_config(root)
    write_config(root)
    return root


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A run of labels that ended."""
    out = folder / "run"
    assert main(["train", str(folder / "labels.toml"), "--out", str(out), "--quiet"]) == 0
    return out


@pytest.fixture(autouse=True)
def capture(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    capfd.readouterr()


def answer(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert main([*arguments, "--json"]) == 0, capfd.readouterr().err
    return json.loads(capfd.readouterr().out)


def test_a_run_leaves_what_it_was_made_by(run: Path, folder: Path) -> None:
    resolved = read_config(run / "config.resolved.json")
    assert resolved == read_config(folder / "labels.toml")
    record = json.loads((run / "run.json").read_text())
    assert record["files"] == [str((folder / "labels.toml").resolve())]
    assert record["versions"]["torch"] == str(torch.__version__)
    assert set(record["versions"]) == {"scenewise", "torch", "python"}
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["figure"], metrics["steps"], metrics["ended"]) == ("top_1", 4, "done")
    assert set(metrics["figures"]) == {"top_1", "mean_class_accuracy"}


def test_a_resolved_config_repeats_the_run(run: Path, tmp_path: Path) -> None:
    report = train(read_config(run / "config.resolved.json"), tmp_path / "again")
    before = json.loads((run / "metrics.json").read_text())
    assert report.loss == before["loss"]
    first = load_pretrained(run / "final").state_dict()
    second = load_pretrained(tmp_path / "again" / "final").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_classify_names_the_labels_of_the_run(
    run: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    film = str(folder / "films" / "dark" / "0.mp4")
    shape = answer(capfd, "classify", film, "--model", str(run / "best"))
    assert {label["name"] for label in shape["labels"]} == {"bright", "dark"}


@pytest.mark.slow
def test_a_dual_encoder_indexes_and_searches(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    config = str(folder / "captions.toml")
    report = answer(capfd, "train", config, "--out", str(out), "--set", "train.epochs=12", "-q")
    assert report["figures"]["text_to_video_recall_5"] == 1.0
    made = json.loads((out / "best" / "config.json").read_text())
    assert made["text"] == {"lower": True, "pad_id": 0, "length": 16}
    library = ("--library", str(tmp_path / "library"))
    films = str(folder / "films")
    answer(capfd, "index", films, *library, "--encoder", str(out / "best"), "--workers", "1")
    for word in ("dark", "bright"):
        found = answer(capfd, "search", f"a {word} one", *library, "--in", "visual")
        assert Path(found["hits"][0]["path"]).parent.name == word


def test_a_folder_with_a_run_is_not_overwritten(
    run: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    typed = ["train", str(folder / "labels.toml"), "--out", str(run)]
    assert main(typed) == 2
    assert "holds a run already; go on with it by --resume" in capfd.readouterr().err
    assert main([*typed, "--resume", "--set", "seed=5"]) == 2
    assert "was begun with another config: seed differ" in capfd.readouterr().err
    assert main([*typed[:-1], str(folder / "none"), "--resume"]) == 2
    assert "holds no run to go on with" in capfd.readouterr().err
    with pytest.raises(UsageError, match="is a file"):
        train(read_config(folder / "labels.toml"), folder / "labels.toml")


@pytest.mark.skipif(sys.platform == "win32", reason="no signals as Linux has them")
def test_a_run_that_is_interrupted_says_how_it_goes_on(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = folder / "labels.toml"
    started = subprocess.Popen(
        [*SCENEWISE, "train", str(config), "--out", str(out), "--set", "train.epochs=100000"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not list((out / "trainer" / "checkpoints").glob("step-*")):
            assert started.poll() is None
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == 130
    resolved = out / "config.resolved.json"
    assert f"go on with: scenewise train {resolved} --out {out} --resume" in said
    assert not (out / "final").exists()
    step = int(said.partition("interrupted after step ")[2].partition(";")[0])
    assert step > 0


def test_it_goes_on_as_if_nothing_had_happened(folder: Path, tmp_path: Path) -> None:
    class Stop(Exception):  # noqa: N818 # what kills a process
        pass

    config = read_config(folder / "labels.toml", ["train.epochs=3"])
    whole = train(config, tmp_path / "whole")
    seen: list[dict[str, float]] = []

    def stop(figures: dict[str, float]) -> None:
        seen.append(figures)
        if len(seen) == 2:
            raise Stop

    with pytest.raises(Stop):
        train(config, tmp_path / "cut", on_figures=stop)
    assert not (tmp_path / "cut" / "final").exists()
    report = train(config, tmp_path / "cut", resume=True)
    assert (report.steps, report.loss, report.figures) == (whole.steps, whole.loss, whole.figures)
    assert report.resumed_from is not None
    first = load_pretrained(tmp_path / "whole" / "final").state_dict()
    second = load_pretrained(tmp_path / "cut" / "final").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_are_taken_over_and_what_was_not_is_said(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    three = write_films(tmp_path / "films", 2)
    (three / "grey").mkdir()
    for number in range(2):
        (three / "grey" / f"{number}.mp4").symlink_to(three / "dark" / f"{number}.mp4")
    config = read_config(
        write_config(tmp_path), [f"model.weights={run / 'final'}", 'model.freeze=["conv*"]']
    )
    said: list[str] = []
    train(config, tmp_path / "run", say=said.append)
    assert any(
        "2 tensors have another shape there and begin fresh: fc8.bias" in one for one in said
    )
    before = load_pretrained(run / "final").state_dict()
    after = load_pretrained(tmp_path / "run" / "final").state_dict()
    same = {name for name in before if torch.equal(before[name], after[name][: len(before[name])])}
    assert same >= {name for name in before if name.startswith("conv")}
    assert "fc7.weight" not in same
    assert after["fc8.weight"].shape[0] == 3


def test_weights_of_another_network_are_refused(run: Path, folder: Path, tmp_path: Path) -> None:
    config = read_config(
        folder / "labels.toml", ["model.name=tsm_tiny", f"model.weights={run / 'final'}"]
    )
    with pytest.raises(NetworkError, match="does not belong to tsm_tiny"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_lora_is_added_to_the_weights_of_the_folder(folder: Path, tmp_path: Path) -> None:
    path = write_config(tmp_path, network="timesformer_tiny", more='[lora]\nalso = ["head"]\n')
    (tmp_path / "films").symlink_to(folder / "films")
    config = read_config(path)
    train(config, tmp_path / "run")
    final = tmp_path / "run" / "final"
    assert (final / "lora.safetensors").is_file()
    names = load_pretrained(final).state_dict()
    assert not any("lora" in name for name in names)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.options.num_classes=5", "is 5, and the annotations name 2 classes"),
        ('model.freeze=["nothing"]', "nothing"),
    ],
)
def test_what_does_not_go_together_is_said_ahead_of_the_run(
    folder: Path, tmp_path: Path, override: str, said: str
) -> None:
    with pytest.raises(TrainingError, match=said):
        train(read_config(folder / "labels.toml", [override]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_a_validation_split_nothing_is_measured(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    config = read_config(folder / "labels.toml", ["data.val_split=none", "train.epochs=1"])
    report = train(config, tmp_path / "run", say=said.append)
    assert report.figures == {}
    assert "there is no validation split: nothing is measured" in said
    assert (tmp_path / "run" / "best" / "model.safetensors").is_file()


def test_videos_with_several_labels_are_ranked(folder: Path, tmp_path: Path) -> None:
    """``grey`` belongs to all, the two others to half of them each."""
    names = ("bright", "dark")
    lines = [f"{name}/{number},{name}|grey" for name in names for number in range(3)]
    for split in ("train", "val"):
        (tmp_path / f"{split}.csv").write_text("\n".join(["video,label", *lines]) + "\n")
    path = tmp_path / "several.toml"
    path.write_text(
        '[model]\nname = "c3d_tiny"\n[data]\ndataset = "csv"\ntask = "labels"\nannotations = "."\n'
        f'videos = "{folder / "films"}"\nsize = 64\n[train]\nepochs = 1\nbatch_size = 3\n'
        '[objective]\nname = "classification"\nseveral = true\n'
    )
    report = train(read_config(path), tmp_path / "run")
    assert set(report.figures) == {"mAP", "mAP_micro", "mAP_weighted"}
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["figure"] == "mAP"
    # the class that all have is found by any order, and the others are halves of six
    assert 1 / 3 < report.figures["mAP"] <= 1
    with pytest.raises(UsageError, match="is not measured on labels; allowed: mAP, mAP_micro"):
        read_config(path, ["train.best_figure=top_1"])


def test_one_batch_is_learned_by_heart(folder: Path) -> None:
    report = overfit_batch(read_config(folder / "labels.toml", ["train.epochs=20"]))
    assert len(report.losses) == report.steps == 40
    assert report.last_loss < 0.1 * report.first_loss


@pytest.mark.slow
def in_two_processes(config: Path, out: Path, *typed: str) -> dict[str, Any]:
    done = subprocess.run(
        [*TORCHRUN, *SCENEWISE[1:], "train", str(config), "--out", str(out), "--json", *typed],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_two_processes_train_one_network(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    typed = ("--set", "train.epochs=1", "--device", "cpu")
    given = in_two_processes(folder / "labels.toml", out, *typed)
    assert given["steps"] == 1  # 6 rows, 3 for each of two processes
    assert (out / "best" / "model.safetensors").is_file()


def test_parts_are_saved_after_an_evaluation(folder: Path, tmp_path: Path) -> None:
    """X-CLIP has parameters outside all blocks, which stay whole where no backward pass follows."""
    network = ("--set", "model.name=xclip_recognition_tiny", "--set", "distributed.strategy=fsdp")
    out = tmp_path / "run"
    first = in_two_processes(folder / "captions.toml", out, *network, "--device", "cpu")
    assert first["steps"] == 2
    shapes = {
        name: value.shape for name, value in load_pretrained(out / "final").named_parameters()
    }
    assert all(0 not in shape for shape in shapes.values())


def test_progress_is_a_line() -> None:
    progress = TrainProgress(12, 40, 0, 2, 0.53125, 0.125)
    assert describe(progress) == (
        "step 12/40, epoch 1/2, loss 0.5312, 0.12 s a step, about 4 s left"
    )
    endless = TrainProgress(12, None, 0, None, 0.5, 0.0, evaluating=True)
    assert describe(endless) == "step 12, epoch 1, loss 0.5000, measuring"
