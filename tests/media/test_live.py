"""Live sources of every kind, from real servers: frames that are the right ones, on time."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from stream_servers import (
    RtspServer,
    folder_server,
    free_udp_port,
    mjpeg_server,
    rtsp_server,
    segment,
    udp_sender,
    write_list,
)

from scenewise.errors import MediaError, MissingStreamError, UnreadableMediaError
from scenewise.media.film import (
    FilmSettings,
    Sound,
    barcode_picture,
    barcode_pictures,
    read_barcode,
    write_film,
)
from scenewise.media.live import LiveFrame, LiveSound, LiveStream, Wanted
from scenewise.media.live_sources import LiveOptions, parse_source
from scenewise.media.packet_ring import PacketRing

RATE = 20
FRAMES = 60  # three seconds
SETTINGS = FilmSettings(frame_rate=Fraction(RATE), gop=10, b_frames=0)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every frame carries its number; frame n is shown at n / 20 s; a keyframe each half second."""
    path = tmp_path_factory.mktemp("live") / "numbers.mp4"
    write_film(path, barcode_pictures(FRAMES), SETTINGS)
    return path


@pytest.fixture(scope="module")
def film_with_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("live") / "sound.ts"
    tone = np.sin(np.arange(44_100 * 3) * 2 * np.pi * 440 / 44_100).astype(np.float32)[None] * 0.5
    tone[:, 44_100 : 2 * 44_100] = 0  # from second 1 to 2 it is silent
    write_film(path, barcode_pictures(FRAMES), SETTINGS, sound=Sound(tone))
    return path


def stream(
    address: str | Path,
    fps: float = 4,
    *,
    motion_fps: float = 0,
    sound: bool = False,
    ring: PacketRing | None = None,
    fast: bool = False,
    follow: bool = False,
    idle_seconds: float | None = None,
    rtsp_transport: str = "tcp",
    read_timeout_seconds: float = 2.0,
    give_up_after_seconds: float | None = None,
) -> LiveStream:
    options = LiveOptions(
        fast=fast,
        follow=follow,
        idle_seconds=idle_seconds,
        rtsp_transport="udp" if rtsp_transport == "udp" else "tcp",
        read_timeout_seconds=read_timeout_seconds,
        give_up_after_seconds=give_up_after_seconds,
        first_pause_seconds=0.1,
        longest_pause_seconds=0.2,
    )
    source = parse_source(str(address), options)
    return LiveStream(source, Wanted(fps, motion_fps, sound), options, ring=ring)


def number_in(frame: av.VideoFrame) -> int:
    return read_barcode(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))


def looked_at(live: LiveStream) -> Iterator[tuple[float, int, float]]:
    """Time, number in the picture, and wall time of each analysed frame."""
    for item in live.frames():
        if isinstance(item, LiveFrame) and item.analysed:
            yield item.time, number_in(item.frame), item.wall


def check_numbers(seen: list[tuple[float, int, float]], *, tolerance: float = 0.01) -> None:
    """Between any two frames as many numbers went by as their times say, also over a new round."""
    times = [time for time, _, _ in seen]
    assert times == sorted(set(times))
    first_time, first_number, _ = seen[0]
    for at, number, _ in seen:
        steps = (at - first_time) * RATE
        off = (number - first_number - steps + FRAMES / 2) % FRAMES - FRAMES / 2
        assert abs(off) <= tolerance * RATE


def test_a_file_read_fast_gives_the_frames_of_the_wanted_instants(film: Path) -> None:
    begin = time.monotonic()
    seen = list(looked_at(stream(film, fast=True)))
    assert [number for _, number, _ in seen] == list(range(0, FRAMES, RATE // 4))
    assert [at for at, _, _ in seen] == pytest.approx([number / 4 for number in range(12)])
    assert time.monotonic() - begin < 2


def test_a_file_as_live_comes_at_its_own_pace(film: Path) -> None:
    begin = time.monotonic()
    seen = list(islice(looked_at(stream(film)), 4))
    elapsed = time.monotonic() - begin
    assert [number for _, number, _ in seen] == [0, 5, 10, 15]
    assert 0.7 <= elapsed < 2
    assert np.diff([wall for _, _, wall in seen]) == pytest.approx([0.25] * 3, abs=0.05)


def test_one_stream_serves_two_rates(film: Path) -> None:
    live = stream(film, 2, motion_fps=5, fast=True)
    frames = [item for item in live.frames() if isinstance(item, LiveFrame)]
    assert [f.time for f in frames if f.analysed] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])
    assert [f.time for f in frames if f.followed] == pytest.approx([n / 5 for n in range(15)])


