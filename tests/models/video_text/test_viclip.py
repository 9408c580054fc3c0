"""Facts about ViCLIP: the official code's numbers, what it leaves out, and its layouts."""

from __future__ import annotations

from dataclasses import replace
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
    read_keys,
)
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_ids, seeded_input
from torch import Tensor

from scenewise.errors import NetworkError
from scenewise.models import create_model
from scenewise.models.video_text.clip_towers import CLIP, TINY
from scenewise.models.video_text.contrast import cosines
from scenewise.models.video_text.viclip import LAYOUTS, ViCLIP, leave_out
from scenewise.models.weights.layout import Identified
from scenewise.models.weights.load import load_pretrained, load_weights

CLIPS = (2, 8, 3, 64, 64)


def inputs() -> tuple[Tensor, Tensor]:
    """Two clips and two rows of ids, one of them ending early."""
    ids = seeded_ids("ids", (2, 32), 499)
    ids[0, 9], ids[1, 31] = 499, 499
    return seeded_input("clips", CLIPS), ids


@pytest.fixture(scope="module")
def official() -> ViCLIP:
    network = create_model("viclip_tiny", vocabulary=500).eval()
    assert load_official(network, golden("viclip").state()) == "official"
    assert isinstance(network, ViCLIP)
    return network


def outputs(network: ViCLIP) -> dict[str, Tensor]:
    clips, ids = inputs()
    tower = network.vision_encoder
    with torch.no_grad():
        video, text = network.encode_video(clips), network.encode_text(ids)
        picture = network.encode_video(clips[:, :1])
        # one film twice: either text is half the answer to either clip
        loss = network.loss(network.similarity(text, video), torch.zeros(2))
        torch.manual_seed(0)
        tower.masking = 0.75
        partly = tower.train()(clips)
        tower.eval().masking = 0.0
    return {
        "video": video.pooled,
        "picture": picture.pooled,
        "text": text.pooled,
        "loss": loss,
        "partly": partly,
    }


def test_parity_with_the_official_code(official: ViCLIP) -> None:
    wanted = golden("viclip").outputs
    for name, ours in outputs(official).items():
        assert largest_difference(ours, wanted[name]) < 1e-4, name


def test_parity_is_lost_by_any_change(official: ViCLIP) -> None:
    wanted = golden("viclip").outputs
    for name in perturbed_groups(official):
        kept = official.get_parameter(name).detach().clone()
        perturb(official, name)
        found = outputs(official)
        with torch.no_grad():
            official.get_parameter(name).copy_(kept)
        assert max(largest_difference(found[key], wanted[key]) for key in found) > 1e-4, name


def test_it_takes_the_official_names() -> None:
    with torch.device("meta"):
        network = create_model("viclip_l14")
    assert_takes_keys(network, "viclip_l14")
    state = {
        key: torch.empty(shape, device="meta")
        for key, (_kind, shape) in read_keys("viclip_l14", "full").items()
    }
    found = LAYOUTS[0].identify(state, {})
    assert found == Identified("viclip_l14", {"num_frames": 8, "context_length": 32})


def test_a_checkpoint_says_its_frames_and_length(tmp_path: Path) -> None:
    network = create_model("viclip_tiny", num_frames=4, context_length=20, vocabulary=30)
    torch.save({"model": network.state_dict()}, tmp_path / "viclip.pth")
    with pytest.raises(NetworkError, match="no layout that is known"):
        load_pretrained(tmp_path / "viclip.pth")  # the tiny width is of no published size
    again = load_pretrained(
        tmp_path / "viclip.pth", "viclip_tiny", num_frames=4, context_length=20, vocabulary=30
    )
    assert all(
        torch.equal(again.state_dict()[key], value) for key, value in network.state_dict().items()
    )
    with pytest.raises(NetworkError, match="of another shape"):
        load_pretrained(tmp_path / "viclip.pth", "viclip_tiny")


