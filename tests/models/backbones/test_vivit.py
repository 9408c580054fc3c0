"""Facts about ViViT: transformers' numbers, the factorised encoder put together from its layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange, repeat
from golden import largest_difference, load_official, perturb, perturbed_groups
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights, model_card
from scenewise.models.backbones.vivit import ViViT
from scenewise.models.flops import multiply_adds, parameters
from scenewise.models.registry import created_as, list_model_cards
from scenewise.models.weights.load import convert_state

TINY = (2, 8, 3, 64, 64)
# queries and keys large, so that attention prefers; tables as large as the tubelets
SCALES = {
    r"(query|key|q_proj|k_proj|qkv)\.weight": 0.25,
    r"pos_embed|position_embeddings|cls_token": 0.5,
    r"projection\.weight|patch_embed\.proj\.weight": 0.04,
}


def filled(network: nn.Module, seed: int = 0) -> Any:
    """The network with weights that follow from their names."""
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(seeded_state(shapes, seed=seed, scales=SCALES))
    return network.eval()


def theirs(frames: int = 8, layers: int = 4, seed: int = 0) -> Any:
    """transformers' network at the tiny size."""
    from transformers import VivitConfig, VivitForVideoClassification

    config = VivitConfig(
        image_size=64,
        num_frames=frames,
        hidden_size=96,
        num_hidden_layers=layers,
        num_attention_heads=3,
        intermediate_size=384,
        num_labels=10,
    )
    return filled(VivitForVideoClassification(config), seed)


def ours(**options: Any) -> ViViT:
    network = create_model("vivit_tiny", **options).eval()
    assert isinstance(network, ViViT)
    return network


def test_parity_with_transformers() -> None:
    reference, network = theirs(), ours()
    assert load_official(network, reference.state_dict()) == "huggingface"
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        hidden = reference.vivit(clips).last_hidden_state
        logits = reference(clips).logits
        assert largest_difference(network.tokens(clips), hidden) < 1e-4
        assert largest_difference(network(clips), logits) < 1e-5
        for group in perturbed_groups(network):
            kept = network.get_parameter(group).detach().clone()
            perturb(network, group)
            assert largest_difference(network(clips), logits) > 1e-4, group
            network.get_parameter(group).copy_(kept)
        for module in network.modules():  # the two GELUs are near: the bound must tell them apart
            if isinstance(module, nn.GELU):
                module.approximate = "none"
        assert largest_difference(network(clips), logits) > 1e-4


def test_a_folder_of_the_hub_is_loaded(tmp_path: Path) -> None:
    """Its names are those of transformers 4, query, key and value apart."""
    reference = theirs()
    reference.save_pretrained(tmp_path)
    network = load_pretrained(tmp_path, "vivit_tiny")
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        assert largest_difference(network(clips), reference(clips).logits) < 1e-4


def test_the_published_folder_says_its_network(tmp_path: Path) -> None:
    from transformers import VivitConfig, VivitForVideoClassification

    config = VivitConfig(num_labels=174)
    config.save_pretrained(tmp_path)
    with torch.device("meta"):
        shapes = VivitForVideoClassification(config).state_dict()
    state = {key: torch.zeros(1).expand(value.shape) for key, value in shapes.items()}
    torch.save(state, tmp_path / "pytorch_model.bin")  # expanded: some kilobytes
    with torch.device("meta"):
        network = load_pretrained(tmp_path)
    assert created_as(network).name == "vivit_base"
    assert created_as(network).options == {"num_classes": 174, "num_frames": 32, "size": 224}


@pytest.fixture(scope="module")
def composed() -> tuple[ViViT, Any, Any]:
    """The factorised encoder with the weights of two of transformers' networks.

    One saw two frames and is the spatial encoder; of the other only layers and norm are taken.
    """
    space, time = theirs(frames=2, seed=1), theirs(frames=2, layers=2, seed=2)
    network = filled(ours(temporal_depth=2))
    state = network.state_dict()
    for source, target, taken in (
        (space, "spatial.", ("spatial.", "patch_embed.")),
        (time, "temporal.", ("temporal.blocks.", "temporal.norm.")),
    ):
        converted = convert_state(model_card("vivit_tiny"), source.state_dict())
        assert converted is not None
        for key, value in converted[1].items():
            name = key.replace("encoder.", target)
            if name.startswith(taken):
                state[name] = value
    network.load_state_dict(state)
    return network, space, time


