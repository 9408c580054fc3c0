"""The language model as a judge: what it is asked, and what is made of its replies."""

from __future__ import annotations

import math

import pytest

from scenewise.errors import ModelError
from scenewise.metrics.judge import (
    ASPECTS,
    JudgedItem,
    judge_answers,
    judge_prompt,
    read_score,
)

ITEM = JudgedItem("q1", "What falls?", "a red cup", "a cup", "What drops?", "a glass")


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ('{"score": 4}', 4),
        ("{'score': 0}", 0),
        ('{"score": "3"}', 3),
        ("{'score': 4.8}", 4),
        ("```json\n{'score': 5}\n```", 5),
        ('Sure! {"score": 2}. It lacks the colour.', 2),
        ('{"pred": "yes", "score": 3}', 3),
        ("4", 4),
        (" 2 \n", 2),
        ('{"score": 1} or {"score": 1}', 1),
    ],
)
def test_replies_with_a_score(reply: str, score: int) -> None:
    assert read_score(reply) == score


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("", "no score"),
        ("I cannot see the video.", "no score"),
        ("a score of 4 of 5", "no score"),
        ('{"rating": 4}', "no score"),
        ('{"score": true}', "no score"),
        ('{"score": null}', "no score"),
        ('{"score": "high"}', "no score"),
        ('{"score": NaN}', "no score"),
        ('{"score": __import__("os")}', "no score"),
        ('{"score": 6}', "outside 0 to 5"),
        ('{"score": -1}', "outside 0 to 5"),
        ('{"score": 1} no, {"score": 4}', "several scores"),
        ("x" * 500, "x…"),
    ],
)
def test_replies_without_one(reply: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_score(reply)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_prompt_has_all_that_is_judged_and_the_shape_of_the_reply(aspect: str) -> None:
    prompt = judge_prompt(aspect, ITEM)
    assert ASPECTS[aspect][0] in prompt
    assert '{"score": N}' in prompt
    for text in (ITEM.question, ITEM.truth, ITEM.answer):
        assert f">{text}<" in prompt
    pair = aspect == "consistency"
    assert (ITEM.second_question in prompt) == (ITEM.second_answer in prompt) == pair


def test_the_aspects_are_the_five_published_ones() -> None:
    assert [name for name, _ in ASPECTS.values()] == [
        "correctness of information",
        "detail orientation",
        "contextual understanding",
        "temporal understanding",
        "consistency",
    ]
    with pytest.raises(ValueError, match="no aspect 'style'; allowed: correctness"):
        judge_prompt("style", ITEM)


def items(count: int) -> list[JudgedItem]:
    return [JudgedItem(f"q{n}", "What?", "that", str(n)) for n in range(count)]


def test_what_has_no_score_is_named_and_not_in_the_mean() -> None:
    replies = iter(['{"score": 5}', "no idea", '{"score": 2}'])
    figures = judge_answers(items(3), "correctness", lambda prompt: next(replies))
    assert figures.mean == 3.5
    assert figures.scores == {"q0": 5, "q2": 2}
    assert list(figures.failures) == ["q1"]
    shape = figures.to_dict()
    assert (shape["scored"], shape["failed"]) == (2, 1)


def test_a_judge_that_fails_now_and_then_goes_on_and_one_that_is_gone_ends_it() -> None:
    def every_third(prompt: str) -> str:
        if not any(f">{n}<" in prompt for n in (0, 3, 6)):
            raise ModelError("out of memory.")
        return '{"score": 1}'

    figures = judge_answers(items(7), "detail", every_third)
    assert len(figures.failures) == 4
    assert "no reply: out of memory." in figures.failures["q1"]

    def gone(prompt: str) -> str:
        raise ModelError("cannot be reached.")

    with pytest.raises(ModelError, match="cannot be reached"):
        judge_answers(items(7), "detail", gone)


def test_no_score_at_all_has_no_mean() -> None:
    figures = judge_answers(items(2), "context", lambda prompt: "?")
    assert math.isnan(figures.mean)
    assert figures.to_dict()["mean"] is None
