"""Facts about VideoBERT: transformers' numbers over the joint vocabulary, its sequences, scores."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import largest_difference, perturb, perturbed_groups
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor, nn

from benchmarks.reference.videobert import SMALL, call_ours, call_theirs, joint_state, theirs
from scenewise.errors import NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights
from scenewise.models.layers.bert import BertSize
from scenewise.models.video_text.video_words import fit_video_words
from scenewise.models.video_text.videobert import JointTokens, Pooler, Predictions, VideoBERT

ALIKE = 1e-4
WORDS = 17  # 16 of the tree, and [>]
TEXT = torch.tensor([[2, 11, 12, 13, 3], [2, 14, 3, 0, 0]])


class Joint(nn.Module):
    """VideoBERT over joint ids alone: every score of its heads, joined."""

    def __init__(self, network: VideoBERT) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> Tensor:
        types = (ids >= self.network.first_video_word).long()
        states = self.network.states(JointTokens(ids, ids.ne(0), types))
        logits = self.network.word_logits(states).flatten(1)
        return torch.cat([logits, self.network.alignment_logits(states)], dim=1)


def tiny() -> VideoBERT:
    network = create_model("videobert_tiny", vocabulary=50)
    assert isinstance(network, VideoBERT)
    own = network.state_dict()
    network.load_state_dict(seeded_state({key: tuple(own[key].shape) for key in own}))
    return network.eval()


@pytest.fixture
def network() -> VideoBERT:
    return tiny()


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, VideoBERT]:
    ours = tiny()
    reference = theirs(50 + WORDS, **SMALL).eval()
    reference.load_state_dict(joint_state(ours))
    return reference, ours


def joint_inputs() -> tuple[Tensor, ...]:
    """Words, [>] and video words; the second is shorter."""
    ids = torch.cat([seeded_ids("a", (2, 6), 50), 50 + seeded_ids("b", (2, 5), WORDS)], dim=1)
    mask = torch.arange(11)[None] < torch.tensor([[11], [8]])
    return ids, mask, (ids >= 50).long()


def test_parity_with_transformers(pair: tuple[nn.Module, VideoBERT]) -> None:
    reference, ours = pair
    with torch.no_grad():
        wanted = call_theirs(reference, joint_inputs())
        made = call_ours(ours, joint_inputs())
    real = joint_inputs()[1][..., None]
    assert made["words"].shape == (2, 11, 50 + WORDS)
    assert largest_difference(made["words"] * real, wanted["words"] * real) < ALIKE
    assert largest_difference(made["alignment"], wanted["alignment"]) < ALIKE


def test_parity_is_lost_by_any_change(pair: tuple[nn.Module, VideoBERT]) -> None:
    reference, ours = pair
    with torch.no_grad():
        wanted = call_theirs(reference, joint_inputs())
        for name in perturbed_groups(ours):
            kept = ours.get_parameter(name).detach().clone()
            perturb(ours, name)
            made = call_ours(ours, joint_inputs())
            ours.get_parameter(name).copy_(kept)
            if not name.endswith("self.key.bias"):  # softmax takes it out
                assert max(largest_difference(made[key], wanted[key]) for key in made) > ALIKE, name


def test_text_alone_is_the_masked_language_model_of_transformers() -> None:
    from transformers import BertConfig, BertForMaskedLM

    ours = tiny()
    config = BertConfig(vocab_size=50, **SMALL)
    reference = BertForMaskedLM(config).eval()
    state = {k: v for k, v in ours.state_dict().items() if k in reference.state_dict()}
    missing = reference.load_state_dict(state, strict=False)
    assert sorted(missing.missing_keys) == [
        "cls.predictions.decoder.bias",
        "cls.predictions.decoder.weight",
    ]
    reference.tie_weights()
    reference.cls.predictions.decoder.bias = reference.cls.predictions.bias
    with torch.no_grad():
        wanted = reference(TEXT[:1]).logits
        made = ours.word_logits(ours.states(ours.text_tokens(TEXT[:1])))[..., :50]
    assert largest_difference(made, wanted) < ALIKE


def test_a_bert_of_the_hub_is_where_it_begins(tmp_path: Path) -> None:
    """All of BERT's tensors find their places; video words stay as they were made."""
    reference = theirs(50, **SMALL)
    torch.save(reference.state_dict(), tmp_path / "bert.bin")
    fresh = create_model("videobert_tiny", vocabulary=50)
    before = fresh.get_parameter("video_embeddings.weight").detach().clone()
    report = load_weights(fresh, tmp_path / "bert.bin", strict=False)
    assert report.layout == "huggingface"
    assert report.unexpected == report.mismatched == ()
    assert sorted(report.missing) == [
        "cls.predictions.video_bias",
        "video_embeddings.weight",
        "video_words.level1",
        "video_words.level2",
    ]
    assert torch.equal(fresh.get_parameter("video_embeddings.weight"), before)
    assert torch.equal(
        fresh.get_parameter("pooler.dense.weight"),
        reference.get_parameter("bert.pooler.dense.weight"),
    )
    with pytest.raises(NetworkError, match="name its network"):
        load_pretrained(tmp_path / "bert.bin")


