"""Retrieval numbers against hand-computed values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from scenewise.metrics.retrieval import (
    bootstrap_interval,
    caption_ranks,
    dual_softmax,
    grouped_ranks,
    mean_reciprocal_rank,
    median_rank,
    rank_figures,
    ranks_of,
    recall_at,
    retrieval_figures,
)


def test_ranks_by_hand() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1], [0.5, 0.5, 0.1], [1.0, 1.0, 1.0]])
    correct = np.array([2, 0, 1, 0])
    assert ranks_of(scores, correct).tolist() == [2, 1, 1.5, 2]


def test_ranks_agree_with_scipy() -> None:
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 8, (40, 12)).astype(np.float64)  # many ties
    correct = generator.integers(0, 12, 40)
    expected = scipy.stats.rankdata(-scores, axis=1)[np.arange(40), correct]
    np.testing.assert_array_equal(ranks_of(scores, correct), expected)


def test_recall_median_and_reciprocal_by_hand() -> None:
    ranks = np.array([1.0, 2, 4, 10])
    assert [recall_at(ranks, k) for k in (1, 2, 5, 10)] == [0.25, 0.5, 0.75, 1.0]
    assert median_rank(ranks) == 3
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 0.5 + 0.25 + 0.1) / 4)


def test_no_queries_is_not_a_number() -> None:
    nothing = np.zeros(0)
    assert math.isnan(recall_at(nothing, 1))
    assert math.isnan(median_rank(nothing))
    assert math.isnan(mean_reciprocal_rank(nothing))
    assert all(map(math.isnan, bootstrap_interval(median_rank, nothing, nothing.astype(int))))


def test_recall_needs_a_first_place() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        recall_at(np.ones(3), 0)


def test_interval_of_independent_values_is_the_textbook_one() -> None:
    """For a mean: 1.96 standard errors to both sides."""
    values = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap_interval(lambda x: float(x.mean()), values, np.arange(400), samples=2000)
    error = values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_repeating_a_groups_values_does_not_narrow_the_interval() -> None:
    values = np.random.default_rng(2).normal(size=50)
    plain = bootstrap_interval(lambda x: float(x.mean()), values, np.arange(50))
    repeated = bootstrap_interval(
        lambda x: float(x.mean()), np.repeat(values, 4), np.repeat(np.arange(50), 4)
    )
    assert repeated == pytest.approx(plain)


# ---- several captions a video

# four texts of two videos; video 0 is sure of its second text, video 1 of a foreign one
SIMILARITY = np.array([[0.2, 0.9], [0.8, 0.1], [0.3, 0.7], [0.1, 0.6]])
GROUPS = np.array([0, 0, 1, 1])


def test_both_directions_by_hand() -> None:
    figures = retrieval_figures(SIMILARITY, GROUPS)
    assert figures.text_to_video.queries == 4
    assert figures.text_to_video.recall[1] == 0.75  # text 0 finds video 1
    assert figures.text_to_video.mean_rank == 1.25
    assert figures.video_to_text.queries == 2
    # video 1: text 0 with 0.9 stands before its own best of 0.7
    assert figures.video_to_text.mean_reciprocal_rank == pytest.approx((1 + 1 / 2) / 2)
    assert figures.video_to_text_grouped is not None
    assert figures.video_to_text_grouped.recall == {1: 0.5, 5: 1, 10: 1, 50: 1}


def test_a_group_of_foreign_captions_is_one_candidate_in_the_grouped_convention() -> None:
    """Video 1 likes two captions of video 0 better than its own: ranks 3 and 2."""
    scores = np.array([[0.9, 0.9, 0.1], [0.8, 0.7, 0.5]])
    groups = np.array([0, 0, 1])
    assert caption_ranks(scores, groups)[1] == 3
    assert grouped_ranks(scores, groups)[1] == 2


def test_equal_captions_share_their_ranks_whoever_they_belong_to() -> None:
    """The mean place of the first of two among four equal ones is 5/3."""
    scores, groups = np.ones((2, 4)), np.array([0, 0, 1, 1])
    assert caption_ranks(scores, groups) == pytest.approx([5 / 3, 5 / 3])
    orders = [min(order.index(0), order.index(1)) + 1 for order in itertools.permutations(range(4))]
    assert np.mean(orders) == pytest.approx(5 / 3)


@given(
    texts=st.lists(st.integers(0, 3), min_size=1, max_size=10),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_caption_ranks_are_those_of_a_plain_count(texts: list[int], data: st.DataObject) -> None:
    groups = np.array(texts)
    scores = np.array(data.draw(st.permutations(range(4 * len(texts)))), dtype=np.float64).reshape(
        4, -1
    )
    for rank, video in zip(caption_ranks(scores, groups), np.unique(groups), strict=True):
        falling = np.argsort(-scores[video])
        assert rank == 1 + next(n for n, text in enumerate(falling) if groups[text] == video)
    assert (grouped_ranks(scores, groups) <= caption_ranks(scores, groups)).all()


def test_one_caption_a_video_is_the_diagonal_in_both_directions() -> None:
    similarity = np.random.default_rng(4).normal(size=(30, 30))
    figures = retrieval_figures(similarity)
    turned = retrieval_figures(similarity.T)
    assert figures.video_to_text == turned.text_to_video
    assert figures.video_to_text_grouped is None
    assert "video_to_text_grouped" not in figures.to_dict()


def test_the_order_of_texts_and_videos_changes_nothing() -> None:
    generator = np.random.default_rng(5)
    similarity, groups = generator.normal(size=(40, 12)), generator.integers(0, 12, 40)
    rows, columns = generator.permutation(40), generator.permutation(12)
    moved = similarity[rows][:, columns]
    places = np.argsort(columns)[groups[rows]]
    one, other = retrieval_figures(moved, places), retrieval_figures(similarity, groups)
    for name, part in one.to_dict().items():
        assert part == pytest.approx(other.to_dict()[name])


def test_perfect_similarities_rank_all_first_and_random_ones_are_about_chance() -> None:
    perfect = retrieval_figures(
        np.eye(20)[np.repeat(np.arange(20), 3)], np.repeat(np.arange(20), 3)
    )
    for part in (perfect.text_to_video, perfect.video_to_text, perfect.video_to_text_grouped):
        assert part is not None
        # the other captions of a video tie with the best one, and each of them is right
        assert (part.recall[1], part.median_rank, part.mean_reciprocal_rank) == (1, 1, 1)
    chance = retrieval_figures(
        np.random.default_rng(6).normal(size=(2000, 100)), np.arange(2000) % 100
    )
    assert chance.text_to_video.recall[10] == pytest.approx(0.1, abs=0.02)
    assert chance.text_to_video.mean_rank == pytest.approx(50.5, abs=2)


def test_recall_never_falls_with_k() -> None:
    ranks = np.random.default_rng(7).integers(1, 60, 200).astype(np.float64)
    values = list(rank_figures(ranks, range(1, 61)).recall.values())
    assert values == sorted(values)
    assert values[-1] == 1


def test_a_constant_similarity_earns_nothing() -> None:
    figures = retrieval_figures(np.ones((10, 10)))
    assert figures.text_to_video.recall[1] == 0
    assert figures.text_to_video.mean_rank == 5.5


def test_what_was_not_found_has_no_mean_rank_but_counts_in_recall() -> None:
    figures = rank_figures(np.array([1, 2, math.inf]))
    assert figures.recall[50] == pytest.approx(2 / 3)
    assert figures.to_dict()["mean_rank"] is None
    assert figures.median_rank == 2
    assert figures.mean_reciprocal_rank == pytest.approx(0.5)


def test_dual_softmax_is_the_published_product() -> None:
    similarity = np.array([[0.5, 0.4], [0.6, 0.3]])
    for_texts, for_videos = dual_softmax(similarity, scale=10)
    share = math.exp(5) / (math.exp(5) + math.exp(6))  # of text 0 in the column of video 0
    assert for_texts[0, 0] == pytest.approx(0.5 * share)
    share = math.exp(5) / (math.exp(5) + math.exp(4))  # of video 0 in the row of text 0
    assert for_videos[0, 0] == pytest.approx(0.5 * share)


def test_dual_softmax_frees_a_text_from_a_video_that_all_texts_like() -> None:
    similarity = np.array([[0.5, 0.4], [0.9, 0.1]])
    plain = retrieval_figures(similarity)
    apart = retrieval_figures(similarity, np.array([1, 0]), dual=dual_softmax(similarity, 10))
    assert plain.text_to_video.recall[1] == 0.5
    assert retrieval_figures(similarity, np.array([1, 0])).text_to_video.recall[1] == 0.5
    assert apart.text_to_video.recall[1] == 1


@pytest.mark.parametrize(
    ("similarity", "groups", "message"),
    [
        (np.zeros(3), None, r"shape \(3,\)"),
        (np.zeros((0, 2)), None, "shape"),
        (np.zeros((3, 2)), None, "3 texts and 2 videos"),
        (np.zeros((3, 2)), np.array([0, 1]), "each of 3 texts"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "one of 2 videos"),
        (np.array([[np.nan, 1], [1, 1]]), None, "not numbers"),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(
    similarity: np.ndarray, groups: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        retrieval_figures(similarity, groups)
