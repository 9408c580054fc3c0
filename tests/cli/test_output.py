"""Times, names and JSON as they are printed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.cli import output
from scenewise.cli.output import Output, print_result, styled
from scenewise.types import Moment, SearchResult, VideoCount, Why, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "00:00.0"),
        (135.0, "02:15.0"),
        (138.46, "02:18.5"),
        (59.96, "01:00.0"),  # never 00:60.0
        (3599.94, "59:59.9"),
        (3599.96, "01:00:00.0"),
        (36_000.0, "10:00:00.0"),
    ],
)
def test_times_have_hours_only_when_needed(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@given(st.floats(min_value=0, max_value=1e6))
def test_a_printed_time_is_read_back_within_half_a_tenth(seconds: float) -> None:
    parts = [float(part) for part in clock(seconds).split(":")]
    value = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    assert abs(value - seconds) <= 0.05 + 1e-6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (120, "2 min"), (5_340, "89 min"), (7_800, "2 h 10 min")],
)
def test_durations_to_plan_by(seconds: float, text: str) -> None:
    assert output.rough_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_100_000_000, "2.1 GB")]
)
def test_sizes(count: int, text: str) -> None:
    assert output.byte_size(count) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain name.mp4", "plain name.mp4"),
        ("Füße 🎬.mp4".encode(), "Füße 🎬.mp4"),
        (b"two\nlines\x1b[31m.mp4", r"two\x0alines\x1b[31m.mp4"),
        (b"latin-1 \xe9.mp4", r"latin-1 \xe9.mp4"),
        ("mirrored \u202egpj.mp4".encode(), r"mirrored \u202egpj.mp4"),
    ],
)
def test_names_are_safe_to_print(name: bytes, text: str) -> None:
    assert output.printable(os.fsdecode(name)) == text


@given(st.binary(min_size=1, max_size=40))
def test_every_name_is_one_printable_line(name: bytes) -> None:
    text = output.printable(os.fsdecode(name))
    assert len(text.splitlines()) <= 1
    text.encode("utf-8")


@pytest.mark.parametrize(
    "name",
    [
        b"plain.mp4",
        b"it's; rm -rf $HOME `x`.mp4",
        b"two\nlines.mp4",
        b"latin \xe9 'quoted' \\ back.mp4",
        b"-starts-with-dash.mp4",
        "Füße.mp4".encode(),
    ],
)
def test_a_quoted_name_is_one_word_of_a_shell(name: bytes) -> None:
    word = output.shell_quoted(os.fsdecode(name))
    shell = subprocess.run(["bash", "-c", f"printf '%s|' {word}"], capture_output=True, check=True)
    assert shell.stdout == name + b"|"
    assert "\n" not in word


def test_the_player_line_can_be_pasted() -> None:
    hit = Moment(1, "a", "/films/it's.mp4", 135.0, 138.5, 0.5, 0.5, (), 136.0)
    assert output.player_line(hit) == """mpv --start=135.0 --end=138.5 '/films/it'"'"'s.mp4'"""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@given(st.binary(max_size=20), st.text(max_size=20))
def test_json_survives_any_name_and_any_terminal(encoding: str, name: bytes, text: str) -> None:
    shape = {"path": os.fsdecode(name), "text": text}
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    before, sys.stdout = sys.stdout, stdout
    try:
        written = output.to_json(shape)
    finally:
        sys.stdout = before
    assert json.loads(written.encode(encoding).decode(encoding)) == shape


def test_json_keeps_letters_readable_where_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    Output().document({"path": "Füße.mp4"})
    assert "Füße" in capsys.readouterr().out


def test_reasons_have_their_times_and_occurrences_their_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    why = (Why("concept", "cat 0.9"), Why("speech", "look, a cat", 65.0, 67.0))
    hit = Moment(1, "a", "/films/cat.mp4", 60.0, 70.0, 0.5, 0.5, why, 61.0)
    counts = (VideoCount("a", "/films/cat.mp4", 2), VideoCount("b", "/films/dog.mp4", 1))
    print_result(Output(), SearchResult("cat", "concept", True, (hit,), count=3, videos=counts))
    assert capsys.readouterr().out.splitlines() == [
        "3 moments in 2 videos",
        "    2  /films/cat.mp4",
        "    1  /films/dog.mp4",
        "#1 [0.50] /films/cat.mp4 01:00.0-01:10.0",
        "    concept: cat 0.9",
        "    speech: look, a cat (01:05.0)",
    ]


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.to_json({"score": float("nan")})


def test_paths_are_relative_below_the_current_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "here"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert output.short_path(inside / "films" / "a.mp4") == "films/a.mp4"
    assert output.short_path(tmp_path / "a.mp4") == str(tmp_path / "a.mp4")


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "text"),
    [
        (Terminal(), {}, "\x1b[1m#1\x1b[0m"),
        (Terminal(), {"NO_COLOR": "1"}, "#1"),
        (Terminal(), {"TERM": "dumb"}, "#1"),
        (io.StringIO(), {}, "#1"),
    ],
    ids=["terminal", "NO_COLOR", "dumb terminal", "pipe"],
)
def test_styles_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, environment: dict[str, str], text: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", stream)
    assert styled("#1", output.BOLD) == text


def test_a_table_on_a_terminal_has_headings_and_takes_names_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", "120")
    Output().table(("state", "path"), [("ready", "/films/[bold]a.mp4")])
    assert "state" in stream.getvalue()
    assert "/films/[bold]a.mp4" in stream.getvalue()
