"""Facts about pixels: geometry, colours, orientation, closeness to PIL."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import skimage
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenewise.errors import UnreadableMediaError
from scenewise.media.decode import VideoReader
from scenewise.media.film import FilmSettings, Picture, noise_picture, write_film
from scenewise.media.scale import (
    Geometry,
    Scaler,
    load_picture,
    plan_geometry,
    scale_picture,
)
from scenewise.media.target import Target

CLIP = Target(224, 224, mode="crop", resize_shortest=224)
# the weights of red and blue, by ITU-R BT.601 and BT.709
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
AV_SPACE = {"bt709": 1, "unspecified": 2, "bt601": 6, "bt2020": 9}


def yuv_frame(
    y: int, u: int, v: int, height: int = 64, *, space: str = "unspecified", full: bool = False
) -> av.VideoFrame:
    """A frame of one colour."""
    planes = np.concatenate(
        [np.full(64 * height, y), np.full(16 * height, u), np.full(16 * height, v)]
    )
    shaped = planes.astype(np.uint8).reshape(height * 3 // 2, 64)
    frame = av.VideoFrame.from_ndarray(shaped, format="yuv420p")
    frame.colorspace = AV_SPACE[space]
    frame.color_range = 2 if full else 1
    return frame


def rgb_by_formula(y: int, u: int, v: int, space: str, *, full: bool) -> list[float]:
    red, blue = WEIGHTS[space]
    luma = y / 255 if full else (y - 16) / 219
    scale = 255 if full else 224
    pb, pr = (u - 128) / scale, (v - 128) / scale
    r = luma + 2 * (1 - red) * pr
    b = luma + 2 * (1 - blue) * pb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return [255 * channel for channel in (r, g, b)]


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("space", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("yuv", [(120, 100, 160), (90, 150, 110), (180, 128, 128)])
def test_colours_follow_the_matrix_and_range(
    yuv: tuple[int, int, int], space: str, full: bool
) -> None:
    picture = Scaler(Target(32, 32)).picture(yuv_frame(*yuv, space=space, full=full))
    expected = rgb_by_formula(*yuv, space, full=full)
    assert np.abs(picture.reshape(-1, 3) - np.array(expected)).max() <= 1.0


@pytest.mark.parametrize(("height", "space"), [(576, "bt601"), (720, "bt709"), (1080, "bt709")])
def test_an_unmarked_picture_is_bt709_from_720_lines_up(height: int, space: str) -> None:
    yuv = (120, 90, 170)
    picture = Scaler(Target(32, 32)).picture(yuv_frame(*yuv, height=height))
    expected = rgb_by_formula(*yuv, space, full=False)
    assert np.abs(picture.reshape(-1, 3) - np.array(expected)).max() <= 1.0


@pytest.mark.parametrize(
    ("size", "target", "expected"),
    [
        # torchvision: Resize(224) then CenterCrop(224)
        ((1280, 720), CLIP, Geometry(398, 224, (87, 0, 311, 224))),
        ((720, 1280), CLIP, Geometry(224, 398, (0, 87, 224, 311))),
        ((640, 480), CLIP, Geometry(298, 224, (37, 0, 261, 224))),
        ((100, 100), CLIP, Geometry(224, 224, (0, 0, 224, 224))),
        (
            (1920, 1080),
            Target(224, 224, mode="crop", resize_shortest=256),
            Geometry(455, 256, (116, 16, 340, 240)),
        ),
        ((1280, 720), Target(224, 224, mode="crop"), Geometry(398, 224, (87, 0, 311, 224))),
        ((1280, 720), Target(100, 50), Geometry(100, 50)),
        ((1280, 720), Target(320, 320, mode="fit"), Geometry(320, 180)),
        ((720, 1280), Target(320, 320, mode="fit"), Geometry(180, 320)),
        ((1280, 720), Target(mode="original"), Geometry(1280, 720)),
    ],
)
def test_geometry_by_hand(size: tuple[int, int], target: Target, expected: Geometry) -> None:
    assert plan_geometry(*size, target) == expected


SIZES = st.integers(2, 5000)


@given(SIZES, SIZES, st.integers(1, 600), st.integers(1, 600), st.none() | st.integers(1, 700))
def test_a_crop_lies_inside_the_scaled_picture(
    width: int, height: int, wide: int, high: int, shortest: int | None
) -> None:
    plan = plan_geometry(width, height, Target(wide, high, "crop", shortest))
    assert plan.crop is not None
    left, upper, right, lower = plan.crop
    assert 0 <= left < right <= plan.width
    assert 0 <= upper < lower <= plan.height
    assert (right - left, lower - upper) == (wide, high)


@given(SIZES, SIZES, st.integers(2, 2000), st.integers(2, 2000))
def test_fit_stays_inside_and_even(width: int, height: int, wide: int, high: int) -> None:
    plan = plan_geometry(width, height, Target(wide, high, "fit"))
    assert plan.width <= wide
    assert plan.height <= high
    assert plan.width % 2 == plan.height % 2 == 0


def photograph(name: str) -> Picture:
    """A photograph that lies inside the wheel of scikit-image."""
    folder = Path(skimage.__file__).parent / "data"
    picture = Image.open(folder / name).convert("RGB")
    # even sizes, as 4:2:0 wants them
    return np.asarray(picture.crop((0, 0, picture.width // 2 * 2, picture.height // 2 * 2)))


@pytest.mark.parametrize("mode", ["squash", "crop"])
@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "motorcycle_left.png"])
def test_close_to_pil_on_accurate_rgb(name: str, mode: str) -> None:
    """The published preprocessing is PIL's bicubic on full-size RGB: MAE at most 0.5."""
    picture = photograph(name)
    size = (picture.shape[1], picture.shape[0])
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
    frame.colorspace, frame.color_range = AV_SPACE["bt709"], 1
    accurate = VideoReformatter().reformat(
        frame,
        format="rgb24",
        interpolation=Interpolation.BICUBIC
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP
        | Interpolation.ACCURATE_RND,
        src_colorspace=Colorspace.ITU709,
        src_color_range=1,
        dst_color_range=2,
    )
    image = Image.fromarray(accurate.to_ndarray())
    target = CLIP if mode == "crop" else Target()
    if mode == "crop":  # torchvision's Resize and CenterCrop, written out
        short, long = sorted(size)
        scaled = {short: 224, long: int(224 * long / short)}
        image = image.resize((scaled[size[0]], scaled[size[1]]), Image.Resampling.BICUBIC)
        left, upper = round((image.width - 224) / 2), round((image.height - 224) / 2)
        image = image.crop((left, upper, left + 224, upper + 224))
    else:
        image = image.resize((224, 224), Image.Resampling.BICUBIC)
    ours = Scaler(target).picture(frame)
    assert ours.shape == (224, 224, 3)
    assert np.abs(ours.astype(float) - np.asarray(image, float)).mean() <= 0.5


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_orientation_is_honoured(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    """Against PIL's own turning of the stored picture: mirrored first, then clockwise."""
    stored = noise_picture(2, 96, 64)
    path = tmp_path / "turned.mp4"
    write_film(path, [stored] * 2, FilmSettings(rotation=rotation, mirrored=mirrored, quality=5))
    with VideoReader(path) as reader:
        video = reader.info.video
        image = next(reader.read([0.0], Target(mode="original"))).image
    assert video is not None
    assert (video.rotation, video.mirrored) == (rotation, mirrored)
    upright = Image.fromarray(stored)
    if mirrored:
        upright = upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    upright = upright.rotate(-rotation, expand=True)
    assert upright.size == video.display_size
    assert np.abs(image.astype(int) - np.asarray(upright, int)).mean() < 6


def test_pixel_aspect_widens(tmp_path: Path) -> None:
    frame = yuv_frame(120, 128, 128, height=48)
    scaler = Scaler(Target(mode="original"), pixel_aspect=Fraction(16, 11))
    assert scaler.picture(frame).shape == (48, round(64 * 16 / 11), 3)
    turned = Scaler(Target(mode="original"), rotation=90, pixel_aspect=Fraction(2))
    assert turned.picture(frame).shape == (128, 48, 3)


@pytest.mark.parametrize(
    "pixel_format", ["yuv420p10le", "yuv422p", "yuv444p", "gray", "rgb24", "nv12", "yuvj420p"]
)
def test_other_pixel_formats(pixel_format: str) -> None:
    grey = np.full((64, 64, 3), 90, np.uint8)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixel_format)
    picture = Scaler(Target(16, 16)).picture(frame)
    assert np.abs(picture.astype(int) - 90).max() <= 2


class TestStillPictures:
    def test_exif_orientation(self, tmp_path: Path) -> None:
        picture = noise_picture(1, 90, 60)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise
        path = tmp_path / "phone.jpg"
        Image.fromarray(picture).save(path, exif=exif, quality=95)
        loaded = load_picture(path, Target(mode="original"))
        assert loaded.shape == (90, 60, 3)
        assert np.abs(loaded.astype(int) - np.rot90(picture, -1)).mean() < 4

    def test_transparent_parts_are_white(self, tmp_path: Path) -> None:
        path = tmp_path / "clear.png"
        Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(path)
        assert load_picture(path, Target(8, 8)).min() == 255

    def test_crop_is_that_of_clip(self) -> None:
        image = Image.fromarray(noise_picture(3, 320, 180))
        assert scale_picture(image, CLIP).shape == (224, 224, 3)

    @pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
    def test_what_is_no_picture(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.png"
        path.write_bytes(content)
        with pytest.raises(UnreadableMediaError, match="not readable as a picture"):
            load_picture(path, Target())

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableMediaError, match="no such file"):
            load_picture(tmp_path / "none.png", Target())
