"""Facts about the contrastive model: it learns, masks, scale, every kind of side."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import transformers
from network_checks import assert_exports, assert_gradients_flow, assert_runs_in_bfloat16
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models import create_model, load_pretrained, model_card, save_pretrained
from scenewise.models.flops import network_cost
from scenewise.models.video_text.dual_encoder import DualEncoder
from scenewise.models.video_text.dual_encoder_sides import SmallText, Stretches, TransformersText
from scenewise.models.video_text.losses import train_step

CLIPS = (2, 8, 3, 64, 64)
BERT = {
    "model_type": "bert",
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 20,
}


def tiny(**options: object) -> DualEncoder:
    torch.manual_seed(0)
    network = create_model("dual_encoder_tiny", **options).eval()
    assert isinstance(network, DualEncoder)
    return network


def ids(batch: int = 2, length: int = 6, below: int = 40) -> Tensor:
    return seeded_ids("ids", (batch, length), below)


def test_it_overfits_a_batch_of_eight() -> None:
    """Eight tints with noise over them."""
    network, words = tiny(), ids(8)
    clips = seeded_input("tints", (8, 1, 3, 1, 1)) + seeded_input("clips", (8, *CLIPS[1:]))
    optimizer = torch.optim.AdamW(network.parameters(), 5e-4)
    losses = [train_step(network, optimizer, clips, words) for _ in range(30)]
    assert losses[0] > 1.0
    assert losses[-1] < 0.05
    network.eval()
    chosen = network(clips, words).argmax(dim=1)
    assert chosen.tolist() == [*range(8)]


def test_the_gradient_is_that_of_infonce_written_out() -> None:
    """Parameters' gradients, with cosines and cross-entropies as sums."""
    network, clips, words = tiny(), seeded_input("clips", (3, *CLIPS[1:])), ids(3)
    torch.autograd.backward(network.loss(network(clips, words)))
    ours = {
        name: one.grad.clone() for name, one in network.named_parameters() if one.grad is not None
    }
    network.zero_grad()
    video = network.video_projection(network.video(clips))
    text = network.text_projection(network.text(words))
    total = torch.zeros(())
    scale = network.logit_scale.exp()

    def cosine(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())

    for i in range(3):
        for sources, targets in ((text, video), (video, text)):
            scores = [scale * cosine(sources[i], targets[j]) for j in range(3)]
            total = total - (scores[i] - sum(score.exp() for score in scores).log()) / 6  # type: ignore[union-attr]
    torch.autograd.backward(total)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, ours[name], atol=1e-5), name


def test_pooled_vectors_have_unit_length_and_rank_as_similarity() -> None:
    network, clips = tiny(), seeded_input("clips", CLIPS)
    text, video = network.encode_text(ids()), network.encode_video(clips)
    assert (text.pooled.shape, video.pooled.shape) == ((2, 64), (2, 64))
    for side in (text, video):
        assert torch.allclose(side.pooled.norm(dim=1), torch.ones(2), atol=1e-6)
    similarity = network.similarity(text, video)
    assert torch.allclose(similarity, text.pooled @ video.pooled.T / 0.07, atol=1e-4)
    assert torch.equal(similarity, network(clips, ids()))


@pytest.mark.parametrize("video", ["small", "c3d_tiny"])
def test_what_masked_frames_hold_changes_nothing(video: str) -> None:
    network = tiny(video=video)
    shapes = {key: tuple(value.shape) for key, value in network.video.state_dict().items()}
    network.video.load_state_dict(seeded_state(shapes))  # C3D's own begin too small to matter
    clips = seeded_input("clips", (2, 16, *CLIPS[2:]))
    mask = torch.arange(16) < torch.tensor([[16], [8]])
    wanted = network.encode_video(clips, mask).pooled
    for filler in (5.0, math.nan):
        filled = torch.where(mask[:, :, None, None, None], clips, filler)
        assert torch.allclose(network.encode_video(filled, mask).pooled, wanted, atol=1e-6)
    shorter = network.encode_video(clips[1:, :8]).pooled
    assert torch.allclose(wanted[1:], shorter, atol=1e-5)
    assert not torch.allclose(network.encode_video(clips[1:]).pooled, shorter, atol=1e-3)