def by_their_layers(network: ViViT, space: Any, time: Any, clips: Tensor) -> Tensor:
    """Logits by transformers' layers: each instant alone, then the instants' [CLS]."""
    instants = [
        space.vivit(clips[:, start : start + 2]).last_hidden_state[:, 0]
        for start in range(0, clips.shape[1], 2)
    ]
    cls = repeat(network.temporal.cls_token, "1 1 d -> b 1 d", b=len(clips))
    tokens = torch.cat([cls, torch.stack(instants, dim=1)], dim=1) + network.temporal.pos_embed
    for layer in time.vivit.layers:
        tokens = layer(tokens)
    logits: Tensor = network.head(time.vivit.layernorm(tokens)[:, 0])
    return logits


def test_parity_of_the_factorised_encoder_with_layers_of_transformers(
    composed: tuple[ViViT, Any, Any],
) -> None:
    network, space, time = composed
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        wanted = by_their_layers(network, space, time, clips)
        assert largest_difference(network(clips), wanted) < 1e-4
        for group in perturbed_groups(network):
            kept = network.get_parameter(group).detach().clone()
            perturb(network, group)
            assert largest_difference(network(clips), wanted) > 1e-4, group
            network.get_parameter(group).copy_(kept)


def test_an_instant_of_the_spatial_encoder_sees_its_own_frames_alone() -> None:
    network = filled(ours(temporal_depth=2))
    clips = seeded_input("clips", (1, *TINY[1:])).requires_grad_()
    network.spatial_features(clips)[:, 1].sum().backward()
    assert clips.grad is not None
    reached = clips.grad.abs().sum(dim=(0, 2, 3, 4)) > 0
    assert reached.tolist() == [False, False, True, True, False, False, False, False]


def test_only_its_table_tells_the_temporal_encoder_the_order() -> None:
    network = filled(ours(temporal_depth=2))
    clips = seeded_input("clips", (1, *TINY[1:]))
    pairs = rearrange(clips, "b (t two) c h w -> b t two c h w", two=2)
    turned = rearrange(pairs.flip(1), "b t two c h w -> b (t two) c h w")
    with torch.no_grad():
        assert largest_difference(network(clips), network(turned)) > 1e-3
        network.temporal.pos_embed[:, 1:] = network.temporal.pos_embed[:, 1:2].clone()
        assert largest_difference(network(clips), network(turned)) < 1e-5
        assert largest_difference(network(clips), network(clips.flip(1))) > 1e-3  # inside tubelets


@pytest.mark.parametrize("temporal_depth", [0, 2])
def test_a_picture_network_begins_the_first_encoder(temporal_depth: int, tmp_path: Path) -> None:
    source = filled(ours(num_frames=2, size=64))
    pictures = {
        key.removeprefix("encoder."): value
        for key, value in source.state_dict().items()
        if not key.startswith("head.")
    }
    pictures["patch_embed.proj.weight"] = pictures["patch_embed.proj.weight"][:, :, 0]
    torch.save(pictures, tmp_path / "vit.pth")
    network = ours(temporal_depth=temporal_depth)
    report = load_weights(network, tmp_path / "vit.pth", strict=False)
    assert report.layout == "vit"
    assert report.unexpected == report.mismatched == ()
    assert all(key.startswith(("head.", "temporal.")) for key in report.missing)
    filters = network.patch_embed.proj.weight
    assert torch.equal(filters[:, :, 1], pictures["patch_embed.proj.weight"])
    assert not filters[:, :, 0].any()
    places = pictures["pos_embed"]
    if temporal_depth:
        assert torch.equal(network.spatial.pos_embed, places)
    else:
        table = rearrange(network.encoder.pos_embed[:, 1:], "one (t n) d -> one t n d", t=4)
        assert torch.equal(table, places[:, None, 1:].expand_as(table))
        assert torch.equal(network.encoder.pos_embed[:, :1], places[:, :1])


