"""Facts about zero-shot protocols, with models whose right answers are known by construction.

A frame is a point of K channels, a word is a channel: the model is right by its making.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from seeded import seeded_input
from torch import Tensor

from scenewise.errors import UsageError
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.losses import symmetric_info_nce
from scenewise.models.video_text.zero_shot import (
    choose_answers,
    class_figures,
    class_scores,
    dual_softmax,
    encode_texts,
    encode_videos,
    retrieval_figures,
    similarity_in_blocks,
)
from scenewise.models.video_text.zero_shot_localization import (
    BACKGROUND,
    label_threshold,
    locate_steps,
    scores_by_second,
    segment,
    segmentation_accuracy,
    spans_above,
    step_recall,
    window_scores,
    windows_of,
)

WORDS = ("cook", "cut", "fry", "eat", "a", "film", "of")
KINDS = 4  # the first words are what is seen


class Plain(VideoTextModel):
    """Mean colour against mean word, as vectors."""

    embed_dim = len(WORDS)

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0  # rows or columns that were compared at once

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        real = torch.ones(clips.shape[:2]) if mask is None else mask.float()
        summed = torch.einsum("btc,bt->bc", clips[..., 0, 0], real)
        return Features(summed / real.sum(dim=1, keepdim=True))

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        assert mask is not None
        words = torch.eye(len(WORDS))[ids] * mask[..., None]
        return Features(words.sum(dim=1) / mask.sum(dim=1, keepdim=True))

    def similarity(self, text: Features, video: Features) -> Tensor:
        self.largest = max(self.largest, len(text), len(video))
        return text.pooled @ video.pooled.T

    def loss(self, similarity: Tensor) -> Tensor:
        return symmetric_info_nce(similarity)


class Crossing(Plain):
    """Each word against its best frame: the two sides look at each other."""

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        pooled = super().encode_video(clips, mask).pooled
        real = torch.ones(clips.shape[:2], dtype=torch.bool) if mask is None else mask
        return Features(pooled, clips[..., 0, 0], real)

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        assert mask is not None
        return Features(super().encode_text(ids, mask).pooled, torch.eye(len(WORDS))[ids], mask)

    def similarity(self, text: Features, video: Features) -> Tensor:
        self.largest = max(self.largest, len(text), len(video))
        assert text.tokens is not None
        assert text.mask is not None
        assert video.tokens is not None
        assert video.mask is not None
        pairs = torch.einsum("xld,ynd->xyln", text.tokens, video.tokens)
        best = pairs.masked_fill(~video.mask[None, :, None, :], -math.inf).amax(dim=3)
        best = torch.where(text.mask[:, None, :], best, torch.zeros(()))
        return best.sum(dim=2) / text.mask.sum(dim=1)[:, None]


MODELS = pytest.mark.parametrize("model", [Plain(), Crossing()], ids=["plain", "crossing"])


def tokenize(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Words that are known, up to eight of them."""
    ids = torch.zeros(len(texts), 8, dtype=torch.long)
    mask = torch.zeros(len(texts), 8, dtype=torch.bool)
    for row, text in enumerate(texts):
        known = [WORDS.index(word) for word in text.split() if word in WORDS]
        ids[row, : len(known)] = torch.tensor(known)
        mask[row, : len(known)] = True
    return ids, mask


def frames(*kinds: int) -> Tensor:
    """(T, C, 1, 1): what is seen frame by frame."""
    return torch.eye(len(WORDS))[list(kinds)][:, :, None, None]


def clips(*kinds: int) -> Tensor:
    """Clips of three frames of one kind, the last one half of the next kind."""
    mixed = [frames(kind, kind, (kind + 1) % KINDS) for kind in kinds]
    return torch.stack(mixed) * torch.tensor([1.0, 1.0, 0.5]).view(3, 1, 1, 1)


