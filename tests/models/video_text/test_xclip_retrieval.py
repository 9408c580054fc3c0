"""Facts about the X-CLIP that finds: the official code's numbers, names, sizes and gradients."""

from __future__ import annotations

import functools
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
from seeded import seeded_ids, seeded_input
from torch import Tensor, nn

from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights, model_card
from scenewise.models.flops import parameters
from scenewise.models.video_text.clip_towers import TINY
from scenewise.models.video_text.xclip_retrieval import XCLIPRetrieval, attend

HEADS = ("mean_pool", "seq_lstm", "seq_transformer")


@functools.cache
def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """As the golden numbers had them: the first clip ends early, texts end at 15, 14 and 13."""
    clips = seeded_input("clips", (3, 6, 3, 64, 64))
    ids = seeded_ids("ids", (3, 16), TINY.vocab_size - 2)
    for number in range(3):
        ids[number, 15 - number] = TINY.vocab_size - 1
        ids[number, 16 - number :] = 0
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[0, 4:] = False
    return clips, ids, mask


def tiny(head: str = "seq_transformer") -> XCLIPRetrieval:
    network = create_model("xclip_retrieval_tiny", head=head, num_frames=6).eval()
    assert isinstance(network, XCLIPRetrieval)
    return network


def official(head: str) -> XCLIPRetrieval:
    network = tiny(head)
    assert load_official(network, golden(f"xclip_retrieval_{head}").state()) == "official"
    return network


@torch.no_grad()
def differences(network: XCLIPRetrieval) -> dict[str, float]:
    clips, ids, mask = inputs()
    text, video = network.encode_text(ids), network.encode_video(clips, mask)
    similarity = network.similarity(text, video)
    assert text.tokens is not None
    assert video.tokens is not None
    found = {
        "similarity": similarity,
        "fine": network._words_and_frames(text.tokens, video.tokens),
        "loss": network.loss(similarity),
    }
    wanted = golden(f"xclip_retrieval_{network.head}").outputs
    return {key: largest_difference(value, wanted[key]) for key, value in found.items()}


@pytest.mark.parametrize("head", HEADS)
def test_parity_with_the_official_code(head: str) -> None:
    found = differences(official(head))
    assert max(found.values()) < 1e-4, found


def test_parity_is_lost_by_any_change() -> None:
    network = official("seq_transformer")
    for group in perturbed_groups(network):
        kept = network.get_parameter(group).detach().clone()
        perturb(network, group, by=0.3)
        assert max(differences(network).values()) > 1e-4, group
        with torch.no_grad():
            network.get_parameter(group).copy_(kept)


def test_it_takes_the_official_names_of_the_published_size() -> None:
    with torch.device("meta"):
        network = create_model("xclip_retrieval_b32")
    assert_takes_keys(network, "xclip_retrieval_b32")


def test_published_sizes() -> None:
    for name in ("xclip_retrieval_b32", "xclip_retrieval_b16"):
        with torch.device("meta"):
            network = create_model(name)
        # CLIP4Clip's, and two matrices of 512, three of 32 and three of 12
        base = create_model_on_meta(f"ViT-B/{name[-2:]}")
        assert parameters(network) - parameters(base) == 2 * 512**2 + 3 * 32**2 + 3 * 12**2
        assert parameters(network) == model_card(name).parameters


def create_model_on_meta(visual: str) -> nn.Module:
    with torch.device("meta"):
        return create_model("clip4clip_seq_transformer", visual=visual)


@pytest.mark.parametrize("head", HEADS)
def test_a_checkpoint_says_which_network_it_is(head: str, tmp_path: Path) -> None:
    network = tiny(head)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    loaded = load_pretrained(tmp_path / "weights.pth")
    assert isinstance(loaded, XCLIPRetrieval)
    assert (loaded.head, loaded.num_frames, loaded.num_words) == (head, 6, 16)
    with torch.no_grad():
        assert torch.equal(loaded(*inputs()), network(*inputs()))


def test_fresh_matrices_leave_attention_alone() -> None:
    """Identities: similarities weighed by a softmax of a hundred times themselves."""
    row = torch.tensor([0.30, 0.31, 0.10])
    weights = (100 * row).softmax(dim=0)
    assert float(attend(row, torch.eye(3))) == pytest.approx(float((weights * row).sum()))
    network = tiny()
    for name in ("global_mat", "word_logit", "frame_logit", "local_mat"):
        weight = network.get_parameter(f"{name}_weight")
        assert torch.equal(weight, torch.eye(len(weight)))


def test_alike_parts_score_as_their_wholes() -> None:
    """One word repeated and one frame repeated: each of the four scores is their cosine."""
    network = tiny()
    unit = nn.functional.normalize(seeded_input("vectors", (2, 128)), dim=-1)
    from scenewise.models.video_text.interface import Features

    text = Features(unit[:1], unit[:1, None].expand(1, 16, -1))
    video = Features(unit[1:], unit[1:, None].expand(1, 6, -1))
    with torch.no_grad():
        score = network.similarity(text, video) / network.clip.logit_scale.exp()
    assert float(score) == pytest.approx(float(unit[0] @ unit[1]), abs=1e-6)


def test_other_lengths_and_heads_are_refused() -> None:
    network = tiny()
    with pytest.raises(ValueError, match="made for 6 frames, got 5"):
        network.encode_video(torch.zeros(1, 5, 3, 64, 64))
    with pytest.raises(ValueError, match="made for 16 words, got 17"):
        network.encode_text(torch.ones(1, 17, dtype=torch.int64))
    with pytest.raises(UsageError, match="tight_transformer"):
        tiny("tight_transformer")


def test_vectors_alone_do_not_rank_as_the_model() -> None:
    network = official("seq_transformer")
    clips, ids, mask = inputs()
    with torch.no_grad():
        text, video = network.encode_text(ids), network.encode_video(clips, mask)
        cosines = text.pooled @ video.pooled.T
        orders = network.similarity(text, video).argsort(dim=1), cosines.argsort(dim=1)
    assert not network.pooled_ranks
    assert network.index_note
    assert not torch.equal(*orders)


def test_the_two_x_clips_never_load_into_one_another(tmp_path: Path) -> None:
    """They share a name and nothing else."""
    finds = tiny()
    recognises = create_model("xclip_recognition_tiny")
    torch.save(finds.state_dict(), tmp_path / "finds.pth")
    torch.save(recognises.state_dict(), tmp_path / "recognises.pth")
    with pytest.raises(NetworkError, match="does not belong to xclip_recognition_tiny"):
        load_weights(recognises, tmp_path / "finds.pth", strict=False)
    with pytest.raises(NetworkError, match="does not belong to xclip_retrieval_tiny"):
        load_weights(finds, tmp_path / "recognises.pth", strict=False)


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    assert_gradients_flow(tiny(), *inputs())


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3) + 0.1)

    def forward(self, similarities: Tensor) -> Tensor:
        return attend(similarities, self.weight)


def test_gradients_are_right() -> None:
    assert_gradients_are_right(Attention(), 0.02 * seeded_input("similarities", (2, 3)))


def test_it_exports_and_runs_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = tiny()
    clips, ids, mask = inputs()
    assert_exports(network, clips, ids, mask)
    assert_runs_in_bfloat16(network, clips[:1], ids[:1], mask[:1])