def test_sound_comes_on_the_clock_of_the_pictures(film_with_sound: Path) -> None:
    live = stream(film_with_sound, sound=True, fast=True)
    blocks = [item for item in live.frames() if isinstance(item, LiveSound)]
    for one, other in pairwise(blocks):
        assert other.start == pytest.approx(one.start + len(one.samples) / 16_000, abs=1e-6)
    loud = np.zeros(48_000, np.float32)
    for block in blocks:
        at = round(block.start * 16_000)
        loud[at : at + len(block.samples)] = block.samples[: max(0, len(loud) - at)]
    for start, level in ((0.2, 0.35), (1.2, 0.0), (2.2, 0.35)):
        piece = loud[round(start * 16_000) :][:8000]
        assert float(np.sqrt((piece**2).mean())) == pytest.approx(level, abs=0.03)


def test_pictures_that_ffmpeg_makes_up_are_a_device() -> None:
    live = stream("lavfi:testsrc=size=64x48:rate=20:duration=2", fast=True)
    seen = [item.time for item in live.frames() if isinstance(item, LiveFrame)]
    assert seen == pytest.approx([number / 4 for number in range(8)])
    assert live.counts.state == "ended"
    assert live.counts.frames_in == 40


def test_a_growing_file_is_followed_to_its_end(film: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.ts"
    with av.open(str(film)) as source, av.open(str(whole), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    data = whole.read_bytes()
    growing = tmp_path / "growing.ts"
    growing.write_bytes(data[: len(data) // 3])

    def record() -> None:
        for begin in range(len(data) // 3, len(data), 8 * 188):
            time.sleep(0.02)
            with growing.open("ab") as file:
                file.write(data[begin : begin + 8 * 188])

    recorder = threading.Thread(target=record)
    recorder.start()
    live = stream(growing, follow=True, idle_seconds=0.6)
    seen = list(looked_at(live))
    recorder.join()
    assert [number for _, number, _ in seen] == list(range(0, FRAMES, RATE // 4))
    assert live.counts.state == "ended"


def test_a_film_whose_index_comes_last_cannot_be_followed(film: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="fragmented mp4") as caught:
        list(stream(film, follow=True, idle_seconds=0.2).frames())
    assert str(film) in str(caught.value)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp(film: Path, rtsp_python: str, transport: str) -> None:
    with rtsp_server(film) as server:
        live = stream(server.url(), rtsp_transport=transport)
        seen = list(islice(looked_at(live), 6))
    check_numbers(seen)
    assert np.diff([at for at, _, _ in seen]) == pytest.approx([0.25] * 5, abs=0.06)
    assert abs(time.time() - seen[-1][2]) < 1


def test_an_rtsp_server_that_is_killed_and_comes_back(film: Path, rtsp_python: str) -> None:
    with rtsp_server(film) as server:
        live = stream(server.url())
        frames = looked_at(live)
        before = list(islice(frames, 3))
        killed = time.time()
        server.kill()
        threading.Timer(0.6, server.start).start()
        after = list(islice(frames, 3))
    assert live.counts.connections == 2
    check_numbers(before)
    check_numbers(after)
    # time went on while nothing came
    gap, pause = after[0][0] - before[-1][0], after[0][2] - before[-1][2]
    assert after[0][2] > killed
    assert gap == pytest.approx(pause, abs=0.6)
    assert gap > 0.5


def test_a_frozen_rtsp_server_is_noticed(film: Path, rtsp_python: str) -> None:
    with rtsp_server(film) as server:
        live = stream(server.url(), read_timeout_seconds=0.5, give_up_after_seconds=0.5)
        frames = looked_at(live)
        assert len(list(islice(frames, 2))) == 2
        server.freeze()
        begin = time.monotonic()
        with pytest.raises(MediaError, match="no answer within 1 seconds"):
            list(frames)
        assert time.monotonic() - begin < 6


def test_hls_from_a_folder(film: Path, tmp_path: Path) -> None:
    segment(film, tmp_path, 0.5)
    live = stream(tmp_path / "vod.m3u8", fast=True)
    seen = list(looked_at(live))
    assert [number for _, number, _ in seen] == list(range(0, FRAMES, RATE // 4))
    assert live.counts.state == "ended"


def test_hls_from_a_server_that_goes_on_writing(film: Path, tmp_path: Path) -> None:
    pieces = segment(film, tmp_path, 0.5)
    write_list(tmp_path / "live.m3u8", pieces[:3], ended=False)

    def go_on() -> None:
        for count in range(4, len(pieces) + 1):
            time.sleep(0.3)
            write_list(tmp_path / "live.m3u8", pieces[:count], ended=count == len(pieces))

    writer = threading.Thread(target=go_on)
    with folder_server(tmp_path) as url:
        writer.start()
        live = stream(f"{url}/live.m3u8")
        seen = list(looked_at(live))
        writer.join()
    check_numbers(seen)
    # after the end of the list nothing is shown again
    assert [number for _, number, _ in seen] == list(range(0, FRAMES, RATE // 4))
    assert live.counts.state == "ended"


def test_mpegts_over_udp(film: Path) -> None:
    port = free_udp_port()
    live = stream(f"udp://127.0.0.1:{port}")
    with udp_sender(film, port):
        seen = list(islice(looked_at(live), 5))
    check_numbers(seen)


def test_mpegts_over_udp_that_falls_silent_is_a_disconnect(film: Path) -> None:
    port = free_udp_port()
    live = stream(f"udp://127.0.0.1:{port}", read_timeout_seconds=0.4)
    seen: queue.Queue[tuple[float, int, float]] = queue.Queue()

    def read() -> None:
        for frame in looked_at(live):
            seen.put(frame)

    reader = threading.Thread(target=read)
    with udp_sender(film, port):
        reader.start()
        before = [seen.get(timeout=10) for _ in range(2)]
    threading.Event().wait(1.2)  # nobody sends
    while not seen.empty():
        before.append(seen.get())
    with udp_sender(film, port):
        after = [seen.get(timeout=10) for _ in range(2)]
        live.stop.set()
        reader.join(timeout=10)
    assert live.counts.connections == 2
    assert after[0][0] - before[-1][0] == pytest.approx(after[0][2] - before[-1][2], abs=0.3)
    check_numbers(after)


def test_mjpeg_over_http_has_the_times_of_arrival() -> None:
    pictures = list(barcode_pictures(FRAMES))
    with mjpeg_server(pictures, RATE) as url:
        seen = list(islice(looked_at(stream(f"{url}/video")), 5))
    check_numbers(seen, tolerance=0.15)


def test_mjpeg_that_ends_is_connected_again(caplog: pytest.LogCaptureFixture) -> None:
    with mjpeg_server(
        [barcode_picture(number) for number in range(12)], RATE, endless=False
    ) as url:
        live = stream(f"{url}/video")
        seen = list(islice(looked_at(live), 8))
    assert live.counts.connections >= 2
    times = [at for at, _, _ in seen]
    assert times == sorted(set(times))
    assert any("connecting again in" in line for line in caplog.messages)


def test_a_password_is_asked_for_in_a_sentence_and_never_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with mjpeg_server([barcode_picture(1)], RATE, password="cam:hunter2") as url:
        place = url.removeprefix("http://")
        with pytest.raises(MediaError, match=r"wants a name and a password \(401\)") as caught:
            list(stream(f"http://cam:hunter3@{place}/v?token=hunter4").frames())
        assert "hunter" not in str(caught.value)
        live = stream(f"http://cam:hunter2@{place}/v")
        assert next(looked_at(live))[1] == 1
    assert "hunter" not in caplog.text


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_is_not_there(scheme: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(MediaError, match=r"cannot be opened \(Connection refused\)") as caught:
        list(stream(f"{scheme}://u:hunter2@127.0.0.1:{port}/x").frames())
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_a_source_without_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    with av.open(str(path), "w") as target:
        voice = target.add_stream("pcm_s16le", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), "s16", "mono")
        frame.sample_rate = 16_000
        target.mux(voice.encode(frame))
        target.mux(voice.encode(None))
    with pytest.raises(MissingStreamError, match="has no picture"):
        list(stream(path).frames())


def test_a_reader_that_is_slow_leaves_frames_out_and_stays_up_to_date(film: Path) -> None:
    """As a file at its own pace, read by somebody who rests for a second and a half."""
    live = stream(film)
    lags = []
    for number, item in enumerate(live.frames()):
        lags.append(time.time() - item.wall if isinstance(item, LiveFrame) else 0.0)
        if number == 1:
            time.sleep(1.5)
    assert max(lags) < 1.5
    assert lags[-1] < 0.6
    assert live.counts.left_out > 0


def test_stop_ends_a_stream_that_waits(film: Path) -> None:
    live = stream(film, 0.2)
    timer = threading.Timer(0.3, live.stop.set)
    begin = time.monotonic()
    timer.start()
    list(live.frames())
    assert time.monotonic() - begin < 1.5
    assert live.counts.state == "ended"


def test_a_clip_is_cut_from_the_packets_as_they_came(film_with_sound: Path, tmp_path: Path) -> None:
    ring = PacketRing(60)
    live = stream(film_with_sound, ring=ring, fast=True)
    for item in live.frames():
        if isinstance(item, LiveFrame) and item.time >= 2.5:
            break
    excerpt = ring.excerpt(0.7, 2.0)
    assert excerpt is not None
    assert excerpt.start == pytest.approx(0.5)  # the keyframe before
    path = tmp_path / f"clip{ring.suffix}"
    excerpt.write(path)
    with av.open(str(path)) as clip:
        numbers = [number_in(f) for f in clip.decode(video=0)]
        assert len(clip.streams.audio) == 1
    assert numbers == list(range(10, 40))
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_clip_of_bare_pictures_is_a_small_copy(tmp_path: Path) -> None:
    ring = PacketRing(60)
    live = stream("lavfi:testsrc=size=1280x720:rate=10:duration=3", ring=ring, fast=True)
    list(live.frames())
    excerpt = ring.excerpt(1.0, 2.0)
    assert excerpt is not None
    excerpt.write(tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        frames = list(clip.decode(video=0))
    assert (frames[0].width, frames[0].height) == (640, 360)
    assert len(frames) == 10


def test_the_ring_is_bounded_in_seconds_and_in_bytes(film: Path) -> None:
    short, small = PacketRing(1.0), PacketRing(60, max_bytes=20_000)
    for ring in (short, small):
        list(stream(film, ring=ring, fast=True).frames())
        assert ring.excerpt(0, 99) is not None
    first = short.excerpt(0, 99)
    assert first is not None
    assert first.start >= 1.5
    assert small.bytes <= 20_000


def test_a_place_that_cannot_be_written_gets_no_half_a_clip(film: Path, tmp_path: Path) -> None:
    ring = PacketRing(60)
    list(stream(film, ring=ring, fast=True).frames())
    excerpt = ring.excerpt(0, 2)
    assert excerpt is not None
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "clip.mp4").mkdir()
    for place in (tmp_path / "file" / "clip.mp4", tmp_path / "clip.mp4"):
        with pytest.raises(OSError, match=r"exists|folder|replaced"):
            excerpt.write(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "file"]


def test_servers_start_on_the_port_they_had(film: Path, rtsp_python: str) -> None:
    server = RtspServer(film)
    server.start()
    port = server.port
    server.kill()
    server.start()
    assert server.port == port
    server.kill()
