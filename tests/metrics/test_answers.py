"""Free answers: exact match, and VQA's accuracy and normalisation, as tables of facts."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.metrics.answers import (
    Share,
    exact_match,
    joined_share,
    normalise_answer,
    normalised_match,
    shares_by_kind,
    vqa_accuracy,
)
from scenewise.metrics.evaluation.questions import evaluate_questions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Cat", "cat"),
        ("a dog and an apple", "dog and apple"),
        ("two", "2"),
        ("None", "0"),
        ("dont know", "don't know"),
        ("couldnt've", "couldn't've"),
        ("its", "its"),  # a word of its own
        ("red/blue", "red blue"),
        ("red / blue", "red blue"),
        ("yes!", "yes"),
        ("well-known", "well known"),
        ("1,000", "1000"),
        ("1,000-2", "10002"),  # a number with a comma: every sign vanishes
        ("3.5", "3.5"),
        ("U.S.A.", "usa"),
        ("at 5.", "at 5"),
        ("  on\tthe\nmat  ", "on mat"),
        ("somebody'd", "somebodyd"),  # the published list has it so
        ("", ""),
    ],
)
def test_answers_are_normalised_as_published(text: str, expected: str) -> None:
    assert normalise_answer(text) == expected


def slow_vqa(answer: str, given: list[str]) -> float:
    """By the words of the definition: each person left out once."""
    shares = []
    for left_out in range(len(given)):
        others = [text for place, text in enumerate(given) if place != left_out]
        shares.append(min(others.count(answer) / 3, 1))
    return sum(shares) / len(shares)


@given(st.lists(st.sampled_from(["cat", "dog", "bird"]), min_size=2, max_size=10))
def test_vqa_accuracy_is_the_mean_over_sets_without_one_person(given: list[str]) -> None:
    for answer in ("cat", "dog", "fish"):
        assert vqa_accuracy(answer, given) == pytest.approx(slow_vqa(answer, given))


@pytest.mark.parametrize(
    ("agreeing", "accuracy"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)]
)
def test_vqa_accuracy_of_ten_people(agreeing: int, accuracy: float) -> None:
    """The published steps: 0.3, 0.6, 0.9 and 1."""
    others = [f"other {number}" for number in range(10 - agreeing)]
    assert vqa_accuracy("yes", ["yes"] * agreeing + others) == pytest.approx(accuracy)


def test_answers_are_normalised_only_where_people_differ() -> None:
    assert vqa_accuracy("Yes.", ["yes"] * 10) == 0
    assert vqa_accuracy("Yes.", ["yes"] * 9 + ["no"]) == 1


def test_one_person_is_too_few() -> None:
    with pytest.raises(ValueError, match="out of several, got 1"):
        vqa_accuracy("yes", ["yes"])


def test_exact_is_letter_by_letter_and_normalised_is_not() -> None:
    assert exact_match("cat", ["dog", "cat"])
    assert not exact_match("Cat", ["cat"])
    assert normalised_match("The cat.", ["dog", "cat"])
    assert not normalised_match("a catfish", ["cat"])


def test_shares_by_kind_and_joined() -> None:
    shares = shares_by_kind([1.0, 0.0, 0.5], ["b", "a", "b"])
    assert shares == {"a": Share(0, 1), "b": Share(1.5, 2)}
    assert list(shares) == ["a", "b"]
    assert joined_share(shares, ["a", "b", "c"]) == Share(1.5, 3)
    assert math.isnan(joined_share(shares, ["c"]).share)
    assert Share(0, 0).to_dict()["accuracy"] is None
    with pytest.raises(ValueError, match="1 judgements for 2 kinds"):
        shares_by_kind([1.0], ["a", "b"])


def test_the_order_of_people_changes_nothing() -> None:
    given = ["two", "2", "Two!", "three"]
    assert len({vqa_accuracy("2", list(order)) for order in itertools.permutations(given)}) == 1


@pytest.mark.shared
def test_activitynetqas_example_has_the_published_accuracies(shared_dir: Path) -> None:
    """39.844 % of 18,000, and the kinds as its script prints them with four digits."""
    annotations = shared_dir / "annotations" / "activitynetqa"
    predictions = shared_dir / "metrics" / "activitynetqa" / "pred_val_example.json"
    for references in (["val_a.json"], ["val_q.json", "val_a.json"]):
        found = evaluate_questions(
            predictions, [annotations / name for name in references], allow_missing=False
        )
        assert found.count == 18_000
        assert round(100 * found.figures["exact_match"], 3) == 39.844
        kinds = {k: round(v["accuracy"], 4) for k, v in found.figures["by_kind"].items()}
        free = kinds.pop("free")
        assert kinds == {
            "motion": 0.1878,
            "spatial relationship": 0.2233,
            "temporal relationship": 0.0350,
            "yes/no": 0.7634,
            "color": 0.3367,
            "object": 0.2216,
            "location": 0.2875,
            "number": 0.6403,
            "other": 0.3580,
        }
        # of its printed 0.7583 for free questions the denominator is that of other kinds, in the
        # order of the file: counted here from the two files
        truth = {
            row["question_id"]: row for row in json.loads((annotations / "val_a.json").read_text())
        }
        rows = [
            row
            for row in json.loads(predictions.read_text())
            if truth[row["question_id"]]["type"] > 2
        ]
        right = sum(row["answer"] == truth[row["question_id"]]["answer"] for row in rows)
        assert free == round(right / len(rows), 4)
