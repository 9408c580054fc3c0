"""summarize through the library and the command line: what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from colour_encoder import load_colours
from colour_films import write_colours
from PIL import Image

from scenewise.cli.main import main
from scenewise.errors import UsageError
from scenewise.library import Library
from scenewise.media.decode import VideoReader
from scenewise.media.target import Target


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    scenes = [("red", 6.0), ("blue", 5.0), ("red", 5.0), ("green", 8.0)]
    return write_colours(folder / "film.mp4", scenes)


def test_a_reel_holds_each_colour_once(film: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library:
        summary = library.summarize(film, reel=tmp_path / "reel.mp4", seconds=6)
    assert [(one.start, one.end) for one in summary.chapters] == [
        (0, 6),
        (6, 11),
        (11, 16),
        (16, 24),
    ]
    assert summary.highlights is not None
    assert summary.highlights.seconds <= 6
    assert summary.reel == str(tmp_path / "reel.mp4")
    with VideoReader(tmp_path / "reel.mp4") as reader:
        assert reader.duration == pytest.approx(summary.highlights.seconds, abs=0.25)
        times = [0.2 + 0.5 * number for number in range(int(reader.duration / 0.5))]
        frames = [frame.image.mean(axis=(0, 1)) for frame in reader.read(times, Target(16, 16))]
    colours = [int(picture.argmax()) for picture in frames]  # red, green, blue
    runs = [
        colour for place, colour in enumerate(colours) if place == 0 or colours[place - 1] != colour
    ]
    assert sorted(runs) == [0, 1, 2]


def test_a_storyboard_has_a_frame_of_each_chapter_or_shot(film: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library:
        summary = library.summarize(film, chapters=2, storyboard=tmp_path / "two.png")
        library.summarize(film, chapters=2, storyboard=tmp_path / "four.png", per="shot")
    assert summary.highlights is None
    assert "highlights" not in summary.to_dict()
    with Image.open(tmp_path / "two.png") as two, Image.open(tmp_path / "four.png") as four:
        assert two.width * two.height < four.width * four.height


def test_a_question_is_kept_and_needs_words(film: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library:
        summary = library.summarize(film, query=" green ", seconds=2)
        assert summary.query == "green"
        assert summary.highlights is not None
        assert summary.highlights.spans[0].start >= 16
        odd: list[dict[str, Any]] = [
            {"query": "  "},
            {"per": "frame"},
            {"reel": tmp_path / "x.avi"},
            {"storyboard": tmp_path / "x.gif"},
            {"chapters": 0},
            {"seconds": -1},
        ]
        for wanted in odd:
            with pytest.raises(UsageError):
                library.summarize(film, **wanted)


def test_the_command_prints_writes_and_does_not_overwrite(
    film: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def opened(settings: Any, _encoder: str | None) -> Library:
        return Library.open(
            tmp_path / "none", encoder="colours", settings=settings, load=load_colours
        )

    monkeypatch.setattr("scenewise.cli.summarizing.open_for_video", opened)
    reel, board = tmp_path / "reel.mp4", tmp_path / "board.png"
    words = ["summarize", str(film), "--reel", str(reel), "--storyboard", str(board)]
    assert main([*words, "--seconds", "6"]) == 0
    captured = capsys.readouterr()
    assert "  00:00.0-00:06.0  " in captured.out
    assert "of the content" in captured.out
    assert captured.err.count("wrote") == 2
    assert main(words) == 2
    assert "--yes" in capsys.readouterr().err
    assert main([*words, "--yes", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert shape["reel"] == str(reel)
    assert len(shape["chapters"]) == 4
    assert main(["summarize", str(film), "--seconds", "0"]) == 2
    assert main(["summarize", str(tmp_path / "gone.mp4")]) == 2
