"""Subtitles: what is read from odd files, round trips, tracks inside films."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.subtitles.stream import SubtitleStream
from hypothesis import given, settings
from hypothesis import strategies as st

from scenewise.errors import ScenewiseError, StorageError, UnreadableMediaError, UsageError
from scenewise.media import subtitles
from scenewise.media.film import noise_picture
from scenewise.media.sidecars import find_sidecars
from scenewise.media.subtitles import Cue

TWO = (Cue(1.0, 2.5, "A dog runs."), Cue(3.25, 4.0, "It stops.\nIt looks."))
SRT = """1
00:00:01,000 --> 00:00:02,500
A dog runs.

2
00:00:03,250 --> 00:00:04,000
It stops.
It looks.
"""


@pytest.mark.parametrize(
    ("data", "cues", "skipped"),
    [
        pytest.param(SRT.encode(), TWO, 0, id="as it should be"),
        pytest.param(b"\xef\xbb\xbf" + SRT.encode(), TWO, 0, id="byte order mark"),
        pytest.param(SRT.replace("\n", "\r\n").encode(), TWO, 0, id="CRLF"),
        pytest.param(SRT.replace("\n", "\r").encode(), TWO, 0, id="CR"),
        pytest.param(SRT.replace("\n", "\r\r\n").encode(), TWO, 0, id="CR CRLF"),
        pytest.param(SRT.encode("utf-16"), TWO, 0, id="UTF-16 with mark"),
        pytest.param(SRT.encode("utf-16-be"), TWO, 0, id="UTF-16 without mark"),
        pytest.param(SRT.replace(",", ".").encode(), TWO, 0, id="dots"),
        pytest.param(SRT.replace("1\n00", "00").replace("2\n00", "00").encode(), TWO, 0,
                     id="no counters"),
        pytest.param(SRT.replace("\n\n", "\n").encode(), TWO, 0, id="no blank lines"),
        pytest.param(SRT.replace("00:00:", "00:").encode(), TWO, 0, id="no hours"),
        pytest.param(SRT.replace("A dog", r"{\an8}<i>A</i> <font color='#fff'>dog</font>").encode(),
                     TWO, 0, id="markup"),
        pytest.param(("garbage\n\nmore\nof it\n\n" + SRT).encode(), TWO, 3, id="garbage before"),
        pytest.param(SRT.replace("--> 00:00:02,5", "--> 00:00:0x,5").encode(), TWO[1:], 3,
                     id="a time that is none"),
        pytest.param(SRT.replace("--> 00:00:02,5", "--> 00:00:00,5").encode(), TWO[1:], 1,
                     id="backwards"),
        pytest.param(SRT.replace("A dog runs.", "").encode(), TWO[1:], 0, id="an empty cue"),
        pytest.param(SRT.replace("02,500", "03,500").encode(),
                     (Cue(1.0, 3.5, "A dog runs."), TWO[1]), 0, id="overlapping"),
        pytest.param("1\n00:00:01,000 --> 00:00:02,000\nCaf\u00e9\n".encode("latin-1"),
                     (Cue(1.0, 2.0, "Caf\u00e9"),), 0, id="latin-1"),
        pytest.param(b"1\n00:00:01,000 --> 00:00:02,000\n1 < 2 and 3 > 2, I <3 you {laughs}\n",
                     (Cue(1.0, 2.0, "1 < 2 and 3 > 2, I <3 you {laughs}"),), 0, id="no markup"),
        pytest.param(b"1\n00:00:01,000 --> 00:00:02,000\n1984\n",
                     (Cue(1.0, 2.0, "1984"),), 0, id="a text of digits"),
        pytest.param(b"", (), 0, id="empty"),
        pytest.param(
            b"WEBVTT - a title\nKind: captions\n\nNOTE\nnobody reads this\n\nSTYLE\n::cue {}\n\n"
            b"intro\n00:01.000 --> 00:02.500 align:start line:0\n<v Ann>A &lt;dog&gt; runs.</v>\n\n"
            b"100:00:00.500 --> 100:00:01.000\n<c.loud><00:01.500>late &amp; loud</c>\n",
            (Cue(1.0, 2.5, "A <dog> runs."), Cue(360_000.5, 360_001.0, "late & loud")), 0,
            id="WebVTT",
        ),
    ],
)  # fmt: skip
def test_what_is_read(tmp_path: Path, data: bytes, cues: tuple[Cue, ...], skipped: int) -> None:
    path = tmp_path / "film.srt"
    path.write_bytes(data)
    track = subtitles.read_file(path)
    assert track.cues == cues
    assert track.skipped == skipped


# text without control characters, line and paragraph separators, or what both formats take for
# markup; that "tidy" changes nothing is what makes a text one that a file can hold
TEXT = (
    st.lists(
        st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1),
        min_size=1,
        max_size=3,
    )
    .map("\n".join)
    .map(subtitles.tidy)
    .filter(bool)
)
CUE = st.tuples(st.integers(0, 10**7), st.integers(0, 10**5), TEXT).map(
    lambda t: Cue(t[0] / 1000, (t[0] + t[1]) / 1000, t[2])
)


@given(st.lists(CUE, max_size=5))
@settings(max_examples=60, deadline=None)
def test_webvtt_comes_back_as_it_was(cues: list[Cue]) -> None:
    read, skipped = subtitles.parse(subtitles.format_vtt(cues))
    assert sorted(read) == sorted(cues)
    assert skipped == 0


@given(st.lists(CUE.filter(lambda c: not set(c.text) & set("<>{}")), max_size=5))
@settings(max_examples=60, deadline=None)
def test_subrip_comes_back_as_it_was(cues: list[Cue]) -> None:
    read, skipped = subtitles.parse(subtitles.format_srt(cues))
    assert sorted(read) == sorted(cues)
    assert skipped == 0


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_without_a_crash(data: bytes) -> None:
    mixed = SRT.encode()[:60] + data + SRT.encode()[60:]
    for part in (data, mixed, b"WEBVTT\n\n" + data):
        cues, skipped = subtitles.parse(subtitles.decode_text(part))
        assert all(cue.text for cue in cues)
        assert skipped >= 0


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_files_are_written_and_read_back(tmp_path: Path, suffix: str) -> None:
    path = subtitles.write_file(tmp_path / f"film.de{suffix}", TWO)
    track = subtitles.read_file(path)
    assert (track.cues, track.language) == (TWO, "de")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_bad_input_is_one_of_our_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.srt, \.vtt"):
        subtitles.write_file(tmp_path / "film.txt", TWO)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="cannot be written"):
        subtitles.write_file(tmp_path / "file" / "film.srt", TWO)
    with pytest.raises(UnreadableMediaError, match="no such file"):
        subtitles.read_file(tmp_path / "film.srt")
    with pytest.raises(ValueError, match="start <= end"):
        Cue(2.0, 1.0, "backwards")


def test_files_beside_a_video_are_found_by_its_name(tmp_path: Path) -> None:
    for name in (
        "film.mp4", "film.srt", "film.en.srt", "film.pt-BR.vtt", "film.en.forced.SRT",
        "film.part2.final.srt", "film2.srt", "filmed.vtt", "other.srt", "film.txt", "film..srt",
    ):  # fmt: skip
        (tmp_path / name).write_text(SRT)
    found = [path.name for path in find_sidecars(tmp_path / "film.mp4")]
    assert found == ["film.en.forced.SRT", "film.en.srt", "film.pt-BR.vtt", "film.srt"]
    languages = [
        subtitles.read_file(tmp_path / name).language for name in ("film.pt-BR.vtt", "film.srt")
    ]
    assert languages == ["pt-BR", None]


# ---- tracks inside films

_ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize"
    b"\r\nStyle: Default,Arial,16\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, "
    b"MarginL, MarginR, MarginV, Effect, Text\r\n"
)


def film_with_track(
    path: Path,
    codec: str,
    events: Sequence[tuple[float, float, bytes]],
    *,
    start_seconds: float = 0.0,
) -> Path:
    """Two seconds of film with one text track, whose packets are written as they are.

    ``events`` are start and end in seconds from the first shown frame, and the packet's bytes.
    """
    video_codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
    with av.open(str(path), "w") as container:
        video = container.add_stream(video_codec, rate=10)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        text = container.add_stream(codec)
        assert isinstance(text, SubtitleStream)
        text.codec_context.time_base = Fraction(1, 1000)
        text.codec_context.subtitle_header = _ASS_HEADER
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(noise_picture(number, 64, 48), format="rgb24")
            frame.pts, frame.time_base = number + round(start_seconds * 10), Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start, end, data in events:
            packet = av.Packet(data)
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = round((start + start_seconds) * 1000)
            packet.duration = round((end - start) * 1000)
            container.mux(packet)
    return path


def mov_text(words: str) -> bytes:
    data = words.encode()
    return len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("name", "codec", "first", "second"),
    [
        ("f.mp4", "mov_text", mov_text("A dog."), mov_text("{two}\nl\\nes & <3")),
        ("f.mkv", "srt", b"<i>A</i> <b>dog</b>.", b"{two}\nl\\nes & <3"),
        ("f.mkv", "ass", rb"0,0,Default,,0,0,0,,{\i1}A{\i0} {note}dog.",
         rb"1,0,Default,,0,0,0,,{\p1}m 0 0 l 1 1{\p0}\{two\}\Nlines, & <3"),
        ("f.webm", "webvtt", b"<v Ann>A</v> dog.", b"{two}\nl\\nes &amp; &lt;3"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("start_seconds", [0.0, 3.0])
def test_tracks_are_read_on_the_clock_of_the_pictures(
    tmp_path: Path, name: str, codec: str, first: bytes, second: bytes, start_seconds: float
) -> None:
    events = [(0.5, 0.9, first), (1.0, 1.5, second)]
    path = film_with_track(tmp_path / name, codec, events, start_seconds=start_seconds)
    (track,) = subtitles.read_embedded(path)
    assert [cue.text for cue in track.cues] == [
        "A dog.",
        "{two}\nlines, & <3" if codec == "ass" else "{two}\nl\\nes & <3",
    ]
    assert [(cue.start, cue.end) for cue in track.cues] == [
        pytest.approx((0.5, 0.9), abs=0.002),
        pytest.approx((1.0, 1.5), abs=0.002),
    ]
    assert track.skipped == 0


def test_files_beside_come_before_tracks_inside(tmp_path: Path) -> None:
    path = film_with_track(tmp_path / "f.mp4", "mov_text", [(0.5, 0.9, mov_text("inside"))])
    subtitles.write_file(tmp_path / "f.en.srt", TWO)
    sources = [track.source for track in subtitles.read_subtitles(path)]
    assert sources == [str(tmp_path / "f.en.srt"), "stream 1"]
    plain = film_with_track(tmp_path / "g.mp4", "mov_text", [])
    assert all(not track.cues for track in subtitles.read_subtitles(plain))


def test_mutated_files_give_cues_or_one_of_our_errors(tmp_path: Path) -> None:
    events = [(0.1 * n, 0.1 * n + 0.1, b"word %d" % n) for n in range(15)]
    data = film_with_track(tmp_path / "f.mkv", "srt", events).read_bytes()
    rng = np.random.default_rng(11)
    path = tmp_path / "broken.mkv"
    for _ in range(20):
        broken = bytearray(data)
        for at in rng.integers(0, len(broken), 15):
            broken[at] = int(rng.integers(0, 256))
        path.write_bytes(broken[: int(rng.integers(len(broken) // 2, len(broken)))])
        try:
            tracks = subtitles.read_embedded(path)
        except ScenewiseError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
        else:
            assert all(cue.text for track in tracks for cue in track.cues)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "tracks", "cues", "start", "text"),
    [
        ("eval/pytorch__torchcodec__nasa_13013.mp4", 2, 4, 0.21, "NAR: This is the optical"),
        ("format/w3c__web-platform-tests__vp8-vorbis-webvtt.webm", 1, 12, 0.0, "Male describer:"),
    ],
)
def test_real_tracks(
    shared_dir: Path, name: str, tracks: int, cues: int, start: float, text: str
) -> None:
    found = subtitles.read_embedded(shared_dir / "media" / name)
    assert len(found) == tracks
    assert (found[0].language, len(found[0].cues)) == ("eng", cues)
    assert found[0].cues[0].start == pytest.approx(start, abs=0.002)
    assert found[0].cues[0].text.startswith(text)
