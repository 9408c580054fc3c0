"""The loop: how long it goes on, what it keeps, how it ends and how it is taken up again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import SkippingBatches, batch_of, evaluate, learner, network, shuffled_loader
from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.training.learner import Learner
from scenewise.training.optimizers import make_optimizer
from scenewise.training.settings import (
    LogSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainSettings,
)
from scenewise.training.trainer import Evaluate, Trainer, TrainProgress, TrainReport

EVERY = LogSettings(every_steps=1)


def trainer(
    folder: Path | None = None,
    *,
    module: Learner | None = None,
    batches: Any = None,
    evaluate: Evaluate | None = evaluate,
    lr: float = 0.02,
    more: dict[str, Any] | None = None,
    **settings: Any,
) -> Trainer:
    torch.manual_seed(1)
    module = module or learner()
    return Trainer(
        module,
        make_optimizer(module, OptimizerSettings(lr=lr)),
        TrainSettings(**{"batch_size": 3, **settings}),
        SkippingBatches() if batches is None else batches,
        evaluate=evaluate,
        folder=folder,
        log=EVERY,
        **(more or {}),
    )


def logged(folder: Path, kind: str = "train") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    return [line for line in found if line["kind"] == kind]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# 23 rows in batches of 3 are 8 batches
@pytest.mark.parametrize(
    ("settings", "steps", "epochs"),
    [
        ({}, 8, 1),
        ({"epochs": 2}, 16, 2),
        ({"max_steps": 5}, 5, 0),
        ({"max_steps": 20}, 20, 2),
        ({"epochs": 1, "max_steps": 20}, 8, 1),
        ({"epochs": 2, "accumulate": 3}, 6, 2),  # 3, 3 and 2 batches
        ({"epochs": 1, "accumulate": 100}, 1, 1),
    ],
)
def test_how_long_a_run_is(settings: dict[str, Any], steps: int, epochs: int) -> None:
    report = trainer(**settings).fit()
    assert (report.steps, report.epochs, report.ended) == (steps, epochs, "done")


def test_it_learns_and_says_what_it_did(tmp_path: Path) -> None:
    report = trainer(tmp_path, epochs=10).fit()
    lines = logged(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 81))
    assert report.loss < lines[0]["loss"] / 5
    last = logged(tmp_path, "evaluation")[-1]
    assert (last["step"], last["epoch"]) == (80, 10)
    assert report.figures == last["figures"]
    assert report.figures["twice"] == 2 * report.figures["loss"]
    line = lines[3]
    assert line["parts"].keys() == {"bias"}
    assert line["lr"] == {"base": 0.02, "base, no decay": 0.02}
    assert line["gradient_norm"] > 0
    assert line["clips_per_second"] == pytest.approx(3 / line["seconds_per_step"])
    assert line["memory_bytes"] > 10e6
    # the mean over an epoch counts rows: the last batch has 2
    epoch = [one["loss"] for one in lines[72:]]
    assert report.loss == pytest.approx((3 * sum(epoch[:7]) + 2 * epoch[7]) / 23)


def test_a_line_of_the_log_is_the_mean_since_the_last_one(tmp_path: Path) -> None:
    trainer(tmp_path / "each").fit()
    torch.manual_seed(1)
    module = learner()
    Trainer(
        module,
        make_optimizer(module, OptimizerSettings(lr=0.02)),
        TrainSettings(batch_size=3),
        SkippingBatches(),
        folder=tmp_path / "fourth",
        log=LogSettings(every_steps=4),
    ).fit()
    each = [line["loss"] for line in logged(tmp_path / "each")]
    fourth = logged(tmp_path / "fourth")
    assert [line["step"] for line in fourth] == [4, 8]
    assert fourth[0]["loss"] == pytest.approx(sum(each[:4]) / 4)


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    taught = trainer(epochs=2)
    taught.fit()
    assert list(tmp_path.iterdir()) == []
    assert taught.take_best() == "last"


def test_checkpoints_are_the_two_newest_and_the_best_networks_lie_beside(tmp_path: Path) -> None:
    values = iter([3.0, 1.0, 2.0, 4.0, 0.5])
    weights: dict[int, torch.Tensor] = {}

    def scripted(model: nn.Module) -> dict[str, float]:
        weights[len(weights) + 1] = next(model.parameters()).detach().clone()
        return {"recall": next(values)}

    taught = trainer(tmp_path, evaluate=scripted, epochs=5, keep_best=2, best_figure="recall")
    report = taught.fit()
    assert names(tmp_path / "checkpoints") == [f"step-000000{n}.safetensors" for n in (32, 40)]
    assert names(tmp_path / "best") == [f"step-000000{n:02}.safetensors" for n in (8, 32)]
    assert report.best == {"step": 32, "recall": 4.0}
    saved = load_file(tmp_path / "best" / "step-00000032.safetensors")
    assert torch.equal(saved["model.0.weight"], weights[4])
    assert taught.take_best() == "best"
    assert torch.equal(next(taught.model.parameters()).detach(), weights[4])


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    values = iter([5.0, 4.0, 3.99, 3.98, 3.0])
    report = trainer(
        tmp_path, evaluate=lambda model: {"loss": next(values)}, epochs=9, patience=2, min_delta=0.1
    ).fit()
    assert (report.ended, report.epochs) == ("stopped", 4)
    # taken up again it has still ended
    again = trainer(tmp_path, evaluate=None, epochs=9, patience=2, min_delta=0.1).fit(resume=True)
    assert (again.ended, again.steps, again.resumed_from) == ("stopped", 32, 32)


def test_evaluations_come_when_they_are_due_and_once_a_step(tmp_path: Path) -> None:
    trainer(tmp_path, max_steps=12, evaluate_steps=4, evaluate_epochs=1).fit()
    assert [line["step"] for line in logged(tmp_path, "evaluation")] == [4, 8, 12]


def test_an_evaluation_changes_nothing_about_training(tmp_path: Path) -> None:
    """Nor does it learn: it draws numbers and leaves the network in eval mode."""
    for folder, each in ((tmp_path / "often", 1), (tmp_path / "never", 0)):
        module = learner(network(dropout=0.3, norm=True))
        trainer(folder, module=module, epochs=2, evaluate_steps=each, evaluate_epochs=0).fit()
    losses = [[one["loss"] for one in logged(tmp_path / f)] for f in ("often", "never")]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 16


def test_the_mean_of_weights_is_what_is_measured_and_kept(tmp_path: Path) -> None:
    """It is another network than that of the last step, and ``take_best`` gives it."""
    module = learner()
    taught = trainer(tmp_path, module=module, epochs=3, ema_decay=0.9)
    taught.fit()
    own = [parameter.detach().clone() for parameter in module.parameters()]
    assert [line["mean"] for line in logged(tmp_path, "evaluation")] == [True] * 3
    figures = logged(tmp_path, "evaluation")[-1]["figures"]
    assert evaluate(module.model)["loss"] != pytest.approx(figures["loss"], rel=1e-3)
    assert taught.take_best() == "best"
    assert not torch.equal(own[0], next(module.parameters()))
    assert evaluate(module.model)["loss"] == pytest.approx(figures["loss"])


def test_without_an_evaluation_the_mean_of_weights_is_the_best() -> None:
    module = learner()
    taught = trainer(module=module, evaluate=None, ema_decay=0.9)
    taught.fit()
    before = next(module.parameters()).detach().clone()
    assert taught.take_best() == "mean"
    assert not torch.equal(before, next(module.parameters()))


class _BrokenError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("source", ["skipping", "torch"])
def test_a_run_goes_on_in_the_middle_of_an_epoch(tmp_path: Path, source: str) -> None:
    def make(folder: Path, **more: Any) -> Trainer:
        return trainer(
            folder,
            module=learner(network(dropout=0.3, norm=True)),
            batches=SkippingBatches() if source == "skipping" else shuffled_loader(),
            epochs=2,
            checkpoint_steps=3,
            more={"schedule": ScheduleSettings(name="cosine", warmup_steps=2), **more},
        )

    def breaking(now: TrainProgress) -> None:
        if now.step == 5:
            raise _BrokenError

    whole = make(tmp_path / "whole").fit()
    with pytest.raises(_BrokenError):
        make(tmp_path / "parts", progress=breaking).fit()
    report = make(tmp_path / "parts").fit(resume=True)
    assert (report.resumed_from, report.steps) == (3, 16)
    losses = [[one["loss"] for one in logged(tmp_path / f)] for f in ("whole", "parts")]
    assert losses[0] == losses[1]
    assert report.loss == whole.loss


def test_batches_that_are_behind_are_not_made_again(tmp_path: Path) -> None:
    def breaking(now: TrainProgress) -> None:
        if now.step == 7:
            raise _BrokenError

    with pytest.raises(_BrokenError):
        trainer(tmp_path, checkpoint_steps=6, more={"progress": breaking}).fit()
    batches = SkippingBatches()
    trainer(tmp_path, batches=batches, checkpoint_steps=6).fit(resume=True)
    assert len(batches.made) == 2


@pytest.mark.parametrize("at", [3, 8], ids=["middle", "end of an epoch"])
def test_ctrl_c_ends_after_the_step_with_a_checkpoint(tmp_path: Path, at: int) -> None:
    def pressing(now: TrainProgress) -> None:
        if now.step == at and not now.evaluating:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    report = trainer(tmp_path / "parts", epochs=2, more={"progress": pressing}).fit()
    assert (report.ended, report.steps) == ("interrupted", at)
    assert signal.getsignal(signal.SIGINT) is before
    report = trainer(tmp_path / "parts", epochs=2).fit(resume=True)
    assert (report.ended, report.steps, report.resumed_from) == ("done", 16, at)
    trainer(tmp_path / "whole", epochs=2).fit()
    losses = [[one["loss"] for one in logged(tmp_path / f)] for f in ("whole", "parts")]
    assert losses[0] == losses[1]


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    def pressing(now: TrainProgress) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, more={"progress": pressing}).fit()


def test_a_run_without_a_checkpoint_begins(tmp_path: Path) -> None:
    """Killed before its first one, its log is begun anew as well."""
    (tmp_path / "log.jsonl").write_text('{"kind": "train", "step": 1, "loss": 9}\n')
    report = trainer(tmp_path).fit(resume=True)
    assert report.resumed_from is None
    assert [line["step"] for line in logged(tmp_path)] == list(range(1, 9))


def test_a_run_does_not_overwrite_another(tmp_path: Path) -> None:
    trainer(tmp_path).fit()
    with pytest.raises(TrainingError, match="holds checkpoints of a run; resume it, or name"):
        trainer(tmp_path).fit()


def test_a_damaged_checkpoint_is_put_aside_for_the_one_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer(tmp_path, epochs=3).fit()
    newest = tmp_path / "checkpoints" / "step-00000024.safetensors"
    content = bytearray(newest.read_bytes())
    content[-9] ^= 1
    newest.write_bytes(content)
    report = trainer(tmp_path, epochs=3).fit(resume=True)
    assert (report.resumed_from, report.steps) == (16, 24)
    assert "checksum does not fit" in caplog.text
    assert "goes on from the one before it, step-00000016.safetensors" in caplog.text
    assert [line["step"] for line in logged(tmp_path)] == list(range(1, 25))
    # of what is left, the whole one; then none
    for path in (tmp_path / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="No other one is whole; begin anew"):
        trainer(tmp_path, epochs=3).fit(resume=True)


def wider() -> Learner:
    made = learner(nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Dropout(0.0), nn.Linear(9, 1)))
    made.model.add_module("more", nn.Linear(1, 1))
    return made


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"more": {"identity": {"seed": 2, "model": {"name": "x"}}}}, "seed was 1 and is 2; give"),
        ({"more": {"identity": {"seed": 1}}}, 'model.name was "x" and is not there'),
        ({"module": "wider"}, r"another network: model.more.weight is missing there.*\[8, 4\]"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    identity = {"seed": 1, "model": {"name": "x"}}
    trainer(tmp_path, more={"identity": identity}).fit()
    given = {"more": {"identity": identity}, **changed}
    if given.get("module"):
        given["module"] = wider()
    with pytest.raises(TrainingError, match=words):
        trainer(tmp_path, **given).fit(resume=True)


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path).fit()
    for optimizer, words in (
        (OptimizerSettings(name="sgd"), "of the optimizer AdamW, and this one is SGD"),
        (OptimizerSettings(decay_vectors=True), "other groups of parameters: 2 groups there, 1"),
    ):
        module = learner()
        again = Trainer(
            module,
            make_optimizer(module, optimizer),
            TrainSettings(batch_size=3),
            SkippingBatches(),
            folder=tmp_path,
        )
        with pytest.raises(TrainingError, match=words):
            again.fit(resume=True)


def test_an_iterable_without_a_length_needs_max_steps() -> None:
    def endless() -> Any:
        while True:
            yield batch_of([1, 2, 3])

    class Stream:
        def __iter__(self) -> Any:
            return endless()

    assert trainer(batches=Stream(), max_steps=5).fit().steps == 5
    with pytest.raises(TrainingError, match=r"give train\.max_steps"):
        trainer(batches=Stream(), more={"schedule": ScheduleSettings(name="cosine")})


def test_no_batch_at_all_is_an_error() -> None:
    empty: list[Batch] = []
    with pytest.raises(TrainingError, match="no batch at all"):
        trainer(batches=empty, epochs=3).fit()


def test_a_figure_that_is_not_measured_cannot_choose_the_best() -> None:
    with pytest.raises(TrainingError, match=r"no figure 'top_1'.*it gives loss, twice"):
        trainer(best_figure="top_1").fit()


def test_progress_is_told_each_step_and_each_evaluation() -> None:
    told: list[TrainProgress] = []
    trainer(epochs=2, more={"progress": told.append}).fit()
    assert [now.step for now in told if not now.evaluating] == list(range(1, 17))
    assert [now.step for now in told if now.evaluating] == [8, 16]
    last = told[-1]
    assert (last.steps, last.epochs, set(last.figures)) == (16, 2, {"loss", "twice"})


def test_the_report_is_json() -> None:
    report = trainer().fit()
    assert isinstance(report, TrainReport)
    assert json.loads(json.dumps(report.to_dict()))["steps"] == 8
