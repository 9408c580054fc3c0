"""What sources are called, what is secret in an address, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewise.errors import UsageError
from scenewise.media.live_sources import LiveOptions, masked, parse_source


@pytest.mark.parametrize(
    ("text", "kind", "opened", "form"),
    [
        ("rtsp://10.0.0.7/live", "rtsp", "rtsp://10.0.0.7/live", None),
        ("rtsps://10.0.0.7:322/live", "rtsp", "rtsps://10.0.0.7:322/live", None),
        ("http://cam/list.M3U8?x=1", "hls", "http://cam/list.M3U8?x=1", None),
        ("https://cam/video.mjpg", "http", "https://cam/video.mjpg", None),
        ("udp://0.0.0.0:5000", "udp", "udp://0.0.0.0:5000", None),
        ("udp://@:5000", "udp", "udp://@:5000", None),
        ("/dev/video7", "device", "/dev/video7", "v4l2"),
        ("v4l2:/dev/video7", "device", "/dev/video7", "v4l2"),
        ("lavfi:testsrc=size=64x48:rate=5", "generated", "testsrc=size=64x48:rate=5", "lavfi"),
    ],
)
def test_addresses_say_what_they_are(text: str, kind: str, opened: str, form: str | None) -> None:
    source = parse_source(text)
    assert (source.kind, source.address, source.format) == (kind, opened, form)
    assert source.is_network == (kind in ("rtsp", "hls", "http", "udp"))


def test_files_are_read_as_they_are_meant(tmp_path: Path) -> None:
    film, playlist = tmp_path / "12:30.mp4", tmp_path / "list.m3u8"
    film.touch()
    playlist.touch()
    assert parse_source(str(film)).kind == "file"
    assert parse_source(film.as_uri().replace("%3A", ":")).kind == "file"
    assert parse_source(str(film), LiveOptions(follow=True)).kind == "growing"
    assert parse_source(str(playlist)).kind == "playlist"
    assert dict(parse_source(str(playlist)).options)["protocol_whitelist"] == "file,crypto,data"
    assert "file" not in dict(parse_source("http://h/a.m3u8").options)["protocol_whitelist"]


def test_a_name_stands_before_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a=b.mp4").touch()
    assert parse_source("front door=rtsp://h/a?b=c").name == "front door"
    assert parse_source("rtsp://h/a?b=c").name == "rtsp://h/a?b=c"
    assert parse_source("lavfi:testsrc=size=64x48").name == "lavfi:testsrc=size=64x48"
    assert parse_source("a=b.mp4").name == "a=b.mp4"
    assert parse_source("x=a=b.mp4").address.endswith("a=b.mp4")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:hunter2@h:554/a", "rtsp://***@h:554/a"),
        ("rtsp://hunter2@h/a", "rtsp://***@h/a"),
        ("rtsp://a:hun@ter2@h/a", "rtsp://***@h/a"),
        ("http://h/v?user=x&token=hunter2&size=3", "http://h/v?user=***&token=***&size=3"),
        ("http://h/v?size=3", "http://h/v?size=3"),
        ("http://[bad:hunter2@h/v", "http://***@h/v"),
        ("rtsp://u:hunter2#@h/v", "rtsp://***@h/v"),
        ("rtsp://u:hunter2/9@h/v", "rtsp://***@h/v"),
        ("http://h:80/a@b?pwd=hunter2", "http://h:80/a@b?pwd=***"),
    ],
)
def test_secrets_are_never_shown(address: str, shown: str) -> None:
    assert masked(address) == shown
    assert "hunter2" not in shown


def test_a_source_keeps_the_secret_and_does_not_show_it() -> None:
    source = parse_source("rtsp://admin:hunter2@h:554/a")
    assert source.address == "rtsp://admin:hunter2@h:554/a"
    assert "hunter2" not in f"{source!r} {source} {source.name} {source.shown}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a source is empty"),
        ("cam=", "there is no such file"),
        ("gopher://h/a", "scheme gopher:// is unknown"),
        ("rtsp:///a", "names no host"),
        ("udp://h", "names no port"),
        ("rtsp://u:hunter2@h:99999/a", "names no host"),
        ("nothing.mp4", "there is no such file"),
        (".", "is a folder"),
        ("v4l2:", "names no device"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_source(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["idle_seconds", "read_timeout_seconds", "give_up_after_seconds"])
def test_durations_are_above_zero(name: str) -> None:
    with pytest.raises(UsageError, match="number of seconds above 0, got 0"):
        LiveOptions(**{name: 0})  # type: ignore[arg-type] # one of its numbers
