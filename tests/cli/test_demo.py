"""The demo: its films are real, its commands are typed in order, what is missing is said."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenewise.cli import demo
from scenewise.errors import MissingExtraError, StorageError
from scenewise.media.decode import VideoReader
from scenewise.media.shots import ShotDetector
from scenewise.media.subtitles import read_subtitles
from scenewise.media.target import Target

SHORT = demo.Film(
    "short.mp4",
    (
        demo.Scene("chelsea.png", 2.0, demo._WHOLE, demo._MIDDLE, "A cat."),
        demo.Scene("rocket.jpg", 1.6, demo._MIDDLE, demo._WHOLE),
        demo.Scene("china.jpg", 2.0, demo._LEFT, demo._RIGHT, "A temple."),
    ),
)


def test_the_films_are_six_of_ten_to_twenty_seconds() -> None:
    assert len(demo.FILMS) == 6
    assert all(10 <= film.seconds <= 20 for film in demo.FILMS)
    assert all(len(film.scenes) >= 2 for film in demo.FILMS)
    names = [film.name for film in demo.FILMS]
    assert len(set(names)) == 6
    # a title must not answer the queries: the pictures do
    words = {word for query in demo.QUERIES for word in query.split() if len(word) > 3}
    assert not any(word in name for word in words for name in names)


def test_every_photograph_lies_in_an_installed_package() -> None:
    found = demo.find_photographs()
    wanted = {scene.photograph for film in demo.FILMS for scene in film.scenes}
    assert set(found) == wanted
    for path in found.values():
        with Image.open(path) as picture:
            assert min(picture.size) > 100


def test_finding_them_imports_neither_package() -> None:
    code = (
        "import sys; from scenewise.cli.demo import find_photographs; find_photographs(); "
        "print(sorted({'skimage', 'sklearn', 'torch', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_a_film_shows_its_photographs_one_after_another(tmp_path: Path) -> None:
    path = demo.make_film(SHORT, tmp_path, demo.find_photographs())
    with VideoReader(path) as reader:
        video = reader.info.video
        assert video is not None
        assert (video.codec, video.width, video.height) == ("h264", 640, 360)
        assert video.frame_rate == Fraction(25)
        assert reader.duration == pytest.approx(SHORT.seconds, abs=0.001)
        detector, changes = ShotDetector(), []
        before = None
        for frame in reader.read(np.arange(0, 5.6, 0.1).tolist(), Target(96, 54)):
            detector.add(frame.time, frame.image)
            if before is not None:
                changes.append(float(np.abs(frame.image.astype(int) - before).mean()))
            before = frame.image.astype(int)
        cuts = [span.start for span in detector.finish(reader.duration)][1:]
    assert cuts == pytest.approx([2.0, 3.6], abs=0.1)
    assert min(changes) > 0.1  # the camera never stands still
    (track,) = read_subtitles(path)
    assert [(cue.start, cue.end, cue.text) for cue in track.cues] == [
        (0.0, 2.0, "A cat."),
        (3.6, 5.6, "A temple."),
    ]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["short.mp4", "short.srt"]


def test_films_that_are_there_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = demo.Film("second.mp4", (demo.Scene("coffee.png", 0.2, demo._LEFT, demo._RIGHT),))
    monkeypatch.setattr(demo, "FILMS", (second,))
    photographs = demo.find_photographs()
    assert [path.name for path in demo.make_films(tmp_path, photographs)] == ["second.mp4"]
    made = (tmp_path / "second.mp4").stat().st_mtime_ns
    assert demo.make_films(tmp_path, photographs) == []
    assert (tmp_path / "second.mp4").stat().st_mtime_ns == made


def test_commands_are_shown_as_they_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "FILMS", ())
    typed: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> int:
        typed.append(command)
        return 0

    assert demo.run_demo(tmp_path / "a demo", run=run) == 0
    assert [command[0] for command in typed] == ["index"] + ["search"] * 6 + ["cut"]
    assert [command[1] for command in typed[1:6]] == list(demo.QUERIES)
    library = str(tmp_path / "a demo" / "library")
    for command in typed:
        place = list(command).index("--library")
        assert command[place + 1] == library  # never the user's own
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$ ")]
    assert len(shown) == len(typed)
    assert shown[1].startswith("$ scenewise search 'a cat' ")
    assert "'" in shown[0]  # the space in the folder's name is quoted


def test_it_stops_where_a_command_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "FILMS", ())
    codes = itertools.chain([0, 1], itertools.repeat(0))
    assert demo.run_demo(tmp_path, run=lambda command: next(codes)) == 1
    assert "exit code 1" in capsys.readouterr().out


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "skimage" else find(name)
    )
    with pytest.raises(MissingExtraError, match=r'pip install "scenewise\[demo\]"'):
        demo.run_demo(tmp_path, run=lambda command: 0)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="--folder"):
        demo.run_demo(tmp_path / "file", run=lambda command: 0)


@pytest.mark.slow
def test_the_whole_demo_runs_and_finds_what_is_there(tmp_path: Path) -> None:
    """As a person starts it: prepares the encoder where needed, indexes, searches, cuts."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "scenewise", "demo", "--folder", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("$ scenewise search ")
    for answer, film in zip(
        answers[1:5],
        ("morning_at_home", "morning_at_home", "space_evening", "journey_to_china"),
        strict=True,
    ):
        first = next(line for line in answer.splitlines() if line.startswith("#1 "))
        assert film in first
    assert "nothing found" in answers[5]  # the guitar
    with Image.open(demo.sheet_path(tmp_path / "demo")) as sheet:
        assert sheet.width > 600
    (clip,) = (tmp_path / "demo" / "clips").iterdir()
    with VideoReader(clip) as reader:
        assert reader.duration > 1
