"""``scenewise locate`` on films of colours: output, files it writes, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from colour_encoder import load_colours
from colour_films import write_colours
from PIL import Image

from scenewise.cli.main import main
from scenewise.library import Library
from scenewise.library.core import LibraryCore


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every library of this module is one of colours."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    monkeypatch.chdir(tmp_path)


def kind(path: str) -> str | None:
    """The format of a picture file."""
    with Image.open(path) as picture:
        return picture.format


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_colours(tmp_path / "film.mp4", [("green", 3.0), ("red", 3.0), ("blue", 3.0)])


def test_a_file_needs_no_library(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["locate", "film.mp4", "red"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "#1 [1.00] film.mp4 00:03.0-00:06.0"
    assert not Path("library").exists()


def test_json_and_heat_and_clips(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--heat", "out/heat.json", "--heat", "out/heat.png", "--save-clips", "clips"]
    assert main(["locate", "film.mp4", "a", "red", "one", "--json", *wanted]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert (shape["sentence"], shape["found"]) == ("a red one", True)
    (hit,) = shape["hits"]
    assert (hit["start"], hit["end"]) == (3.0, 6.0)
    heat = json.loads(Path("out/heat.json").read_text("utf-8"))
    assert heat["hits"] == shape["hits"]
    assert next(row["start"] for row in heat["heat"] if row["level"] == 1.0) >= 3.0
    assert kind("out/heat.png") == "PNG"
    assert len(list(Path("clips").glob("*.mp4"))) == 1


def test_the_last_locate_can_be_cut(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Library.open(create=True) as library:
        library.index(film, workers=1)
    assert main(["locate", "film.mp4", "blue"]) == 0
    assert main(["cut", "--last", "1", "-o", "clips"]) == 0
    assert len(list(Path("clips").glob("*.mp4"))) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["locate", "film.mp4", "red"],
        ["classify", "film.mp4", "--labels", "red,blue"],
        ["summarize", "film.mp4"],
    ],
    ids=lambda words: words[0],
)
def test_another_encoder_looks_without_the_library(
    film: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with Library.open(create=True) as library:
        library.index(film, workers=1)
    assert main([*words, "--encoder", "colour-clips", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["encoder"] == "colour-clips"
    assert sorted(path.name for path in Path().iterdir()) == ["film.mp4", "library"]


VERBS = [
    ["locate", "film.mp4", "red"],
    ["classify", "film.mp4", "--labels", "red,blue"],
    ["summarize", "film.mp4"],
    ["caption", "film.mp4"],
    ["detect", "film.mp4"],
    ["ask", "film.mp4", "Is there a red one?"],
]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_what_of_a_file_cannot_be_read_is_noted(
    film: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    whole = film.read_bytes()
    middle = whole.index(b"mdat") + (len(whole) - whole.index(b"mdat")) // 3
    film.write_bytes(whole[:middle] + b"\xff" * 400 + whole[middle + 400 :])
    # verbs look at frames of their own, so how many are replaced is not the same for all
    said = re.compile("could not be decoded|replaced by the last good one")
    assert main([*words, "--json"]) == 0
    assert said.search(" ".join(json.loads(capsys.readouterr().out)["notes"]))
    assert main(words) == 0
    assert said.search(capsys.readouterr().err)


@pytest.mark.parametrize(
    "words", [one for one in VERBS if one[0] != "ask"], ids=lambda words: words[0]
)
def test_a_file_outside_the_library_has_the_id_of_its_content(
    film: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main([*words, "--json"]) == 0
    outside = json.loads(capsys.readouterr().out)["video_id"]
    with Library.open(create=True) as library:
        library.index(film, workers=1)
        (video,) = library.videos()
    assert outside == video.video_id
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["video_id"] == outside


def test_the_nearest_moments_are_not_cut(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["locate", "film.mp4", "cyan", "--save-clips", "clips", "--heat", "h.png"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("nothing found; nearest:")
    assert "no clips were written" in shown.err
    assert not Path("clips").exists()
    assert Path("h.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing.mp4", "red"], 2, "nothing.mp4"),
        (["film.mp4", "  "], 2, "holds no words"),
        (["film.mp4"], 2, "SENTENCE"),
        (["film.mp4", "red", "-k", "0"], 2, "whole number"),
        (["film.mp4", "red", "--heat", "curve.jpg"], 2, ".json or .png"),
        (["film.mp4", "red", "--heat", "film.mp4"], 2, ".json or .png"),
        (["text.mp4", "red"], 1, "text.mp4"),
        ([".", "red"], 2, ". is a folder"),
    ],
)
def test_what_is_refused(
    film: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    Path("text.mp4").write_text("this is no film")
    assert main(["locate", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_a_curve_is_overwritten_only_when_told(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("heat.png").write_text("mine")
    assert main(["locate", "film.mp4", "red", "--heat", "heat.png"]) == 2
    assert Path("heat.png").read_text() == "mine"
    assert main(["locate", "film.mp4", "red", "--heat", "heat.png", "--yes"]) == 0
    assert kind("heat.png") == "PNG"
