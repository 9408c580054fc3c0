"""Facts about InternVideo2's encoder: the official code's numbers, its layouts and objectives."""

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
    read_keys,
)
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_input
from torch import Tensor

from scenewise.errors import NetworkError
from scenewise.models import create_model
from scenewise.models.backbones.internvideo2 import (
    SIZES,
    AttentionPool,
    InternVideo2,
    NormedAttention,
    sine_cosine_grid,
)
from scenewise.models.backbones.internvideo2_align import (
    Alignment,
    InternVideo2Alignment,
    TeacherOptions,
    alignment_loss,
    hide_by_attention,
    hide_tubes,
)
from scenewise.models.weights.load import load_pretrained

TINY = (2, 8, 3, 64, 64)
# what moves all keys alike adds one number to all scores of a query; softmax takes it away
SILENT = ("cross_attn.k_bias", "norm1_k.bias")


@pytest.fixture(scope="module")
def official() -> InternVideo2:
    network = create_model("internvideo2_encoder_tiny").eval()
    assert load_official(network, golden("internvideo2_encoder").state()) == "official"
    assert isinstance(network, InternVideo2)
    return network


@pytest.fixture(scope="module")
def aligned() -> InternVideo2Alignment:
    teachers = TeacherOptions(width=40, pooled_width=24, layers=2, masked_width=32, masked_layers=2)
    network = InternVideo2Alignment(SIZES["tiny"], teachers).eval()
    network.load_state_dict(golden("internvideo2_alignment").state())
    return network


def hidden() -> Tensor:
    """A quarter of the patches of 2 clips is visible, others in each."""
    mask = seeded_input("hidden", (2, 8 * 16)).argsort(dim=1).argsort(dim=1) >= 32
    return torch.cat([torch.zeros(2, 1, dtype=torch.bool), mask], dim=1)


def test_parity_with_the_official_code(official: InternVideo2) -> None:
    with torch.no_grad():
        logits = official(seeded_input("clips", TINY))
    assert largest_difference(logits, golden("internvideo2_encoder").outputs["logits"]) < 1e-4


def test_parity_is_lost_by_any_change(official: InternVideo2) -> None:
    wanted = golden("internvideo2_encoder").outputs["logits"]
    clips = seeded_input("clips", TINY)
    groups = [name for name in perturbed_groups(official) if not name.endswith(SILENT)]
    for name in groups:
        kept = official.get_parameter(name).detach().clone()
        perturb(official, name)
        with torch.no_grad():
            assert largest_difference(official(clips), wanted) > 1e-4, name
            official.get_parameter(name).copy_(kept)


@pytest.mark.parametrize(("frames", "side"), [(4, 4), (12, 4), (8, 6), (16, 3)])
def test_parity_of_positions_for_other_clips(
    official: InternVideo2, frames: int, side: int
) -> None:
    ours = official.positions(frames, (side, side))[..., ::8]
    wanted = golden("internvideo2_encoder").outputs[f"table_{frames}_{side}"]
    assert largest_difference(ours, wanted) < 1e-5
    with torch.no_grad():
        clips = seeded_input("other", (1, frames, 3, 16 * side, 16 * side))
        assert official(clips).shape == (1, 10)


def test_parity_of_the_alignment_with_teachers(aligned: InternVideo2Alignment) -> None:
    wanted = golden("internvideo2_alignment").outputs
    with torch.no_grad():
        found = aligned.align(seeded_input("clips", TINY), hidden())
    for name, ours in found._asdict().items():
        assert largest_difference(ours, wanted[name]) < 1e-4, name


def test_parity_of_the_alignment_is_lost_by_any_change(aligned: InternVideo2Alignment) -> None:
    wanted = golden("internvideo2_alignment").outputs
    clips, mask = seeded_input("clips", TINY), hidden()
    for name in perturbed_groups(aligned):
        if not name.startswith(("clip_decoder", "mae", "final_clip", "clip_pos", "cls", "pos")):
            continue  # the encoder's own are perturbed above
        kept = aligned.get_parameter(name).detach().clone()
        perturb(aligned, name)
        with torch.no_grad():
            found = aligned.align(clips, mask)._asdict()
            aligned.get_parameter(name).copy_(kept)
        assert max(largest_difference(found[key], wanted[key]) for key in found) > 1e-4, name


def test_hiding_nothing_is_the_encoder_itself(aligned: InternVideo2Alignment) -> None:
    clips = seeded_input("clips", TINY)
    with torch.no_grad():
        found = aligned.align(clips, torch.zeros(2, 129, dtype=torch.bool))
        pooled = aligned.final_clip_decoder(aligned.features(clips))
    assert found.pooled is not None
    assert largest_difference(found.pooled, pooled) < 1e-6


def test_the_alignment_loss_is_the_squared_distance() -> None:
    ours = Alignment(torch.eye(3)[None, None], torch.tensor([[1.0, 0.0]]), None)
    theirs = Alignment(-torch.eye(3)[None, None], torch.tensor([[0.0, 1.0]]), None)
    # opposite vectors are 2 apart, right angles the root of 2
    assert alignment_loss(ours, theirs).item() == pytest.approx(4.0 + 2.0)
    assert alignment_loss(ours, theirs, (0.5, 0.0, 1.0)).item() == pytest.approx(2.0)
    assert alignment_loss(ours, ours).item() == pytest.approx(0.0)


