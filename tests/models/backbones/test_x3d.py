"""Facts about X3D: the numbers of both official codes, key layouts, its two ways of pooling."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    perturbed_groups,
)
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights, model_card
from scenewise.models.backbones.x3d import X3D, Bottleneck, ResidualBlock, SqueezeExcitation
from scenewise.models.flops import parameters
from scenewise.models.registry import created_as
from scenewise.models.weights.load import convert_state

TINY = (2, 8, 3, 64, 64)
OFFICIAL = ("x3d_tiny", "x3d_slowfast")


def clips(number: int) -> Tensor:
    """What went into the official code: its own clip, and one longer and wider."""
    return seeded_input(f"clips {number}", ((2, 4, 3, 64, 64), (1, 5, 3, 64, 100))[number])


def fill(network: nn.Module) -> None:
    """Weights of which every one counts."""
    own = {key: value for key, value in network.state_dict().items() if value.is_floating_point()}
    shapes = {key: tuple(value.shape) for key, value in own.items()}
    network.load_state_dict(seeded_state(shapes), strict=False)


def official(name: str) -> X3D:
    network = (
        create_model("x3d_tiny", num_frames=4)
        if name == "x3d_tiny"
        else create_model("x3d_xs", size=64, num_classes=10, shortcut_norm=True)
    ).eval()
    layout = load_official(network, golden(name).state())
    assert layout == ("pytorchvideo" if name == "x3d_tiny" else "slowfast")
    assert isinstance(network, X3D)
    return network


@pytest.fixture(scope="module", params=OFFICIAL)
def pair(request: pytest.FixtureRequest) -> tuple[X3D, dict[str, Tensor]]:
    outputs = golden(request.param).outputs
    return official(request.param), {key: torch.from_numpy(value) for key, value in outputs.items()}


def test_parity_with_the_official_code(pair: tuple[X3D, dict[str, Tensor]]) -> None:
    """Of the longer and wider clip it classifies several places and averages."""
    network, wanted = pair
    with torch.no_grad():
        for number in (0, 1):
            assert largest_difference(network(clips(number)), wanted[f"logits{number}"]) < 1e-4


def test_parity_is_lost_by_any_change(pair: tuple[X3D, dict[str, Tensor]]) -> None:
    network, wanted = pair
    for name in perturbed_groups(network):
        kept = network.get_parameter(name).detach().clone()
        perturb(network, name)
        with torch.no_grad():
            assert largest_difference(network(clips(0)), wanted["logits0"]) > 1e-4, name
            network.get_parameter(name).copy_(kept)


@pytest.mark.parametrize("change", ["stage", "squeeze"])
def test_parity_needs_every_term(pair: tuple[X3D, dict[str, Tensor]], change: str) -> None:
    """No stage is negligible beside its shortcut, and the channels' weights are none."""
    network, wanted = pair
    kinds: dict[str, type[nn.Module]] = {"stage": Bottleneck, "squeeze": SqueezeExcitation}
    for layer in [item for item in network.modules() if isinstance(item, kinds[change])]:
        with torch.no_grad():
            handle = layer.register_forward_hook(
                (lambda _layer, _inputs, output: 0.9 * output)
                if change == "stage"
                else (lambda _layer, inputs, _output: 0.5 * inputs[0])
            )
            difference = largest_difference(network(clips(0)), wanted["logits0"])
            handle.remove()
        assert difference > 1e-4


def test_it_takes_the_names_of_pytorchvideo() -> None:
    with torch.device("meta"):
        assert_takes_keys(create_model("x3d_m"), "x3d_m")


def test_it_takes_the_names_of_mmaction2() -> None:
    """Names as ``mmaction/models/backbones/x3d.py`` and ``heads/x3d_head.py`` build them."""
    network = create_model("x3d_m", shortcut_norm=True)
    theirs = {_mmaction2(key): value for key, value in network.state_dict().items()}
    theirs["cls_head.fc1.weight"] = theirs["cls_head.fc1.weight"].flatten(1)
    assert "backbone.layer2.0.downsample.bn.running_mean" in theirs
    assert "backbone.layer4.2.se_module.fc2.bias" in theirs
    converted = convert_state(model_card("x3d_m"), theirs)
    assert converted is not None
    assert converted[0] == "mmaction2"
    assert {key: value.shape for key, value in converted[1].items()} == {
        key: value.shape for key, value in network.state_dict().items()
    }


def _mmaction2(key: str) -> str:
    kind = "conv" if ".conv" in key.rpartition(".")[0] else "bn"
    if key.startswith("blocks.0."):
        return f"backbone.conv1_{'s' if 'conv_t' in key else 't'}.{kind}.{key.split('.')[-1]}"
    if key.startswith("blocks.5."):
        names = {"pre_conv": "backbone.conv5.conv", "pre_norm": "backbone.conv5.bn"}
        names |= {"post_conv": "cls_head.fc1", "proj": "cls_head.fc2"}
        return f"{names[key.split('.')[-2]]}.{key.split('.')[-1]}"
    _, stage, _, block, *rest = key.split(".")
    place, last = f"backbone.layer{stage}.{block}", rest[-1]
    if rest[0].startswith("branch1"):
        return f"{place}.downsample.{'conv' if rest[0] == 'branch1_conv' else 'bn'}.{last}"
    if "block" in rest:
        return f"{place}.se_module.fc{'1' if rest[4] == '0' else '2'}.{last}"
    part = rest[1]
    number = "abc".index(part[-1]) + 1
    return f"{place}.conv{number}.{'conv' if part.startswith('conv') else 'bn'}.{last}"


