"""Facts about AST: transformers' numbers, its layouts, other lengths, gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from golden import largest_difference, perturb, perturbed_groups
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights, model_card
from scenewise.models.audio.ast import LAYOUTS, AudioSpectrogramTransformer
from scenewise.models.flops import network_cost
from scenewise.models.weights.layout import Identified

SMALL = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 384,
    "num_mel_bins": 64,
    "max_length": 128,
    "num_labels": 10,
}
# tokens and places are one vector each: the usual scale of a weight would hide them
SCALES = {r"(_token|position_embeddings)$": 0.5, r"[qk]_proj\.weight": 0.3}


def spectra(batch: int = 2) -> Tensor:
    return seeded_input("spectra", (batch, 64, 128))


def tiny(**options: Any) -> AudioSpectrogramTransformer:
    network = create_model("ast_tiny", **options)
    assert isinstance(network, AudioSpectrogramTransformer)
    return network.eval()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """transformers' network, and its files as people find them on the hub."""
    model = transformers.ASTForAudioClassification(transformers.ASTConfig(**SMALL)).eval()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    model.load_state_dict(seeded_state(shapes, scales=SCALES))
    folder = tmp_path_factory.mktemp("ast")
    model.save_pretrained(folder)
    return folder, model


@pytest.fixture(scope="module")
def wanted(published: tuple[Path, Any]) -> Tensor:
    with torch.no_grad():
        logits: Tensor = published[1](spectra().transpose(1, 2)).logits
    return logits


def test_parity_with_transformers(published: tuple[Path, Any], wanted: Tensor) -> None:
    network = tiny()
    report = load_weights(network, published[0])
    assert (report.layout, report.complete) == ("huggingface", True)
    with torch.no_grad():
        assert largest_difference(network(spectra()), wanted) < 1e-4
        features = published[1].audio_spectrogram_transformer(spectra().transpose(1, 2))
        assert largest_difference(network.features(spectra()), features.pooler_output) < 1e-4
        assert largest_difference(network.tokens(spectra()), features.last_hidden_state) < 1e-4


def test_parity_is_lost_by_any_change(published: tuple[Path, Any], wanted: Tensor) -> None:
    network = tiny()
    load_weights(network, published[0])
    for name in perturbed_groups(network):
        kept = network.get_parameter(name).detach().clone()
        perturb(network, name)
        with torch.no_grad():
            assert largest_difference(network(spectra()), wanted) > 1e-4, name
            network.get_parameter(name).copy_(kept)


def test_the_official_layout_renames_nothing(published: tuple[Path, Any], wanted: Tensor) -> None:
    network = tiny()
    load_weights(network, published[0])
    official = {f"module.{key}": value for key, value in network.state_dict().items()}
    official["module.v.head.weight"] = torch.zeros(1000, 96)  # DeiT's, unused
    official["module.v.head_dist.bias"] = torch.zeros(1000)
    path = published[0] / "audioset.pth"
    torch.save(official, path)
    again = tiny()
    report = load_weights(again, path)
    assert (report.layout, report.complete) == ("official", True)
    with torch.no_grad():
        assert largest_difference(again(spectra()), wanted) < 1e-4


@pytest.mark.parametrize(("stride", "places"), [(10, 1212), (12, 850), (16, 512)])
def test_published_files_say_which_network_they_are(stride: int, places: int) -> None:
    """12 x 101, 10 x 85, 8 x 64 places of 128 bins and 1024 frames, by the official names."""
    table, patches = torch.empty(1, 2 + places, 768), torch.empty(768, 1, 16, 16)
    expected = Identified("ast_base", {"num_classes": 527, "stride": stride})
    official = {
        "v.pos_embed": table,
        "v.patch_embed.proj.weight": patches,
        "mlp_head.1.weight": torch.empty(527, 768),
    }
    theirs = {
        "audio_spectrogram_transformer.embeddings.position_embeddings": table,
        "audio_spectrogram_transformer.embeddings.patch_embeddings.projection.weight": patches,
        "classifier.dense.weight": torch.empty(527, 768),
    }
    assert LAYOUTS[0].identify(official, {}) == expected
    assert LAYOUTS[1].identify(theirs, {}) == expected
    with torch.device("meta"):
        network = create_model(expected.name, **expected.options)
    assert network.get_parameter("v.pos_embed").shape == table.shape


