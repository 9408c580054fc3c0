"""Facts about TimeSformer: numbers of the official code and of transformers, layouts, tables."""

from __future__ import annotations

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
from scenewise.models.backbones.timesformer import (
    DividedBlock,
    TemporalAttention,
    TimeSformer,
)
from scenewise.models.flops import multiply_adds, parameters
from scenewise.models.registry import list_model_cards

KINDS = {
    "timesformer_divided": "divided_space_time",
    "timesformer_joint": "joint_space_time",
    "timesformer_space": "space_only",
}
TINY = (2, 8, 3, 64, 64)
SCALES = {r"qkv\.weight": 0.25, r"(position|time)_embeddings|cls_token": 0.5}


def filled(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with weights that follow from their names."""
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    scales = {r"qkv\.weight": 0.25, r"(pos|time)_embed|cls_token": 0.5}
    network.load_state_dict(seeded_state(shapes, seed=seed, scales=scales))
    return network.eval()


@pytest.fixture(scope="module", params=sorted(KINDS))
def official(request: pytest.FixtureRequest) -> tuple[str, TimeSformer]:
    network = create_model("timesformer_tiny", attention=KINDS[request.param]).eval()
    assert isinstance(network, TimeSformer)
    assert load_official(network, golden(request.param).state()) == "official"
    return request.param, network


def test_parity_with_the_official_code(official: tuple[str, TimeSformer]) -> None:
    """At the trained size, and with fewer frames, larger, that are no square."""
    name, network = official
    wanted = golden(name).outputs
    with torch.no_grad():
        assert largest_difference(network(seeded_input("clips", TINY)), wanted["logits"]) < 1e-4
        other = network(seeded_input("other clips", (1, 6, 3, 80, 112)))
    assert largest_difference(other, wanted["other"]) < 1e-4


def test_parity_is_lost_by_any_change(official: tuple[str, TimeSformer]) -> None:
    name, network = official
    wanted = golden(name).outputs["logits"]
    clips = seeded_input("clips", TINY)
    for group in perturbed_groups(network):
        kept = network.get_parameter(group).detach().clone()
        perturb(network, group)
        with torch.no_grad():
            assert largest_difference(network(clips), wanted) > 1e-4, group
            network.get_parameter(group).copy_(kept)


def hugging_face(kind: str) -> Any:
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    config = TimesformerConfig(
        image_size=64,
        num_frames=8,
        hidden_size=96,
        num_hidden_layers=4,
        num_attention_heads=3,
        intermediate_size=384,
        attention_type=kind,
        num_labels=10,
    )
    network = TimesformerForVideoClassification(config).eval()
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(seeded_state(shapes, scales=SCALES))
    return network


@pytest.mark.parametrize("kind", KINDS.values())
def test_parity_with_transformers(kind: str) -> None:
    theirs = hugging_face(kind)
    ours = create_model("timesformer_tiny", attention=kind).eval()
    assert isinstance(ours, TimeSformer)
    assert load_official(ours, theirs.state_dict()) == "huggingface"
    clips = seeded_input("clips", TINY)
    if kind == "space_only":  # transformers leaves out the mean of the frames: one frame each
        clips = rearrange(clips, "b t c h w -> (b t) 1 c h w")
    with torch.no_grad():
        logits = theirs(clips).logits
        assert largest_difference(ours(clips), logits) < 1e-4
        if kind == "divided_space_time":
            hidden = theirs.timesformer(clips).last_hidden_state
            # theirs are place by place, ours frame by frame
            places = rearrange(hidden[:, 1:], "b (n t) d -> b (t n) d", t=8)
            tokens = ours.tokens(clips)
            assert largest_difference(tokens[:, 1:], places) < 1e-4
            assert largest_difference(tokens[:, 0], hidden[:, 0]) < 1e-4


def test_it_takes_the_official_names_of_the_published_size() -> None:
    with torch.device("meta"):
        network = create_model("timesformer_base")
    assert_takes_keys(network, "timesformer_base")


@pytest.mark.parametrize(
    ("frames", "size", "name"),
    [(8, 224, "timesformer_base"), (16, 448, "timesformer_hr"), (96, 224, "timesformer_large")],
)
def test_an_official_file_says_which_network_it_is_of(
    frames: int, size: int, name: str, tmp_path: Path
) -> None:
    from scenewise.models.registry import created_as

    shapes = {key: shape for key, (_, shape) in read_keys("timesformer_base", "full").items()}
    shapes["model.pos_embed"] = (1, 1 + (size // 16) ** 2, 768)
    shapes["model.time_embed"] = (1, frames, 768)
    state = {key: torch.zeros(1).expand(shape) for key, shape in shapes.items()}
    file = tmp_path / "checkpoint.pyth"
    torch.save({"model_state": state, "epoch": 3}, file)  # expanded: some kilobytes
    with torch.device("meta"):
        network = load_pretrained(file)
    assert created_as(network).name == name
    assert created_as(network).options["num_frames"] == frames
    assert created_as(network).options["size"] == size


def test_a_folder_of_the_hub_says_its_options(tmp_path: Path) -> None:
    theirs = hugging_face("joint_space_time")
    theirs.save_pretrained(tmp_path)
    ours = load_pretrained(tmp_path, "timesformer_tiny", attention="joint_space_time")
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        assert largest_difference(ours(clips), theirs(clips).logits) < 1e-4


def test_other_numbers_of_frames_and_sizes_are_loaded_as_grids(tmp_path: Path) -> None:
    """Half as many frames and twice the side: every entry of a table keeps its place."""
    small = filled(create_model("timesformer_tiny"))
    torch.save(small.state_dict(), tmp_path / "small.pth")
    large = create_model("timesformer_tiny", num_frames=4, size=128)
    assert isinstance(large, TimeSformer)
    report = load_weights(large, tmp_path / "small.pth")
    assert report.complete
    grid = rearrange(small.get_parameter("pos_embed")[:, 1:], "one (h w) d -> one h w d", h=4)
    loaded = rearrange(large.pos_embed[:, 1:], "one (h w) d -> one h w d", h=8)
    assert torch.equal(loaded[:, ::2, 1::2], grid)
    assert torch.equal(loaded[:, 1::2, ::2], grid)
    assert torch.equal(large.time_embed, small.get_parameter("time_embed")[:, ::2])
    clips = seeded_input("clips", (1, 4, 3, 128, 128))
    with torch.no_grad():  # what is resized at load is resized at inference in the same way
        assert torch.allclose(small(clips), large.eval()(clips), atol=1e-5)


def test_a_picture_network_begins_time_as_space(tmp_path: Path) -> None:
    pictures = {
        key: value
        for key, value in filled(create_model("timesformer_tiny")).state_dict().items()
        if "temporal" not in key and key != "time_embed"
    }
    torch.save(pictures, tmp_path / "vit.pth")
    network = create_model("timesformer_tiny")
    report = load_weights(network, tmp_path / "vit.pth", strict=False)
    assert report.layout == "vit"
    assert sorted({key.partition("temporal")[1] + key[-4:] for key in report.missing}) == [
        "mbed",
        "temporalbias",
        "temporalight",
    ]
    assert all("temporal_fc" in key or key == "time_embed" for key in report.missing)
    for block in network.get_submodule("blocks").children():
        assert isinstance(block, DividedBlock)
        assert torch.equal(block.temporal_attn.qkv.weight, block.attn.qkv.weight)
        assert torch.equal(block.temporal_norm1.bias, block.norm1.bias)
    # temporal_fc is zero, so the video network is the picture network, [CLS] averaged each block
    space = create_model("timesformer_tiny", attention="space_only").eval()
    load_weights(space, tmp_path / "vit.pth")
    still = seeded_input("picture", (1, 1, 3, 64, 64)).expand(1, 8, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network.eval()(still), space(still), atol=1e-5)


def test_a_fresh_network_sees_frames_one_by_one() -> None:
    """All of ``temporal_fc`` is zero, as in the official code: its own loop leaves no block out."""
    torch.manual_seed(0)
    network = create_model("timesformer_tiny").eval()
    for block in network.get_submodule("blocks").children():
        assert isinstance(block, DividedBlock)
        assert not block.temporal_fc.weight.any()
        assert block.temporal_attn.qkv.weight.any()
    clips = seeded_input("clips", (1, 8, 3, 64, 64))
    with torch.no_grad():
        assert torch.allclose(network(clips), network(clips.flip(1)), atol=1e-6)
        assert not torch.allclose(filled(network)(clips), filled(network)(clips.flip(1)), atol=1e-3)


def test_temporal_attention_is_attention_place_by_place() -> None:
    from scenewise.models.layers.attention import Attention

    temporal, plain = TemporalAttention(12, 2), Attention(12, 2)
    plain.load_state_dict(temporal.state_dict())
    tokens = seeded_input("tokens", (2, 5, 3, 12))
    place_by_place = torch.stack([plain(tokens[:, :, place]) for place in range(3)], dim=2)
    assert torch.allclose(temporal(tokens), place_by_place, atol=1e-6)


def test_dropped_paths_are_drawn_place_by_place_and_frame_by_frame() -> None:
    block = DividedBlock(12, 2, 24, drop_path=0.5).train()
    draws = torch.ones(3, 4, 50, 12)
    kept = block.temporal_drop_path(draws)
    assert torch.equal(kept, kept[:, :1, :, :1].expand_as(kept))  # one draw for all instants
    assert sorted(kept.unique().tolist()) == [0.0, 2.0]
    assert len({tuple(row) for row in kept[:, 0, :, 0].tolist()}) == 3


def test_gradients_are_right() -> None:
    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = DividedBlock(4, 2, 8)

        def forward(self, tokens: Tensor) -> Tensor:
            output: Tensor = self.block(tokens, 2)
            return output

    assert_gradients_are_right(Once(), seeded_input("tokens", (1, 1 + 2 * 3, 4)))


def test_every_parameter_learns() -> None:
    network = filled(create_model("timesformer_tiny"))
    assert_gradients_flow(network, seeded_input("clips", TINY))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = filled(create_model("timesformer_tiny"))
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))


def test_without_classes_the_features_come_out() -> None:
    network = create_model("timesformer_tiny", num_classes=0).eval()
    assert isinstance(network, TimeSformer)
    clips = seeded_input("clips", (1, *TINY[1:]))
    assert torch.equal(network(clips), network.features(clips))
    assert network(clips).shape == (1, network.num_features)
    assert torch.allclose(network.tokens(clips)[:, 0], network.features(clips), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 8, 3, 60, 64), (1, 8, 1, 64, 64)])
def test_a_clip_that_has_no_whole_patches_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sides are multiples of 16"):
        create_model("timesformer_tiny")(torch.zeros(shape))


def test_wrong_options_and_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no attention 'axial'; allowed: divided_space_time"):
        create_model("timesformer_tiny", attention="axial")
    with pytest.raises(UsageError, match="A side of 60 pixels cannot be cut"):
        create_model("timesformer_tiny", size=60)
    torch.save(create_model("c3d_tiny").state_dict(), tmp_path / "other.pth")
    with pytest.raises(NetworkError, match="does not belong to timesformer_tiny"):
        load_weights(create_model("timesformer_tiny"), tmp_path / "other.pth")
    odd = filled(create_model("timesformer_tiny")).state_dict()
    odd["pos_embed"] = torch.zeros(1, 1 + 15, 96)
    torch.save(odd, tmp_path / "odd.pth")
    with pytest.raises(NetworkError, match="15 places is no square grid"):
        load_weights(create_model("timesformer_tiny"), tmp_path / "odd.pth")


@pytest.mark.parametrize(
    "card", [card for card in list_model_cards() if card.family == "timesformer"]
)
def test_the_cards_were_counted(card: Any) -> None:
    with torch.device("meta"):
        network = create_model(card.name)
    assert card.parameters == parameters(network)
    shape = (1, card.input.frames, 3, card.input.size, card.input.size)
    assert card.multiply_adds == multiply_adds(lambda: create_model(card.name), shape)
