"""``scenewise detect`` on films of coloured squares: output, pictures, and what it refuses."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_encoder import load_colours

from scenewise.cli.main import main
from scenewise.library import Library
from scenewise.library.core import LibraryCore
from scenewise.media.film import FilmSettings, write_film


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every library of this module is one of colours."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A red square comes from the left and moves on for three seconds."""
    path = tmp_path / "film.mp4"
    pictures = []
    for number in range(30):
        shown = np.zeros((180, 320, 3), np.uint8)
        shown[60:100, max(0, 6 * number - 40) : 6 * number] = (255, 0, 0)
        pictures.append(shown)
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(10), quality=12))
    return path


def test_a_file_needs_no_library(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "film.mp4"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("#1 moving thing 00:00.")
    assert "still things are not found" in said.err
    assert not Path("library").exists()


def test_json_pictures_and_a_sheet(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--labels", "red, blue", "--pictures", "pictures", "--contact-sheet", "sheet.png"]
    assert main(["detect", "film.mp4", "--json", *wanted]) == 0
    said = capsys.readouterr()
    shape = json.loads(said.out)
    assert (shape["labels"], shape["source"]) == (["red", "blue"], "motion")
    assert len(shape["video_id"]) == 16
    (track,) = shape["tracks"]
    assert track["label"] == "red"
    assert [path.name for path in Path("pictures").iterdir()] == ["0001.jpg"]
    assert Path("sheet.png").stat().st_size > 0
    assert "wrote 1 picture to pictures" in said.err
    assert main(["detect", "film.mp4", *wanted]) == 2  # what is there is not overwritten
    assert "sheet.png exists" in capsys.readouterr().err
    assert main(["detect", "film.mp4", "--pictures", "pictures"]) == 2
    assert "pictures holds files already" in capsys.readouterr().err
    assert main(["detect", "film.mp4", *wanted, "--yes", "-q"]) == 0


def test_what_fits_no_label_is_said(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "film.mp4", "--labels", "blue", "--contact-sheet", "s.png"]) == 0
    said = capsys.readouterr()
    assert said.out == "nothing found\n"
    assert "1 moving thing fit none of the labels" in said.err
    assert "no pictures were written" in said.err
    assert not Path("s.png").exists()


def test_a_video_of_the_library_by_its_name(film: Path) -> None:
    with Library.open(encoder="colours") as library:
        library.index([film], workers=1)
        (video,) = library.videos()
        found = library.detect("film.mp4", ["red", "blue"])
        assert found.video_id == video.video_id
        assert library.detect(str(video.video_id)[:6], "red,blue").tracks == found.tracks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.mp4"], "gone.mp4 is neither a file nor a video"),
        (["film.mp4", "--labels", " , "], "the labels are empty"),
        (["film.mp4", "--labels", "red,red"], "the label 'red' is there twice"),
        (["film.mp4", "--labels", "something else"], "is what the others are held against"),
        (["film.mp4", "--fps", "0"], "--fps"),
        (["film.mp4", "--min-probability", "2"], "--min-probability"),
        (["film.mp4", "--model", "nowhere"], "neither a folder nor a hub name"),
        (["film.mp4", "--contact-sheet", "a.txt"], "a sheet is written as"),
    ],
)
def test_bad_input_is_one_sentence(
    film: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", *arguments, "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_broken_file_and_ctrl_c(
    film: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.mp4").write_bytes(b"no film")
    assert main(["detect", "broken.mp4"]) == 1
    assert "broken.mp4" in capsys.readouterr().err

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scenewise.tasks.detect.detect_moving", interrupted)
    assert main(["detect", "film.mp4"]) == 130
    assert capsys.readouterr().out == ""


def test_a_detector_on_disk(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A random YOLOS in Hugging Face layout, from the command line: its boxes mean nothing."""
    import torch
    import transformers as hf

    torch.manual_seed(0)
    network = hf.YolosForObjectDetection(
        hf.YolosConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            image_size=[64, 96], patch_size=16, num_detection_tokens=4,
            id2label={0: "person", 1: "car"}, label2id={"person": 0, "car": 1},
        )
    )  # fmt: skip
    network.save_pretrained("model")
    hf.YolosImageProcessorPil(size={"shortest_edge": 48, "longest_edge": 96}).save_pretrained(
        "model"
    )
    wanted = ["detect", "film.mp4", "--model", "model", "--labels", "Person"]
    assert main([*wanted, "--min-probability", "0.1", "--fps", "1", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert (shape["source"], shape["labels"]) == ("detector", ["person"])
    for track in shape["tracks"]:
        assert track["label"] == "person"
        assert all(0.1 <= box["probability"] <= 1 for box in track["boxes"])
    assert main(["detect", "film.mp4", "--model", "model", "--labels", "persom"]) == 2
    assert "the nearest of its 2 are: person" in capsys.readouterr().err
