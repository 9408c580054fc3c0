"""Facts about TSM: the official code's numbers, the shift by hand, streams, key layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import golden, largest_difference, load_official, perturb, perturbed_groups
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights, model_card
from scenewise.models.backbones.resnet2d import ResNet2d
from scenewise.models.backbones.tsm import TSM, Memory, shift_both, shift_online
from scenewise.models.flops import parameters
from scenewise.models.registry import created_as
from scenewise.models.weights.load import convert_state

TINY = (2, 8, 3, 64, 64)
CASES = [
    ("tsm_resnet50", "tsm_resnet50", 4, "both"),
    ("tsm_resnet101", "tsm_resnet101", 3, "both"),
    ("tsn_resnet50", "tsm_resnet50", 3, "none"),
]


def official(case: str, name: str, shift: str) -> nn.Module:
    network = create_model(name, num_classes=174, shift=shift).eval()
    assert load_official(network, golden(case).state()) == "official"
    return network


def tiny(**options: object) -> TSM:
    """The tiny size with weights of which every one counts."""
    network = create_model("tsm_tiny", **options).eval()
    assert isinstance(network, TSM)
    own = {key: value for key, value in network.state_dict().items() if value.is_floating_point()}
    shapes = {key: tuple(value.shape) for key, value in own.items()}
    network.load_state_dict(seeded_state(shapes), strict=False)
    return network


@pytest.mark.parametrize(("case", "name", "frames", "shift"), CASES)
def test_parity_with_the_official_code(case: str, name: str, frames: int, shift: str) -> None:
    """ResNet-101 has a shift in every second block; without any it is torchvision's ResNet."""
    network = official(case, name, shift)
    with torch.no_grad():
        logits = network(seeded_input("clips", (2, frames, 3, 64, 64)))
    assert largest_difference(logits, golden(case).outputs["logits"]) < 1e-4


def test_parity_is_lost_by_any_change() -> None:
    network = official("tsm_resnet50", "tsm_resnet50", "both")
    wanted = golden("tsm_resnet50").outputs["logits"][:1]
    clips = seeded_input("clips", (2, 4, 3, 64, 64))[:1]
    for name in perturbed_groups(network):
        kept = network.get_parameter(name).detach().clone()
        perturb(network, name)
        with torch.no_grad():
            assert largest_difference(network(clips), wanted) > 1e-4, name
            network.get_parameter(name).copy_(kept)
    assert isinstance(network, TSM)
    for every, div in ((2, 8), (1, 4)):  # where and how much is shifted counts, too
        network.every, network.shift_div = every, div
        with torch.no_grad():
            assert largest_difference(network(clips), wanted) > 1e-2


def test_shifts_by_hand() -> None:
    """Three frames of four channels, one channel each way."""
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]])
    frames = x.view(1, 3, 4, 1, 1)
    both = shift_both(frames, 1).view(3, 4).tolist()
    assert both == [[5.0, 0.0, 3.0, 4.0], [9.0, 2.0, 7.0, 8.0], [0.0, 6.0, 11.0, 12.0]]
    online = shift_online(frames, 1).view(3, 4).tolist()
    assert online == [[0.0, 2.0, 3.0, 4.0], [1.0, 6.0, 7.0, 8.0], [5.0, 10.0, 11.0, 12.0]]
    before = torch.full((1, 1, 1, 1), -1.0)
    assert shift_online(frames, 1, before).view(3, 4)[0].tolist() == [-1.0, 2.0, 3.0, 4.0]


