"""Spectra of sounds whose pitch is known, and a network that learns to tell them apart."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from scenewise.cli.main import main
from scenewise.data.batch import Batch
from scenewise.models import create_model
from scenewise.models.audio.ast import AudioSpectrogramTransformer
from scenewise.training.learner import LOSS, Learner
from scenewise.training.objective_settings import ClassificationSettings
from scenewise.training.objectives.registry import make_objective
from scenewise.training.spectra import AST_RATE, spectra_of

SECONDS = 1.28


def tones(*pitches: float) -> Tensor:
    """A second and a bit of each pitch (Hz)."""
    times = torch.arange(int(SECONDS * AST_RATE)) / AST_RATE
    return torch.stack([0.5 * torch.sin(2 * math.pi * pitch * times) for pitch in pitches])


def network() -> AudioSpectrogramTransformer:
    torch.manual_seed(0)
    made = create_model("ast_tiny", num_classes=2)
    assert isinstance(made, AudioSpectrogramTransformer)
    return made


def mel(pitch: float) -> float:
    return 1127 * math.log(1 + pitch / 700)


@pytest.mark.parametrize("pitch", [200, 1000, 3000, 6000])
def test_a_tone_is_loudest_in_the_band_of_its_pitch(pitch: float) -> None:
    """64 bands, evenly spread in mel from 20 Hz to half the rate."""
    spectra = spectra_of(network(), tones(pitch))
    assert spectra.shape == (1, 64, 128)
    width = (mel(AST_RATE / 2) - mel(20)) / 65
    expected = (mel(pitch) - mel(20)) / width - 1
    assert abs(int(spectra[0, :, 60].argmax()) - expected) <= 1


def test_shorter_sound_is_filled_up() -> None:
    half = tones(1000)[:, : AST_RATE // 2]
    spectra = spectra_of(network(), half)
    assert spectra.shape == (1, 64, 128)
    filling = spectra[0, :, 60:]
    assert torch.allclose(filling, filling[0, 0])
    assert float(spectra[0, :, :45].std()) > 0.1


def test_two_pitches_are_learned() -> None:
    made = network()
    batch = Batch(
        torch.arange(4), sound=tones(300, 2000, 330, 2200), targets=torch.tensor([0, 1, 0, 1])
    )
    learner = Learner(made, make_objective(ClassificationSettings(), made))
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3)
    losses = []
    for _ in range(40):
        loss = learner(batch)[LOSS]
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 < losses[0]


def test_a_config_trains_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = tmp_path / "world"
    assert main(["synthesize", str(world), "--kind", "sounds", "--films", "20", "-q"]) == 0
    (tmp_path / "ast.toml").write_text(
        '[model]\nname = "ast_tiny"\n[data]\ndataset = "jsonl"\ntask = "labels"\n'
        'annotations = "world/labels"\nvideos = "world/videos"\nframes = 128\n'
        "sound_rate = 16000\nsound_seconds = 1.28\n[train]\nmax_steps = 2\nbatch_size = 4\n"
    )
    assert main(["train", str(tmp_path / "ast.toml"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "ast_tiny learns Classification" in said
    assert "at most at once" in said
    run = str(tmp_path / "run")
    assert main(["train", str(tmp_path / "ast.toml"), "--out", run, "--device", "cpu"]) == 0
    assert "top_1" in capsys.readouterr().out
