"""Facts about C3D: the numbers of a port's own code, its key layouts, sizes and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    perturbed_groups,
)
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_input
from torch import nn

from scenewise.models import create_model
from scenewise.models.backbones.c3d import C3D
from scenewise.models.weights.load import convert_state

TINY = (2, 8, 3, 64, 64)


@pytest.fixture(scope="module")
def official() -> nn.Module:
    network = create_model("c3d", last_pool="padded").eval()
    assert load_official(network, golden("c3d").state()) == "official"
    return network


def test_parity_with_the_port(official: nn.Module) -> None:
    with torch.no_grad():
        logits = official(seeded_input("clips", (1, 16, 3, 112, 112)))
    assert largest_difference(logits, golden("c3d").outputs["logits"]) < 1e-4


def test_parity_is_lost_by_any_change(official: nn.Module) -> None:
    wanted = golden("c3d").outputs["logits"]
    clips = seeded_input("clips", (1, 16, 3, 112, 112))
    for name in perturbed_groups(official):
        kept = official.get_parameter(name).detach().clone()
        perturb(official, name)
        with torch.no_grad():
            assert largest_difference(official(clips), wanted) > 1e-4, name
            official.get_parameter(name).copy_(kept)


def test_it_takes_the_names_of_the_port_and_of_mmaction2() -> None:
    with torch.device("meta"):
        network = create_model("c3d")
    assert_takes_keys(network, "c3d")
    theirs = {"backbone.conv1a.conv.weight": torch.zeros(1), "cls_head.fc_cls.bias": torch.ones(1)}
    theirs |= {"backbone.conv3b.conv.bias": torch.zeros(1), "backbone.fc6.weight": torch.zeros(1)}
    from scenewise.models import model_card

    converted = convert_state(model_card("c3d"), theirs)
    assert converted is not None
    assert converted[0] == "mmaction2"
    assert sorted(converted[1]) == ["conv1.weight", "conv3b.bias", "fc6.weight", "fc8.bias"]


def test_the_last_pool_is_caffes_or_the_ports() -> None:
    """Seven rows in four windows: Caffe cuts the last one, the ports begin one row outside."""
    rows = torch.arange(49.0).view(1, 1, 1, 7, 7).expand(1, 1, 2, 7, 7)
    network = create_model("c3d")
    assert isinstance(network, C3D)
    caffe = network._pool(rows, "conv5b")[0, 0, 0, :, 0]
    network.last_pool = "padded"
    port = network._pool(rows, "conv5b")[0, 0, 0, :, 0]
    assert caffe.tolist() == [8.0, 22.0, 36.0, 43.0]
    assert port.tolist() == [0.0, 14.0, 28.0, 42.0]


@pytest.mark.parametrize(("frames", "size"), [(16, 112), (8, 64), (16, 80), (32, 112)])
def test_other_lengths_and_sizes_are_built(frames: int, size: int) -> None:
    with torch.device("meta"):
        network = create_model("c3d", num_frames=frames, size=size, num_classes=0)
        assert network(torch.zeros(1, frames, 3, size, size)).shape == (1, 4096)


@pytest.mark.parametrize(
    ("frames", "size", "last_pool"),
    [(16, 100, "ceil"), (13, 65, "ceil"), (16, 100, "padded"), (17, 65, "padded")],
)
def test_its_first_linear_layer_fits_what_the_pools_leave(
    frames: int, size: int, last_pool: str
) -> None:
    """Caffe rounds up at every pool (ceil in pool3d_layer.cpp), the ports round down."""
    network = create_model("c3d_tiny", num_frames=frames, size=size, last_pool=last_pool)
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, frames, 3, size, size)).shape == (1, 10)


def test_it_starts_as_the_official_training_files_say() -> None:
    """Deviations 0.01, of fc6 and fc7 0.005; biases 1, of the first and the last layer 0."""
    network = create_model("c3d_tiny")
    for name, layer in network.named_children():
        if isinstance(layer, nn.Conv3d | nn.Linear):
            deviation = 0.005 if name in ("fc6", "fc7") else 0.01
            assert float(layer.weight.detach().std()) == pytest.approx(deviation, rel=0.15), name
            assert layer.bias is not None
            assert set(layer.bias.tolist()) == {0.0 if name in ("conv1", "fc8") else 1.0}, name


def test_a_clip_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="made for another number or size of frames"):
        create_model("c3d_tiny")(torch.zeros(1, 8, 3, 96, 96))


def test_features_are_fc6_after_relu() -> None:
    network = create_model("c3d_tiny").eval()
    assert isinstance(network, C3D)
    clips = seeded_input("clips", TINY)
    features = network.features(clips)
    assert features.shape == (2, network.num_features)
    hidden = F.relu(network.fc7(features))
    assert torch.equal(network(clips), network.fc8(hidden))


def test_every_parameter_learns() -> None:
    assert_gradients_flow(create_model("c3d_tiny"), seeded_input("clips", TINY))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = create_model("c3d_tiny").eval()
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))
