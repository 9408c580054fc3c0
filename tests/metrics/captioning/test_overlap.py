"""BLEU and ROUGE-L: properties, hand-made counts, and the table of the longest subsequence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenewise.metrics.captioning import bleu, pair_up, rouge_l
from scenewise.metrics.captioning.ngrams import count_ngrams
from scenewise.metrics.captioning.overlap import clipped_matches, longest_common_subsequence

WORDS = st.sampled_from("abcde")
SENTENCE = st.lists(WORDS, min_size=1, max_size=12)


def _bleu(prediction: str, *references: str) -> list[float]:
    return [one.corpus for one in bleu(pair_up({"v": prediction}, {"v": list(references)}))]


def _rouge(prediction: str, *references: str) -> float:
    return rouge_l(pair_up({"v": prediction}, {"v": list(references)})).corpus


def test_the_same_caption_is_perfect() -> None:
    same = "a man is playing a guitar"
    assert _bleu(same, same) == pytest.approx([1, 1, 1, 1])
    assert _rouge(same, same) == pytest.approx(1)


def test_clipping_and_brevity_by_hand() -> None:
    # the example of Papineni et al.: seven times "the", of which a reference holds two
    first = _bleu("the the the the the the the", "the cat is on the mat", "a cat is on a mat now")
    assert first[0] == pytest.approx(2 / 7)
    # three of three words, against a closest reference of four: e ** (1 - 4 / 3)
    assert _bleu("a b c", "a b c d", "a b c d e f")[0] == pytest.approx(math.exp(1 - 4 / 3))
    # as far from five as from three: the shorter counts, and nothing is taken off
    assert _bleu("a b c d", "a b c", "a b c d e")[0] == pytest.approx(1)


def test_the_corpus_counts_over_all_videos() -> None:
    pairs = pair_up({"x": "a b", "y": "c d e f"}, {"x": ["a z"], "y": ["c d e f"]})
    one = bleu(pairs)[0]
    assert one.corpus == pytest.approx(5 / 6)  # not the mean of 1/2 and 1
    assert one.by_id == pytest.approx({"x": 1 / 2, "y": 1})


def test_order_matters_beyond_single_words() -> None:
    reference = "a man gives a dog some food"
    before, after = _bleu(reference, reference), _bleu("food some dog a gives man a", reference)
    assert after[0] == pytest.approx(before[0])
    assert after[1] < before[1]
    assert _rouge("food some dog a gives man a", reference) < 1


def test_without_a_match_of_n_words_bleu_n_is_tiny_but_not_zero() -> None:
    """pycocoevalcap's constants: (0 + 1e-15) / (1 + 1e-9) for the one run of two words."""
    assert _bleu("a b", "a c")[1] == pytest.approx(math.sqrt(0.5 * 1e-15), rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(prediction=SENTENCE, references=st.lists(SENTENCE, min_size=1, max_size=4), more=SENTENCE)
def test_another_reference_never_takes_matches_away(
    prediction: list[str], references: list[list[str]], more: list[str]
) -> None:
    texts = [" ".join(one) for one in references]
    before, after = (
        count_ngrams(pair_up({"v": " ".join(prediction)}, {"v": given}))
        for given in (texts, [*texts, " ".join(more)])
    )
    for one, other in zip(before.runs, after.runs, strict=True):
        assert clipped_matches(before, one) <= clipped_matches(after, other)


@settings(max_examples=60, deadline=None)
@given(prediction=SENTENCE, references=st.lists(SENTENCE, min_size=1, max_size=4), more=SENTENCE)
def test_rouge_only_grows_with_references_and_ignores_their_order(
    prediction: list[str], references: list[list[str]], more: list[str]
) -> None:
    texts = [" ".join(one) for one in references]
    text = " ".join(prediction)
    found = _rouge(text, *texts)
    assert 0 <= found <= 1 + 1e-12
    assert _rouge(text, *texts, " ".join(more)) >= found - 1e-12
    assert _rouge(text, *reversed(texts)) == found


@settings(max_examples=200, deadline=None)
@given(one=st.lists(WORDS, max_size=80), other=st.lists(WORDS, max_size=80))
def test_the_longest_common_subsequence_is_that_of_the_table(
    one: list[str], other: list[str]
) -> None:
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    for i, word in enumerate(one, start=1):
        for j, theirs in enumerate(other, start=1):
            longer = table[i - 1, j - 1] + 1
            table[i, j] = longer if word == theirs else max(table[i - 1, j], table[i, j - 1])
    assert longest_common_subsequence(one, other) == table[-1, -1]


def test_rouge_by_hand() -> None:
    # "police killed the gunman" of Lin (2004): two and three words in order
    reference = "police killed the gunman"
    for prediction, common in (("police kill the gunman", 3), ("the gunman kill police", 2)):
        share = common / 4  # precision and recall are alike, and so is their F
        assert _rouge(prediction, reference) == pytest.approx(share)
    precision, recall, weight = 3 / 3, 3 / 5, 1.2**2
    expected = (1 + weight) * precision * recall / (recall + weight * precision)
    assert _rouge("a b c", "a x b y c") == pytest.approx(expected)


def test_rouge_takes_precision_and_recall_from_different_references() -> None:
    # all of the prediction stands in the long one, all of the short one in the prediction
    assert _rouge("a b c", "a b c d e f", "a b") == pytest.approx(1)


def test_a_token_with_a_blank_is_one_word_for_rouge_and_two_for_bleu() -> None:
    pairs = pair_up({"v": "1 1/2 cups"}, {"v": ["1 1/2 cups"]})
    assert pairs.predictions == [["1\xa01/2", "cups"]]
    assert count_ngrams(pairs).length.tolist() == [3, 3]