@pytest.mark.parametrize(("depth", "name"), [(2.2, "x3d_m"), (5.0, "x3d_l")])
def test_a_file_says_which_it_is_of(depth: float, name: str, tmp_path: Path) -> None:
    """XS, S and M are the same: taken for M, it gives their numbers of their own clips."""
    written = X3D(num_classes=6, num_frames=4, size=64, depth_factor=depth).eval()
    fill(written)
    torch.save({"model_state": written.state_dict()}, tmp_path / "x3d.pyth")
    network = load_pretrained(tmp_path / "x3d.pyth")
    assert created_as(network).name == name
    with torch.no_grad():
        assert largest_difference(network(clips(0)), written(clips(0))) < 1e-5


def test_a_file_of_slowfast_brings_the_norm_of_the_first_shortcut(tmp_path: Path) -> None:
    state = golden("x3d_slowfast").state()
    torch.save({"model_state": state}, tmp_path / "x3d.pyth")
    # counters of norms are no part of the reference's numbers
    network = load_pretrained(tmp_path / "x3d.pyth", strict=False)
    with torch.no_grad():
        found = network(clips(0))
    assert largest_difference(found, golden("x3d_slowfast").outputs["logits0"]) < 1e-4


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    torch.save(create_model("c3d_tiny").state_dict(), tmp_path / "c3d.pt")
    with pytest.raises(NetworkError, match="does not belong to x3d_s"):
        load_weights(create_model("x3d_s"), tmp_path / "c3d.pt")


@pytest.mark.parametrize(
    ("name", "count"),
    [("x3d_xs", 3_794_274), ("x3d_s", 3_794_274), ("x3d_m", 3_794_274), ("x3d_l", 6_153_384)],
)
def test_published_sizes_and_clips(name: str, count: int) -> None:
    card = model_card(name)
    assert card.input is not None
    with torch.device("meta"):
        network = create_model(name).eval()
        assert parameters(network) == count == card.parameters
        taken = torch.zeros(1, card.input.frames, 3, card.input.size, card.input.size)
        assert network(taken).shape == (1, 400)


def test_both_ways_of_pooling_agree_on_the_published_clip_only() -> None:
    """A wider clip has two places under the fixed pool: by hand, the mean of their logits."""
    fixed, adaptive = (
        create_model("x3d_tiny", head_pool=pool).eval() for pool in ("fixed", "adaptive")
    )
    assert isinstance(fixed, X3D)
    for network in (fixed, adaptive):
        fill(network)
    own, wide = seeded_input("own", TINY), seeded_input("wide", (2, 8, 3, 64, 96))
    with torch.no_grad():
        assert torch.allclose(fixed(own), adaptive(own), atol=1e-5)
        seen = fixed.feature_map(wide)
        by_hand = (fixed.head(seen[..., :2]) + fixed.head(seen[..., 1:])) / 2
        assert torch.allclose(fixed(wide), by_hand, atol=1e-5)
        assert (fixed(wide) - adaptive(wide)).abs().max() > 1e-3


def test_smaller_clips_need_the_adaptive_pool() -> None:
    small = torch.zeros(1, 3, 3, 40, 52)
    with pytest.raises(ValueError, match="head_pool='adaptive' takes any clip"):
        create_model("x3d_tiny")(small)
    assert create_model("x3d_tiny", head_pool="adaptive").eval()(small).shape == (1, 10)


def test_an_unknown_pool_is_refused() -> None:
    with pytest.raises(UsageError, match="fixed or adaptive"):
        create_model("x3d_tiny", head_pool="max")


def test_features_are_what_the_classifier_reads() -> None:
    network = create_model("x3d_tiny").eval()
    assert isinstance(network, X3D)
    features = network.features(seeded_input("clips", TINY))
    assert features.shape == (2, network.num_features)
    assert torch.allclose(
        network(seeded_input("clips", TINY)), network.head.proj(features), atol=1e-6
    )
    without = create_model("x3d_tiny", num_classes=0).eval()
    assert without(seeded_input("clips", TINY)).shape == (2, 256)


def test_branches_begin_as_nothing() -> None:
    network = create_model("x3d_tiny", dropout=0.0)
    lasts = [layer.norm_c.weight for layer in network.modules() if isinstance(layer, Bottleneck)]
    assert len(lasts) == 11
    assert not any(bool(weight.any()) for weight in lasts)


def test_every_parameter_learns() -> None:
    network = create_model("x3d_tiny")
    for layer in network.modules():
        if isinstance(layer, Bottleneck):  # as published it begins with zeros, which pass nothing
            nn.init.ones_(layer.norm_c.weight)
    assert_gradients_flow(network, seeded_input("clips", TINY))


def test_gradients_are_right() -> None:
    assert_gradients_are_right(SqueezeExcitation(3, 2), seeded_input("x", (1, 3, 2, 2, 2)))
    block = ResidualBlock(2, 3, 2, has_squeeze=True, shortcut_norm=True).eval()
    nn.init.ones_(block.branch2.norm_c.weight)
    assert_gradients_are_right(block, seeded_input("x", (1, 2, 2, 3, 3)))


def test_it_exports_and_runs_in_bfloat16() -> None:
    # six blocks, with and without weights of channels: each costs the exporter seconds
    network = X3D(num_classes=3, num_frames=8, size=64, width_factor=0.5, depth_factor=0.4)
    fill(network)
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))
