"""classify, train-classifier, teach and classifiers, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.cli import options
from scenewise.cli.main import main
from scenewise.library import Library

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for label, colour in (("hot", "red"), ("cold", "blue")):
        for number in range(3):
            write_colours(folder / label / f"{label}{number}.mp4", [(colour, 1.0 + number / 2)])
    write_colours(folder / "both.mp4", [("red", 4.0), ("blue", 4.0)])
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Commands on a library of the colour encoder."""
    directory = tmp_path / "library"

    def opened(settings: Any, *, encoder: str | None = None, create: bool = False) -> Library:
        return Library.open(
            directory, encoder="colours", create=create, settings=settings, load=load_colours
        )

    for module in ("labelling", "training", "searching"):
        monkeypatch.setattr(f"scenewise.cli.{module}.open_library", opened)
    monkeypatch.setattr(
        "scenewise.cli.labelling.open_for_video",
        lambda settings, encoder: opened(settings, encoder=encoder, create=True),
    )
    assert options.open_library is not opened

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = main([*map(str, words), "--library", str(directory)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_one_label_is_no_choice(run: Run, films: Path) -> None:
    code, out, err = run("classify", films / "both.mp4", "--labels", "dog")
    assert (code, out) == (2, "")
    assert "the label 'dog' alone leaves nothing to choose from; give two or more labels" in err
    assert "label set" in err


@pytest.mark.parametrize("option", ["--then", "--not"])
def test_an_empty_text_names_its_option(run: Run, option: str) -> None:
    code, out, err = run("search", "red", option, " ")
    assert (code, out) == (2, "")
    assert f"{option} '' holds no words" in err


def test_labels_of_one_and_of_several_videos(run: Run, films: Path) -> None:
    code, out, _ = run("classify", films / "both.mp4", "--labels", "red,blue", "--over-time")
    assert code == 0
    assert "00:00.0-00:04.0" in out
    assert out.splitlines()[0].endswith("both.mp4")
    code, out, _ = run("classify", films / "both.mp4", "--labels", "red,blue", "--json")
    assert {label["name"] for label in json.loads(out)["labels"]} == {"red", "blue"}
    several = (films / "hot" / "hot0.mp4", films / "broken.mp4", films / "cold" / "cold0.mp4")
    code, out, err = run("classify", *several, "--labels", "red,blue", "--jsonl")
    assert code == 3
    assert [json.loads(line)["labels"][0]["name"] for line in out.splitlines()] == ["red", "blue"]
    assert "broken.mp4" in err
    code, out, _ = run("classify", *several, "--labels", "red,blue", "--json")
    assert code == 3
    assert [len(json.loads(out)[key]) for key in ("videos", "failed")] == [2, 1]
    assert run("classify", films / "broken.mp4", "--labels", "red,blue")[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        ["both.mp4"],
        ["both.mp4", "--labels", "red"],
        ["both.mp4", "--labels", "red,blue", "--label-set", "ucf101"],
        ["both.mp4", "--label-set", "nothing"],
        ["both.mp4", "--classifier", "nothing"],
        ["nowhere.mp4", "--labels", "red,blue"],
        ["both.mp4", "--labels", "red,blue", "--top-k", "0"],
    ],
)
def test_odd_words_end_with_two_and_one_sentence(run: Run, films: Path, words: list[str]) -> None:
    code, out, err = run("classify", films / words[0], *words[1:])
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_training_reports_draws_and_keeps(run: Run, films: Path, tmp_path: Path) -> None:
    picture = tmp_path / "confusion.png"
    source = films.parent / "training"
    if not source.exists():
        source.mkdir()
        for label in ("hot", "cold"):
            (source / label).symlink_to(films / label)
    code, out, _ = run("train-classifier", "heat", source, "--confusion", picture)
    assert code == 0
    assert "heat: logistic on 6 examples of 6 videos, judged in 3 folds" in out
    assert "label\tprecision\trecall\tF1\tsupport\n" in out
    assert "hot\t1.00\t1.00\t1.00\t3" in out
    assert picture.stat().st_size > 500
    code, _, err = run("train-classifier", "heat", source)
    assert code == 2
    assert "--yes" in err
    knn = ("--head", "knn", "--neighbours", "1", "--yes", "--json")
    code, out, err = run("train-classifier", "heat", source, *knn)
    assert code == 0
    assert json.loads(out)["figures"]["accuracy"] == 1
    assert run("train-classifier", "x", source, "--confusion", picture)[0] == 2
    assert run("train-classifier", "x", source, "--confusion", tmp_path / "x.gif")[0] == 2
    assert run("train-classifier", "x", tmp_path / "gone")[0] == 2
    assert run("train-classifier", "a/b", source)[0] == 2
    assert run("train-classifier", "x", source, "--regression")[0] == 2
    code, out, _ = run("classify", films / "hot" / "hot1.mp4", "--classifier", "heat")
    assert "hot" in out.splitlines()[1]
    code, out, _ = run("classifiers", "list")
    assert out == "heat\tknn\tcold, hot\tcolours\n"
    code, out, _ = run("classifiers", "show", "heat")
    assert "accuracy: 1" in out
    assert run("classifiers", "remove", "heat")[0] == 2  # nobody can be asked
    assert run("classifiers", "remove", "heat", "--yes")[0] == 0
    assert run("classifiers", "show", "heat")[0] == 2


def test_hits_of_the_last_search_teach(run: Run, films: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as library:
        library.index([films / "both.mp4", films / "hot", films / "cold"], workers=1)
    assert run("search", "red", "-k", "8")[0] == 0
    code, out, _ = run("teach", "stop", "--good", "1-2", "--bad", "both.mp4@5-7")
    assert code == 0
    assert out.startswith("stop: 2 good, 1 bad, ")
    code, out, _ = run("classifiers", "show", "stop", "--json")
    assert len(json.loads(out)["recipe"]["moments"]) == 3
    code, out, _ = run("classify", "both.mp4", "--classifier", "stop", "--over-time", "--json")
    assert [span["label"] for span in json.loads(out)["segments"]] == ["stop", "not stop"]
    assert "ranks of the last search" in run("teach", "other", "--good", "foo")[2]
    for odd in (["--good", "99"], ["--good", "3-1"], ["--good", "none.mp4@1-2"], []):
        code, out, err = run("teach", "other", *odd)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
    assert run("teach", "stop", "--remake")[0] == 0