def test_frames_one_by_one_are_the_clip() -> None:
    network = tiny(shift="online")
    clips = seeded_input("clips", (2, 5, 3, 64, 80))
    memory: Memory | None = None
    each = []
    with torch.no_grad():
        for frame in clips.unbind(dim=1):
            logits, memory = network.step(frame, memory)
            each.append(logits)
        whole = network(clips)
    assert whole.std() > 0.1
    assert torch.allclose(torch.stack(each).mean(dim=0), whole, atol=1e-5)
    # a frame's logits are those of a clip that ends with it, less those of the clip before
    with torch.no_grad():
        assert torch.allclose(each[0], network(clips[:, :1]), atol=1e-5)
        assert torch.allclose(each[0] + each[1], 2 * network(clips[:, :2]), atol=1e-5)
        forgotten, _ = network.step(clips[:, 1])
    assert (forgotten - each[1]).abs().max() > 1e-3


def test_a_stream_begins_anew_without_memory_and_keeps_no_state() -> None:
    network = tiny(shift="online")
    frame = seeded_input("frame", (1, 3, 64, 64))
    with torch.no_grad():
        first, memory = network.step(frame)
        network.step(seeded_input("other", (1, 3, 64, 64)), memory)
        again, _ = network.step(frame)
    assert torch.equal(first, again)
    assert len(memory) == 4  # one for each block
    assert memory[0].shape == (1, 2, 16, 16)


@pytest.mark.parametrize(("shift", "sees_later"), [("online", False), ("both", True)])
def test_only_the_published_shift_sees_later_frames(shift: str, sees_later: bool) -> None:
    network = tiny(shift=shift)
    clips = seeded_input("clips", (1, 4, 3, 64, 64))
    other = clips.clone()
    other[:, 3] = 0.0
    with torch.no_grad():
        one, two = network.feature_map(clips), network.feature_map(other)
    assert bool((one[:, :, :3] - two[:, :, :3]).abs().max() > 1e-3) is sees_later
    assert (one[:, :, 3] - two[:, :, 3]).abs().max() > 1e-3


def test_streams_need_the_online_shift() -> None:
    with pytest.raises(UsageError, match="shift='online'"):
        tiny().step(torch.zeros(1, 3, 64, 64))
    with pytest.raises(UsageError, match="both, online, none"):
        create_model("tsm_tiny", shift="past")


def test_any_number_of_frames_and_any_size() -> None:
    network = tiny()
    for frames, height, width in ((1, 64, 64), (3, 33, 47), (16, 64, 64)):
        clips = seeded_input("clips", (1, frames, 3, height, width))
        assert network(clips).shape == (1, 10)
    assert network.feature_map(seeded_input("c", TINY)).shape == (2, 128, 8, 2, 2)
    flow = tiny(channels=10)
    assert flow(seeded_input("flow", (1, 4, 10, 64, 64))).shape == (1, 10)
    with pytest.raises(ValueError, match="takes clips"):
        network(torch.zeros(3, 64, 64))


def test_it_takes_the_names_of_mmaction2() -> None:
    network = create_model("tsm_resnet50", num_classes=5)
    theirs = {}
    for key, value in network.state_dict().items():
        name = key.replace("base_model.", "backbone.").replace("new_fc.", "cls_head.fc_cls.")
        shift = ".net" if ".layer" in key and ".conv1." in key else ""
        for number in "123":
            inside = f".conv{number}.conv{shift if number == '1' else ''}."
            name = name.replace(f".conv{number}.", inside)
            name = name.replace(f".bn{number}.", f".conv{number}.bn.")
        name = name.replace(".downsample.0.", ".downsample.conv.")
        theirs[name.replace(".downsample.1.", ".downsample.bn.")] = value
    assert "backbone.conv1.bn.running_var" in theirs
    assert "backbone.layer3.5.conv1.conv.net.weight" in theirs
    converted = convert_state(model_card("tsm_resnet50"), theirs)
    assert converted is not None
    assert converted[0] == "mmaction2"
    assert sorted(converted[1]) == sorted(network.state_dict())


