"""``scenewise watch``: what it prints, how it ends, and what it refuses; on colours."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from colour_encoder import load_colours
from colour_films import write_colours
from stream_servers import rtsp_server

from scenewise.cli.main import main
from scenewise.cli.watching import describe
from scenewise.library.core import LibraryCore
from scenewise.tasks.watch.counters import DelayFigures, SourceFigures, WatchFigures

ROOT = Path(__file__).resolve().parents[2]
RED = ["--rule", "red"]


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every library of this module is one of colours."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    monkeypatch.chdir(tmp_path)
    write_colours(tmp_path / "film.mp4", [("blue", 4.0), ("red", 4.0), ("blue", 2.0)])


def test_events_come_as_lines_and_the_figures_last(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["watch", "gate=film.mp4", "--fast", "--json", "--stats", "stats.jsonl"]
    assert main([*command, *RED, "--save", "saved", "--clip-before", "1", "--clip-after", "1"]) == 0
    printed = capsys.readouterr()
    event, last = (json.loads(line) for line in printed.out.splitlines())
    assert (event["rule"], event["source"]) == ("red", "gate")
    assert 4.0 <= event["time"] <= 5.5
    assert Path(event["snapshot"]).is_file()
    assert Path(event["clip"]).is_file()
    (source,) = last["figures"]["sources"]
    assert (source["frames_in"], source["analysed"], source["dropped"]) == (100, 20, 0)
    assert json.loads(Path("stats.jsonl").read_text().splitlines()[-1]) == last["figures"]
    assert "gate (ended): 100 frames in, 20 analysed, 0 dropped, 1 event" in printed.err


def test_it_says_that_it_watches_once_something_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("broken.mp4").write_bytes(b"no video")
    assert main(["watch", "broken.mp4", "--json", *RED]) == 1
    shown = capsys.readouterr()
    assert "watching;" not in shown.err
    assert "broken.mp4" in shown.err
    assert main(["watch", "film.mp4", "--fast", *RED]) == 0
    assert capsys.readouterr().err.splitlines()[0] == "watching; Ctrl-C ends it."


def test_another_encoder_watches_without_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "film.mp4", "-q"]) == 0
    capsys.readouterr()
    clips = ["--encoder", "colour-clips"]
    assert main(["watch", "film.mp4", "--fast", "-q", *RED, *clips]) == 0
    (event,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert event["rule"] == "red"
    assert main(["watch", "film.mp4", "--test", "-q", *RED, *clips]) == 0
    assert "\tevents\t" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "  ", "?"])
def test_a_rule_without_words_names_its_option(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", "film.mp4", "--rule", text]) == 2
    assert f"--rule {text.strip()!r} holds no words" in capsys.readouterr().err


def test_quiet_says_nothing_but_events(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "film.mp4", "--fast", "-q", "--rule", "green"]) == 0
    assert capsys.readouterr() == ("", "")


# A process of its own: what other tests have loaded may leave too little room for signals.
ALONE = """
import signal, sys
from colour_encoder import load_colours
from scenewise.cli.main import main
from scenewise.library.core import LibraryCore

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a script runs this by &
LibraryCore.open.__func__.__kwdefaults__["load"] = load_colours
sys.exit(main(sys.argv[1:]))
"""


def signalled(
    arguments: list[str], sign: signal.Signals, *, after_events: int
) -> tuple[int, list[str], str]:
    """Exit code, stdout and stderr of a watch that gets a signal after so many events."""
    doubles = ROOT / "tests" / "doubles"
    process = subprocess.Popen(
        [sys.executable, "-c", ALONE, "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{doubles}"},
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(after_events)]
        process.send_signal(sign)
        rest, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    return process.returncode, [*lines, *rest.splitlines()], said


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_in_order(sign: signal.Signals, code: int) -> None:
    endless = ["lavfi:color=red:size=64x48:rate=10", "--fps", "5"]
    ended, printed, said = signalled([*endless, *RED], sign, after_events=1)
    assert ended == code, said
    assert [json.loads(line)["rule"] for line in printed] == ["red"]
    assert "(ended):" in said
    assert "Traceback" not in said


def test_several_streams_of_a_server(tmp_path: Path, rtsp_python: str) -> None:
    film = write_colours(tmp_path / "loop.mp4", [("red", 2.0)])
    with rtsp_server(film, mounts=2) as server:
        sources = [f"cam{number}={server.url(number)}" for number in range(2)]
        ended, printed, said = signalled(
            [*sources, *RED, "--fps", "4"], signal.SIGINT, after_events=2
        )
    assert ended == 130, said
    events = [json.loads(line) for line in printed]
    assert sorted(event["source"] for event in events) == ["cam0", "cam1"]
    assert len({event["id"] for event in events}) == 2


def test_a_camera_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert main(["watch", f"rtsp://admin:hunter2@127.0.0.1:{port}/live", "-q", *RED]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"scenewise: rtsp://***@127.0.0.1:{port}/live: cannot be opened (Connection refused); "
        "check address, network and server.\n"
    )


def test_a_camera_that_is_not_there_can_be_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    more = ["--wait", "--give-up-after", "1.5", *RED]
    begin = time.monotonic()
    assert main(["watch", f"rtsp://127.0.0.1:{port}/live", *more]) == 1
    assert time.monotonic() - begin >= 1.5
    assert "connecting again in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["watch", "film.mp4"], "there is no rule to watch for"),
        (["watch", "gopher://h/", *RED], "scheme gopher:// is unknown"),
        (["watch", "nothing.mp4", *RED], "nothing.mp4: there is no such file"),
        (["watch", "a=film.mp4", "a=film.mp4", *RED], "two sources are called a"),
        (["watch", "film.mp4", *RED, "--fps", "0"], "'0' is not a number"),
        (["watch", "film.mp4", *RED, "--clip-after", "301"], "'301' is not a number"),
        (["watch", "film.mp4", *RED, "--pack", "burglars"], "no pack is called 'burglars'"),
        (["watch", "film.mp4", *RED, "--idle-seconds", "never"], "'never' is not a number"),
    ],
)
def test_what_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--save", "--stats"])
def test_a_place_that_cannot_be_written_to(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "film.mp4", "--fast", *RED, option, "film.mp4/x"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_what_stands_on_a_line_of_figures() -> None:
    source = SourceFigures("door", "waiting", 9.0, 200, 18, 3, 2, 1, 1, "the stream ended")
    lines = describe(WatchFigures(10.0, (source,), DelayFigures(1, 0.2, 0.34, 0.4)))
    assert lines == [
        "door (waiting): 200 frames in, 18 analysed, 3 dropped, 1 event, connected 2 times, "
        "1 clips lost",
        "events came out 0.20 s after their frame (p95 0.34 s)",
    ]
