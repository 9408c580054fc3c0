"""What networks that see, hear or do both say of a batch, and at which rate sound must come."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models import create_model
from scenewise.training.evaluation import LabelEvaluation
from scenewise.training.objective_settings import ClassificationSettings
from scenewise.training.objectives.registry import default_objective
from scenewise.training.outputs import check_sound_rate, outputs_of

HEARS, SEES, BOTH = "audio_cnn_tiny", "tsm_tiny", "i3d_tsm_tiny"
SPECTRA = "ast_tiny"


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    options = {"sound": True} if name == BOTH else {}
    return create_model(name, num_classes=3, **options).eval()


def batch() -> Batch:
    chance = torch.Generator().manual_seed(0)
    return Batch(
        rows=torch.arange(3),
        clips=torch.rand(3, 8, 3, 64, 64, generator=chance),
        sound=torch.rand(3, 16_000, generator=chance) - 0.5,
        has_sound=torch.tensor([True, True, False]),
        targets=torch.tensor([0, 1, 2]),
    )


@pytest.mark.parametrize("name", [HEARS, SEES, BOTH])
def test_a_network_is_given_what_it_takes(name: str) -> None:
    model, whole = network(name), batch()
    given = {HEARS: (whole.sound,), SEES: (whole.clips,)}.get(
        name, (whole.clips, whole.sound, whole.has_sound)
    )
    assert torch.equal(outputs_of(model, whole), model(*given))


@pytest.mark.parametrize(
    ("name", "without", "message"),
    [
        (HEARS, "sound", "needs sound"),
        (SPECTRA, "sound", "needs sound"),
        (SEES, "clips", "needs clips"),
        (BOTH, "sound", "a branch"),
    ],
)
def test_what_is_missing_is_said(name: str, without: str, message: str) -> None:
    whole = batch()
    lacking = replace(whole, sound=None) if without == "sound" else replace(whole, clips=None)
    with pytest.raises(TrainingError, match=message):
        outputs_of(network(name), lacking)


@pytest.mark.parametrize("name", [HEARS, BOTH])
def test_an_evaluation_hears(name: str) -> None:
    model, whole = network(name), batch()
    said = outputs_of(model, whole).argmax(dim=1)
    right = replace(whole, targets=said)
    assert LabelEvaluation([right])(model)["top_1"] == 1
    assert LabelEvaluation([replace(right, targets=(said + 1) % 3)])(model)["top_1"] == 0


@pytest.mark.parametrize("name", [HEARS, SPECTRA])
def test_a_network_of_sound_learns_classes(name: str) -> None:
    assert default_objective(network(name)) == ClassificationSettings()


def test_sound_comes_at_the_rate_that_the_network_hears() -> None:
    for name in (HEARS, BOTH):
        check_sound_rate(network(name), 32_000)
        with pytest.raises(TrainingError, match=r"is 16000, .* set data.sound_rate = 32000"):
            check_sound_rate(network(name), 16_000)
        with pytest.raises(TrainingError, match="is not given"):
            check_sound_rate(network(name), None)
    check_sound_rate(network(SPECTRA), 16_000)
    with pytest.raises(TrainingError, match=r"set data.sound_rate = 16000"):
        check_sound_rate(network(SPECTRA), 32_000)
    for rate in (None, 8_000):
        check_sound_rate(network(SEES), rate)
