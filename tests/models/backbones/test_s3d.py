"""Facts about S3D: the numbers of two official codes, gates, folding, layouts."""

from __future__ import annotations

import re

import pytest
import torch
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    read_keys,
)
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_input
from torch import Tensor, nn

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained
from scenewise.models.backbones.s3d import LAYOUTS, S3D, InceptionBlock, SelfGating, STConv3D

TINY = (2, 8, 3, 64, 64)


def official(name: str, golden_name: str, layout: str, **options: str) -> S3D:
    network = create_model(name, **options).eval()
    assert load_official(network, golden(golden_name).state()) == layout
    assert isinstance(network, S3D)
    return network


@pytest.fixture(scope="module")
def howto100m() -> S3D:
    return official("s3d_howto100m", "s3d_howto100m", "official")


def clips() -> Tensor:
    return seeded_input("clips", (1, 6, 3, 38, 46)).abs()


def test_parity_with_the_network_of_howto100m(howto100m: S3D) -> None:
    wanted = golden("s3d_howto100m").outputs
    with torch.no_grad():
        assert largest_difference(howto100m(clips()), wanted["output"]) < 1e-4
        assert largest_difference(howto100m.features(clips()), wanted["features"]) < 1e-4


def test_parity_of_its_other_stem() -> None:
    network = official("s3d_howto100m", "s3d_joint", "official", stem="joint")
    with torch.no_grad():
        ours = network(seeded_input("clips", (1, 7, 3, 37, 45)).abs())
    assert largest_difference(ours, golden("s3d_joint").outputs["output"]) < 1e-4


def test_parity_is_lost_by_any_change(howto100m: S3D) -> None:
    """Of every parameter outside the blocks and of the last block, and of one of each other."""
    wanted = golden("s3d_howto100m").outputs["output"]
    names = [name for name, _ in howto100m.named_parameters()]
    whole = r"conv|gating|fc|mixed_5c|mixed_\w\w\.gating_b1\.fc\.weight"
    chosen = [name for name in names if re.match(whole, name)]
    assert len(chosen) == 12 + 2 + 2 + 32 + 8
    for name in chosen:
        kept = howto100m.get_parameter(name).detach().clone()
        perturb(howto100m, name)
        with torch.no_grad():
            assert largest_difference(howto100m(clips()), wanted) > 1e-4, name
            howto100m.get_parameter(name).copy_(kept)


def test_parity_with_torchvision() -> None:
    network = official("s3d", "s3d_torchvision", "torchvision")
    wanted = golden("s3d_torchvision").outputs
    video = seeded_input("clips", (1, 13, 3, 209, 213))
    with torch.no_grad():
        corner = video[..., :40, :36]
        assert largest_difference(network.feature_map(corner), wanted["map"]) < 1e-4
        assert largest_difference(network(video), wanted["output"]) < 1e-4
        for name in ("conv1.conv1.weight", "conv1.conv2.weight", "conv1.bn2.bias"):
            kept = network.get_parameter(name).detach().clone()
            perturb(network, name)
            assert largest_difference(network.feature_map(corner), wanted["map"]) > 1e-4, name
            network.get_parameter(name).copy_(kept)


def test_it_takes_the_official_names_and_leaves_the_text_side() -> None:
    with torch.device("meta"):
        network = create_model("s3d_howto100m")
    assert any(
        key.startswith("text_module") for key in read_keys("s3d_howto100m_published", "full")
    )
    assert_takes_keys(network, "s3d_howto100m_published")


@pytest.mark.parametrize(
    ("keys", "suffix", "name", "options"),
    [
        ("s3d_howto100m_published", "full", "s3d_howto100m", {"num_classes": 512}),
        ("s3d_joint", "keys", "s3d_howto100m", {"num_classes": 512, "stem": "joint"}),
        ("s3d_torchvision", "keys", "s3d", {"num_classes": 400}),
    ],
)
def test_a_checkpoint_says_which_network_it_is_of(
    keys: str, suffix: str, name: str, options: dict[str, object]
) -> None:
    state = {
        key: torch.empty(shape, device="meta")
        for key, (_, shape) in read_keys(keys, suffix).items()
    }
    identified = next(layout for layout in LAYOUTS if layout.fits(state)).identify(state, {})
    assert identified is not None
    assert (identified.name, dict(identified.options)) == (name, options)


def test_a_gate_scales_channels_by_their_means() -> None:
    """W = [[0, 1], [0, 0]], b = [0, 0]: the second mean, ln 3, opens the first channel to 3/4."""
    gate = SelfGating(2)
    with torch.no_grad():
        gate.fc.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
        gate.fc.bias.zero_()
    x = torch.ones(1, 2, 1, 1, 2)
    x[0, 1, 0, 0] = torch.tensor([0.0, 2.0]) * torch.tensor(3.0).log()
    with torch.no_grad():
        gated = gate(x)
    assert torch.allclose(gated[0, 0, 0, 0], torch.tensor([0.75, 0.75]))
    assert torch.allclose(gated[0, 1], 0.5 * x[0, 1])


def test_without_gates_it_has_no_gates_weights() -> None:
    with torch.device("meta"):
        plain, gated = create_model("s3d"), create_model("s3d", gating=True)
    assert not any("gating" in key for key in plain.state_dict())
    gates = {key for key in gated.state_dict() if key not in plain.state_dict()}
    assert len(gates) == 2 * (1 + 4 * 9)


def test_odd_clips_cannot_be_folded() -> None:
    with pytest.raises(ValueError, match="even numbers"):
        create_model("s3d_tiny")(torch.zeros(1, 7, 3, 64, 64))


def test_an_unknown_stem_is_refused() -> None:
    with pytest.raises(UsageError, match="space_to_depth, joint, separable"):
        create_model("s3d_tiny", stem="wide")


def test_a_checkpoint_of_another_network_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("weights") / "other.pt"
    torch.save({"stem.0.weight": torch.zeros(1)}, path)
    with pytest.raises(NetworkError, match="does not belong to s3d_tiny"):
        load_pretrained(path, "s3d_tiny")


@pytest.mark.parametrize(
    ("name", "frames", "height", "width"),
    [("s3d_howto100m", 16, 200, 256), ("s3d", 5, 33, 50), ("s3d", 64, 256, 340)],
)
def test_other_lengths_and_sizes(name: str, frames: int, height: int, width: int) -> None:
    with torch.device("meta"):
        network = create_model(name, num_classes=0).eval()
        clip = torch.zeros(1, frames, 3, height, width)
        assert network(clip).shape == (1, 1024)


@pytest.mark.parametrize("stem", ["space_to_depth", "joint", "separable"])
def test_every_parameter_learns(stem: str) -> None:
    assert_gradients_flow(create_model("s3d_tiny", stem=stem), seeded_input("clips", TINY))


@pytest.mark.parametrize(
    "layer",
    [
        STConv3D(2, 2, (3, 3, 3), stride=2, padding=(1, 1, 1), separable=True),
        SelfGating(2),
        InceptionBlock(2, (1, 1, 1, 1, 1, 1), gating=True),
    ],
    ids=["filter", "gate", "block"],
)
def test_gradients_of_its_layers(layer: nn.Module) -> None:
    assert_gradients_are_right(layer, seeded_input("x", (2, 2, 2, 3, 2)))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = create_model("s3d_tiny").eval()
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))