def test_a_repeated_filter_answers_a_still_clip_as_the_picture() -> None:
    network = ours(inflation="repeat")
    picture = seeded_input("filter", (96, 3, 16, 16))
    made = network.adapt_state({"patch_embed.proj.weight": picture})
    assert torch.equal(made["patch_embed.proj.weight"].sum(2), picture)
    fresh = network.patch_embed.proj.weight
    assert torch.equal(fresh[:, :, 0], fresh[:, :, 1])
    centre = ours().patch_embed.proj.weight
    assert not centre[:, :, 0].any()
    # each is drawn for as many inputs as the tubelet has
    for filters in (fresh, centre[:, :, 1]):
        assert float(filters.detach().std()) == pytest.approx((2 * 3 * 16 * 16) ** -0.5, rel=0.02)


@pytest.mark.parametrize("temporal_depth", [0, 2])
def test_other_numbers_of_frames_are_loaded(temporal_depth: int, tmp_path: Path) -> None:
    """Twice as many instants lie between the old ones, a quarter of the way from each."""
    short = filled(ours(temporal_depth=temporal_depth))
    torch.save(short.state_dict(), tmp_path / "short.pth")
    long = ours(temporal_depth=temporal_depth, num_frames=16)
    assert load_weights(long, tmp_path / "short.pth").complete
    key, places = ("temporal.pos_embed", 1) if temporal_depth else ("encoder.pos_embed", 16)
    old = rearrange(short.get_parameter(key)[:, 1:], "one (t n) d -> one t n d", n=places)
    new = rearrange(long.get_parameter(key)[:, 1:], "one (t n) d -> one t n d", n=places)
    assert torch.allclose(new[:, 1:7:2], 0.75 * old[:, :3] + 0.25 * old[:, 1:], atol=1e-6)
    assert torch.equal(long.get_parameter(key)[:, :1], short.get_parameter(key)[:, :1])


@pytest.mark.parametrize("temporal_depth", [0, 2])
def test_it_learns_exports_and_runs_in_bfloat16(temporal_depth: int) -> None:
    network = filled(ours(temporal_depth=temporal_depth))
    assert_exports(network, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(network, seeded_input("clips", (1, *TINY[1:])))
    assert_gradients_flow(network, seeded_input("clips", TINY))


def test_a_fresh_classifier_knows_nothing() -> None:
    """Zeros, as in scenic; without classes the features come out."""
    clips = seeded_input("clips", (1, *TINY[1:]))
    assert not ours()(clips).any()
    network = ours(num_classes=0)
    assert torch.equal(network(clips), network.features(clips))
    assert torch.allclose(network.tokens(clips)[:, 0], network.features(clips), atol=1e-6)
    assert ours(temporal_depth=2).tokens(clips).shape == (1, 1 + 4, 96)


@pytest.mark.parametrize("shape", [(1, 6, 3, 64, 64), (1, 8, 3, 64, 80), (1, 8, 1, 64, 64)])
def test_a_clip_of_another_size_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"takes clips \(B, 8, 3, 64, 64\)"):
        ours()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_frames": 7}, "7 frames of 64 pixels cannot be cut into tubelets of 2 x 16 x 16"),
        ({"size": 60}, "8 frames of 60 pixels cannot be cut"),
        ({"inflation": "mean"}, "no inflation 'mean'; allowed: repeat, centre"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ours(**options)


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    torch.save(create_model("video_swin_tiny").state_dict(), tmp_path / "other.pth")
    with pytest.raises(NetworkError, match="does not belong to vivit_tiny"):
        load_weights(ours(), tmp_path / "other.pth")


@pytest.mark.parametrize("card", [card for card in list_model_cards() if card.family == "vivit"])
def test_the_cards_were_counted(card: Any) -> None:
    with torch.device("meta"):
        network = create_model(card.name)
    assert card.parameters == parameters(network)
    shape = (1, card.input.frames, 3, card.input.size, card.input.size)
    assert card.multiply_adds == multiply_adds(lambda: create_model(card.name), shape)
