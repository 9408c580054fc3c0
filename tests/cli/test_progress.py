"""What is said while an index is filled."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from scenewise.cli.main import main
from scenewise.cli.output import Output
from scenewise.cli.progress import describe, shown_progress
from scenewise.encoders import load
from scenewise.errors import EncoderError
from scenewise.types import Progress


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(0, 340, 0.0, 0.0), "0/340 videos"),
        (
            Progress(10, 340, 300.0, 10.0),
            "10/340 videos, 30.0 s of video per second, about 6 min left",
        ),
        (
            Progress(1, 2, 5.0, 10.0, failed=1),
            "1/2 videos, 0.5 s of video per second, about 10 s left, 1 failed",
        ),
        (
            Progress(0, 2, 0.0, 9.0, current="/films/long.mp4", part_done=0.25),
            "0/2 videos, 25% of long.mp4",
        ),
        (Progress(2, 2, 20.0, 10.0), "2/2 videos, 2.0 s of video per second"),
    ],
)
def test_progress_in_words(progress: Progress, text: str) -> None:
    assert describe(progress) == text


def reports(count: int) -> list[Progress]:
    return [Progress(done, count, 1.0, 1.0, f"/films/{done}.mp4") for done in range(count + 1)]


def test_in_a_pipe_a_line_comes_every_few_seconds_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seconds = iter(range(1000))  # each look at the clock is a second later
    with shown_progress(Output(), now=lambda: float(next(seconds))) as show:
        assert show is not None
        for progress in reports(100):
            show(progress)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0].startswith("1/100 videos")
    assert lines[-1].startswith("100/100 videos")
    assert 3 <= len(lines) <= 50


def test_a_long_film_has_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter(range(1000))
    with shown_progress(Output(), now=lambda: float(next(seconds))) as show:
        assert show is not None
        for part in range(1, 41):
            show(Progress(0, 1, 0.0, 1.0, current="/films/a.mp4", part_done=part / 40))
        show(Progress(1, 1, 9.0, 9.0, "/films/a.mp4"))
    lines = capsys.readouterr().err.splitlines()
    assert 3 <= len(lines) <= 10
    assert all("% of a.mp4" in line for line in lines[:-1])
    assert lines[-1].startswith("1/1 videos")


def test_verbose_names_every_file_once(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(Output(verbose=True), now=lambda: 0.0) as show:
        assert show is not None
        for progress in [*reports(3), *reports(3)[-1:]]:
            show(progress)
    names = [line.split()[-1] for line in capsys.readouterr().err.splitlines()]
    assert names == ["/films/1.mp4", "/films/2.mp4", "/films/3.mp4"]


def test_quiet_says_nothing() -> None:
    with shown_progress(Output(quiet=True)) as show:
        assert show is None


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with shown_progress(Output()) as show:
        assert show is not None
        show(Progress(1, 2, 30.0, 1.0, "/films/[red]a.mp4"))
    assert "1/2 videos, 30.0 s of video per second" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")  # the bar's line is cleared


@pytest.mark.parametrize("quiet", [False, True])
def test_preparing_an_encoder_is_said_at_its_first_use(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    quiet: bool,
) -> None:
    class Family:
        @classmethod
        def load(cls, name: str, *, progress: Any, **_: Any) -> None:
            progress("preparing parts (once)")
            raise EncoderError("that is far enough")

    module = types.ModuleType("a_family")
    module.__dict__["Family"] = Family
    monkeypatch.setitem(sys.modules, "a_family", module)
    monkeypatch.setitem(load.FAMILIES, "concept", "a_family:Family")
    (tmp_path / "film.mp4").write_bytes(b"never read")
    library = tmp_path / "library"
    code = main(["index", str(tmp_path), "--library", str(library), *(["-q"] if quiet else [])])
    assert code == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].endswith("that is far enough")
    assert ("preparing parts (once)" in said) is not quiet
