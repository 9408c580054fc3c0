"""Facts about generated files, and sentences about files that are none."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from scenewise.errors import MissingStreamError, UnreadableMediaError
from scenewise.media import timeline
from scenewise.media.decode import VideoReader
from scenewise.media.film import FilmSettings, Sound, barcode_pictures, write_film
from scenewise.media.probe import probe
from scenewise.media.target import Target

NTSC = Fraction(30000, 1001)
TONE = Sound(np.sin(np.arange(22_050) / 20).astype(np.float32)[None], 22_050)
UNEVEN = (0.0, 0.1, 0.15, 0.4, 0.45, 0.7)


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "ends"])
@pytest.mark.parametrize(
    ("name", "settings", "codec", "container"),
    [
        ("a.mp4", FilmSettings(frame_rate=NTSC, b_frames=3), "h264", "mp4"),
        ("a.mkv", FilmSettings(frame_rate=NTSC, b_frames=3), "h264", "matroska"),
        ("a.ts", FilmSettings(frame_rate=NTSC), "h264", "mpegts"),
        ("a.avi", FilmSettings(frame_rate=NTSC, codec="mpeg4", b_frames=0), "mpeg4", "avi"),
        ("h.mp4", FilmSettings(frame_rate=NTSC, codec="libx265"), "hevc", "mp4"),
        ("late.mp4", FilmSettings(frame_rate=NTSC, start_seconds=2.5), "h264", "mp4"),
    ],
)
def test_a_film(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    settings: FilmSettings,
    codec: str,
    container: str,
    whole: bool,
) -> None:
    path = tmp_path / name
    write_film(path, barcode_pictures(400, 64, 48), settings)
    if not whole:
        monkeypatch.setattr(timeline, "SMALL_FILE_BYTES", 0)
    info = probe(path)
    video = info.video
    assert container in info.container
    assert info.duration == pytest.approx(400 / NTSC, abs=2e-3)
    assert info.first_pts == pytest.approx(settings.start_seconds, abs=0.1)
    assert video is not None
    assert video.codec == codec
    assert (video.width, video.height) == video.display_size == (64, 48)
    assert video.frame_rate == NTSC
    assert not video.variable_frame_rate
    assert video.pixel_format == "yuv420p"
    # a long file other than mp4 would have to be read whole to count its frames
    assert video.frame_count == (400 if whole or container in ("mp4", "mpegts") else None)
    assert (len(info.audio), len(info.subtitles), len(info.attachments)) == (0, 0, 0)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_variable_frame_rate(tmp_path: Path, name: str) -> None:
    write_film(tmp_path / name, barcode_pictures(6, 64, 48), times=UNEVEN)
    video = probe(tmp_path / name).video
    assert video is not None
    assert video.variable_frame_rate
    assert video.frame_rate is not None
    assert float(video.frame_rate) == pytest.approx(5 / 0.7, rel=1e-3)


def test_sound_subtitles_and_a_cover(tmp_path: Path) -> None:
    film, path = tmp_path / "film.mp4", tmp_path / "all.mkv"
    write_film(film, barcode_pictures(25, 64, 48), sound=TONE)
    (tmp_path / "t.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nHello\n")
    with (
        av.open(str(film)) as old,
        av.open(str(tmp_path / "t.srt")) as text,
        av.open(str(path), "w") as new,
    ):
        sources = [old.streams.video[0], old.streams.audio[0], text.streams.subtitles[0]]
        copies = [new.add_stream_from_template(stream) for stream in sources]
        copies[1].metadata["language"] = copies[2].metadata["language"] = "fra"
        new.add_attachment("cover.jpg", "image/jpeg", b"not really")
        for source, copy in zip(sources, copies, strict=True):
            for packet in source.container.demux(source):  # type: ignore[attr-defined]  # stub says Container
                if packet.dts is not None:
                    packet.stream = copy
                    new.mux(packet)
    info = probe(path)
    assert info.video is not None
    assert [(a.codec, a.sample_rate, a.channels, a.language) for a in info.audio] == [
        ("aac", 22_050, 1, "fra")
    ]
    assert [(s.codec, s.language) for s in info.subtitles] == [("subrip", "fra")]
    assert info.attachments == ("cover.jpg",)


def test_a_cover_picture_is_no_film(tmp_path: Path) -> None:
    """A song with a cover: sound, an attachment, and no picture to look at."""
    song = tmp_path / "song.mp3"
    with av.open(str(song), "w") as container:
        sound = container.add_stream("mp3", rate=44_100)
        cover = container.add_stream("png")
        assert isinstance(sound, av.AudioStream)
        assert isinstance(cover, av.VideoStream)
        sound.layout = "mono"
        cover.width, cover.height, cover.pix_fmt = 16, 16, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(cover.encode(picture))
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 44_100), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 44_100
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    info = probe(song)
    assert info.video is None
    assert info.attachments == ("png",)
    assert info.duration == pytest.approx(1.0, abs=0.06)
    with pytest.raises(MissingStreamError, match="sound but no picture"):
        VideoReader(song)


@pytest.mark.parametrize(
    ("written", "space", "extent"),
    [
        ("colormatrix=bt709:fullrange=off", "bt709", "tv"),
        ("colormatrix=bt709:fullrange=on", "bt709", "pc"),
        ("colormatrix=bt470bg:fullrange=off", "bt601", "tv"),
        ("colormatrix=smpte170m:fullrange=off", "bt601", "tv"),
        ("colormatrix=bt2020nc:fullrange=off", "bt2020", "tv"),
        ("colormatrix=undef", "unspecified", "unspecified"),
    ],
)
def test_colour_space_and_range(tmp_path: Path, written: str, space: str, extent: str) -> None:
    settings = FilmSettings(options={"x264-params": written})
    write_film(tmp_path / "a.mkv", barcode_pictures(5, 64, 48), settings)
    video = probe(tmp_path / "a.mkv").video
    assert video is not None
    assert (video.color_space, video.color_range) == (space, extent)


def test_the_json_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_film(path, barcode_pictures(5, 64, 48), FilmSettings(pixel_aspect=Fraction(4, 3)))
    shape = json.loads(json.dumps(probe(path).to_dict()))
    assert shape["video"]["pixel_aspect"] == "4/3"
    assert shape["video"]["frame_rate"] == "25"
    assert shape["video"]["width"] == 64


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"hello, this is a letter and no film\n" * 100, "not readable as a video"),
        (bytes(range(256)) * 40, "not readable as a video"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", "not readable as a video"),
    ],
    ids=["empty", "text", "bytes", "header"],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_what_is_no_film(tmp_path: Path, content: bytes, said: str, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    for opening in (probe, VideoReader):
        with pytest.raises(UnreadableMediaError, match=said) as caught:
            opening(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_no_file_and_no_regular_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="no such file"):
        probe(tmp_path / "none.mp4")
    with pytest.raises(UnreadableMediaError, match="is a folder"):
        probe(tmp_path)


def test_a_list_that_points_elsewhere_is_not_followed(tmp_path: Path) -> None:
    write_film(tmp_path / "part.ts", barcode_pictures(5, 64, 48))
    listing = tmp_path / "x.m3u8"
    listing.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/part.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnreadableMediaError):
        probe(listing)


@pytest.mark.parametrize(
    "name", ["12:30.mp4", "50% of it.mp4", "été 🎬.mp4", "-dash.mp4", "a\nb.mp4"]
)
def test_odd_names(tmp_path: Path, name: str) -> None:
    write_film(tmp_path / "plain.mp4", barcode_pictures(5, 64, 48))
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    assert probe(tmp_path / name).duration == pytest.approx(0.2)


def test_a_header_may_not_ask_for_any_size(tmp_path: Path) -> None:
    """A width and height of 32,000 would take gigabytes for each frame."""
    path = tmp_path / "huge.avi"
    write_film(path, barcode_pictures(3, 64, 48), FilmSettings(codec="rawvideo", b_frames=0))
    data = bytearray(path.read_bytes())
    format_at = data.index(b"strf") + 12
    data[format_at : format_at + 8] = (32_000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with pytest.raises(UnreadableMediaError):
        VideoReader(path)


def test_stamps_that_span_weeks(tmp_path: Path) -> None:
    path = tmp_path / "weeks.mkv"
    write_film(path, barcode_pictures(30, 64, 48), times=[n * 3000.0 for n in range(30)])
    assert probe(path).duration > 3000 * 29
    path = tmp_path / "stray.mkv"
    times = [*(n / 25 for n in range(29)), 90_000.0]
    write_film(path, barcode_pictures(30, 64, 48), times=times)
    with VideoReader(path) as reader:
        assert reader.duration == pytest.approx(29 / 25, abs=0.05)
        assert "1 frames with damaged time stamps are left out" in reader.warnings


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rotation"),
    # seen by eye: keys of a keyboard stand upright, in the last a stove
    [
        ("format/dmlc__decord__video_0.mov", 0),
        ("format/dmlc__decord__video_90.mov", 90),
        ("format/dmlc__decord__video_180.mov", 180),
        ("format/dmlc__decord__video_270.mov", 270),
        ("eval/Zulko__moviepy__fire2.mp4", 180),
    ],
)
def test_rotation_of_real_clips(shared_dir: Path, name: str, rotation: int) -> None:
    video = probe(shared_dir / "media" / name).video
    assert video is not None
    assert video.rotation == rotation


# the table beside the clips measured these otherwise: to the first frame that cannot be decoded,
# by the mean distance of 7 frames, and the smaller one of two films in one file
OTHERWISE = ("dmlc__decord__corrupted", "IliasHad__edit-mind", "torchcodec__nasa_13013")


@pytest.mark.shared
def test_every_real_clip_is_read(shared_dir: Path) -> None:
    """All have a picture stream; length and size are those of the table beside them."""
    listing = (shared_dir / "media" / "videos.csv").read_text().splitlines()
    assert len(listing) > 90
    for line in listing[1:]:
        name, seconds, _, size = line.split(",")[:4]
        info = probe(shared_dir / "media" / name)
        assert info.video is not None
        if any(part in name for part in OTHERWISE):
            continue
        assert info.duration == pytest.approx(float(seconds or 10), abs=0.6), name
        assert size == f"{info.video.width}x{info.video.height}", name


@pytest.mark.shared
@pytest.mark.slow
def test_every_real_clip_shows_its_middle(shared_dir: Path) -> None:
    """One frame each, never later than asked for; only the damaged clip needs a stand-in."""
    replaced = []
    for path in sorted((shared_dir / "media").glob("*/*")):
        with VideoReader(path) as reader:
            middle = reader.duration / 2
            (frame,) = reader.read([middle], Target(64, 64))
        assert frame.time <= middle + 1e-4, path
        if frame.substitute:
            replaced.append(path.stem)
    assert replaced in ([], ["dmlc__decord__corrupted"])