def test_masks_hide_the_share_that_was_asked_for() -> None:
    tubes = hide_tubes(3, (4, 6, 6), 0.75)
    assert tubes.sum(dim=1).tolist() == [4 * 27] * 3
    frames = tubes[:, 1:].view(3, 4, 36)
    assert bool((frames == frames[:, :1]).all())
    looked_at = torch.zeros(2, 40)
    looked_at[:, 5:13] = 1.0
    seen = ~hide_by_attention(looked_at, 0.8)
    assert seen.nonzero()[:, 1].tolist() == [0, *range(6, 14)] * 2


def test_uneven_masks_are_refused(aligned: InternVideo2Alignment) -> None:
    mask = hidden()
    mask[0, 1:] = False
    with pytest.raises(ValueError, match="equally many patches"):
        aligned.align(seeded_input("clips", TINY), mask)


@pytest.mark.parametrize("name", ["internvideo2_encoder_s14"])
def test_it_takes_the_official_names(name: str) -> None:
    with torch.device("meta"):
        network = create_model(name)
    assert_takes_keys(network, name)


def test_a_checkpoint_says_its_size_frames_and_classes(tmp_path: Path) -> None:
    shapes = {
        key: shape
        for key, (_kind, shape) in read_keys("internvideo2_encoder_s14", "full").items()
        if not key.startswith(("head.", "fc_norm.")) and "pos_embed" not in key
    }
    state: dict[str, Any] = {key: torch.zeros(shape) for key, shape in shapes.items()}
    state["pos_embed"] = torch.zeros(1, 1 + 4 * 256, 384)
    # what a file of the distillation has besides
    state |= {"clip_decoder.0.head.0.weight": torch.zeros(2, 2), "clip_pos_embed": torch.zeros(2)}
    torch.save({"module": state}, tmp_path / "S14.pth")
    network = load_pretrained(tmp_path / "S14.pth")
    assert isinstance(network, InternVideo2)
    assert (network.options.num_frames, network.num_classes) == (4, 0)
    del state["blocks.3.attn.q_norm.weight"]
    torch.save(state, tmp_path / "damaged.pth")
    with pytest.raises(NetworkError, match="1 missing"):
        load_pretrained(tmp_path / "damaged.pth")


def test_a_video_text_file_gives_its_encoder() -> None:
    network = create_model("internvideo2_encoder_tiny", num_classes=0)
    state = {f"vision_encoder.{key}": value for key, value in network.state_dict().items()}
    state |= {"text_encoder.final_layer_norm.weight": torch.zeros(4), "temp": torch.ones(())}
    assert load_official(network, state) == "official multi-modal"


def test_positions_start_as_sines_of_time_column_and_row() -> None:
    table = sine_cosine_grid(2, 3, 32)[0]
    assert table.shape == (1 + 2 * 9, 32)
    assert not table[0].any()
    at = table[1 + 1 * 9 + 2 * 3 + 1]  # the second frame, the third row, the second column
    assert at[0].item() == pytest.approx(torch.tensor(1.0).sin().item())
    assert at[4].item() == pytest.approx(torch.tensor(1.0).cos().item())
    assert at[8].item() == pytest.approx(torch.tensor(1.0).sin().item())
    assert at[20].item() == pytest.approx(torch.tensor(2.0).sin().item())


def test_a_single_frame_gets_the_mean_of_the_table() -> None:
    network = InternVideo2(SIZES["tiny"])
    mean = network.pos_embed[0, 1:].view(8, 16, 64).mean(dim=0)
    assert torch.equal(network.positions(1, (4, 4))[0, 1:], mean)


@pytest.mark.parametrize("shape", [(1, 8, 3, 60, 64), (1, 8, 1, 64, 64), (8, 3, 64, 64)])
def test_what_is_no_clip_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="got"):
        create_model("internvideo2_encoder_tiny")(torch.zeros(shape))


def test_features_are_what_the_classifier_reads() -> None:
    network = create_model("internvideo2_encoder_tiny").eval()
    assert isinstance(network, InternVideo2)
    clips = seeded_input("clips", (1, *TINY[1:]))
    features = network.features(clips)
    assert features.shape == (1, network.num_features)
    assert torch.equal(network(clips), network.head(features))
    assert network.tokens(clips).shape == (1, 129, 64)


def test_every_parameter_learns() -> None:
    network = create_model("internvideo2_encoder_tiny")
    assert_gradients_flow(network, seeded_input("clips", TINY))


def test_gradients_of_its_layers_are_right() -> None:
    torch.manual_seed(0)
    tokens = seeded_input("tokens", (1, 3, 8))
    assert_gradients_are_right(NormedAttention(8, 2), tokens)
    assert_gradients_are_right(AttentionPool(8, 2, 4), tokens)


def test_it_exports_and_runs_in_bfloat16(official: InternVideo2) -> None:
    assert_exports(official, seeded_input("clips", TINY))
    assert_runs_in_bfloat16(official, seeded_input("clips", (1, *TINY[1:])))
