"""Facts about the two branches: each one's pixels, fusion, heads and losses by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from golden import largest_difference
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models import create_model, load_pretrained, save_pretrained
from scenewise.models.backbones.two_branch import TwoBranch, crammer_singer_loss
from scenewise.models.fusion import Concatenation, WeightedAverage

TINY = (2, 8, 3, 64, 64)


def pixels(shape: tuple[int, ...] = TINY) -> Tensor:
    """Pixels of 0..1."""
    return 0.5 + seeded_input("pixels", shape) / 4


def sound() -> Tensor:
    return 0.1 * seeded_input("sound", (2, 8_000))


def tiny(**options: Any) -> TwoBranch:
    """The tiny size with weights of which every one counts."""
    network = create_model("i3d_tsm_tiny", **options).eval()
    own = {key: value for key, value in network.state_dict().items() if value.is_floating_point()}
    shapes = {key: tuple(value.shape) for key, value in own.items()}
    network.load_state_dict(seeded_state(shapes), strict=False)
    assert isinstance(network, TwoBranch)
    return network


def test_parity_of_each_branch_with_itself_alone() -> None:
    """One clip of 0..1: I3D reads it as [-1, 1], TSM as ImageNet's pixels, sound is sound."""
    network = tiny(sound=True)
    clips = pixels()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        found = network.streams(clips, sound())
        appearance = network.appearance.features(2 * clips - 1)
        motion = network.motion.features((clips - mean) / std)
        assert network.sound is not None
        heard = network.sound.features(sound())
    for name, wanted in (("appearance", appearance), ("motion", motion), ("sound", heard)):
        assert wanted.std() > 1e-2
        assert largest_difference(found[name], wanted) < 1e-5


def test_the_motion_branch_may_read_every_other_frame() -> None:
    clips = pixels()
    with torch.no_grad():
        found = tiny(motion_every=2).streams(clips)["motion"]
        assert largest_difference(found, tiny().streams(clips[:, [0, 2, 4, 6]])["motion"]) < 1e-5


@pytest.mark.parametrize("has_sound", [False, True])
def test_a_given_average_by_hand(has_sound: bool) -> None:
    weights = {"appearance": 1.0, "motion": 3.0} | ({"sound": 4.0} if has_sound else {})
    network = tiny(weights=weights, sound=has_sound)
    given = (pixels(), sound()) if has_sound else (pixels(),)
    assert isinstance(network.fusion, WeightedAverage)
    with torch.no_grad():
        streams = network.streams(*given)
        wanted = torch.zeros(2, 64)
        for layer, (name, weight) in zip(network.fusion.projections, weights.items(), strict=True):
            wanted += weight / sum(weights.values()) * layer(streams[name])
        assert largest_difference(network.features(*given), wanted) < 1e-5
        assert largest_difference(network(*given), network.classifier(wanted)) < 1e-5


def test_a_learned_average_begins_even_and_learns() -> None:
    network = tiny()
    even = tiny(weights={"appearance": 1.0, "motion": 1.0})
    for name, parameter in even.named_parameters():
        network.get_parameter(name).data.copy_(parameter)
    nn.init.zeros_(network.fusion.get_parameter("weighting.logits"))
    with torch.no_grad():
        assert largest_difference(network(pixels()), even(pixels())) < 1e-6
    network.loss(network(pixels()), torch.tensor([1, 2])).backward()  # type: ignore[no-untyped-call]
    gradient = network.fusion.get_parameter("weighting.logits").grad
    assert gradient is not None
    assert bool(gradient.abs().min() > 0)


def test_concatenation_by_hand() -> None:
    network = tiny(fusion="concatenation")
    assert isinstance(network.fusion, Concatenation)
    with torch.no_grad():
        streams = network.streams(pixels())
        wanted = torch.cat([streams["appearance"], streams["motion"]], dim=1)
        assert wanted.shape == (2, 128 + 128)
        assert network.num_features == 256
        assert largest_difference(network.features(pixels()), wanted) < 1e-6


def test_sound_may_be_absent() -> None:
    """From the whole batch, or from one example: then the pictures alone count there."""
    weights = {"appearance": 1.0, "motion": 1.0, "sound": 2.0}
    network = tiny(sound=True, weights=weights)
    with torch.no_grad():
        without, full = network(pixels()), network(pixels(), sound())
        mixed = network(pixels(), sound(), torch.tensor([True, False]))
        assert largest_difference(mixed[:1], full[:1]) < 1e-5
        assert largest_difference(mixed[1:], without[1:]) < 1e-5
        assert (full - without).abs().max() > 1e-3
        silent = tiny(weights={"appearance": 1.0, "motion": 1.0})
    with pytest.raises(ValueError, match="no branch for sound"):
        silent(pixels(), sound())


@pytest.mark.parametrize("head", ["softmax", "svm", "linear_regression", "mlp_regression"])
def test_heads_by_hand(head: str) -> None:
    network = tiny(head=head, num_classes=3)
    with torch.no_grad():
        fused = network.features(pixels())
        wanted = _linear(network.classifier, fused, "" if head != "mlp_regression" else "0.")
        if head == "mlp_regression":
            wanted = _linear(network.classifier, wanted.clamp(min=0.0), "2.")
        assert largest_difference(network(pixels()), wanted) < 1e-5
    assert wanted.shape == (2, 3)


def _linear(layer: nn.Module, x: Tensor, place: str) -> Tensor:
    weight, bias = (layer.get_parameter(f"{place}{name}") for name in ("weight", "bias"))
    return x @ weight.T + bias


