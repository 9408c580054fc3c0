"""The one maker of films whose truth is known by construction: demo, tests, generated world.

It knows how to draw frames and write them to a container with given times; it knows nothing of
reading films back, except for the number that a barcode frame carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.subtitles.stream import SubtitleStream
from PIL import Image

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB

BARCODE_BITS = 16
_CLOCK = Fraction(1, 60_000)  # of variable frame rate; MPEG-4 part 2 allows no finer one
_TEXT_CLOCK = Fraction(1, 1000)
# without a style of this form FFmpeg opens no encoder of text
_TEXT_STYLE = "\r\n".join(
    (
        "[Script Info]",
        "ScriptType: v4.00+",
        "[V4+ Styles]",
        "Format: Name, Fontname, Fontsize",
        "Style: Default,Arial,16",
        "[Events]",
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
        "",
    )
).encode()
Box = tuple[float, float, float, float]  # left, upper, right, lower, as fractions of the photograph


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """How a film is encoded."""

    codec: str = "libx264"
    container: str | None = None  # its format; None: by the file's suffix
    frame_rate: Fraction = Fraction(25)
    gop: int = 50  # frames from keyframe to keyframe at most
    b_frames: int = 2
    quality: int = 23  # crf
    pixel_format: str = "yuv420p"
    start_seconds: float = 0.0  # the first frame's time on the container's clock
    rotation: int = 0  # degrees clockwise by which a player must turn the picture, written down
    mirrored: bool = False  # left and right are exchanged before that, written down
    pixel_aspect: Fraction = Fraction(1)  # width of a pixel / its height, written down
    options: dict[str, str] = field(default_factory=dict)  # further encoder options
    container_options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound track: ``samples`` float32 in [-1, 1] of shape (channels, n)."""

    samples: npt.NDArray[np.float32]
    sample_rate: int = 44_100
    codec: str = "aac"


def write_film(
    path: str | Path,
    frames: Iterable[Picture],
    settings: FilmSettings | None = None,
    *,
    times: Sequence[float] | None = None,
    sound: Sound | None = None,
    texts: Sequence[tuple[float, float, str]] = (),
) -> int:
    """Encode frames (all of one even size) and return how many were written.

    ``times``, in seconds from the first frame and rising, make a film of variable frame rate;
    without them frame i stands at i / frame_rate. ``texts`` (start, end, words), one after the
    other, become a track of subtitles inside an mp4.
    """
    settings = settings or FilmSettings()
    count = 0
    start = Fraction(settings.start_seconds)
    # a start between two frames needs a finer clock than one tick a frame
    even = times is None and (start * settings.frame_rate).denominator == 1
    clock = 1 / settings.frame_rate if even else _CLOCK
    with av.open(
        str(path), "w", format=settings.container, container_options=settings.container_options
    ) as container:
        video: av.VideoStream | None = None
        audio = _add_sound(container, sound) if sound is not None else None
        words = _add_text(container) if texts else None
        for number, picture in enumerate(frames):
            if video is None:
                video = _add_video(container, settings, picture, clock)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            at = number / settings.frame_rate if times is None else Fraction(times[number])
            frame.pts = round((at + start) / clock)
            frame.time_base = clock
            container.mux(video.encode(frame))
            count += 1
        if video is None:
            raise ValueError("a film needs at least one frame")
        container.mux(video.encode(None))
        if sound is not None and audio is not None:
            _write_sound(container, audio, sound, settings.start_seconds)
        if words is not None:
            _write_texts(container, words, texts, settings.start_seconds)
    return count


def copy_cut(
    source: str | Path,
    target: str | Path,
    start: float,
    *,
    container_options: dict[str, str] | None = None,
) -> None:
    """Cut the beginning off a film without encoding, as players' users do every day.

    Packets from the keyframe before ``start`` are kept, with ``start`` as the new zero: an mp4
    gets an edit list that hides those before it, another container negative times.
    """
    options = {"avoid_negative_ts": "disabled", **(container_options or {})}
    with av.open(str(source)) as old, av.open(str(target), "w", container_options=options) as new:
        film = old.streams.video[0]
        assert film.time_base is not None
        copy = new.add_stream_from_template(film)
        shift = round(Fraction(start) / film.time_base)
        old.seek(shift, stream=film)
        for packet in old.demux(film):
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copy
            new.mux(packet)


def _add_video(
    container: av.container.OutputContainer,
    settings: FilmSettings,
    picture: Picture,
    clock: Fraction,
) -> av.VideoStream:
    height, width = picture.shape[:2]
    stream = container.add_stream(settings.codec, rate=settings.frame_rate)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = width, height
    stream.pix_fmt = settings.pixel_format
    if settings.mirrored:  # there the mirror comes after a counterclockwise turn
        stream.set_display_rotation(settings.rotation, hflip=True)
    elif settings.rotation:
        stream.set_display_rotation(-settings.rotation)
    context = stream.codec_context
    if settings.pixel_aspect != 1:
        context.sample_aspect_ratio = settings.pixel_aspect
    context.time_base = clock
    context.gop_size = settings.gop
    context.max_b_frames = settings.b_frames
    options = dict(settings.options)
    if settings.codec in ("libx264", "libx265"):
        options = {"preset": "veryfast", "crf": str(settings.quality), **options}
        # scene cuts would move keyframes: the distance is meant to be known
        key = "x264-params" if settings.codec == "libx264" else "x265-params"
        fixed = f"scenecut=0:keyint={settings.gop}:min-keyint={settings.gop}"
        quiet = ":log-level=error" if settings.codec == "libx265" else ""
        options[key] = fixed + quiet + (f":{options[key]}" if key in options else "")
    context.options = options
    return stream


