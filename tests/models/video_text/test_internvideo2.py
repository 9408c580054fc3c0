"""Facts about InternVideo2's video-text models: the official code's numbers, loss and layout."""

from __future__ import annotations

import math
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
from scenewise.models.video_text.internvideo2 import LAYOUTS, InternVideo2VideoText, load_parts
from scenewise.models.weights.layout import Identified

TINY = (2, 8, 3, 64, 64)
# what moves all keys alike adds one number to all scores of a query; softmax takes it away
SILENT = ("cross_attn.k_bias", "norm1_k.bias")


def inputs() -> tuple[Tensor, Tensor]:
    """Two clips and two rows of ids, one of them ending early."""
    ids = seeded_ids("ids", (2, 77), 499)
    ids[0, 9], ids[1, 76] = 499, 499
    return seeded_input("clips", TINY), ids


@pytest.fixture(scope="module")
def official() -> InternVideo2VideoText:
    network = create_model("internvideo2_tiny", vocabulary=500).eval()
    assert load_official(network, golden("internvideo2_video_text").state()) == "official"
    assert isinstance(network, InternVideo2VideoText)
    return network


def outputs(network: InternVideo2VideoText) -> dict[str, Tensor]:
    clips, ids = inputs()
    with torch.no_grad():
        video, text = network.encode_video(clips), network.encode_text(ids)
        picture = network.encode_video(clips[:, :1])
        loss = network.loss(network.similarity(text, video))
    return {"video": video.pooled, "picture": picture.pooled, "text": text.pooled, "loss": loss}


def test_parity_with_the_official_code(official: InternVideo2VideoText) -> None:
    wanted = golden("internvideo2_video_text").outputs
    for name, ours in outputs(official).items():
        assert largest_difference(ours, wanted[name]) < 1e-4, name


def test_parity_is_lost_by_any_change(official: InternVideo2VideoText) -> None:
    wanted = golden("internvideo2_video_text").outputs
    groups = [name for name in perturbed_groups(official) if not name.endswith(SILENT)]
    for name in groups:
        kept = official.get_parameter(name).detach().clone()
        perturb(official, name)
        found = outputs(official)
        with torch.no_grad():
            official.get_parameter(name).copy_(kept)
        assert max(largest_difference(found[key], wanted[key]) for key in found) > 1e-4, name


def test_it_takes_the_official_names() -> None:
    with torch.device("meta"):
        network = create_model("internvideo2_s14")
    assert_takes_keys(network, "internvideo2_s14")
    state = {
        key: torch.empty(shape, device="meta")
        for key, (_kind, shape) in read_keys("internvideo2_s14", "full").items()
    }
    found = LAYOUTS[0].identify(state, {})
    assert found == Identified("internvideo2_s14", {"num_frames": 8})


def test_what_follows_the_last_mark_and_padding_change_nothing(
    official: InternVideo2VideoText,
) -> None:
    ids = inputs()[1][:1]
    changed = ids.clone()
    changed[0, 10:] = 0
    with torch.no_grad():
        whole = official.encode_text(ids).pooled
        assert torch.allclose(official.encode_text(changed).pooled, whole, atol=1e-6)
        assert torch.allclose(official.encode_text(ids[:, :10]).pooled, whole, atol=1e-6)
    with pytest.raises(ValueError, match="up to 77"):
        official.encode_text(torch.zeros(1, 78, dtype=torch.int64))


def test_cosines_of_pooled_vectors_rank_as_the_similarity(official: InternVideo2VideoText) -> None:
    clips, ids = inputs()
    assert official.pooled_ranks
    with torch.no_grad():
        video, text = official.encode_video(clips), official.encode_text(ids)
        cosines = torch.nn.functional.cosine_similarity(
            text.pooled[:, None], video.pooled[None], dim=-1
        )
        assert torch.allclose(official(clips, ids), cosines / official.temp, atol=1e-5)


def test_the_loss_shares_the_target_among_rows_of_one_film() -> None:
    network = create_model("internvideo2_tiny", vocabulary=500)
    assert isinstance(network, InternVideo2VideoText)
    scores = torch.zeros(3, 3)
    assert network.loss(scores).item() == pytest.approx(math.log(3))
    scores = torch.tensor([[2.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    groups = torch.tensor([1, 1, 2])
    rows = [math.log(math.exp(2) + 2) - 1.0] * 2 + [math.log(3)]
    columns = [math.log(2 * math.exp(2) + 1) - 2.0, math.log(3), math.log(3)]
    expected = (sum(rows) / 3 + sum(columns) / 3) / 2
    assert network.loss(scores, groups).item() == pytest.approx(expected)


def test_the_temperature_never_falls_below_its_least() -> None:
    network = create_model("internvideo2_tiny", vocabulary=500).train()
    with torch.no_grad():
        network.get_parameter("temp").fill_(0.001)
    network(*inputs()).sum().backward()
    assert network.get_parameter("temp").item() == pytest.approx(0.01)
    assert network.get_parameter("temp").grad is not None


def test_frozen_trains_what_the_published_stage_trains() -> None:
    network = create_model("internvideo2_tiny", frozen=True, vocabulary=500)
    learning = {name for name, value in network.named_parameters() if value.requires_grad}
    assert {name.split(".")[0] for name in learning} == {"temp", "vision_align", "vision_encoder"}
    assert all("clip_projector" in name for name in learning if name.startswith("vision_encoder"))


def test_it_starts_from_an_encoder_and_mobileclip(
    official: InternVideo2VideoText, tmp_path: Path
) -> None:
    state = golden("internvideo2_video_text").state()
    texts = {key: value for key, value in state.items() if key.startswith("text_encoder.")}
    texts |= {"image_encoder.stem.weight": torch.zeros(2), "logit_scale": torch.ones(())}
    torch.save(texts, tmp_path / "mobileclip.pt")
    encoder = create_model("internvideo2_encoder_tiny").state_dict()  # with its classifier
    encoder |= official.vision_encoder.state_dict()
    encoder["clip_decoder.0.head.weight"] = torch.zeros(2, 2)
    torch.save({"module": encoder}, tmp_path / "encoder.pth")
    network = create_model("internvideo2_tiny", vocabulary=500)
    assert isinstance(network, InternVideo2VideoText)
    load_parts(network, tmp_path / "encoder.pth", tmp_path / "mobileclip.pt")
    for part in ("vision_encoder", "text_encoder"):
        ours, theirs = network.get_submodule(part), official.get_submodule(part)
        assert all(
            torch.equal(ours.state_dict()[key], value) for key, value in theirs.state_dict().items()
        )
    with pytest.raises(NetworkError, match="does not fill the InternVideo2"):
        load_parts(network, tmp_path / "mobileclip.pt")


def test_hidden_frames_are_refused(official: InternVideo2VideoText) -> None:
    clips = inputs()[0]
    mask = torch.ones(2, 8, dtype=torch.bool)
    assert len(official.encode_video(clips, mask)) == 2
    mask[0, 7] = False
    with pytest.raises(ValueError, match="reads all frames"):
        official.encode_video(clips, mask)


def test_every_parameter_learns() -> None:
    network = create_model("internvideo2_tiny", vocabulary=500)
    assert_gradients_flow(network, *inputs())


def test_it_exports_and_runs_in_bfloat16(official: InternVideo2VideoText) -> None:
    clips, ids = inputs()
    assert_exports(official, clips, ids)
    assert_runs_in_bfloat16(official, clips[:1], ids[:1])
