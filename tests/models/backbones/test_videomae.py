"""Facts about VideoMAE: the numbers of transformers and of the official code, masks, layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_input, seeded_state
from torch import Tensor, nn
from transformers import VideoMAEForPreTraining, VideoMAEForVideoClassification

from scenewise.errors import NetworkError
from scenewise.models import create_model
from scenewise.models.backbones.videomae import (
    TINY,
    VideoMAE,
    VideoMAEOptions,
    VideoMAEPretraining,
    normalised_cubes,
)
from scenewise.models.backbones.videomae_layouts import LAYOUTS
from scenewise.models.layers.masks import tube_mask
from scenewise.models.weights.layout import Identified
from scenewise.models.weights.load import load_pretrained, load_weights

CLIPS = (2, 8, 3, 64, 64)
SCALES = {r"(query|key)\.weight": 0.3, r"mask_token": 1.0}


def filled(network: nn.Module) -> Any:
    """Weights of which every term counts."""
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(seeded_state(shapes, scales=SCALES))
    return network.eval()


@pytest.fixture(scope="module")
def pair() -> tuple[Any, VideoMAE]:
    """transformers' classifier and ours with its weights."""
    config = TINY.config(mean_pooling=True)
    config.num_labels = 10
    theirs = filled(VideoMAEForVideoClassification(config))
    ours = create_model("videomae_tiny").eval()
    assert load_official(ours, theirs.state_dict()) == "huggingface"
    assert isinstance(ours, VideoMAE)
    return theirs, ours


@pytest.fixture(scope="module")
def autoencoders() -> tuple[Any, VideoMAEPretraining]:
    """transformers' autoencoder and ours with its weights."""
    theirs = filled(VideoMAEForPreTraining(TINY.config(mean_pooling=False)))
    ours = VideoMAEPretraining(TINY).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def hidden() -> Tensor:
    torch.manual_seed(0)
    return tube_mask(2, TINY.grid, 0.75)


def test_parity_with_transformers(pair: tuple[Any, VideoMAE]) -> None:
    theirs, ours = pair
    clips = seeded_input("clips", CLIPS)
    with torch.no_grad():
        assert largest_difference(ours(clips), theirs(clips).logits) < 1e-6


def test_parity_of_the_autoencoder_with_transformers(
    autoencoders: tuple[Any, VideoMAEPretraining],
) -> None:
    theirs, ours = autoencoders
    clips, mask = seeded_input("clips", CLIPS), hidden()
    with torch.no_grad():
        wanted = theirs(clips, bool_masked_pos=mask)
        pixels = ours(clips, mask)
        loss = ours.loss(pixels, clips, mask)
    assert pixels.shape == (2, 4 * 12, 2 * 16 * 16 * 3)
    assert largest_difference(pixels, wanted.logits) < 1e-5
    assert loss.item() == pytest.approx(wanted.loss.item(), rel=1e-5)


def test_parity_of_the_autoencoder_is_lost_by_any_change(
    autoencoders: tuple[Any, VideoMAEPretraining],
) -> None:
    theirs, ours = autoencoders
    clips, mask = seeded_input("clips", CLIPS), hidden()
    with torch.no_grad():
        wanted = theirs(clips, bool_masked_pos=mask).logits
        for name in perturbed_groups(ours):
            kept = ours.get_parameter(name).detach().clone()
            perturb(ours, name)
            assert largest_difference(ours(clips, mask), wanted) > 1e-4, name
            ours.get_parameter(name).copy_(kept)


def test_parity_with_the_official_code() -> None:
    wanted = golden("videomae").outputs["logits"]
    network = create_model("videomae_tiny").eval()
    assert load_official(network, golden("videomae").state()) == "official"
    clips = seeded_input("clips", CLIPS)
    with torch.no_grad():
        assert largest_difference(network(clips), wanted) < 1e-4
        for name in perturbed_groups(network):
            kept = network.get_parameter(name).detach().clone()
            perturb(network, name)
            assert largest_difference(network(clips), wanted) > 1e-4, name
            network.get_parameter(name).copy_(kept)


def test_it_takes_the_official_names() -> None:
    with torch.device("meta"):
        network = create_model("videomae_base")
    assert_takes_keys(network, "videomae_base")


