"""``scenewise ask``, ``caption``, ``annotate`` on films of colours: output, files, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chat_server import chat_server, fails, says
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.cli.main import main
from scenewise.library.core import LibraryCore


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every library of this module is one of colours, and no proxy stands before the loopback."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_colours(tmp_path / "film.mp4", [("green", 3.0), ("red", 3.0), ("blue", 3.0)])


# ---- ask


def test_an_answer_stands_before_its_moments(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", "film.mp4", "Is there a red one?"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Yes: at 00:03.0-00:06.0. [1.00]"
    assert lines[1:] == ["#1 [1.00] film.mp4 00:03.0-00:06.0", "    concept: red"]
    assert not Path("library").exists()


def test_cannot_tell_is_no_error(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "film.mp4", "How many red ones are there?"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == "cannot tell"
    assert "does not count" in shown.err
    assert main(["ask", "film.mp4", "Why is it red?", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert (shape["text"], shape["confidence"]) == (None, 0.0)
    assert shape["question"] == "Why is it red?"


def test_choices_are_shown_with_their_probabilities(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["ask", "film.mp4", "What comes after the red one?", "--choices", "cyan, blue,green"]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("blue [")
    assert [line.split()[1] for line in lines[1:4]] == ["blue", "cyan", "green"]


def test_the_key_reaches_the_endpoint_and_no_output(
    film: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENEWISE_MODEL_KEY", "sk-secret")
    asked = ["ask", "film.mp4", "Why is it red?", "--model", "seer", "--json", "-v"]
    with chat_server(says("Because.\x1b[31m")) as server:
        assert main([*asked, "--model-url", server.url]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["source"] == "seer"
    assert server.asked[0].headers["Authorization"] == "Bearer sk-secret"
    with chat_server(fails(401, "sk-secret is wrong")) as server:
        assert main([*asked, "--model-url", server.url]) == 1
    failed = capsys.readouterr()
    assert failed.out == ""
    assert "the key was refused" in failed.err
    assert "sk-secret" not in shown.out + shown.err + failed.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["film.mp4", ""], 2, "the question '' holds no words"),
        (["film.mp4", "Is", "it", "red?"], 2, "put quotes around the question"),
        (["nothing.mp4", "Is it red?"], 2, "neither a file nor a video"),
        (["Is it red?"], 1, "there is no library"),
        (["film.mp4", "What is it?", "--choices", "red"], 2, "one choice"),
        (["film.mp4", "What is it?", "--choices", "red,,blue"], 2, "is empty"),
        (["film.mp4", "Is it red?", "--model", "seer"], 2, "needs an endpoint"),
        (["film.mp4", "Is it red?", "--model", "x", "--model-url", "here"], 2, "not an address"),
        (["film.mp4", "Is it red?", "--model-url", "http://[::1]/v1"], 2, "give both"),
    ],
)
def test_odd_questions_end_in_one_sentence(
    film: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    assert main(["ask", *arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert len(shown.err.splitlines()) == 1


# ---- caption


def test_captions_are_printed_with_their_times(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["caption", "film.mp4", "--dense", "-o", "shots.vtt"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1] == "00:03.0-00:06.0 A red; still"
    assert "wrote shots.vtt" in shown.err
    assert "00:00:03.000 --> 00:00:06.000\nA red; still" in Path("shots.vtt").read_text()
    assert main(["caption", "film.mp4", "--json", "--no-motion"]) == 0
    shape = json.loads(capsys.readouterr().out)
    (caption,) = shape["captions"]
    assert (shape["path"], shape["duration"]) == ("film.mp4", 9.0)
    assert len(shape["video_id"]) == 16
    assert caption["text"] == "A green, then a red, then a blue"


def test_a_file_that_will_be_read_as_subtitles_is_named(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["caption", "film.mp4", "-o", "film.en.srt"]) == 0
    assert "read as its subtitles" in capsys.readouterr().err


def test_a_file_of_captions_is_not_overwritten(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("film.srt").write_text("mine")
    assert main(["caption", "film.mp4", "-o", "film.srt"]) == 2
    assert "film.srt exists" in capsys.readouterr().err
    assert Path("film.srt").read_text() == "mine"
    assert main(["caption", "film.mp4", "-o", "film.srt", "--yes"]) == 0
    assert Path("film.srt").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["film.mp4", "-o", "film.txt"], 2, "are written as"),
        (["film.mp4", "-o", "film.mp4/film.srt"], 1, "cannot be written"),
        (["nothing.mp4"], 2, "neither a file nor a video"),
        (["film.mp4", "--model", "seer"], 2, "needs an endpoint"),
    ],
)
def test_odd_captions_end_in_one_sentence(
    film: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    assert main(["caption", *arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert len(shown.err.splitlines()) == 1
