"""``scenewise pairs`` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from colour_films import write_colours

from scenewise.cli.main import main
from scenewise.data.annotations.registry import read_annotations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_colours(tmp_path / "a red square.mp4", [("red", 1)])
    write_colours(tmp_path / "deep" / "0001.mp4", [("blue", 1)])
    return tmp_path


def test_pairs_are_written_beside_the_videos(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairs", str(folder)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"1 pair from 2 videos, 1 without a text: {folder}/pairs.jsonl\n"
    assert "2/2 videos" in shown.err
    assert len(read_annotations("jsonl", folder / "pairs.jsonl")) == 1


def test_a_file_that_is_there_is_not_overwritten_unasked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.jsonl").write_text("kept", "utf-8")
    command = ["pairs", str(folder), "-o", str(folder / "mine.jsonl"), "-q"]
    assert main(command) == 2
    assert "exists; choose another name, or --yes" in capsys.readouterr().err
    assert (folder / "mine.jsonl").read_text("utf-8") == "kept"
    assert main([*command, "--yes"]) == 0
    assert "a red square" in (folder / "mine.jsonl").read_text("utf-8")


def test_a_broken_file_is_named_and_the_rest_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.mp4").write_bytes(b"no film")
    assert main(["pairs", str(folder), "--json", "-q"]) == 3
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert (report["pairs"], report["videos"], len(report["failed"])) == (1, 3, 1)
    assert "failed: " in shown.err
    assert "broken.mp4: not readable as a video" in shown.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--min-words", "0"], "'0' is not a whole number of at least 1"),
        (["--overlap", "1"], "'1' is not a number from 0 to 0.9"),
        (["--span-seconds", "no"], "'no' is not a number of at least 0.1"),
    ],
)
def test_an_option_that_is_not_allowed_is_told(
    folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairs", str(folder), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_texts_or_that_is_none_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairs", str(folder / "deep")]) == 1
    assert "0 pairs from 1 video, 1 without a text: nothing written" in capsys.readouterr().out
    assert main(["pairs", str(folder / "gone")]) == 2
    assert "is no folder" in capsys.readouterr().err
