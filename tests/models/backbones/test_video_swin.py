"""Facts about Video Swin: numbers of the official code and of torchvision, layouts, windows."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from golden import (
    assert_takes_keys,
    golden,
    largest_difference,
    load_official,
    perturb,
    perturbed_groups,
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
from scenewise.models import create_model, load_pretrained, load_weights
from scenewise.models.backbones.video_swin import SwinBlock, VideoSwin
from scenewise.models.flops import multiply_adds, parameters
from scenewise.models.layers.relative_bias import (
    bias_table_length,
    fit_window,
    merge,
    pad_to,
    partition,
    relative_index,
)
from scenewise.models.registry import created_as, list_model_cards

TINY = (2, 8, 3, 64, 64)
CLIPS = {
    "logits": ("clips", TINY),
    "odd": ("odd clips", (1, 7, 3, 54, 85)),  # patches, windows and merging all fill up
    "short": ("short clips", (1, 2, 3, 40, 8)),  # windows shrink
}
REFERENCES = {"video_swin_tiny": "official", "swin3d_tiny": "torchvision"}


def filled(network: nn.Module, bias: float = 2.0) -> nn.Module:
    """The network with weights that follow from their names; biases of windows are large."""
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    scales = {"relative_position_bias_table": bias}
    network.load_state_dict(seeded_state(shapes, scales=scales))
    return network.eval()


@pytest.fixture(scope="module")
def official() -> VideoSwin:
    network = create_model("video_swin_tiny").eval()
    assert isinstance(network, VideoSwin)
    load_official(network, golden("video_swin_tiny").state())
    return network


@pytest.mark.parametrize("reference", REFERENCES)
def test_parity_with_the_official_code_and_torchvision(reference: str) -> None:
    network = create_model("video_swin_tiny").eval()
    assert load_official(network, golden(reference).state()) == REFERENCES[reference]
    for name, wanted in golden(reference).outputs.items():
        with torch.no_grad():
            assert largest_difference(network(seeded_input(*CLIPS[name])), wanted) < 1e-4, name


def test_parity_is_lost_by_any_change(official: VideoSwin) -> None:
    wanted = golden("video_swin_tiny").outputs["logits"]
    clips = seeded_input(*CLIPS["logits"])
    for group in perturbed_groups(official):
        kept = official.get_parameter(group).detach().clone()
        perturb(official, group)
        with torch.no_grad():
            assert largest_difference(official(clips), wanted) > 1e-4, group
            official.get_parameter(group).copy_(kept)


@pytest.mark.parametrize("name", CLIPS)
def test_parity_is_lost_by_a_wrong_bias(official: VideoSwin, name: str) -> None:
    """Half as much bias again, in each stage: it must not hide behind the softmax."""
    wanted = golden("video_swin_tiny").outputs[name]
    clips = seeded_input(*CLIPS[name])
    for stage in (0, 1, 2):
        table = official.get_parameter(f"layers.{stage}.blocks.1.attn.relative_position_bias_table")
        kept = table.detach().clone()
        with torch.no_grad():
            table.mul_(1.5)
            assert largest_difference(official(clips), wanted) > 1e-3, stage
            table.copy_(kept)


@pytest.mark.parametrize(
    ("fixture", "options"),
    [
        ("video_swin_t", {"num_classes": 400, "window": [8, 7, 7]}),
        ("video_swin_b", {"num_classes": 174, "window": [16, 7, 7]}),
        ("swin3d_s", {"num_classes": 400, "window": [8, 7, 7]}),
    ],
)
def test_published_files_say_which_network_they_are_of(
    fixture: str, options: dict[str, Any], tmp_path: Path
) -> None:
    name = {"swin3d_s": "video_swin_s"}.get(fixture, fixture)
    with torch.device("meta"):
        assert_takes_keys(create_model(name, **options), fixture)
    state = {
        key: torch.zeros(1, dtype=getattr(torch, kind)).expand(shape)
        for key, (kind, shape) in read_keys(fixture, "full").items()
    }
    torch.save({"state_dict": state}, tmp_path / "checkpoint.pth")  # expanded: some kilobytes
    with torch.device("meta"):
        network = load_pretrained(tmp_path / "checkpoint.pth")
    assert isinstance(network, VideoSwin)
    assert created_as(network).name == name
    assert created_as(network).options == options
    assert not network.relative_position_index.is_meta


def test_mmaction2_differs_in_the_name_of_the_last_norm() -> None:
    from scenewise.models import model_card
    from scenewise.models.weights.load import convert_state

    renamed = {
        key.replace("backbone.norm.", "backbone.norm3."): value
        for key, value in golden("video_swin_tiny").state().items()
    }
    converted = convert_state(model_card("video_swin_tiny"), renamed)
    assert converted is not None
    assert sorted(converted[1]) == sorted(create_model("video_swin_tiny").state_dict())


def test_picture_weights_are_inflated(tmp_path: Path) -> None:
    """A clip that stands still gives every instant what the picture alone gives, bias included."""
    clip = filled(create_model("video_swin_tiny", window=[2, 3, 3]))
    pictures = {}
    for key, value in clip.state_dict().items():
        if key.endswith("relative_position_bias_table"):
            pictures[key] = value[: 5 * 5]
        else:
            pictures[key] = value.sum(2) if value.ndim == 5 else value
    pictures["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(9, 9).long()
    pictures["layers.0.blocks.1.attn_mask"] = torch.zeros(4, 9, 9)
    torch.save({"model": pictures}, tmp_path / "swin.pth")
    inflated = create_model("video_swin_tiny", window=[2, 3, 3]).eval()
    assert load_weights(inflated, tmp_path / "swin.pth").complete
    picture = seeded_input("picture", (1, 1, 3, 64, 64))
    with torch.no_grad():
        eight = inflated(picture.expand(-1, 8, -1, -1, -1))
        two = inflated(picture.expand(-1, 2, -1, -1, -1))  # one instant of tokens, no attention
    assert largest_difference(eight, two) < 1e-4


def test_tables_of_another_window_are_resized_before_they_are_repeated() -> None:
    network = create_model("video_swin_tiny", window=[2, 3, 3])
    assert isinstance(network, VideoSwin)
    flat = torch.full((23 * 23, 2), 0.5)
    key = "layers.0.blocks.0.attn.relative_position_bias_table"
    made = network.adapt_state({"patch_embed.proj.weight": torch.ones(24, 3, 4, 4), key: flat})
    assert made[key].shape == (bias_table_length((2, 3, 3)), 2)
    assert torch.allclose(made[key], torch.tensor(0.5))
    assert torch.allclose(made["patch_embed.proj.weight"], torch.tensor(0.5))


def test_the_index_counts_differences_of_place() -> None:
    window = (2, 3, 4)
    index = relative_index(window)
    places = list(itertools.product(*(range(side) for side in window)))
    seen: dict[tuple[int, ...], set[int]] = {}
    for (n, one), (m, other) in itertools.product(enumerate(places), repeat=2):
        apart = tuple(a - b for a, b in zip(one, other, strict=True))
        seen.setdefault(apart, set()).add(int(index[n, m]))
    assert all(len(rows) == 1 for rows in seen.values())
    assert len(set.union(*seen.values())) == bias_table_length(window) == len(seen)
    assert min(seen) == (-1, -2, -3)
    assert seen[min(seen)] == {0}


def test_windows_are_put_together_again() -> None:
    grid = torch.arange(2 * 4 * 6 * 6 * 1.0).view(2, 4, 6, 6, 1)
    windows = partition(grid, (2, 3, 2))
    assert windows.shape == (2, 2, 2, 3, 12, 1)
    assert windows[0, 0, 0, 1, :, 0].tolist() == [
        2, 3, 8, 9, 14, 15, 38, 39, 44, 45, 50, 51,
    ]  # fmt: skip
    assert torch.equal(merge(windows, (2, 3, 2)), grid)
    assert pad_to(grid, (3, 4, 6)).shape == (2, 6, 8, 6, 1)
    assert fit_window((2, 7, 9), (8, 7, 7), (4, 3, 3)) == ((2, 7, 7), (0, 0, 3))


def test_a_shifted_window_does_not_see_across_the_seam() -> None:
    """A change at the first row reaches no token of the last row, and the other way round."""
    block = SwinBlock(8, 2, (2, 4, 4), (1, 2, 2)).eval()
    index = relative_index((2, 4, 4))
    grid = seeded_input("grid", (1, 4, 8, 8, 8)).requires_grad_()
    block(grid, index)[0, :, :2].sum().backward()
    assert grid.grad is not None
    reached = grid.grad.abs().sum(dim=(0, 1, 3, 4)) > 1e-12
    assert reached.tolist() == [True, True, False, False, False, False, False, False]


def test_a_mask_for_each_window_gives_the_same_as_one_for_each_kind() -> None:
    """Plainly: regions are numbered, and two tokens see each other where the numbers agree."""
    window, shift = (2, 4, 3), (1, 2, 1)
    block = SwinBlock(8, 2, window, shift).eval()
    shapes = {key: tuple(value.shape) for key, value in block.state_dict().items()}
    block.load_state_dict(seeded_state(shapes, scales={"table": 2.0, "qkv.weight": 1.0}))
    index = relative_index(window)
    grid = seeded_input("grid", (2, 4, 8, 9, 8))
    regions = torch.zeros(4, 8, 9)
    for axis, (side, step) in enumerate(zip(window, shift, strict=True)):
        view = regions.transpose(0, axis)
        view[-side:-step] += 3**axis
        view[-step:] += 2 * 3**axis
    numbers = partition(regions[None, ..., None], window)[..., 0]
    blocked = numbers[..., :, None] != numbers[..., None, :]

    attention = block.attn
    x = partition(block.norm1(grid).roll((-1, -2, -1), dims=(1, 2, 3)), window)
    query, key, value = rearrange(
        attention.qkv(x), "b d h w n (three a c) -> three b d h w a n c", three=3, a=2
    )
    bias = rearrange(attention.relative_position_bias_table[index], "n m a -> a n m")
    scores = query @ key.transpose(-1, -2) / 2.0 + bias - 100.0 * blocked[:, :, :, :, None]
    mixed = rearrange(scores.softmax(-1) @ value, "b d h w a n c -> b d h w n (a c)")
    attended = merge(attention.proj(mixed), window).roll((1, 2, 1), dims=(1, 2, 3))
    wanted = grid + attended
    wanted = wanted + block.mlp(block.norm2(wanted))
    assert largest_difference(block(grid, index), wanted) < 1e-5


def test_gradients_are_right() -> None:
    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = SwinBlock(4, 2, (2, 2, 2), (1, 1, 1))
            self.index = relative_index((2, 2, 2))

        def forward(self, grid: Tensor) -> Tensor:
            output: Tensor = self.block(grid, self.index)
            return output

    assert_gradients_are_right(Once(), seeded_input("grid", (1, 3, 3, 2, 4)))


def test_every_parameter_learns() -> None:
    network = filled(create_model("video_swin_tiny"))
    assert_gradients_flow(network, seeded_input("clips", TINY))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = filled(create_model("video_swin_tiny"), bias=0.5)
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))
    # shifted in rows alone, since exporting takes long for each kind of windows
    assert_exports(network, seeded_input("narrow clips", (2, 4, 3, 24, 12)))


def test_features_are_the_mean_of_the_map() -> None:
    network = create_model("video_swin_tiny", num_classes=0).eval()
    assert isinstance(network, VideoSwin)
    clips = seeded_input("clips", (1, *TINY[1:]))
    volume = network.feature_map(clips)
    assert volume.shape == (1, network.num_features, 4, 4, 4)
    assert torch.allclose(volume.mean(dim=(2, 3, 4)), network.features(clips), atol=1e-6)
    assert torch.equal(network(clips), network.features(clips))


def test_wrong_clips_options_and_weights_are_refused(tmp_path: Path) -> None:
    network = create_model("video_swin_tiny")
    with pytest.raises(ValueError, match="three colours"):
        network(torch.zeros(1, 8, 1, 64, 64))
    with pytest.raises(UsageError, match=r"three sides of 1 or more.*not \[8, 7\]"):
        create_model("video_swin_tiny", window=[8, 7])
    torch.save(create_model("timesformer_tiny").state_dict(), tmp_path / "other.pth")
    with pytest.raises(NetworkError, match="does not belong to video_swin_tiny"):
        load_weights(network, tmp_path / "other.pth")


@pytest.mark.parametrize(
    "card", [card for card in list_model_cards() if card.family == "video_swin"]
)
def test_the_cards_were_counted(card: Any) -> None:
    with torch.device("meta"):
        network = create_model(card.name)
    assert card.parameters == parameters(network)
    shape = (1, card.input.frames, 3, card.input.size, card.input.size)
    assert card.multiply_adds == multiply_adds(lambda: create_model(card.name), shape)
