"""Facts about the tree of video words: known clusters are found, ways down, same seed same tree."""

from __future__ import annotations

import pytest
import torch
from seeded import seeded_input

from scenewise.models.video_text.video_words import VideoWords, fit_video_words

# two far groups of three near ones, and four vectors in each of those
COARSE = torch.tensor([[0.0, 0.0], [100.0, 0.0]])
FINE = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
SPREAD = torch.tensor([[0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5]])


def groups() -> torch.Tensor:
    """(2, 3, 4, 2): coarse, fine, vector."""
    return COARSE[:, None, None] + FINE[None, :, None] + SPREAD[None, None]


def test_known_clusters_are_found() -> None:
    centres = torch.stack([torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])])
    data = (centres[:, None] * 50 + SPREAD[None]).view(-1, 2)
    words = fit_video_words(VideoWords(2, branches=2, depth=1), data)
    found = sorted(words.centroids.tolist())
    assert found == [[0.0, 0.0], [50.0, 0.0]]


def test_vectors_that_are_near_share_branches() -> None:
    """With three branches the six groups are told apart within two levels."""
    data = groups()
    words = fit_video_words(VideoWords(2, branches=3, depth=2), data.view(-1, 2))
    leaves, branches = words(data), words(data, depth=1)
    assert leaves.shape == (2, 3, 4)
    assert torch.equal(leaves // 3, branches)
    assert not set(branches[0].flatten().tolist()) & set(branches[1].flatten().tolist())
    centroids = words.level(1)[branches]
    assert bool(((centroids - data).norm(dim=-1) < 20).all())


def test_a_leaf_is_found_by_going_down_and_not_by_looking_everywhere() -> None:
    words = VideoWords(1, branches=2, depth=2)
    words.level(1).copy_(torch.tensor([[0.0], [10.0]]))
    words.level(2).copy_(torch.tensor([[0.0], [1.0], [4.0], [12.0]]))
    vectors = torch.tensor([[0.2], [4.4], [5.6], [11.0]])
    # 4.4 goes to the branch of 0, although the leaf of 4 in the other one is nearer
    assert words(vectors).tolist() == [0, 1, 2, 3]
    assert words(vectors, depth=1).tolist() == [0, 0, 1, 1]


def test_the_seed_decides() -> None:
    data = seeded_input("vectors", (200, 5))
    trees = [fit_video_words(VideoWords(5, 4, 2), data, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(trees[0].centroids, trees[1].centroids)
    assert not torch.equal(trees[0].centroids, trees[2].centroids)


def test_few_vectors_make_few_words() -> None:
    data = torch.tensor([[0.0, 1.0], [0.0, 1.0], [5.0, 5.0]])
    words = fit_video_words(VideoWords(2, branches=4, depth=3), data)
    ids = words(data)
    assert len(set(ids.tolist())) == 2
    assert torch.equal(words.centroids[ids], data)
    assert bool(words.centroids.isfinite().all())


def test_there_are_as_many_words_as_leaves() -> None:
    with torch.device("meta"):
        words = VideoWords(1024)
    assert len(words) == 20_736
    assert [tuple(words.level(n).shape) for n in (1, 2, 3, 4)] == [
        (12, 1024),
        (144, 1024),
        (1728, 1024),
        (20_736, 1024),
    ]
    assert list(words.parameters()) == []


def test_what_it_cannot_take_is_refused() -> None:
    words = VideoWords(3, 2, 1)
    with pytest.raises(ValueError, match="vectors have 3 numbers, got 4"):
        words(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"must be \(N, 3\) with N of 1 or more, got \(0, 3\)"):
        fit_video_words(words, torch.zeros(0, 3))
    with pytest.raises(ValueError, match="2 branches or more and 1 level or more"):
        VideoWords(3, 1, 1)