def _add_sound(container: av.container.OutputContainer, sound: Sound) -> av.AudioStream:
    stream = container.add_stream(sound.codec, rate=sound.sample_rate)
    assert isinstance(stream, av.AudioStream)
    stream.layout = "mono" if sound.samples.shape[0] == 1 else "stereo"
    return stream


def _write_sound(
    container: av.container.OutputContainer,
    stream: av.AudioStream,
    sound: Sound,
    start_seconds: float,
) -> None:
    layout = stream.layout.name
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(sound.samples, dtype=np.float32), format="fltp", layout=layout
    )
    frame.sample_rate = sound.sample_rate
    frame.time_base = Fraction(1, sound.sample_rate)
    frame.pts = round(start_seconds * sound.sample_rate)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _add_text(container: av.container.OutputContainer) -> SubtitleStream:
    stream = container.add_stream("mov_text")
    assert isinstance(stream, SubtitleStream)
    stream.codec_context.time_base = _TEXT_CLOCK
    stream.codec_context.subtitle_header = _TEXT_STYLE
    return stream


def _write_texts(
    container: av.container.OutputContainer,
    stream: SubtitleStream,
    texts: Sequence[tuple[float, float, str]],
    start_seconds: float,
) -> None:
    for start, end, words in texts:
        data = words.encode()
        packet = av.Packet(len(data).to_bytes(2, "big") + data)
        packet.stream, packet.time_base = stream, _TEXT_CLOCK
        packet.pts = packet.dts = round((start + start_seconds) / _TEXT_CLOCK)
        packet.duration = round((end - start) / _TEXT_CLOCK)
        container.mux(packet)


def barcode_picture(number: int, width: int = 320, height: int = 240) -> Picture:
    """A picture that carries its number as 16 grey bars, with texture that moves.

    The upper half is white for 1 and black for 0, highest bit at the left; the lower half
    repeats it inverted, so that a torn picture is noticed.
    """
    if not 0 <= number < 2**BARCODE_BITS:
        raise ValueError(f"a barcode holds 0 to {2**BARCODE_BITS - 1}, got {number}")
    bits = [(number >> shift) & 1 for shift in reversed(range(BARCODE_BITS))]
    columns = (np.arange(width) * BARCODE_BITS) // width
    row = np.array(bits, dtype=np.int16)[columns] * 170 + 40
    picture = np.empty((height, width, 3), dtype=np.int16)
    picture[: height // 2] = row[None, :, None]
    picture[height // 2 :] = 250 - row[None, :, None]
    texture = np.sin(np.arange(width) * 0.11 + number * 0.7) * 14
    picture[:, :, 0] += texture.astype(np.int16)[None, :]
    picture[:, :, 2] -= texture.astype(np.int16)[None, :]
    return picture.clip(0, 255).astype(np.uint8)


def read_barcode(picture: Picture) -> int:
    """The number in a barcode picture of any size; ValueError where the halves disagree."""
    height, width = picture.shape[:2]
    grey = picture.astype(np.float32).mean(axis=2)
    upper, lower = grey[height // 8 : height * 3 // 8], grey[height * 5 // 8 : height * 7 // 8]
    number = 0
    for bit in range(BARCODE_BITS):
        left = int((bit + 0.25) * width / BARCODE_BITS)
        right = max(left + 1, int((bit + 0.75) * width / BARCODE_BITS))
        one = upper[:, left:right].mean() > 125
        if one == (lower[:, left:right].mean() > 125):
            raise ValueError(f"the halves of the barcode disagree at bit {bit}")
        number = number * 2 + int(one)
    return number


def barcode_pictures(count: int, width: int = 320, height: int = 240) -> Iterator[Picture]:
    """Barcode pictures 0 to count - 1."""
    return (barcode_picture(number, width, height) for number in range(count))


def pan(
    photograph: Picture,
    seconds: float,
    start: Box = (0.0, 0.0, 1.0, 1.0),
    end: Box = (0.1, 0.1, 0.9, 0.9),
    *,
    frame_rate: Fraction = Fraction(25),
    width: int = 640,
    height: int = 360,
) -> Iterator[Picture]:
    """A slow pan and zoom over a photograph, from one box to another.

    Each box is widened or cut around its centre to the film's aspect, so nothing is stretched.
    """
    image = Image.fromarray(photograph)
    total = max(1, round(seconds * frame_rate))
    for number in range(total):
        share = number / max(1, total - 1)
        box = [a + (b - a) * share for a, b in zip(start, end, strict=True)]
        yield np.asarray(
            image.resize(
                (width, height),
                Image.Resampling.BILINEAR,
                box=_fit_box(box, image.width, image.height, width / height),
                reducing_gap=2.0,
            )
        )


def _fit_box(box: Sequence[float], width: int, height: int, aspect: float) -> Box:
    """Cut the box to the aspect, in pixels, inside the photograph."""
    left, upper, right, lower = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    wide, high = right - left, lower - upper
    if wide / high > aspect:
        wide = high * aspect
    else:
        high = wide / aspect
    middle_x, middle_y = (left + right) / 2, (upper + lower) / 2
    left = min(max(0.0, middle_x - wide / 2), width - wide)
    upper = min(max(0.0, middle_y - high / 2), height - high)
    return (left, upper, left + wide, upper + high)


def noise_picture(seed: int, width: int = 320, height: int = 240) -> Picture:
    """A smooth random picture, equal for equal seeds: scenes that differ from one another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