def test_a_checkpoint_of_the_hub_is_recognised() -> None:
    """With the names of older files, and settings that say frames and size."""
    config = VideoMAEOptions(num_frames=8, size=160).config(mean_pooling=True)
    config.num_labels = 7
    with torch.device("meta"):
        theirs = VideoMAEForVideoClassification(config).state_dict()
    older = {
        key.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): value
        for key, value in theirs.items()
    }
    assert older.keys() != theirs.keys()
    layout = LAYOUTS[0]
    assert layout.fits(older)
    assert not LAYOUTS[1].fits(older)
    found = layout.identify(older, config.to_dict())
    options = {"num_classes": 7, "num_frames": 8, "size": 160}
    assert found == Identified("videomae_base", options)
    with torch.device("meta"):
        own = create_model("videomae_base", **options).state_dict()
    converted = {key: value.shape for key, value in layout.convert(older).items()}
    assert converted == {key: value.shape for key, value in own.items()}


def test_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(create_model("c3d_tiny").state_dict(), tmp_path / "c3d.pth")
    with pytest.raises(NetworkError, match="does not belong to videomae_tiny"):
        load_pretrained(tmp_path / "c3d.pth", "videomae_tiny")


def test_a_pretrained_encoder_is_taken_over(
    autoencoders: tuple[Any, VideoMAEPretraining], tmp_path: Path
) -> None:
    theirs, _ = autoencoders
    torch.save(theirs.state_dict(), tmp_path / "pretrained.pth")
    network = create_model("videomae_tiny")
    report = load_weights(network, tmp_path / "pretrained.pth", strict=False)
    assert report.missing == (
        "fc_norm.weight",
        "fc_norm.bias",
        "classifier.weight",
        "classifier.bias",
    )
    assert not report.unexpected
    key = "videomae.encoder.layer.2.attention.attention.query.weight"
    assert torch.equal(network.state_dict()[key], theirs.state_dict()[key])


def test_targets_are_cubes_normalised_channel_by_channel() -> None:
    clips = seeded_input("clips", (1, 8, 3, 64, 64))
    cubes = normalised_cubes(clips, TINY)
    assert cubes.shape == (1, 64, 1536)
    # the second instant, first row, third column; the mean of the card cancels
    cube = clips[0, 2:4, :, :16, 32:48] * torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    red = cube[:, 0].flatten()
    wanted = (red - red.mean()) / (red.std() + 1e-6)
    assert torch.allclose(cubes[0, 16 + 2].view(512, 3)[:, 0], wanted, atol=1e-5)


def test_tubes_hide_the_same_places_of_every_instant() -> None:
    mask = tube_mask(3, (4, 6, 6), 0.9).view(3, 4, 36)
    assert mask.sum(dim=-1).eq(32).all()
    assert bool((mask == mask[:, :1]).all())
    assert not torch.equal(mask[0], mask[1])


def test_uneven_masks_are_refused(autoencoders: tuple[Any, VideoMAEPretraining]) -> None:
    clips, mask = seeded_input("clips", CLIPS), hidden()
    mask[0] = False
    for wrong in (mask, torch.zeros_like(mask), torch.ones_like(mask)):
        with pytest.raises(ValueError, match="equally many cubes"):
            autoencoders[1](clips, wrong)


@pytest.mark.parametrize("shape", [(1, 16, 3, 64, 64), (1, 8, 3, 80, 64), (8, 3, 64, 64)])
def test_other_clips_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="this VideoMAE takes clips"):
        create_model("videomae_tiny")(torch.zeros(shape))


def test_other_lengths_and_sizes_are_built() -> None:
    network = create_model("videomae_tiny", num_frames=4, size=96, num_classes=0)
    assert isinstance(network, VideoMAE)
    clips = torch.zeros(1, 4, 3, 96, 96)
    assert network(clips).shape == (1, 64)
    assert network.feature_map(clips).shape == (1, 64, 2, 6, 6)


def test_features_are_what_the_classifier_reads(pair: tuple[Any, VideoMAE]) -> None:
    clips = seeded_input("clips", (1, *CLIPS[1:]))
    _, ours = pair
    features = ours.features(clips)
    assert features.shape == (1, ours.num_features)
    assert torch.equal(ours(clips), ours.classifier(features))


def test_every_parameter_learns() -> None:
    assert_gradients_flow(create_model("videomae_tiny"), seeded_input("clips", CLIPS))
    assert_gradients_flow(VideoMAEPretraining(TINY), seeded_input("clips", CLIPS), hidden())


def test_it_exports_and_runs_in_bfloat16(pair: tuple[Any, VideoMAE]) -> None:
    _, ours = pair
    assert_exports(ours, seeded_input("clips", CLIPS))
    assert_runs_in_bfloat16(ours, seeded_input("clips", (1, *CLIPS[1:])))