def test_another_networks_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(NetworkError, match="does not belong to videobert_tiny"):
        load_pretrained(tmp_path / "other.pt", "videobert_tiny")


def test_the_published_vocabulary_is_text_video_and_one_mark() -> None:
    with torch.device("meta"):
        network = create_model("videobert_large")
    assert isinstance(network, VideoBERT)
    assert len(network.video_words) == 20_736
    assert network.first_video_word == 30_522
    assert network.beside == 30_522 + 20_736
    states = torch.zeros(1, 3, 1024, device="meta")
    assert network.word_logits(states).shape == (1, 3, 51_259)
    assert network.video_words.centroids.shape == (20_736, 1024)


def test_text_and_video_stand_in_one_sequence(network: VideoBERT) -> None:
    """[CLS] words [>] video words [SEP]; the second text and video are shorter."""
    real = torch.tensor([[True, True, True], [True, False, False]])
    video = network.video_tokens(torch.tensor([[4, 0, 15], [1, 9, 9]]), real)
    joint = network.joint_tokens(network.text_tokens(TEXT), video)
    beside = network.beside
    assert joint.ids[0].tolist() == [2, 11, 12, 13, beside, 54, 50, 65, 3]
    assert joint.ids[1][joint.mask[1]].tolist() == [2, 14, beside, 51, 3]
    assert joint.types[1][joint.mask[1]].tolist() == [0, 0, 0, 1, 1]
    assert beside == 66


def test_padding_in_the_middle_changes_nothing(network: VideoBERT) -> None:
    real = torch.tensor([[True, True, True], [True, False, False]])
    video = network.video_tokens(torch.tensor([[4, 0, 15], [1, 9, 9]]), real)
    joint = network.joint_tokens(network.text_tokens(TEXT), video)
    packed = JointTokens(
        *(part[1:][:, joint.mask[1]] for part in (joint.ids, joint.mask, joint.types))
    )
    torch.testing.assert_close(
        network.states(joint)[1, joint.mask[1]], network.states(packed)[0], atol=1e-5, rtol=0
    )


def test_the_similarity_is_the_alignment_of_each_pair(network: VideoBERT) -> None:
    words = torch.tensor([[4, 0, 15], [1, 9, 2], [7, 7, 3]])
    real = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])
    text, video = network.encode_text(TEXT), network.encode_video(words, real)
    similarity = network.similarity(text, video)
    assert similarity.shape == (2, 3)
    assert not network.pooled_ranks
    for row in range(2):
        for column in range(3):
            joint = network.joint_tokens(
                network.text_tokens(TEXT[row : row + 1]),
                network.video_tokens(words[column : column + 1], real[column : column + 1]),
            )
            logits = network.alignment_logits(network.states(joint))[0]
            torch.testing.assert_close(
                similarity[row, column], logits[0] - logits[1], atol=1e-5, rtol=0
            )
    torch.testing.assert_close(network(words, TEXT, real), similarity)