def test_a_model_for_another_length_is_known_by_its_settings() -> None:
    theirs = {
        "embeddings.position_embeddings": torch.empty(1, 2 + 12 * 12, 768),
        "embeddings.patch_embeddings.projection.weight": torch.empty(768, 1, 16, 16),
    }
    found = LAYOUTS[1].identify(theirs, {"max_length": 128, "num_mel_bins": 128})
    assert found is not None
    assert found.options == {"num_classes": 0, "num_frames": 128, "bins": 128, "stride": 10}
    assert LAYOUTS[1].identify(theirs, {}) is None


def test_a_model_without_a_head_is_loaded(published: tuple[Path, Any], tmp_path: Path) -> None:
    published[1].audio_spectrogram_transformer.save_pretrained(tmp_path)
    network = load_pretrained(tmp_path, "ast_tiny", num_classes=0)
    with torch.no_grad():
        features = published[1].audio_spectrogram_transformer(spectra().transpose(1, 2))
        assert largest_difference(network(spectra()), features.pooler_output) < 1e-4


def test_places_of_another_length_are_cut_from_the_middle_or_stretched() -> None:
    """A table whose numbers are their own time: 5 bands of 12 steps."""
    steps = torch.arange(12.0).expand(5, 12).reshape(1, 60, 1).expand(1, 60, 96)
    state = {"v.pos_embed": torch.cat([torch.full((1, 2, 96), -7.0), steps], dim=1)}
    shorter = tiny(num_frames=16 + 4 * 10).adapt_state(state)["v.pos_embed"]
    assert shorter[0, :2, 0].tolist() == [-7.0, -7.0]
    assert shorter[0, 2:, 0].view(5, 5)[3].tolist() == [4.0, 5.0, 6.0, 7.0, 8.0]
    longer = tiny(num_frames=16 + 23 * 10).adapt_state(state)["v.pos_embed"]
    expected = F.interpolate(torch.arange(12.0)[None, None], 24, mode="linear")[0, 0]
    assert torch.allclose(longer[0, 2:, 0].view(5, 24)[2], expected)
    same = tiny().adapt_state(state)["v.pos_embed"]
    assert same is state["v.pos_embed"]


def test_a_checkpoint_of_another_network_is_refused(published: tuple[Path, Any]) -> None:
    with pytest.raises(NetworkError, match="c3d_tiny"):
        load_weights(create_model("c3d_tiny"), published[0])
    with pytest.raises(NetworkError, match="does not fit ast_tiny"):
        load_weights(tiny(num_classes=3), published[0])


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"made for spectra \(B, 64, 128\), got \(1, 64, 100\)"):
        tiny()(torch.zeros(1, 64, 100))
    with pytest.raises(UsageError, match="8 bins and 128 frames are too few"):
        tiny(bins=8)


def test_without_classes_it_gives_features() -> None:
    network = tiny(num_classes=0)
    assert torch.equal(network(spectra()), network.features(spectra()))


@pytest.mark.parametrize("name", ["ast_base", "ast_tiny"])
def test_the_cards_figures_are_counted(name: str) -> None:
    card, cost = model_card(name), network_cost(name)
    assert (cost.parameters, cost.multiply_adds) == (card.parameters, card.multiply_adds)


def test_it_learns_exports_and_runs_in_bfloat16() -> None:
    network: nn.Module = tiny()
    assert_exports(network, spectra())
    assert_runs_in_bfloat16(network, spectra(1))
    assert_gradients_flow(network, spectra())