def test_a_file_says_which_it_is_of(tmp_path: Path) -> None:
    """Data-parallel training wrote ``module.``; the shift shows in the names."""
    for case, name, shift in (
        ("tsm_resnet50", "tsm_resnet50", "both"),
        ("tsn_resnet50", "tsm_resnet50", "none"),
    ):
        state = {f"module.{key}": value for key, value in golden(case).state().items()}
        torch.save({"epoch": 50, "state_dict": state}, tmp_path / f"{case}.pth.tar.pth")
        made = created_as(load_pretrained(tmp_path / f"{case}.pth.tar.pth", strict=False))
        assert made.name == name
        assert made.options == {"num_classes": 174, "shift": shift, "channels": 3}


def test_weights_of_pictures_fill_the_frame_network(tmp_path: Path) -> None:
    """torchvision's ResNet-50 of ImageNet: all but the classifier is found."""
    pictures = {
        key: torch.randn_like(value) if value.is_floating_point() else value
        for key, value in ResNet2d(50).state_dict().items()
    }
    file = tmp_path / "resnet50.pth"
    torch.save({**pictures, "fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1)}, file)
    network = create_model("tsm_resnet50")
    report = load_weights(network, file, strict=False)
    assert report.layout == "torchvision"
    assert report.missing == ("new_fc.weight", "new_fc.bias")
    assert report.unexpected == ()
    assert torch.equal(network.state_dict()["base_model.conv1.weight"], pictures["conv1.weight"])
    with pytest.raises(NetworkError, match="2 missing"):
        load_weights(network, file)


def test_a_network_over_time_is_refused(tmp_path: Path) -> None:
    torch.save(create_model("c3d_tiny").state_dict(), tmp_path / "c3d.pt")
    with pytest.raises(NetworkError, match="does not belong to tsm_resnet50"):
        load_weights(create_model("tsm_resnet50"), tmp_path / "c3d.pt")


def test_parameters_are_the_published_ones_and_the_classifier_begins_small() -> None:
    network = create_model("tsm_resnet50", num_classes=174)
    assert parameters(network) == 23_864_558
    assert isinstance(network, TSM)
    assert isinstance(network.new_fc, nn.Linear)
    assert 0.0009 < float(network.new_fc.weight.detach().std()) < 0.0011
    assert not bool(network.new_fc.bias.any())


def test_features_are_the_mean_of_the_frames() -> None:
    network = tiny()
    clips = seeded_input("clips", TINY)
    features = network.features(clips)
    assert features.shape == (2, network.num_features)
    assert torch.allclose(network(clips), network.new_fc(features), atol=1e-5)
    assert create_model("tsm_tiny", num_classes=0).eval()(clips).shape == (2, 128)


def test_every_parameter_learns() -> None:
    assert_gradients_flow(create_model("tsm_tiny"), seeded_input("clips", TINY))
    assert_gradients_flow(create_model("tsm_tiny", shift="online"), seeded_input("clips", TINY))


@pytest.mark.parametrize("shift", [shift_both, shift_online])
def test_gradients_of_shifts_are_right(shift: object) -> None:
    x = seeded_input("x", (1, 3, 4, 1, 2)).double().requires_grad_()

    def shifted(frames: Tensor) -> Tensor:
        assert callable(shift)
        moved: Tensor = shift(frames, 1)
        return moved

    assert torch.autograd.gradcheck(shifted, (x,))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = tiny()
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))


class Step(nn.Module):
    """A stream's next frame with its memory as plain tensors, as a runtime takes them."""

    def __init__(self, network: TSM) -> None:
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, *memory: Tensor) -> Tensor:
        logits, _ = self.network.step(frame, memory)
        return logits


def test_a_step_exports() -> None:
    network = tiny(shift="online")
    with torch.no_grad():
        _, memory = network.step(seeded_input("one", (2, 3, 64, 64)))
        frame = seeded_input("two", (2, 3, 64, 64))
        program = torch.export.export(Step(network), (frame, *memory)).module()
        assert torch.allclose(program(frame, *memory), network.step(frame, memory)[0], atol=1e-5)
