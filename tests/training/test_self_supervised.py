"""From pretraining to fine-tuning: all weights of the backbone, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from seeded import seeded_input
from tiny_batches import learned

from scenewise.data.batch import Batch
from scenewise.errors import NetworkError, TrainingError
from scenewise.models import create_model
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.training.learner import LOSS
from scenewise.training.objective_settings import ArrowOfTimeSettings, MaskedVideoSettings
from scenewise.training.objectives.registry import make_objective
from scenewise.training.self_supervised import begin_from, save_backbone

OPTIONS = {"num_frames": 4, "size": 32}


@pytest.mark.parametrize("settings", [MaskedVideoSettings(ratio=0.5), ArrowOfTimeSettings()])
def test_a_classifier_begins_where_pretraining_ended(
    settings: MaskedVideoSettings | ArrowOfTimeSettings, tmp_path: Path
) -> None:
    network = create_model("videomae_tiny", num_classes=0, **OPTIONS)
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    objective = make_objective(settings, network)
    clips = seeded_input("clips", (2, 4, 3, 32, 32))
    batch = Batch(torch.arange(2), clips=clips)
    learned(network, objective, lambda: objective(network, batch)[LOSS], 2, 1e-2)
    assert any(not torch.equal(network.state_dict()[name], fresh[name]) for name in fresh)
    save_backbone(network, tmp_path / "pretrained")
    classifier = create_model("videomae_tiny", num_classes=5, **OPTIONS)
    head = {name: value.clone() for name, value in classifier.state_dict().items()}
    report = begin_from(classifier, tmp_path / "pretrained")
    assert set(report.missing) == {"classifier.weight", "classifier.bias"}
    assert not report.unexpected
    state = classifier.state_dict()
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert all(torch.equal(state[name], head[name]) for name in report.missing)
    assert isinstance(network, VideoBackbone)
    assert isinstance(classifier, VideoBackbone)
    with torch.no_grad():
        expected = network.eval().features(clips)
        assert torch.equal(classifier.eval().features(clips), expected)


def test_what_does_not_fit(tmp_path: Path) -> None:
    save_backbone(create_model("c3d_tiny", num_classes=0), tmp_path)
    with pytest.raises(TrainingError, match=r"1 tensors beside the classifier .*fc6"):
        begin_from(create_model("c3d_tiny", num_classes=3, size=96), tmp_path)
    with pytest.raises(NetworkError, match="does not belong to videomae_tiny"):
        begin_from(create_model("videomae_tiny", **OPTIONS), tmp_path)
    with pytest.raises(TrainingError, match="no backbone without classes"):
        save_backbone(create_model("timesformer_tiny", num_classes=3), tmp_path)
    with pytest.raises(TrainingError, match="no backbone without classes"):
        save_backbone(create_model("dual_encoder_tiny"), tmp_path)