@pytest.mark.parametrize("text", ["small", BERT], ids=["small", "bert"])
def test_padding_changes_nothing(text: object) -> None:
    network = tiny(text=text, video="small")
    padded = torch.cat([ids(), torch.zeros(2, 4, dtype=torch.long)], dim=1)
    wanted = network.encode_text(ids()).pooled
    assert torch.allclose(network.encode_text(padded).pooled, wanted, atol=1e-5)
    mask = torch.arange(6) < 6
    other = torch.cat([ids(), ids(2, 4)], dim=1)
    whole = torch.cat([mask.expand(2, 6), torch.zeros(2, 4, dtype=torch.bool)], dim=1)
    assert torch.allclose(network.encode_text(other, whole).pooled, wanted, atol=1e-5)
    assert not torch.allclose(network.encode_text(other).pooled, wanted, atol=1e-3)


def test_the_scale_begins_as_published_and_stops_at_100() -> None:
    network, clips = tiny(), seeded_input("clips", CLIPS)
    assert network.logit_scale.exp().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        network.logit_scale.fill_(9.0)
    network.eval()
    text, video = network.encode_text(ids()), network.encode_video(clips)
    expected = 100 * text.pooled @ video.pooled.T
    assert torch.allclose(network.similarity(text, video), expected, atol=1e-4)
    network.clamp_scale()
    assert network.logit_scale.exp().item() == pytest.approx(100.0)
    torch.autograd.backward(network.similarity(text, video).sum())
    assert network.logit_scale.grad is not None
    assert network.logit_scale.grad.item() != 0.0  # a stuck scale would never come back


def test_sides_by_name() -> None:
    network = tiny(video="c3d_tiny", num_frames=8)
    assert isinstance(network.video, Stretches)
    assert network.encode_video(seeded_input("clips", CLIPS)).pooled.shape == (2, 64)
    with pytest.raises(ValueError, match="a multiple of 8 frames"):
        network.encode_video(torch.zeros(1, 9, 3, 64, 64))
    lite = tiny(video="efficientnet_lite0")
    assert lite.video.num_features == 1280
    assert lite.encode_video(torch.zeros(1, 2, 3, 32, 32)).pooled.shape == (1, 64)


def test_a_text_model_of_a_folder_comes_with_its_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = transformers.AutoModel.from_config(transformers.BertConfig(**BERT)).eval()
    model.save_pretrained(tmp_path)
    network = tiny(text=str(tmp_path))
    hidden = model(input_ids=ids()).last_hidden_state
    assert torch.allclose(network.text(ids()), hidden.mean(dim=1), atol=1e-6)
    (tmp_path / "modules.json").write_text(
        '[{"type": "x.Transformer"}, {"type": "x.Pooling"}, {"type": "x.Normalize"}]'
    )
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    sentences = tiny(text=str(tmp_path)).text
    assert isinstance(sentences, TransformersText)
    expected = nn.functional.normalize(hidden.mean(dim=1), dim=-1)
    assert torch.allclose(sentences(ids()), expected, atol=1e-6)


def test_it_is_saved_and_made_again(tmp_path: Path) -> None:
    network = tiny(text=BERT)
    save_pretrained(network, tmp_path)
    again = load_pretrained(tmp_path)
    assert isinstance(again, DualEncoder)
    clips = seeded_input("clips", CLIPS)
    assert torch.equal(again(clips, ids()), network(clips, ids()))


@pytest.mark.parametrize("name", ["dual_encoder", "dual_encoder_tiny"])
def test_the_cards_figures_are_counted(name: str) -> None:
    card, cost = model_card(name), network_cost(name)
    assert (cost.parameters, cost.multiply_adds) == (card.parameters, card.multiply_adds)


def test_it_learns_exports_and_runs_in_bfloat16() -> None:
    clips = seeded_input("clips", CLIPS)
    assert_exports(tiny(), clips, ids())
    assert_runs_in_bfloat16(tiny(), clips[:1], ids(1))
    assert_gradients_flow(tiny(), clips, ids())


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="'nope' is no video encoder; allowed: small, eff"):
        tiny(video="nope")
    with pytest.raises(UsageError, match="'nope' is no text encoder"):
        tiny(text="nope")
    with pytest.raises(UsageError, match="transformers makes no text model"):
        tiny(text={"model_type": "nope"})
    text = tiny().text
    assert isinstance(text, SmallText)
    with pytest.raises(ValueError, match=r"at most 16 tokens, got \(1, 17\)"):
        text(torch.ones(1, 17, dtype=torch.long))
    with pytest.raises(ValueError, match=r"is \(B, T\), got \(2, 7\)"):
        tiny().encode_video(torch.zeros(CLIPS), torch.ones(2, 7))
