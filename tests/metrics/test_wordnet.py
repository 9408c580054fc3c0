"""WUPS: the paper's own similarities, nltk's, and the formula by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scenewise.errors import MetricError, MissingExtraError
from scenewise.metrics.wordnet import DEBIAN, WordNet, open_wordnet, wups


@pytest.fixture(scope="module")
def words() -> WordNet:
    pytest.importorskip("nltk", reason="nltk is not installed: WUPS was not tested")
    if not DEBIAN.is_dir():
        pytest.skip("Debian's wordnet-base is not installed: WUPS was not tested")
    return open_wordnet()


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [("curtain", "blinds", 0.94), ("carton", "box", 0.94), ("stove", "fire extinguisher", 0.82)],
)
def test_the_examples_of_the_paper(words: WordNet, one: str, other: str, similarity: float) -> None:
    """Malinowski and Fritz, 2014, to two digits."""
    assert round(words.similarity(one, other), 2) == similarity
    assert words.similarity(one, other) == pytest.approx(words.similarity(other, one))


@pytest.mark.parametrize(("one", "other"), [("dog", "cat"), ("table", "lamp"), ("car", "man")])
def test_it_is_the_best_pair_of_senses_by_nltks_own_similarity(
    words: WordNet, one: str, other: str
) -> None:
    best = max(a.wup_similarity(b) for a in words.senses(one) for b in words.senses(other))
    assert words.similarity(one, other) == best < 1


def test_synonyms_and_plurals_are_the_same_and_unknown_words_are_nothing(words: WordNet) -> None:
    assert words.similarity("washing machine", "washer") == 1
    assert words.similarity("dogs", "dog") == 1
    assert words.similarity("qwzx", "dog") == words.similarity("", "dog") == 0
    assert words.similarity("qwzx", "qwzx") == 1  # equal is equal, known or not


# the formula, with similarities that are known
NEAR = {("cat", "dog"): 0.85, ("cat", "lynx"): 0.95}


def near(one: str, other: str) -> float:
    return 1.0 if one == other else NEAR.get((one, other), NEAR.get((other, one), 0.0))


@pytest.mark.parametrize(
    ("answer", "truth", "threshold", "score"),
    [
        ("cat", "cat", 0.9, 1),
        ("cat", "dog", 0.0, 0.85),
        ("cat", "dog", 0.9, 0.085),  # below the threshold: a tenth
        ("lynx", "cat", 0.9, 0.95),
        ("cat,dog", "dog, cat", 0.9, 1),  # sets have no order
        ("cat, dog", "cat", 0.0, 0.85),  # one item too many
        ("cat", "cat, dog", 0.0, 0.85),  # one too few
        ("cat, chair", "cat", 0.0, 0),
        ("", "cat", 0.0, 0),
    ],
)
def test_wups_by_hand(answer: str, truth: str, threshold: float, score: float) -> None:
    assert wups(answer, truth, threshold, near) == pytest.approx(score)
    assert wups(truth, answer, threshold, near) == pytest.approx(score)


def test_a_higher_threshold_never_gives_more() -> None:
    for answer in ("cat", "dog", "lynx, dog"):
        scores = [wups(answer, "cat, dog", threshold, near) for threshold in (0, 0.5, 0.9, 1)]
        assert scores == sorted(scores, reverse=True)


def test_without_the_database_one_sentence_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MetricError, match=f"no WordNet in {tmp_path}; install it"):
        open_wordnet(tmp_path)
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path / "elsewhere"))
    with pytest.raises(MetricError, match="elsewhere"):
        open_wordnet()


def test_without_nltk_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("index.noun", "data.noun", "noun.exc", "index.verb", "data.verb"):
        (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, "nltk.data", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"scenewise\[metrics\]\""):
        open_wordnet(tmp_path)
