"""``scenewise evaluate``: what is printed, what is noted, what is refused, and who is the judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server, fails, says

from scenewise.cli.main import main


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Relative names, and no proxy before the loopback."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def write(name: str, shape: Any) -> str:
    Path(name).write_text(shape if isinstance(shape, str) else json.dumps(shape), "utf-8")
    return name


def run(*words: str, code: int = 0) -> None:
    assert main(["evaluate", *words]) == code


Read = Callable[[], Any]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Read:
    """Stdout as JSON."""
    return lambda: json.loads(capsys.readouterr().out)


def test_a_table_of_figures_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    files = write("p.json", {"1": 0, "2": 1, "9": 1}), write("r.json", {"1": 0, "2": 0})
    run(files[0], "--task", "choices", "--references", files[1])
    out, err = capsys.readouterr()
    assert out == "count\t2\naccuracy\t0.5000\n"
    assert err == "1 prediction (9) without reference, not counted\n"


def test_the_same_as_json(printed: Read) -> None:
    files = write("p.json", {"1": 0, "9": 1}), write("r.json", {"1": 0, "2": 0})
    run(files[0], "--task", "choices", "-r", files[1], "--allow-missing", "--json")
    assert printed() == {
        "task": "choices",
        "count": 2,
        "figures": {"accuracy": 0.5},
        "missing": ["2"],
        "superfluous": ["9"],
        "notes": [],
    }


def test_many_missing_are_counted_and_some_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    files = write("p.json", {"0": 1}), write("r.json", {str(n): 1 for n in range(8)})
    run(files[0], "--task", "choices", "-r", files[1], code=1)
    assert "7 of 8 references have no prediction: '1', '2'" in capsys.readouterr().err
    run(files[0], "--task", "choices", "-r", files[1], "--allow-missing")
    out, err = capsys.readouterr()
    assert "7 references (1, 2, 3, 4, 5, …) without prediction, counted as wrong" in err
    assert "accuracy\t0.1250" in out
    run(files[0], "--task", "choices", "-r", files[1], "--allow-missing", "-q")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["p.json", "--task", "speed"], 2, "speed"),
        (["p.json"], 2, "--task"),
        (["p.json", "--task", "labels"], 2, "labels need --references"),
        (["absent.json", "--task", "labels", "-r", "r.json"], 1, "absent.json cannot be read"),
        (["p.json", "--task", "labels", "-r", "absent.json"], 1, "absent.json cannot be read"),
        (["p.xml", "--task", "labels", "-r", "r.json"], 2, "ends in .xml"),
        (["broken.json", "--task", "labels", "-r", "r.json"], 1, "broken.json is no JSON"),
        (["empty.json", "--task", "labels", "-r", "r.json"], 1, "empty.json is empty"),
        (["p.json", "--task", "moments", "-r", "r.json"], 1, "the windows must be a list"),
        (["p.json", "--task", "labels", "-r", "r.json", "--wups"], 2, "--wups belongs to --task"),
        (["p.json", "--task", "labels", "--judge", "m"], 2, "--judge belongs to --task questions"),
        (["p.json", "--task", "questions", "-r", "r.json", "--judge", "m"], 2, "--model-url"),
        (["p.json", "--task", "questions", "-r", "r.json", "--aspects", "detail"], 2, "a judge"),
        (
            ["p.json", "--task", "questions", "-r", "r.json", "--aspects", "wit", "--judge", "m"],
            2,
            "'wit' is none; allowed: correctness",
        ),
        (["p.json", "--task", "questions", "--show-prompts"], 2, "--show-prompts needs"),
        (["", "--task", "labels"], 2, "an empty path"),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("p.json", {"1": "cat"})
    write("r.json", {"1": "cat"})
    write("p.xml", "<p/>")
    write("broken.json", '{"1": ')
    write("empty.json", "")
    run(*words, code=code)
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


QUESTIONS = [{"id": 1, "question": "What falls?", "answer": "a cup"}]


def test_a_judge_at_an_endpoint_gets_words_alone(printed: Read) -> None:
    files = write("p.json", {"1": "a glass"}), write("r.json", QUESTIONS)
    with chat_server(says("Well: {'score': 3}")) as server:
        judge = ("--judge", "any", "--model-url", server.url, "--aspects", "correctness")
        run(files[0], "--task", "questions", "-r", files[1], *judge, "--json")
        shape = printed()["figures"]["judge"]["correctness"]
        assert (shape["mean"], shape["scored"], shape["failed"]) == (3, 1, 0)
        (asked,) = server.asked
    assert asked.pictures == []
    assert asked.texts == [shape["prompt"]]
    assert "a glass" in shape["prompt"]


def test_a_judge_that_talks_is_no_score(capsys: pytest.CaptureFixture[str]) -> None:
    files = write("p.json", {"1": "a glass"}), write("r.json", QUESTIONS)
    with chat_server(says("I like it.")) as server:
        judge = ("--judge", "any", "--model-url", server.url, "--aspects", "detail")
        run(files[0], "--task", "questions", "-r", files[1], *judge, "--json")
        shape = json.loads(capsys.readouterr().out)["figures"]["judge"]["detail"]
        run(files[0], "--task", "questions", "-r", files[1], *judge)
    assert shape["failures"] == {"1": "no score in the reply 'I like it.'"}
    out, err = capsys.readouterr()
    assert "detail: the judge gave 1 answers no score, they are not in its mean: '1'" in err
    assert "judge detail mean\t-" in out
    assert "judge detail failed\t1" in out


def test_a_judge_that_is_gone_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    truth = [{**QUESTIONS[0], "id": n} for n in range(5)]
    files = write("p.json", {str(n): "x" for n in range(5)}), write("r.json", truth)
    with chat_server(fails(404, "no such model")) as server:
        judge = ("--judge", "any", "--model-url", server.url)
        run(files[0], "--task", "questions", "-r", files[1], *judge, code=1)
        assert len(server.asked) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "knows no model any" in err


def test_prompts_are_shown_without_asking(capsys: pytest.CaptureFixture[str]) -> None:
    files = write("p.json", {"1": "a glass"}), write("r.json", QUESTIONS)
    base = (files[0], "--task", "questions", "-r", files[1], "--show-prompts")
    run(*base)
    shown = capsys.readouterr().out
    assert shown.count("<given_answer>a glass</given_answer>") == 3
    run(*base, "--aspects", "temporal", "--json")
    (prompt,) = json.loads(capsys.readouterr().out)["prompts"]
    assert "temporal understanding" in prompt
