"""``scenewise annotate`` on films of colours: what is printed, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.cli.main import main
from scenewise.library.core import LibraryCore


@pytest.fixture(autouse=True)
def films(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of one film; every library of this module is one of colours."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    monkeypatch.chdir(tmp_path)
    write_colours(tmp_path / "films" / "a.mp4", [("red", 2.0)])
    return tmp_path / "films"


def test_a_folder_is_annotated_and_then_up_to_date(
    films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate", "films", "--labels", "red,blue"]) == 0
    assert capsys.readouterr().out.startswith("annotated 1 video; table: ")
    assert main(["annotate", "films", "--labels", "red,blue", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert (shape["written"], shape["unchanged"]) == (0, 1)
    assert main(["annotate", "films", "--yes", "-q"]) == 0
    assert capsys.readouterr().out.startswith("annotated 1 video;")


def test_bad_files_are_listed_at_the_end(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (films / "bad.mp4").write_bytes(b"no video")
    assert main(["annotate", "films", "-o", "out"]) == 3
    shown = capsys.readouterr()
    assert "1 failed" in shown.out
    assert "bad.mp4" in shown.err.splitlines()[-1]
    assert Path("out/a.mp4.scenewise.json").exists()
    (films / "a.mp4").unlink()
    assert main(["annotate", "films"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "does not exist"),
        ([""], "an empty path"),
        (["films", "--model-url", "http://[::1]/v1"], "give both"),
        (["films", "--labels", "one"], "give two or more labels"),
        (["films", "--labels", "a,b", "--label-set", "ucf101"], "not both"),
        (["films", "-o", "films/a.mp4"], "is a file"),
        (["films", "--model", "seer"], "needs an endpoint"),
    ],
)
def test_odd_wishes_end_in_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["annotate", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert len(shown.err.splitlines()) == 1
