"""Facts about I3D: the numbers of its port's own code, padding, inflation, layouts, streams."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange, repeat
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
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import NetworkError
from scenewise.models import create_model, load_pretrained
from scenewise.models.backbones.i3d import (
    I3D,
    InceptionModule,
    TwoStreamI3D,
    Unit3D,
    average_windows,
    max_pool_same,
    pad_same,
)
from scenewise.models.backbones.i3d_layouts import LAYOUTS

TINY = (2, 8, 3, 64, 64)


@pytest.fixture(scope="module")
def rgb() -> I3D:
    network = create_model("i3d_rgb").eval()
    assert load_official(network, golden("i3d_rgb").state()) == "official"
    assert isinstance(network, I3D)
    return network


def test_parity_of_logits_and_features_with_the_port(rgb: I3D) -> None:
    wanted = golden("i3d_rgb").outputs
    with torch.no_grad():
        clips = seeded_input("clips", (1, 9, 3, 193, 211))
        last = rgb.feature_map(clips)
        assert largest_difference(rgb(clips), wanted["logits"]) < 1e-4
        features = average_windows(last).mean(dim=(2, 3, 4))
        assert largest_difference(features, wanted["features"]) < 1e-4


def test_parity_of_a_small_odd_clip(rgb: I3D) -> None:
    small = seeded_input("small", (1, 5, 3, 33, 45))
    with torch.no_grad():
        assert largest_difference(rgb.feature_map(small), golden("i3d_rgb").outputs["map"]) < 1e-4


def test_parity_is_lost_by_any_change(rgb: I3D) -> None:
    """Of every parameter of the stem and of the first and last block; one of each other's."""
    wanted = golden("i3d_rgb").outputs["map"]
    small = seeded_input("small", (1, 5, 3, 33, 45))
    names = [name for name, _ in rgb.named_parameters() if not name.startswith("logits")]
    whole = ("Conv3d", "Mixed_3b", "Mixed_5c")
    chosen = [name for name in names if name.startswith(whole) or "b1b.conv3d" in name]
    assert len(chosen) == 3 * 3 + 2 * 18 + 7
    for name in chosen:
        kept = rgb.get_parameter(name).detach().clone()
        perturb(rgb, name)
        with torch.no_grad():
            assert largest_difference(rgb.feature_map(small), wanted) > 1e-4, name
            rgb.get_parameter(name).copy_(kept)


def test_parity_is_lost_by_a_change_of_the_classifier(rgb: I3D) -> None:
    outputs = golden("i3d_rgb").outputs
    features = torch.from_numpy(outputs["features"])[..., None, None, None]
    with torch.no_grad():
        assert largest_difference(rgb.logits(features)[..., 0, 0, 0], outputs["logits"]) < 1e-4
        for name in ("logits.conv3d.weight", "logits.conv3d.bias"):
            kept = rgb.get_parameter(name).detach().clone()
            perturb(rgb, name)
            ours = rgb.logits(features)[..., 0, 0, 0]
            assert largest_difference(ours, outputs["logits"]) > 1e-4, name
            rgb.get_parameter(name).copy_(kept)


@pytest.mark.parametrize(("name", "suffix"), [("i3d_rgb", "keys"), ("i3d_flow", "full")])
def test_it_takes_the_names_of_the_port(name: str, suffix: str) -> None:
    assert len(read_keys(name, suffix)) == 344
    with torch.device("meta"):
        network = create_model(name)
    assert_takes_keys(network, name, suffix)


@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [5, 6, 9, 224])
def test_padding_is_tensorflows_same(kernel: int, stride: int, size: int) -> None:
    """Places are ceil(size / stride); what is odd of the padding lies behind."""
    x = torch.ones(1, 1, 1, 1, size)
    padded = pad_same(x, (1, 1, kernel), (1, 1, stride))[0, 0, 0, 0]
    places = math.ceil(size / stride)
    assert (len(padded) - kernel) // stride + 1 == places
    before = int(padded.argmax())
    behind = int(padded.flip(0).argmax())
    assert behind - before in (0, 1)
    assert before + behind == max((places - 1) * stride + kernel - size, 0)