def test_it_starts_from_clip(tmp_path: Path) -> None:
    """A clip that stands still is what CLIP sees in its picture, but for what is new."""
    torch.manual_seed(0)
    clip = CLIP(replace(TINY, embed_dim=64))
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    network = create_model("viclip_tiny", vocabulary=512).eval()
    report = load_weights(network, tmp_path / "clip.pt", strict=False)
    assert report.layout == "openai clip"
    assert report.missing == ("temp", "vision_encoder.temporal_positional_embedding")
    assert not report.unexpected
    assert not report.mismatched
    clips, ids = inputs()
    still = clips[:, :1].expand(-1, 8, -1, -1, -1)
    assert isinstance(network, ViCLIP)
    with torch.no_grad():
        ours = network.encode_video(still).pooled
        theirs = clip.encode_image(clips[:, 0]).pooled
        # the class token sees each patch eight times and itself once, so it looks less at itself
        assert float(cosines(ours, theirs).diagonal().min()) > 0.95
        assert torch.allclose(
            network.encode_video(clips[:, :1]).pooled, theirs, atol=1e-5
        )  # one frame is CLIP's own picture
        assert torch.allclose(
            network.encode_text(ids).pooled, clip.encode_text(ids).pooled, atol=1e-5
        )


def test_rows_of_frames_are_cut_or_stretched(official: ViCLIP) -> None:
    table = official.vision_encoder.temporal_positional_embedding
    assert torch.equal(official.vision_encoder._rows(5), table[:, :5])
    stretched = official.vision_encoder._rows(16)
    # twice as many rows lie a quarter of a step beside the old ones
    assert torch.allclose(stretched[0, 1], 0.75 * table[0, 0] + 0.25 * table[0, 1], atol=1e-6)
    with torch.no_grad():
        for frames in (5, 12):
            clips = seeded_input("other", (1, frames, 3, 64, 64))
            assert official.encode_video(clips).pooled.shape == (1, 64)


def test_tokens_are_left_out_in_training_alone() -> None:
    network = create_model("viclip_tiny", masking=0.9, vocabulary=500)
    assert isinstance(network, ViCLIP)
    clips = seeded_input("clips", CLIPS)
    assert network.vision_encoder.train().embed(clips).shape == (2, 1 + 128 - 115, 128)
    assert network.vision_encoder.eval().embed(clips).shape == (2, 129, 128)
    numbered = torch.arange(40.0)[None, :, None].expand(2, 40, 1)
    kept = leave_out(numbered, 0.75)[..., 0]
    assert kept.shape == (2, 10)
    assert bool((kept.diff(dim=1) > 0).all())


def test_frozen_text_does_not_learn() -> None:
    network = create_model("viclip_tiny", freeze_text=True, vocabulary=30)
    learning = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert learning == {"vision_encoder", "temp"}


@pytest.mark.parametrize("shape", [(1, 8, 3, 64, 80), (1, 3, 64, 64), (1, 8, 1, 64, 64)])
def test_what_is_no_clip_is_refused(official: ViCLIP, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="this ViCLIP takes clips"):
        official.encode_video(torch.zeros(shape))


def test_long_texts_and_hidden_frames_are_refused(official: ViCLIP) -> None:
    with pytest.raises(ValueError, match="up to 32"):
        official.encode_text(torch.zeros(1, 33, dtype=torch.int64))
    hidden = torch.zeros(2, 8, dtype=torch.bool)
    with pytest.raises(ValueError, match="reads all frames"):
        official.encode_video(seeded_input("clips", CLIPS), hidden)


def test_every_parameter_learns() -> None:
    network = create_model("viclip_tiny", drop_path=0.0, vocabulary=500)
    assert_gradients_flow(network, *inputs())


def test_it_exports_and_runs_in_bfloat16(official: ViCLIP) -> None:
    clips, ids = inputs()
    assert_exports(official, clips, ids)
    assert_runs_in_bfloat16(official, clips[:1], ids[:1])
