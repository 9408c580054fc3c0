"""Facts about 3D ResNets and R(2+1)D: the numbers of four official codes, layouts, inflation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from einops import repeat
from golden import (
    Golden,
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
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained
from scenewise.models.backbones.resnet3d import (
    Block,
    ResNet3D,
    ResNet3DOptions,
    ZeroPadded,
    middle_channels,
)
from scenewise.models.backbones.resnet3d_layouts import LAYOUTS
from scenewise.models.weights.layout import Layout

TINY = (2, 8, 3, 64, 64)
SMALL = (1, 5, 3, 29, 35)
TRAN = ResNet3DOptions(stem_time=3, stem_pool="none", depths=(1, 1, 1, 1))
MMACTION2 = ResNet3DOptions(
    depths=(3, 4, 6, 3),
    filters="split",
    shortcut="split",
    stem_time=3,
    stem_pool="space",
    norm_eps=1e-3,
    widen=0.125,
)


def layout_of(state: dict[str, Tensor]) -> Layout:
    return next(layout for layout in LAYOUTS if layout.fits(state))


def loaded(options: ResNet3DOptions, given: Golden, layout: str) -> ResNet3D:
    """A network that is no published size, with the official tensors; built without numbers."""
    with torch.device("meta"):
        network = ResNet3D(options, num_classes=10).eval()
    found = layout_of(given.state())
    assert found.name == layout
    missing = network.load_state_dict(found.convert(given.state()), strict=False, assign=True)
    assert missing.unexpected_keys == []
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)
    return network


def assert_parameters_count(
    network: nn.Module, clips: Tensor, given: Golden, but: tuple[str, ...] = ()
) -> None:
    """A change of any parameter loses the numbers; stages named by ``but`` are not tried."""
    wanted = given.outputs["output"]
    for name, _ in network.named_parameters():
        if name.startswith(but):
            continue
        kept = network.get_parameter(name).detach().clone()
        perturb(network, name)
        with torch.no_grad():
            assert largest_difference(network(clips), wanted) > 1e-4, name
            network.get_parameter(name).copy_(kept)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet3d_joint", {}),
        (
            "resnet3d_zeros",
            {"shortcut": "A", "stem_time": 5, "stem_stride": 2, "stem_pool": "none"},
        ),
        ("resnet3d_split", {"filters": "split"}),
        ("resnet3d_bottleneck", {"bottleneck": True}),
        ("resnet3d_split_bottleneck", {"filters": "split", "bottleneck": True}),
    ],
)
def test_parity_with_hara_and_any_change_loses_it(name: str, options: dict[str, Any]) -> None:
    network = create_model("resnet3d_tiny", **options).eval()
    assert load_official(network, golden(name).state()) == "official"
    clips = seeded_input("clips", SMALL)
    with torch.no_grad():
        assert largest_difference(network(clips), golden(name).outputs["output"]) < 1e-4
    assert_parameters_count(network, clips, golden(name))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("r3d_small", TRAN),
        ("mc3_small", replace(TRAN, filters="mixed")),
        (
            "r2plus1d_small",
            replace(TRAN, filters="split", stem_middle=45, shared_middle=True),
        ),
        (
            "r2plus1d_vmz_small",
            replace(TRAN, filters="split", stem_middle=45, norm_eps=1e-3),
        ),
    ],
)
def test_parity_with_torchvision_and_vmz(name: str, options: ResNet3DOptions) -> None:
    network = loaded(options, golden(name), "torchvision")
    clips = seeded_input("clips", SMALL)
    with torch.no_grad():
        assert largest_difference(network(clips), golden(name).outputs["output"]) < 1e-4
    assert_parameters_count(network, clips, golden(name), but=("layer1", "layer3"))


def test_parity_with_mmaction2() -> None:
    given = golden("r2plus1d_mmaction2")
    network = loaded(MMACTION2, given, "mmaction2")
    clips = seeded_input("clips", SMALL)
    with torch.no_grad():
        assert largest_difference(network(clips), given.outputs["output"]) < 1e-4
        for name in ("layer2.0.downsample.0.weight", "layer2.0.downsample.4.bias", "fc.bias"):
            kept = network.get_parameter(name).detach().clone()
            perturb(network, name)
            assert largest_difference(network(clips), given.outputs["output"]) > 1e-4, name
            network.get_parameter(name).copy_(kept)


@pytest.mark.parametrize(
    ("keys", "name", "options"),
    [
        ("resnet3d_50", "resnet3d_50", {"num_classes": 700}),
        ("r2plus1d_18", "r2plus1d_18", {"num_classes": 400}),
        ("r2plus1d_34", "r2plus1d_34", {"num_classes": 400}),
        ("r2plus1d_34_mmaction2", "r2plus1d_34", {"variant": "mmaction2", "num_classes": 400}),
    ],
)
def test_a_checkpoint_says_which_network_it_is_of(
    keys: str, name: str, options: dict[str, Any]
) -> None:
    state = {
        key: torch.empty(shape, device="meta")
        for key, (_, shape) in read_keys(keys, "full").items()
    }
    identified = layout_of(state).identify(state, {})
    assert identified is not None
    assert (identified.name, dict(identified.options)) == (name, options)
    with torch.device("meta"):
        assert_takes_keys(create_model(name, **options), keys)


@pytest.mark.parametrize("name", ["resnet3d_18", "resnet3d_34", "resnet3d_101", "resnet3d_200"])
@pytest.mark.parametrize("options", [{}, {"shortcut": "A"}, {"filters": "split"}, {"stem_time": 3}])
def test_haras_options_are_seen_in_the_shapes(name: str, options: dict[str, Any]) -> None:
    with torch.device("meta"):
        state = create_model(name, num_classes=339, **options).state_dict()
    identified = layout_of(state).identify(state, {})
    assert identified is not None
    assert (identified.name, dict(identified.options)) == (name, {"num_classes": 339, **options})


@pytest.mark.parametrize("name", ["resnet3d_34", "resnet3d_50"])
def test_pictures_weights_are_taken_for_the_network_that_they_become(name: str) -> None:
    with torch.device("meta"):
        own = create_model(name, num_classes=1000).state_dict()
        pictures = {key: value[:, :, 0] if value.ndim == 5 else value for key, value in own.items()}
        layout = layout_of(pictures)
        identified = layout.identify(pictures, {})
        inflated = layout.convert(pictures)
    assert identified is not None
    assert (identified.name, identified.options) == (name, {"num_classes": 1000})
    assert {k: v.shape for k, v in inflated.items()} == {k: v.shape for k, v in own.items()}


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18"])
def test_trans_networks_differ_in_the_instants_of_a_filter(name: str) -> None:
    """By torchvision's names, made from ours: a filter and its norm are conv1.0 and conv1.1."""
    with torch.device("meta"):
        own = create_model(name).state_dict()
    state = {}
    for key, value in own.items():
        for number in "12":
            key = key.replace(f"0.conv{number}.", f"0.conv{number}.0.")
            key = key.replace(f"1.conv{number}.", f"1.conv{number}.0.")
            key = key.replace(f"0.bn{number}.", f"0.conv{number}.1.")
            key = key.replace(f"1.bn{number}.", f"1.conv{number}.1.")
        if key.startswith("conv1."):
            key = key.replace("conv1.", "stem.0.")
        if key.startswith("bn1."):
            key = key.replace("bn1.", "stem.1.")
        state[key] = value
    layout = layout_of(state)
    assert layout.name == "torchvision"
    assert layout.convert(state).keys() == own.keys()
    identified = layout.identify(state, {})
    assert identified is not None
    assert (identified.name, identified.options) == (name, {"num_classes": 400})