def test_the_pool_of_an_odd_side_begins_outside() -> None:
    """Kernel 3, stride 2: five places are padded on both sides, six behind alone."""
    five = max_pool_same(torch.arange(1.0, 6.0).view(1, 1, 1, 1, 5), (1, 1, 3), (1, 1, 2))
    six = max_pool_same(torch.arange(1.0, 7.0).view(1, 1, 1, 1, 6), (1, 1, 3), (1, 1, 2))
    assert five.flatten().tolist() == [2.0, 4.0, 5.0]
    assert six.flatten().tolist() == [3.0, 5.0, 6.0]


def test_the_last_average_counts_the_ends_half() -> None:
    """Three instants make two windows: (1 + 2) / 2 and (2 + 6) / 2; their mean is 2.75."""
    instants = torch.tensor([1.0, 2.0, 6.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 7, 7)
    assert average_windows(instants).flatten().tolist() == [1.5, 4.0]
    network = create_model("i3d_tiny", num_classes=0)
    assert isinstance(network, I3D)
    network.feature_map = lambda clips: clips  # type: ignore[method-assign]
    assert network(instants).item() == 2.75


def pictures_state(divisor: int = 1) -> dict[str, Tensor]:
    """Weights as torchvision's googlenet names them, made from I3D's by the table of both."""
    with torch.device("meta"):
        network = I3D(num_classes=1000, divisor=divisor)
    stages = {"Conv3d_1a_7x7": "conv1", "Conv3d_2b_1x1": "conv2", "Conv3d_2c_3x3": "conv3"}
    for stage, letters in (("3", "bc"), ("4", "bcdef"), ("5", "bc")):
        for ours, theirs in zip(letters, "abcde", strict=False):
            stages[f"Mixed_{stage}{ours}"] = f"inception{stage}{theirs}"
    branches = {"b0": "branch1", "b1a": "branch2.0", "b1b": "branch2.1"}
    branches |= {"b2a": "branch3.0", "b2b": "branch3.1", "b3b": "branch4.1"}
    shapes: dict[str, tuple[int, ...]] = {"fc.weight": (1000, network.num_features)}
    shapes["fc.bias"] = (1000,)
    for name, value in network.state_dict().items():
        if name.startswith("logits") or "num_batches" in name:
            continue
        stage, *branch, kind, last = name.split(".")
        parts = [stages[stage], *(branches[item] for item in branch)]
        shape = value.shape[:2] + value.shape[3:] if value.ndim == 5 else value.shape
        shapes[".".join([*parts, "conv" if kind == "conv3d" else kind, last])] = tuple(shape)
    return seeded_state(shapes, scales={r"bn\.weight$": 1.4})


def two_dimensional(state: dict[str, Tensor], picture: Tensor) -> Tensor:
    """Inception-v1 of one picture (3, H, W), by hand, with SAME padding; its last map."""

    def unit(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        pad = [(weight.shape[-1] - stride) // 2, weight.shape[-1] - stride]
        pad[1] -= pad[0]
        mean, var = state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"]
        scale, shift = state[f"{name}.bn.weight"], state[f"{name}.bn.bias"]
        padded = F.pad(x, (pad[0], pad[1], pad[0], pad[1]))
        mapped: Tensor = F.conv2d(padded, weight, stride=stride)
        return F.relu(F.batch_norm(mapped, mean, var, scale, shift, eps=1e-3))

    def pool(x: Tensor, kernel: int, stride: int) -> Tensor:
        total = kernel - stride
        return F.max_pool2d(F.pad(x, (total // 2, total - total // 2) * 2), kernel, stride)

    x = pool(unit(picture[None], "conv1", 2), 3, 2)
    x = pool(unit(unit(x, "conv2"), "conv3"), 3, 2)
    for block in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        if block in ("4a", "5a"):
            x = pool(x, 3 if block == "4a" else 2, 2)
        name = f"inception{block}"
        branches = [unit(x, f"{name}.branch1")]
        for number in (2, 3):
            first = unit(x, f"{name}.branch{number}.0")
            branches.append(unit(first, f"{name}.branch{number}.1"))
        pooled = F.max_pool2d(x, 3, 1, 1)
        branches.append(unit(pooled, f"{name}.branch4.1"))
        x = torch.cat(branches, dim=1)
    return x


def test_a_clip_that_stands_still_gives_the_pictures_response() -> None:
    """In the interior: padding in time is dark, and the picture's network knows no dark ends."""
    pictures = pictures_state(divisor=8)
    layout = next(layout for layout in LAYOUTS if layout.name == "pictures")
    assert layout.fits(pictures)
    network = I3D(num_classes=1000, divisor=8).eval()
    missing = network.load_state_dict(layout.convert(pictures), strict=False)
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)
    assert missing.unexpected_keys == []
    picture = seeded_input("picture", (3, 64, 64))
    with torch.no_grad():
        still = repeat(picture, "c h w -> one t c h w", one=1, t=256)
        response = network.feature_map(still)[0]
        wanted = two_dimensional(pictures, picture)[0]
        head = F.linear(wanted.mean(dim=(1, 2)), pictures["fc.weight"], pictures["fc.bias"])
        middle = response.shape[1] // 2
        interior = response[:, middle : middle + 1]
        logits = network.logits(reduce_places(interior[None]))[0, :, 0, 0, 0]
    assert float(wanted.abs().mean()) > 0.1
    assert largest_difference(interior[:, 0], wanted) < 1e-4
    assert largest_difference(response[:, 0], wanted) > 1e-2  # the end is another
    assert largest_difference(logits, head) < 1e-4


def reduce_places(x: Tensor) -> Tensor:
    return x.mean(dim=(3, 4), keepdim=True)


def converted(name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    layout = next(layout for layout in LAYOUTS if layout.fits(state))
    assert layout.name == name
    return layout.convert(state)


def tensorflow_name(key: str) -> str:
    """By the official code: stages, branches, and the 3 x 3 x 3 filter whose name is a slip."""
    *parts, kind, last = key.split(".")
    branches = {"b0": "Branch_0/Conv3d_0a_1x1", "b1a": "Branch_1/Conv3d_0a_1x1"}
    branches |= {"b1b": "Branch_1/Conv3d_0b_3x3", "b2a": "Branch_2/Conv3d_0a_1x1"}
    branches |= {"b2b": "Branch_2/Conv3d_0b_3x3", "b3b": "Branch_3/Conv3d_0b_1x1"}
    if parts == ["Mixed_5b", "b2b"]:
        branches["b2b"] = "Branch_2/Conv3d_0a_3x3"
    names = {"weight": "w", "bias": "b"} if kind == "conv3d" else {"bias": "beta"}
    names |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
    place = "/".join(branches.get(part, part) for part in parts)
    place = place.replace("logits", "Logits/Conv3d_0c_1x1")
    return f"{place}/{'conv_3d' if kind == 'conv3d' else 'batch_norm'}/{names[last]}"


def tensorflow_state(network: I3D, prefix: str) -> dict[str, Tensor]:
    state = {}
    for key, value in network.state_dict().items():
        if key.endswith(("bn.weight", "num_batches_tracked")):
            continue
        turned = rearrange(value, "o i t h w -> t h w i o") if value.ndim == 5 else value
        if "running" in key:
            turned = turned.view(1, 1, 1, 1, -1)
        state[prefix + tensorflow_name(key)] = turned
    return state


def filled(network: nn.Module, seed: int) -> nn.Module:
    """With numbers that differ from tensor to tensor; scales stay 1, as TensorFlow has none."""
    shapes = {
        key: tuple(value.shape)
        for key, value in network.state_dict().items()
        if value.is_floating_point() and not key.endswith("bn.weight")
    }
    network.load_state_dict(seeded_state(shapes, seed=seed), strict=False)
    return network.eval()


@pytest.mark.parametrize("prefix", ["RGB/inception_i3d/", ""])
def test_tensorflows_variables_become_the_same_network(prefix: str) -> None:
    """The published file of Kinetics-600 has its names without the stream's prefix."""
    network = filled(create_model("i3d_tiny"), 1)
    assert isinstance(network, I3D)
    state = tensorflow_state(network, prefix)
    ours = converted("tensorflow", state)
    wanted = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    assert ours.keys() == wanted.keys()
    assert all(torch.equal(ours[key], wanted[key]) for key in wanted)


def test_tensorflows_two_streams_become_one_network() -> None:
    network = TwoStreamI3D(num_classes=10, divisor=8)
    filled(network.rgb, 1)
    filled(network.flow, 2)
    state = tensorflow_state(network.rgb, "RGB/inception_i3d/")
    state |= tensorflow_state(network.flow, "Flow/inception_i3d/")
    ours = converted("tensorflow", state)
    wanted = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    assert ours.keys() == wanted.keys()
    assert all(torch.equal(ours[key], wanted[key]) for key in wanted)
    identified = next(layout for layout in LAYOUTS if layout.fits(state)).identify(state, {})
    assert identified is not None
    assert identified.name == "i3d_two_stream"


def other_port(key: str) -> str:
    for ours, theirs in (("b0", "branch_0"), ("b1a", "branch_1.0"), ("b1b", "branch_1.1")):
        key = key.replace(f".{ours}.", f".{theirs}.")
    for ours, theirs in (("b2a", "branch_2.0"), ("b2b", "branch_2.1"), ("b3b", "branch_3.1")):
        key = key.replace(f".{ours}.", f".{theirs}.")
    key = key.replace("Mixed", "mixed").replace("Conv3d_", "conv3d_").replace(".bn.", ".batch3d.")
    return key.replace("logits.", "conv3d_0c_1x1.")


def test_the_other_port_has_other_names() -> None:
    with torch.device("meta"):
        own = create_model("i3d_flow").state_dict()
    ours = converted("hassony2", {other_port(key): value for key, value in own.items()})
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in own.items()}


def renamed(rename: Callable[[str], str], classes: int) -> dict[str, Tensor]:
    with torch.device("meta"):
        own = create_model("i3d_rgb", num_classes=classes).state_dict()
    return {rename(key): value for key, value in own.items()}


@pytest.mark.parametrize("rename", [str, other_port])
def test_a_checkpoint_says_which_stream_and_how_many_classes(
    rename: Callable[[str], str],
) -> None:
    state = renamed(rename, 157)
    layout = next(layout for layout in LAYOUTS if layout.fits(state))
    identified = layout.identify(state, {})
    assert identified is not None
    assert identified.name == "i3d_rgb"
    assert identified.options == {"num_classes": 157}


def test_a_checkpoint_of_another_network_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("weights") / "other.pt"
    torch.save({"stem.0.weight": torch.zeros(1)}, path)
    with pytest.raises(NetworkError, match="does not belong to i3d_tiny"):
        load_pretrained(path, "i3d_tiny")


def test_two_streams_add_their_logits() -> None:
    network = TwoStreamI3D(num_classes=10, divisor=8).eval()
    filled(network.rgb, 1)
    filled(network.flow, 2)
    clips = seeded_input("clips", (2, 8, 5, 64, 64))
    with torch.no_grad():
        rgb, flow = network.rgb(clips[:, :, :3]), network.flow(clips[:, :, 3:])
        assert float(rgb.abs().max()) > 1e-3
        assert float(flow.abs().max()) > 1e-3
        assert torch.equal(network(clips), rgb + flow)
        assert network.features(clips).shape == (2, network.num_features)
        assert network.feature_map(clips).shape == (2, network.num_features, 1, 2, 2)


@pytest.mark.parametrize(("name", "channels"), [("i3d_tiny", 2), ("i3d_two_stream", 3)])
def test_a_clip_with_other_channels_is_refused(name: str, channels: int) -> None:
    with torch.device("meta"):
        network = create_model(name)
        with pytest.raises(ValueError, match="takes clips"):
            network(torch.zeros(1, 8, channels, 64, 64))


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 32, 32), (7, 50, 90), (20, 224, 224), (16, 256, 340)]
)
def test_other_lengths_and_sizes(frames: int, height: int, width: int) -> None:
    with torch.device("meta"):
        network = create_model("i3d_rgb", num_classes=0).eval()
        assert isinstance(network, I3D)
        clips = torch.zeros(1, frames, 3, height, width)
        places = tuple(-(-size // step) for size, step in ((frames, 8), (height, 32), (width, 32)))
        assert network.feature_map(clips).shape == (1, 1024, *places)
        assert network(clips).shape == (1, 1024)


def test_every_parameter_learns() -> None:
    assert_gradients_flow(create_model("i3d_tiny"), seeded_input("clips", TINY))


@pytest.mark.parametrize(
    "layer",
    [Unit3D(2, 3, 3, 2), InceptionModule(2, (1, 1, 1, 1, 1, 1))],
    ids=["unit", "mixed"],
)
def test_gradients_of_its_layers(layer: nn.Module) -> None:
    assert_gradients_are_right(layer, seeded_input("x", (2, 2, 2, 3, 2)))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = create_model("i3d_tiny").eval()
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))
