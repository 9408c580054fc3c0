"""What a person sees of a run of training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scenewise.cli.output import Output
from scenewise.cli.training_progress import describe, shown_training
from scenewise.training.report import TrainProgress

NOW = TrainProgress(12, 340, 1, 10, 0.43121, 0.5)


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (NOW, "step 12/340, epoch 2/10, loss 0.4312, about 3 min left"),
        (replace(NOW, step=340), "step 340/340, epoch 2/10, loss 0.4312"),
        (replace(NOW, steps=None, epochs=None), "step 12, epoch 2, loss 0.4312"),
        (
            replace(NOW, evaluating=True, figures={"top_1": 0.71, "top_5": 0.9}),
            "step 12/340, epoch 1/10, loss 0.4312, evaluating, top_1 0.71",
        ),
    ],
)
def test_a_line_of_progress(progress: TrainProgress, said: str) -> None:
    assert describe(progress) == said


def test_lines_come_when_some_seconds_have_passed_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = iter([0.0, 0.0, 1.0, 6.0, 6.0, 6.5])
    with shown_training(Output.start(json=False), now=lambda: next(clock)) as show:
        assert show is not None
        for step in (1, 2, 3, 340):
            show(replace(NOW, step=step))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split(",")[0] for line in captured.err.splitlines()] == [
        "step 1/340",
        "step 3/340",
        "step 340/340",
    ]


def test_quiet_says_nothing() -> None:
    with shown_training(Output.start(json=False, quiet=True)) as show:
        assert show is None
