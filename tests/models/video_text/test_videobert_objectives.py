"""Facts about VideoBERT's objectives: what is hidden, what is told, what parts and joins."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from seeded import seeded_ids
from torch import Tensor

from scenewise.models import create_model
from scenewise.models.video_text.videobert import JointTokens, VideoBERT
from scenewise.models.video_text.videobert_objectives import (
    IGNORED,
    PretrainingLosses,
    hide_tokens,
    join_neighbours,
    part_some,
    pretraining_losses,
    subsample,
)


@pytest.fixture(scope="module")
def network() -> VideoBERT:
    torch.manual_seed(0)
    made = create_model("videobert_tiny", vocabulary=50)
    assert isinstance(made, VideoBERT)
    return made


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tokens_of(network: VideoBERT, batch: int = 2, words: int = 20, clips: int = 20) -> JointTokens:
    ids = 5 + seeded_ids("words", (batch, words), 44)
    ids[:, 0], ids[:, -1] = 2, 3
    video = network.video_tokens(seeded_ids("clips", (batch, clips), 16))
    return network.joint_tokens(network.text_tokens(ids), video)


def test_fifteen_of_a_hundred_are_hidden_and_marks_never(network: VideoBERT) -> None:
    tokens = tokens_of(network)
    tokens.mask[1, 30:] = False
    _, labels = hide_tokens(network, tokens, generator())
    told = labels != IGNORED
    # 18 words and 20 clips; the second has no more than 18 and 10
    assert told.sum(dim=1).tolist() == [round(0.15 * 38), round(0.15 * 28)]
    assert not told[:, 0].any()
    assert not told[:, 19].any()
    assert not told[1, 30:].any()
    assert torch.equal(labels[told], tokens.ids[told])
    one = network.text_tokens(torch.tensor([[2, 9, 3]]))
    assert hide_tokens(network, one, generator())[1].tolist() == [[IGNORED, 9, IGNORED]]


def test_of_the_hidden_most_are_masked_some_swapped_in_kind(network: VideoBERT) -> None:
    tokens = tokens_of(network, batch=400)
    hidden, labels = hide_tokens(network, tokens, generator())
    told = labels != IGNORED
    assert torch.equal(hidden.ids[~told], tokens.ids[~told])
    after, before = hidden.ids[told], tokens.ids[told]
    masked = after == network.mask_id
    kept = after == before
    swapped = ~masked & ~kept
    number = len(after)
    assert number == 400 * 6
    # five deviations of a share of 0.8 or 0.1 in 2,400 draws; a swap may draw the word itself
    assert abs(int(masked.sum()) / number - 0.8) < 5 * (0.8 * 0.2 / number) ** 0.5
    assert abs(int(swapped.sum()) / number - 0.1) < 5 * (0.1 * 0.9 / number) ** 0.5 + 0.01
    of_video = before >= network.first_video_word
    assert bool((after[swapped & of_video] >= 50).all())
    assert bool((after[swapped & of_video] < network.beside).all())
    assert bool((after[swapped & ~of_video] < 50).all())
    again, _ = hide_tokens(network, tokens, generator())
    other, _ = hide_tokens(network, tokens, generator(1))
    assert torch.equal(again.ids, hidden.ids)
    assert not torch.equal(other.ids, hidden.ids)


def test_each_objective_reads_its_own_words(network: VideoBERT) -> None:
    """Recomputed with everything told by hand, from the scores of the heads."""
    network.eval()
    tokens = tokens_of(network, words=6, clips=4)
    labels = torch.full_like(tokens.ids, IGNORED)
    labels[0, 2], labels[1, 3], labels[1, 7] = 11, 12, 60
    together = torch.tensor([True, False])
    losses = pretraining_losses(network, tokens, labels, together)
    states = network.states(tokens)
    shares = network.word_logits(states).log_softmax(-1)
    aligned = network.alignment_logits(states).log_softmax(-1)
    torch.testing.assert_close(losses.words, -(shares[0, 2, 11] + shares[1, 3, 12]) / 2)
    torch.testing.assert_close(losses.video_words, -shares[1, 7, 60])
    assert losses.alignment is not None
    torch.testing.assert_close(losses.alignment, -(aligned[0, 0] + aligned[1, 1]) / 2)


def test_one_modality_alone_has_no_alignment(network: VideoBERT) -> None:
    tokens = network.video_tokens(seeded_ids("clips", (2, 8), 16))
    losses = pretraining_losses(network, *hide_tokens(network, tokens, generator()))
    assert losses.alignment is None
    assert losses.words.item() == 0.0
    assert losses.video_words.item() > 0.0
    torch.testing.assert_close(losses.total(video_words=2.0), 2 * losses.video_words)
    three = PretrainingLosses(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(4.0))
    assert float(three.total(2.0, 3.0, 5.0)) == 28.0


def test_some_videos_part_and_each_that_does_gets_a_strangers(network: VideoBERT) -> None:
    video = network.video_tokens(torch.arange(12)[:, None])
    moved, together = part_some(video, generator())
    words = moved.ids[:, 1] - network.first_video_word
    assert 0 < int(together.sum()) < 12
    assert torch.equal(words == torch.arange(12), together)
    assert sorted(words.tolist()) == list(range(12))
    alone, kept = part_some(network.video_tokens(torch.tensor([[3]])), generator(), share=1.0)
    assert kept.tolist() == [True]
    assert alone.ids[0, 1] == 53


def test_neighbours_are_joined_in_their_order() -> None:
    parts = [(torch.tensor([10 + n]), torch.tensor([n, n])) for n in range(10)]
    joined = join_neighbours(parts, generator(), most=3)
    assert torch.equal(torch.cat([ids for ids, _ in joined]), 10 + torch.arange(10))
    assert all(torch.equal(words, (ids - 10).repeat_interleave(2)) for ids, words in joined)
    lengths = {len(ids) for ids, _ in joined}
    assert lengths <= {1, 2, 3}
    assert len(lengths) > 1
    assert len(join_neighbours(parts, generator(), most=1)) == 10


def test_video_words_are_thinned_by_one_to_five() -> None:
    words = torch.arange(60)
    steps = {tuple(subsample(words, generator(seed)).tolist()) for seed in range(60)}
    assert steps == {tuple(range(0, 60, step)) for step in (1, 2, 3, 4, 5)}


def test_it_learns_which_video_words_follow(network: VideoBERT) -> None:
    """A world of three films, each of one word repeated: hidden words are told from the others."""
    torch.manual_seed(0)
    learner = create_model("videobert_tiny", vocabulary=50)
    assert isinstance(learner, VideoBERT)
    films = torch.tensor([[1] * 8, [6] * 8, [11] * 8])
    tokens = learner.video_tokens(films)
    optimiser = torch.optim.AdamW(learner.parameters(), lr=3e-3)
    source = generator()
    for _ in range(60):
        loss = pretraining_losses(learner, *hide_tokens(learner, tokens, source)).total()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    asked = tokens.ids.clone()
    asked[:, 4] = learner.mask_id
    told: Tensor = learner.word_logits(
        learner.states(JointTokens(asked, tokens.mask, tokens.types))
    )[:, 4]
    assert told.argmax(-1).tolist() == [51, 56, 61]
    assert F.cross_entropy(told, tokens.ids[:, 4]).item() < 1.0
