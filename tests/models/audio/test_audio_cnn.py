"""Facts about the PANNs: the official code's numbers from samples on, key layouts."""

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
from seeded import seeded_input
from torch import Tensor

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights
from scenewise.models.audio.audio_cnn import AudioCnn, ConvBlock
from scenewise.models.flops import parameters
from scenewise.models.registry import created_as


def sound() -> Tensor:
    return 0.1 * seeded_input("sound", (2, 16_000))


def official(variant: str) -> AudioCnn:
    network = create_model("audio_cnn", variant=variant).eval()
    assert load_official(network, golden(f"audio_{variant}").state()) == "official"
    assert isinstance(network, AudioCnn)
    return network


@pytest.mark.parametrize("variant", ["cnn6", "cnn10", "cnn14"])
def test_parity_with_the_official_code_from_samples_on(variant: str) -> None:
    network, wanted = official(variant), golden(f"audio_{variant}").outputs
    with torch.no_grad():
        spectra = network.log_mel(sound())
        assert largest_difference(spectra[:, ::7], wanted["spectra"]) < 1e-4
        assert largest_difference(network.features(sound()), wanted["embedding"]) < 1e-4
        assert largest_difference(network(sound()), wanted["logits"]) < 1e-4
        assert largest_difference(network(spectra), wanted["logits"]) < 1e-4


@pytest.mark.parametrize("variant", ["cnn6", "cnn10"])
def test_parity_is_lost_by_any_change(variant: str) -> None:
    network, wanted = official(variant), golden(f"audio_{variant}").outputs["logits"]
    for name in perturbed_groups(network):
        kept = network.get_parameter(name).detach().clone()
        perturb(network, name)
        with torch.no_grad():
            assert largest_difference(network(sound()), wanted) > 1e-4, name
            network.get_parameter(name).copy_(kept)


def test_it_takes_the_names_of_a_file() -> None:
    """The tables of the front end lie in the file, too, and are made here anew."""
    with torch.device("meta"):
        assert_takes_keys(create_model("audio_cnn"), "audio_cnn10_file")


def test_a_file_says_which_it_is_of(tmp_path: Path) -> None:
    for variant in ("cnn6", "cnn10"):
        torch.save({"model": golden(f"audio_{variant}").state()}, tmp_path / "cnn.pth")
        network = load_pretrained(tmp_path / "cnn.pth", strict=False)
        assert created_as(network).options == {"num_classes": 527, "variant": variant}
        with torch.no_grad():
            found = network(sound())
        assert largest_difference(found, golden(f"audio_{variant}").outputs["logits"]) < 1e-4


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    torch.save(create_model("c3d_tiny").state_dict(), tmp_path / "c3d.pt")
    with pytest.raises(NetworkError, match="does not belong to audio_cnn"):
        load_weights(create_model("audio_cnn"), tmp_path / "c3d.pt")


@pytest.mark.parametrize(
    ("variant", "count"), [("cnn6", 4_837_455), ("cnn10", 5_219_279), ("cnn14", 80_753_615)]
)
def test_sizes(variant: str, count: int) -> None:
    """As the official code counts them, less the tables of its front end."""
    with torch.device("meta"):
        network = create_model("audio_cnn", variant=variant).eval()
        assert parameters(network) == count
        assert network(torch.zeros(1, 64, 1001)).shape == (1, 527)


def test_samples_and_spectra_of_any_length() -> None:
    network = create_model("audio_cnn_tiny").eval()
    for length in (16, 37, 500):
        assert network(torch.zeros(1, 64, length)).shape == (1, 10)
    assert network(torch.zeros(3, 32_000)).shape == (3, 10)
    assert create_model("audio_cnn_tiny", num_classes=0).eval()(sound()).shape == (2, 64)


def test_what_does_not_fit_is_refused() -> None:
    network = create_model("audio_cnn_tiny")
    for shape in ((1, 64, 15), (1, 80, 100), (1, 1, 64, 100)):
        with pytest.raises(ValueError, match="spectrograms"):
            network(torch.zeros(shape))
    with pytest.raises(UsageError, match="cnn6, cnn10 or cnn14"):
        create_model("audio_cnn", variant="cnn12")


def test_every_parameter_learns() -> None:
    spectra = 10.0 * seeded_input("spectra", (2, 64, 48))
    assert_gradients_flow(create_model("audio_cnn_tiny"), spectra)


def test_gradients_are_right() -> None:
    block = ConvBlock(1, 2, 3, 2).eval()
    assert_gradients_are_right(block, seeded_input("x", (1, 1, 4, 4)))


def test_it_exports_and_runs_in_bfloat16() -> None:
    network = create_model("audio_cnn_tiny").eval()
    assert_exports(network, 0.1 * seeded_input("sound", (2, 8_000)), tolerance=1e-3)
    assert_runs_in_bfloat16(network, 10.0 * seeded_input("spectra", (1, 64, 48)))