@MODELS
def test_classes_are_named(model: Plain) -> None:
    kinds = [2, 0, 3, 1, 1]
    video = encode_videos(model, clips(*kinds), block=2)
    for templates in (("{}",), ("{}", "a film of {}", "{} a film")):
        scores = class_scores(model, video, WORDS[:KINDS], tokenize, templates=templates)
        assert scores.shape == (5, KINDS)
        figures = class_figures(scores, kinds)
        assert (figures.top_1, figures.videos) == (1.0, 5)
        wrong = class_figures(scores, [(kind + 1) % KINDS for kind in kinds])
        assert wrong.top_1 == 0.0


def test_an_ensemble_of_vectors_is_clips() -> None:
    model, video = Plain(), Features(seeded_input("video", (3, len(WORDS))))
    templates = ("{}", "a film of {}")
    scores = class_scores(model, video, WORDS[:KINDS], tokenize, templates=templates)
    for number, word in enumerate(WORDS[:KINDS]):
        vectors = [
            encode_texts(model, [template.format(word)], tokenize).pooled[0]
            for template in templates
        ]
        mean = (vectors[0] + vectors[1]) / 2
        mean = mean / mean.norm() * (vectors[0].norm() + vectors[1].norm()) / 2
        assert torch.allclose(scores[:, number], video.pooled @ mean, atol=1e-6)


def test_an_ensemble_of_scores_is_their_mean() -> None:
    model, video = Crossing(), encode_videos(Crossing(), clips(0, 1))
    both = class_scores(model, video, WORDS[:KINDS], tokenize, templates=("{}", "a {}"))
    one, two = (
        class_scores(model, video, WORDS[:KINDS], tokenize, templates=(template,))
        for template in ("{}", "a {}")
    )
    assert torch.allclose(both, (one + two) / 2)
    with pytest.raises(UsageError, match="Crossing compares words with frames"):
        class_scores(model, video, WORDS[:2], tokenize, ensemble="vectors")


@MODELS
@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_blocks_change_nothing(model: Plain, block: int) -> None:
    texts = ["cook cut", "fry", "eat a film", "a", "cut of film"]
    text = encode_texts(model, texts, tokenize, block=block)
    video = encode_videos(model, clips(0, 1, 2, 3), block=block)
    model.largest = 0
    similarity = similarity_in_blocks(model, text, video, block=block)
    assert model.largest == min(block, 5)
    ids, mask = tokenize(texts)
    assert torch.equal(similarity, model(clips(0, 1, 2, 3), ids, text_mask=mask))


@MODELS
def test_answers_are_chosen(model: Plain) -> None:
    video = encode_videos(model, clips(0, 2, 3))
    choices = [["eat", "cook", "fry"], ["fry", "eat"], ["cook", "a", "film", "eat"]]
    chosen = choose_answers(model, video, ["what of", "", "a"], choices, tokenize, block=2)
    assert chosen == [1, 0, 3]