def pictures_network(state: dict[str, Tensor], picture: Tensor) -> Tensor:
    """A 2D ResNet of one block a stage, by hand, of (3, H, W); its last map (C, H', W')."""

    def norm(x: Tensor, name: str) -> Tensor:
        parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var")]
        return F.batch_norm(
            x, parts[0], parts[1], state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-5
        )

    x = F.relu(norm(F.conv2d(picture[None], state["conv1.weight"], stride=2, padding=3), "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        place, stride = f"layer{stage}.0", 1 if stage == 1 else 2
        first = F.conv2d(x, state[f"{place}.conv1.weight"], stride=stride, padding=1)
        first = F.relu(norm(first, f"{place}.bn1"))
        second = norm(F.conv2d(first, state[f"{place}.conv2.weight"], padding=1), f"{place}.bn2")
        if stage > 1:
            x = F.conv2d(x, state[f"{place}.downsample.0.weight"], stride=stride)
            x = norm(x, f"{place}.downsample.1")
        x = F.relu(second + x)
    return x[0]


def test_a_clip_that_stands_still_gives_the_pictures_response() -> None:
    """In the interior: padding in time is dark, and the picture's network knows no dark ends."""
    network = create_model("resnet3d_tiny", num_classes=1000).eval()
    shapes = {
        key: tuple(value.shape[:2] + value.shape[3:] if value.ndim == 5 else value.shape)
        for key, value in network.state_dict().items()
        if value.is_floating_point()
    }
    pictures = seeded_state(shapes)
    assert load_official(network, pictures) == "official"
    assert isinstance(network, ResNet3D)
    picture = seeded_input("picture", (3, 64, 64))
    with torch.no_grad():
        still = repeat(picture, "c h w -> one t c h w", one=1, t=128)
        response = network.feature_map(still)[0]
        wanted = pictures_network(pictures, picture)
    assert float(wanted.abs().mean()) > 0.1
    assert largest_difference(response[:, response.shape[1] // 2], wanted) < 1e-4
    assert largest_difference(response[:, 0], wanted) > 1e-2  # the end is another


def test_channels_between_split_filters_keep_the_number_of_weights() -> None:
    """64 to 64: a joint filter has 27 * 64 * 64; each channel between has 9 * 64 + 3 * 64."""
    assert middle_channels(64, 64, 3, 3) == 144
    assert 144 * (9 * 64 + 3 * 64) == 27 * 64 * 64


def test_the_shortcut_without_weights_takes_every_second_place() -> None:
    x = torch.arange(1.0, 28.0).view(1, 1, 3, 3, 3)
    taken = ZeroPadded(2, (2, 2, 2))(x)
    assert taken.shape == (1, 2, 2, 2, 2)
    assert taken[0, 0].flatten().tolist() == [1.0, 3.0, 7.0, 9.0, 19.0, 21.0, 25.0, 27.0]
    assert not taken[0, 1].any()


def test_trans_classifier_starts_narrow_and_filters_start_as_he_says() -> None:
    network = create_model("mc3_18")
    assert isinstance(network, ResNet3D)
    assert isinstance(network.fc, nn.Linear)
    assert float(network.fc.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert not network.fc.bias.detach().any()
    weight = network.get_parameter("layer4.1.conv2.weight").detach()
    assert float(weight.std()) == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.05)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("resnet3d_18", (512, 1, 4, 4)),  # of 16 frames of 112 x 112
        ("resnet3d_50", (2048, 1, 4, 4)),
        ("r3d_18", (512, 2, 7, 7)),
        ("mc3_18", (512, 16, 7, 7)),
        ("r2plus1d_18", (512, 2, 7, 7)),
    ],
)
def test_the_last_map(name: str, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        network = create_model(name).eval()
        assert isinstance(network, ResNet3D)
        assert network.feature_map(torch.zeros(1, 16, 3, 112, 112)).shape == (1, *shape)
        assert network(torch.zeros(3, 5, 3, 90, 63)).shape == (3, network.num_classes)


def test_without_classes_it_gives_features() -> None:
    network = create_model("resnet3d_tiny", num_classes=0).eval()
    assert isinstance(network, ResNet3D)
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        assert torch.equal(network(clips), network.features(clips))
        assert network(clips).shape == (2, network.num_features)


def test_flow_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes clips \(B, T, 3, H, W\)"):
        create_model("resnet3d_tiny")(torch.zeros(1, 8, 2, 64, 64))


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("resnet3d_tiny", "filters", "round"),
        ("resnet3d_tiny", "shortcut", "C"),
        ("r2plus1d_34", "variant", "caffe2"),
    ],
)
def test_an_unknown_option_is_refused(name: str, option: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is '{value}'; allowed"):
        create_model(name, **{option: value})


def test_a_checkpoint_of_another_network_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("weights") / "other.pt"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(NetworkError, match="does not belong to resnet3d_tiny"):
        load_pretrained(path, "resnet3d_tiny")


@pytest.mark.parametrize(
    "options", [{}, {"filters": "split"}, {"shortcut": "A"}, {"bottleneck": True}]
)
def test_every_parameter_learns(options: dict[str, Any]) -> None:
    assert_gradients_flow(create_model("resnet3d_tiny", **options), seeded_input("clips", TINY))


@pytest.mark.parametrize(
    "options",
    [
        ResNet3DOptions(),
        ResNet3DOptions(filters="split", shortcut="A"),
        ResNet3DOptions(filters="split", shortcut="split"),
    ],
    ids=["joint", "zeros", "split"],
)
def test_gradients_of_its_blocks(options: ResNet3DOptions) -> None:
    block = Block(2, 4, 2, options, planar=False)
    assert_gradients_are_right(block, seeded_input("x", (2, 2, 2, 2, 2)))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = create_model("resnet3d_tiny", filters="split", shortcut="A").eval()
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))
