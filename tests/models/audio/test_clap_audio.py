"""Facts about CLAP's sound side: the numbers of the whole model, its files, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from golden import largest_difference, perturb, perturbed_groups
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_input, seeded_state
from tiny_clap import random_network
from torch import Tensor

from scenewise.errors import NetworkError
from scenewise.models import create_model, load_weights, model_card
from scenewise.models.audio.clap_audio import LAYOUTS, ClapAudio
from scenewise.models.flops import network_cost
from scenewise.models.weights.load import convert_state

AUDIO = {
    "patch_embeds_hidden_size": 16,
    "hidden_size": 32,
    "num_attention_heads": [2, 4],
    "projection_dim": 64,
}
SCALES = {r"relative_position_bias_table": 1.0, r"(query|key)\.weight": 0.5}


def spectra(batch: int = 2, frames: int = 201) -> Tensor:
    return seeded_input("spectra", (batch, 16, frames))


def tiny() -> ClapAudio:
    network = create_model("clap_audio_tiny")
    assert isinstance(network, ClapAudio)
    return network.eval()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A whole CLAP, and its files as people find them on the hub."""
    import transformers

    config = random_network(100, **AUDIO).config
    config.projection_dim = config.audio_config.projection_dim = 64
    config.text_config.projection_dim = 64
    model = transformers.ClapModel(config).eval()
    shapes = {
        key: tuple(value.shape)
        for key, value in model.state_dict().items()
        if value.is_floating_point()
    }
    model.load_state_dict(seeded_state(shapes, scales=SCALES), strict=False)
    folder = tmp_path_factory.mktemp("clap")
    model.save_pretrained(folder)
    return folder, model


def features_of(model: Any, given: Tensor) -> Tensor:
    with torch.no_grad():
        audio = model.get_audio_features(given.transpose(1, 2)[:, None])
    pooled: Tensor = audio.pooler_output
    return pooled


def test_parity_with_the_sound_side_of_the_whole_model(published: tuple[Path, Any]) -> None:
    network = tiny()
    report = load_weights(network, published[0])
    assert (report.layout, report.complete) == ("huggingface", True)
    for frames in (201, 256, 90):
        given = spectra(frames=frames)
        with torch.no_grad():
            difference = largest_difference(network(given), features_of(published[1], given))
        assert difference < 1e-5


def test_parity_is_lost_by_any_change(published: tuple[Path, Any]) -> None:
    network, wanted = tiny(), features_of(published[1], spectra())
    load_weights(network, published[0])
    for name in perturbed_groups(network):
        if name.endswith("key.bias"):
            continue  # softmax takes away what is the same for all keys
        kept = network.get_parameter(name).detach().clone()
        perturb(network, name, by=0.5)
        with torch.no_grad():
            assert largest_difference(network(spectra()), wanted) > 1e-4, name
            network.get_parameter(name).copy_(kept)


def test_features_have_unit_length() -> None:
    vectors = tiny()(spectra(3))
    assert vectors.shape == (3, 64)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-6)


def test_published_files_say_which_network_they_are() -> None:
    with torch.device("meta"):
        network = create_model("clap_audio")
    state = dict(network.state_dict())
    state["text_projection.linear1.weight"] = torch.empty(512, 768, device="meta")
    state["logit_scale_a"] = torch.empty((), device="meta")
    found = LAYOUTS[0].identify(state, {})
    assert found is not None
    assert (found.name, dict(found.options)) == ("clap_audio", {})
    converted = convert_state(model_card("clap_audio"), state)
    assert converted is not None
    assert sorted(converted[1]) == sorted(network.state_dict())
    state["audio_model.audio_encoder.patch_embed.fusion_model.local_att.0.weight"] = torch.empty(1)
    assert convert_state(model_card("clap_audio"), state) is None


def test_what_is_refused(published: tuple[Path, Any]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 16, frames\) of at most 256 frames, got \(1, 16"):
        tiny()(torch.zeros(1, 16, 257))
    with pytest.raises(ValueError, match=r"got \(1, 64, 200\)"):
        tiny()(torch.zeros(1, 64, 200))
    with pytest.raises(NetworkError, match="does not belong to c3d_tiny"):
        load_weights(create_model("c3d_tiny"), published[0])


@pytest.mark.parametrize("name", ["clap_audio", "clap_audio_tiny"])
def test_the_cards_figures_are_counted(name: str) -> None:
    card, cost = model_card(name), network_cost(name)
    assert (cost.parameters, cost.multiply_adds) == (card.parameters, card.multiply_adds)


def test_it_learns_exports_and_runs_in_bfloat16() -> None:
    network = tiny()
    assert_exports(network, spectra())
    assert_runs_in_bfloat16(network, spectra(1))
    silent = {name for name, _ in network.named_parameters() if name.endswith("key.bias")}
    assert_gradients_flow(network, spectra(), except_for=silent)