def test_losses_by_hand() -> None:
    """Two examples of three classes; the right ones are 0 and 2."""
    scores = torch.tensor([[2.0, 1.5, -1.0], [0.5, 1.0, 3.0]])
    classes = torch.tensor([0, 2])
    # the first: others violate the margin by 0.5 and not at all; the second: by nothing
    assert float(tiny(head="svm", num_classes=3).loss(scores, classes)) == pytest.approx(0.25)
    scores[0, 2] = 1.25  # a second violation, of 0.25: the worst alone, or both over 3 classes
    crammer_singer = tiny(head="svm", num_classes=3).loss(scores, classes)
    weston_watkins = tiny(head="svm", hinge="weston_watkins", num_classes=3).loss(scores, classes)
    assert float(crammer_singer) == pytest.approx(0.5 / 2)
    assert float(weston_watkins) == pytest.approx((0.5 + 0.25) / 3 / 2)
    entropy = tiny(num_classes=3).loss(scores, classes)
    by_hand = [
        sum(2.718281828459045 ** (float(one) - float(row[right])) for one in row)
        for row, right in zip(scores, (0, 2), strict=True)
    ]
    assert float(entropy) == pytest.approx(float(torch.tensor(by_hand).log().mean()), rel=1e-5)
    for head in ("linear_regression", "mlp_regression"):
        wanted = scores + torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        assert float(tiny(head=head, num_classes=3).loss(scores, wanted)) == pytest.approx(5 / 6)


def test_gradients_of_the_hinge_are_right() -> None:
    class Loss(nn.Module):
        def forward(self, scores: Tensor) -> Tensor:
            return crammer_singer_loss(scores, torch.tensor([0, 1, 2]))

    assert_gradients_are_right(Loss(), seeded_input("scores", (3, 4)))


def test_a_branch_takes_published_weights(tmp_path: Path) -> None:
    """A branch's own file, with its classifier, fills the branch, which has none."""
    network = create_model("i3d_tsm_tiny")
    assert isinstance(network, TwoBranch)
    for name, branch in (("i3d_tiny", network.appearance), ("tsm_tiny", network.motion)):
        alone = create_model(name)
        torch.save({"state_dict": alone.state_dict()}, tmp_path / "branch.pth")
        loaded = load_pretrained(tmp_path / "branch.pth", name, num_classes=0, strict=False)
        branch.load_state_dict(loaded.state_dict())
        for key, value in branch.state_dict().items():
            assert torch.equal(value, alone.state_dict()[key])


def test_our_own_files_bring_it_back(tmp_path: Path) -> None:
    network = create_model(
        "i3d_tsm_tiny", sound=True, head="svm", weights={"appearance": 1, "motion": 2, "sound": 1}
    ).eval()
    save_pretrained(network, tmp_path)
    with torch.no_grad():
        again = load_pretrained(tmp_path)
        assert torch.equal(again(pixels(), sound()), network(pixels(), sound()))


def test_every_weight_of_fusion_and_head_counts() -> None:
    """The branches' own are seen to beside what official code gives."""
    network = tiny(sound=True, head="mlp_regression")
    with torch.no_grad():
        before = network(pixels(), sound())
        for name, parameter in network.named_parameters():
            if not name.startswith(("fusion.", "classifier.")):
                continue
            kept = parameter.clone()
            parameter.add_(0.1 * torch.linspace(-1.0, 2.0, parameter.numel()).view_as(parameter))
            assert largest_difference(network(pixels(), sound()), before) > 1e-4, name
            parameter.copy_(kept)


def test_options_that_do_not_fit_are_refused() -> None:
    for option, value in (
        ("head", "ridge"),
        ("hinge", "squared"),
        ("fusion", "sum"),
        ("motion_every", 0),
    ):
        with pytest.raises(UsageError, match=option):
            create_model("i3d_tsm_tiny", **{option: value})
    with pytest.raises(UsageError, match="weights belong to the fusion 'average'"):
        create_model("i3d_tsm_tiny", fusion="concatenation", weights={"appearance": 1})
    with pytest.raises(UsageError, match="weights are given for"):
        create_model("i3d_tsm_tiny", weights={"appearance": 1})


@pytest.mark.parametrize(("name", "width"), [("i3d_tsm", 3072), ("i3d_tsm_audio", 3584)])
def test_published_branches(name: str, width: int) -> None:
    with torch.device("meta"):
        network = create_model(name, fusion="concatenation", num_classes=0)
        assert isinstance(network, TwoBranch)
        assert network.num_features == width
        assert network(torch.zeros(1, 16, 3, 224, 224)).shape == (1, width)


def test_every_parameter_learns() -> None:
    for head in ("svm", "mlp_regression"):
        assert_gradients_flow(
            create_model("i3d_tsm_tiny", head=head, sound=True), pixels(), sound()
        )


def test_it_exports_and_runs_in_bfloat16() -> None:
    class Parts(nn.Module):
        """Fusion and head alone: the branches export in their own tests."""

        def __init__(self, network: TwoBranch) -> None:
            super().__init__()
            self.fusion, self.classifier = network.fusion, network.classifier

        def forward(self, appearance: Tensor, motion: Tensor) -> Tensor:
            fused = self.fusion({"appearance": appearance, "motion": motion})
            output: Tensor = self.classifier(fused)
            return output

    network = tiny()
    vectors = (seeded_input("appearance", (2, 128)), seeded_input("motion", (2, 128)))
    assert_exports(Parts(network).eval(), *vectors)
    assert_runs_in_bfloat16(network, pixels((1, *TINY[1:])))