def test_questions_are_part_of_the_text() -> None:
    """Read backwards, the same answers would be wrong: the template is followed."""
    seen: list[str] = []

    def listening(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        seen.extend(texts)
        return tokenize(texts)

    video = encode_videos(Plain(), clips(0))
    choose_answers(Plain(), video, ["what?"], [["{answer}", "cut"]], listening)
    choose_answers(
        Plain(), video, ["what?"], [["cut"]], listening, template="Q: {question} A: {answer}"
    )
    assert seen == ["what? {answer}", "what? cut", "Q: what? A: cut"]


@MODELS
def test_a_sentence_is_found_in_a_video(model: Plain) -> None:
    windows = windows_of(frames(0, 0, 0, 1, 1, 1, 1, 0, 0, 2), fps=2.0, length=1)
    scores = window_scores(model, windows, ["cut", "fry"], tokenize)
    assert [
        (one.start, one.end, one.score) for one in spans_above(scores[:, 0], windows.spans)
    ] == [(1.5, 3.5, 1.0)]
    assert [(one.start, one.end) for one in spans_above(scores[:, 1], windows.spans)] == [
        (4.5, 5.0)
    ]
    assert spans_above(scores[:, 1], windows.spans, threshold=1.5) == []


def test_windows_slide_and_the_last_is_filled_up() -> None:
    windows = windows_of(frames(0, 1, 2, 3, 0), fps=1.0, length=4, stride=2)
    assert windows.spans == ((0.0, 4.0), (2.0, 5.0))
    assert windows.mask.tolist() == [[True] * 4, [True] * 3 + [False]]
    assert torch.equal(windows.clips[1, :3], frames(2, 3, 0))
    assert windows_of(frames(0, 1), fps=1.0, length=4).spans == ((0.0, 2.0),)
    exact = windows_of(frames(0, 1, 2, 3), fps=1.0, length=2)
    assert (exact.spans, bool(exact.mask.all())) == (((0.0, 2.0), (2.0, 4.0)), True)


def test_runs_join_where_windows_overlap() -> None:
    spans = [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (8.0, 12.0), (13.0, 14.0)]
    found = spans_above([0.9, 0.1, 0.7, 0.2, 1.0], spans, threshold=0.5)
    assert [(one.start, one.end) for one in found] == [(13.0, 14.0), (0.0, 8.0)]
    assert found[1].score == pytest.approx(0.8)


def test_seconds_have_the_mean_of_the_windows_over_them() -> None:
    scores = torch.tensor([[1.0], [3.0], [8.0]])
    spans = [(0.0, 2.0), (1.0, 3.0), (4.1, 4.2)]
    seconds = scores_by_second(scores, spans, 6)
    assert seconds[:, 0].tolist() == [1.0, 2.0, 3.0, 3.0, 8.0, 8.0]


@MODELS
def test_actions_second_by_second(model: Plain) -> None:
    kinds = [0, 0, 4, 1, 1, 4, 2]  # the word "a" is nothing that is done
    windows = windows_of(frames(*kinds), fps=1.0, length=1)
    scores = scores_by_second(
        window_scores(model, windows, WORDS[:3], tokenize), windows.spans, len(kinds)
    )
    labels = segment(scores, threshold=0.5)
    assert labels.tolist() == [0, 0, BACKGROUND, 1, 1, BACKGROUND, 2]
    assert segmentation_accuracy([0, 1, -1, 1, 1, -1, 2], labels.tolist()) == pytest.approx(6 / 7)
    assert BACKGROUND not in segment(scores).tolist()


def test_the_threshold_of_labels_is_their_largest_likeness() -> None:
    labels = encode_texts(Plain(), ["cook", "cook cut", "cut fry fry fry"], tokenize)
    assert label_threshold(Plain(), labels) == pytest.approx(0.5)
    assert segment(torch.tensor([[0.5, 0.2], [0.4, 0.6]]), 0.5).tolist() == [BACKGROUND, 1]
    crossing = Crossing()
    with pytest.raises(UsageError, match="Crossing with 2 labels has no threshold"):
        label_threshold(crossing, encode_texts(crossing, ["cook", "cut"], tokenize))


def test_steps_in_order_are_the_best_of_all_orders() -> None:
    for seed in range(20):
        scores = seeded_input("steps", (7, 3), seed)
        free = locate_steps(scores)
        assert free == scores.argmax(dim=0).tolist()
        best = max(
            itertools.combinations(range(7), 3),
            key=lambda places: sum(float(scores[t, k]) for k, t in enumerate(places)),
        )
        assert locate_steps(scores, ordered=True) == list(best)
    assert locate_steps(torch.eye(3), ordered=True) == [0, 1, 2]
    with pytest.raises(UsageError, match=r"4 steps do not fit .* into 3 seconds"):
        locate_steps(torch.zeros(3, 4), ordered=True)


def test_step_recall_by_hand() -> None:
    assert step_recall([0, 4, 9], [(0.0, 1.0), (5.0, 8.0), None]) == 0.5
    assert step_recall([4, 4, 6], [(4.9, 5.2), (5.0, 6.0), (4.0, 6.0)]) == pytest.approx(1 / 3)
    assert math.isnan(step_recall([1], [None]))


def test_retrieval_both_ways_by_hand() -> None:
    similarity = torch.tensor([[0.9, 0.1, 0.2], [0.8, 0.7, 0.3], [0.1, 0.6, 0.5]])
    both = retrieval_figures(similarity)
    assert both.text_to_video.recall_1 == pytest.approx(1 / 3)
    assert both.text_to_video.mean_rank == pytest.approx((1 + 2 + 2) / 3)
    assert both.video_to_text.recall_1 == 1.0
    assert (both.video_to_text.median_rank, both.video_to_text.queries) == (1.0, 3)


def test_of_several_texts_of_a_video_the_best_counts() -> None:
    similarity = torch.tensor([[0.2, 0.9], [0.8, 0.1], [0.5, 0.6], [0.4, 0.5]])
    both = retrieval_figures(similarity, [0, 0, 1, 1])
    assert both.text_to_video.recall_1 == 0.75
    assert both.video_to_text.recall_1 == 0.5  # video 1 likes text 0 more than its own
    assert both.video_to_text.mean_rank == 1.5


def test_equal_scores_earn_nothing() -> None:
    both = retrieval_figures(torch.zeros(5, 5))
    for figures in (both.text_to_video, both.video_to_text):
        assert (figures.mean_rank, figures.recall_1) == (3.0, 0.0)


def test_dual_softmax_by_formula_and_what_it_is_for() -> None:
    """A video that every text likes loses to the one that a text alone likes."""
    similarity = torch.tensor([[5.0, 4.0], [6.0, 1.0]])
    revised = dual_softmax(similarity)
    column = similarity[:, 1].exp() / similarity[:, 1].exp().sum()
    assert torch.allclose(revised[:, 1], similarity[:, 1] * column)
    plain, dual = (retrieval_figures(similarity, [1, 0], dual=dual) for dual in (False, True))
    assert (plain.text_to_video.recall_1, dual.text_to_video.recall_1) == (0.5, 1.0)
    assert (plain.dual_softmax, dual.dual_softmax) == (False, True)
    near = dual_softmax(similarity, temperature=1e4)
    assert torch.allclose(near, similarity / 2, atol=1e-3)


def test_figures_are_json() -> None:
    shape = retrieval_figures(torch.eye(2)).to_dict()
    assert shape["text_to_video"]["recall_1"] == 1.0
    assert class_figures(torch.eye(2), [0, 1]).to_dict()["top_1"] == 1.0


def test_what_is_refused() -> None:
    model = Plain()
    video = encode_videos(model, clips(0))
    windows = windows_of(frames(0), fps=1.0, length=1)
    for call, message in (
        (lambda: class_scores(model, video, ["cut"], tokenize, templates=("a",)), "has no {}"),
        (lambda: class_scores(model, video, ["cut"], tokenize, templates=()), "at least one temp"),
        (lambda: encode_texts(model, [], tokenize), "no text to encode"),
        (lambda: encode_videos(model, torch.zeros(0, 1, 7, 1, 1)), "no clip to encode"),
        (lambda: choose_answers(model, video, ["a"], [], tokenize), "do not belong together"),
        (lambda: choose_answers(model, video, ["a"], [[]], tokenize), "no answers to choose"),
        (lambda: dual_softmax(torch.eye(2), temperature=0), "above 0"),
        (lambda: retrieval_figures(torch.zeros(3, 2)), "3 texts and 2 videos"),
        (lambda: window_scores(model, windows, ["cut"]), "texts need a tokenizer"),
        (lambda: windows_of(frames(0), fps=0.0, length=1), "cannot be cut"),
        (lambda: spans_above([1.0], []), "do not go with 0 windows"),
        (lambda: step_recall([1], []), "do not go with 0 true"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    assert np.isnan(retrieval_figures(torch.zeros(0, 2), []).text_to_video.recall_1)
