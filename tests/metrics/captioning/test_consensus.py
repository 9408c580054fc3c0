"""CIDEr and CIDEr-D by hand, and what must hold for any captions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from scenewise.errors import UsageError
from scenewise.metrics.captioning import (
    CaptionPairs,
    DocumentFrequency,
    cider,
    document_frequency,
    original_cider,
    pair_up,
)

Captions = tuple[dict[str, str], dict[str, list[str]]]
LOG2, LOG5, LOG10 = math.log(2), math.log(5), math.log(10)


def _pairs(**videos: Sequence[str]) -> CaptionPairs:
    """The first text of each is the prediction."""
    return pair_up(
        {name: texts[0] for name, texts in videos.items()},
        {name: list(texts[1:]) for name, texts in videos.items()},
    )


# in two videos that share no word, each word of a reference weighs log 2, which cancels
BY_HAND: list[tuple[str, Sequence[str], float, float]] = [
    # prediction and references of one video; its plain CIDEr; its CIDEr-D
    ("one of two words", ("a b", "a c"), 1 / 8, 10 / 8),
    ("the mean over references", ("a b", "a c", "c d"), 1 / 16, 10 / 16),
    ("counts are clipped", ("a a", "a b"), 1 / math.sqrt(2) / 4, 10 * 0.5 / math.sqrt(2) / 4),
    # runs of two words are one apart: 1 and 2
    (
        "a word more",
        ("a b", "a b c"),
        (2 / math.sqrt(6) + 1 / math.sqrt(2)) / 4,
        10 * math.exp(-1 / 72) * (2 / math.sqrt(6) + 1 / math.sqrt(2)) / 4,
    ),
    ("nothing in common", ("a b", "c d"), 0, 0),
    ("the same", ("a b c d", "a b c d"), 1, 10),
    ("the same, too short for runs of three", ("a b", "a b"), 1 / 2, 10 / 2),
]


@pytest.mark.parametrize(("texts", "plain", "usual"), [one[1:] for one in BY_HAND])
def test_by_hand(texts: Sequence[str], plain: float, usual: float) -> None:
    pairs = _pairs(v=texts, other=("x y", "x y"))
    assert original_cider(pairs).by_id["v"] == pytest.approx(plain)
    assert cider(pairs).by_id["v"] == pytest.approx(usual)


def test_rare_words_weigh_more() -> None:
    """Of four videos "a" stands in two references and weighs log 2, others log 4."""
    pairs = _pairs(v=("a b", "a c"), w=("a", "a"), x=("x", "x"), y=("y", "y"))
    common, rare = math.log(2), math.log(4)
    expected = common**2 / (common**2 + rare**2) / 4
    assert original_cider(pairs).by_id["v"] == pytest.approx(expected)


def test_one_video_alone_scores_nothing() -> None:
    """log(1 / 1) = 0 is what each word weighs, as nlg-eval shows too."""
    pairs = _pairs(v=("a b c d", "a b c d"))
    assert cider(pairs).corpus == 0
    assert original_cider(pairs).corpus == 0


def test_given_frequencies() -> None:
    frequency = DocumentFrequency(10, {("a",): 5, ("b",): 2})
    pairs = _pairs(v=("a b", "a c"))
    expected = LOG2**2 / math.sqrt(LOG2**2 + LOG5**2) / math.sqrt(LOG2**2 + LOG10**2) / 4
    assert original_cider(pairs, frequency).corpus == pytest.approx(expected)
    assert cider(pairs, frequency).corpus == pytest.approx(10 * expected)


def test_frequencies_of_the_references_at_hand_change_nothing(captions: Captions) -> None:
    pairs = pair_up(*captions)
    frequency = document_frequency(captions[1])
    for metric in (cider, original_cider):
        assert metric(pairs, frequency).by_id == pytest.approx(metric(pairs).by_id)


def test_what_is_counted() -> None:
    frequency = document_frequency({"v": ["A dog runs.", "a dog"], "w": ["a cat"]})
    assert frequency.videos == 2
    assert frequency.counts[("a",)] == 2
    assert frequency.counts[("a", "dog")] == 1
    assert frequency.counts[("a", "dog", "runs")] == 1
    assert (".",) not in frequency.counts


@pytest.mark.parametrize("wrong", [(0, {}), (2, {("a",): 3}), (2, {("a",): -1})])
def test_frequencies_that_cannot_be(wrong: tuple[int, Mapping[tuple[str, ...], float]]) -> None:
    with pytest.raises(UsageError, match="must lie between 0 and that number"):
        DocumentFrequency(*wrong)


def test_bounds_and_order(captions: Captions) -> None:
    predictions, references = captions
    pairs = pair_up(predictions, references)
    assert all(-1e-12 <= one <= 10 + 1e-9 for one in cider(pairs).by_id.values())
    assert all(-1e-12 <= one <= 1 + 1e-9 for one in original_cider(pairs).by_id.values())
    turned = {one: list(reversed(texts)) for one, texts in references.items()}
    assert cider(pair_up(predictions, turned)).by_id == pytest.approx(cider(pairs).by_id)
    shuffled = {one: " ".join(reversed(text.split())) for one, text in predictions.items()}
    assert cider(pair_up(shuffled, references)).corpus < cider(pairs).corpus
