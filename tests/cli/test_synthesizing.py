"""``scenewise synthesize``: what it prints, what it refuses, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from scenewise.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def test_a_world_is_made_and_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["synthesize", str(tmp_path / "w"), "--films", "10", "--workers", "1"]
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["films"] == {"train": 6, "val": 2, "test": 2}
    assert (report["made"], report["frames"]) == (10, 80)
    assert report["rows"] == {"labels": 10, "captions": 10, "moments": 10}
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "10 films, 0 of them new" in out
    assert "10 labels, 10 captions, 10 moments" in out


def test_stories_have_questions_sound_and_subtitles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "w"
    command = ["synthesize", str(folder), "--kind", "stories", "--films", "5", "--events", "2"]
    assert main([*command, "--seconds", "2", "--fps", "12", "--workers", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] == 5 * 24
    assert report["rows"]["questions"] > 10
    film = folder / "videos" / "train" / "00000.mp4"
    assert film.with_suffix(".srt").is_file()
    with av.open(str(film)) as container:
        assert len(container.streams.audio) == 1
    plain = ["--no-sound", "--subtitles", "none", "--workers", "1", "--json"]
    assert main(["synthesize", str(tmp_path / "v"), *command[2:], *plain]) == 0
    with av.open(str(tmp_path / "v" / "videos" / "train" / "00000.mp4")) as container:
        assert len(container.streams.audio) == 0
    assert not list((tmp_path / "v").rglob("*.srt"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fps", "0"], "'0' is not a frame rate"),
        (["--fps", "fast"], "'fast' is not a frame rate"),
        (["--films", "4"], "not a whole number of at least 5"),
        (["--seconds", "nan"], "not a number from 0.75 to 600"),
        (["--seconds", "1.3"], "no whole number of frames"),
        (["--size", "63"], "multiple of 2"),
        (["--events", "3"], "belongs to kind stories"),
        (["--kind", "stories", "--compositional"], "belongs to kind actions"),
        (["--kind", "sounds", "--no-sound"], "are told apart by it"),
        (["--kind", "cats"], "cats"),
    ],
)
def test_what_is_not_allowed_is_said(
    tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synthesize", str(tmp_path / "w"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_another_world_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["synthesize", str(tmp_path / "w"), "--films", "5", "--workers", "1"]
    assert main(command) == 0
    assert main([*command, "--seed", "1"]) == 2
    assert "holds a world with seed 0, not 1" in capsys.readouterr().err


def test_ctrl_c_leaves_whole_films_alone(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    command = ["synthesize", str(folder), "--kind", "stories", "--films", "200", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scenewise", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline()  # the first film is there
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    left = [path for path in (folder / "videos").rglob("*") if path.is_file()]
    films = [path for path in left if path.suffix == ".mp4"]
    assert 0 < len(films) < 200
    assert {path.suffix for path in left} == {".mp4", ".srt"}
    for film in films:
        with av.open(str(film)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 48


def test_a_world_lies_as_a_dataset_has_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "w"
    command = ["synthesize", str(folder), "--layout", "ucf101", "--films", "5", "--size", "16"]
    assert main([*command, "--workers", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["films"] == {"train": 4, "test": 1}
    assert "classInd.txt" in report["files"]
    assert len(list((folder / "videos").rglob("*.avi"))) == 5
    assert main([*command, "--workers", "1"]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["synthesize", str(tmp_path / "v"), "--layout", "ucf", "--films", "5"]) == 2
    assert "There is no layout 'ucf'; allowed: msrvtt" in capsys.readouterr().err
    assert main([*command, "--kind", "stories"]) == 2
    assert "leave out --kind" in capsys.readouterr().err