def test_pooled_vectors_are_means_of_each_side_alone(network: VideoBERT) -> None:
    words = torch.tensor([[4, 0, 15], [1, 9, 2]])
    real = torch.tensor([[True, True, True], [True, True, False]])
    short = network.states(network.video_tokens(words[1:, :2]))
    pooled = network.encode_video(words, real).pooled
    torch.testing.assert_close(pooled[1], short[0, 1:3].mean(0), atol=1e-5, rtol=0)
    alone = network.states(network.text_tokens(TEXT[1:, :3]))
    torch.testing.assert_close(
        network.encode_text(TEXT).pooled[1], alone[0, 1:].mean(0), atol=1e-5, rtol=0
    )


def test_vectors_become_words_by_the_tree(network: VideoBERT) -> None:
    vectors = seeded_input("vectors", (40, 64))
    fit_video_words(network.video_words, vectors)
    words = network.video_words(vectors[:6].view(2, 3, 64))
    by_vectors = network.encode_video(vectors[:6].view(2, 3, 64)).pooled
    torch.testing.assert_close(by_vectors, network.encode_video(words).pooled)


def test_embeddings_may_begin_as_centroids_and_stay(network: VideoBERT) -> None:
    fit_video_words(network.video_words, seeded_input("vectors", (40, 64)))
    network.start_from_centroids()
    embeddings = network.video_embeddings.weight
    assert torch.equal(embeddings[:16], network.video_words.centroids)
    assert not embeddings.requires_grad
    assert not network.bert.get_parameter("embeddings.word_embeddings.weight").requires_grad
    other = create_model("videobert_tiny", num_features=32)
    assert isinstance(other, VideoBERT)
    with pytest.raises(UsageError, match="Centroids of 32 numbers cannot be embeddings of 64"):
        other.start_from_centroids()


def test_what_it_cannot_take_is_refused(network: VideoBERT) -> None:
    with pytest.raises(ValueError, match="never pixels"):
        network.encode_video(torch.zeros(1, 8, 3, 64, 64))
    with pytest.raises(ValueError, match="vectors have 64 numbers, got 63"):
        network.encode_video(torch.zeros(1, 3, 63))
    with pytest.raises(ValueError, match="66 tokens are more than the 64 positions"):
        network.encode_video(torch.zeros(1, 64, dtype=torch.int64))


def test_the_loss_weighs_pairs_together_and_apart_alike(network: VideoBERT) -> None:
    """Odds of 3 to 1 for the pairs together, 1 to 1 for those apart."""
    similarity = torch.eye(3) * torch.log(torch.tensor(3.0))
    wanted = -(torch.tensor(0.75).log() + torch.tensor(0.5).log()) / 2
    torch.testing.assert_close(network.loss(similarity), wanted)


def test_every_parameter_learns(network: VideoBERT) -> None:
    silent = [
        name for name, _ in Joint(network).named_parameters() if name.endswith("self.key.bias")
    ]
    assert_gradients_flow(Joint(network), joint_inputs()[0], except_for=silent)


def test_gradients_of_its_heads_are_right() -> None:
    torch.manual_seed(0)
    states = torch.randn(2, 3, 4)
    assert_gradients_are_right(Pooler(4), states)
    heads = Predictions(BertSize(width=4, heads=2), words=3, video_words=2)
    assert_gradients_are_right(heads, states, torch.randn(3, 4), torch.randn(2, 4))


def test_it_exports_and_runs_in_bfloat16(network: VideoBERT) -> None:
    ids = joint_inputs()[0]
    assert_exports(Joint(network), ids)
    assert_runs_in_bfloat16(Joint(network), ids[:1])
