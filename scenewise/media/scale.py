"""From a decoded picture in YUV to RGB of the wanted size, upright, in one swscale pass.

It knows pixels, rotation, pixel aspect and colour spaces; it knows nothing of time.

A full-size RGB picture is never made: converting costs more than decoding. The flags are
swscale's accurate ones; without them chroma is halved and rounding drifts by one level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideData
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image, ImageOps

from scenewise.errors import UnreadableMediaError
from scenewise.media.target import Target

Rotation = Literal[0, 90, 180, 270]
Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB

_ROTATIONS: tuple[Rotation, ...] = (0, 90, 180, 270)
_HD_HEIGHT = 720  # from here on an unmarked picture is taken for BT.709, as players do

_ACCURATE = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
_FLAGS = {
    "bicubic": Interpolation.BICUBIC | _ACCURATE,
    "bilinear": Interpolation.BILINEAR | _ACCURATE,
    "area": Interpolation.AREA | _ACCURATE,
}
_PIL_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
}
# AVColorSpace to swscale's names for the same matrices
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """Scale to ``width`` x ``height``, then cut ``crop`` (left, upper, right, lower) if given."""

    width: int
    height: int
    crop: tuple[int, int, int, int] | None = None


def plan_geometry(width: int, height: int, target: Target) -> Geometry:
    """How an upright picture of square pixels becomes the target.

    crop is the published CLIP preprocessing (torchvision's Resize and CenterCrop): the short
    edge is scaled to a given length, the long one to int(length * long / short), and the cut
    begins at round(rest / 2), half to even. Where that resize does not cover the cut, it is
    enlarged until it does, so that no border has to be made up.
    """
    match target.mode:
        case "squash":
            return Geometry(target.width, target.height)
        case "original":
            return Geometry(width, height)
        case "fit":
            share = min(target.width / width, target.height / height)
            return Geometry(
                _even(width * share, target.width), _even(height * share, target.height)
            )
        case "crop":
            return _plan_crop(width, height, target)


def _plan_crop(width: int, height: int, target: Target) -> Geometry:
    shortest = target.resize_shortest
    if shortest is None:
        # the smallest short edge with which both sides cover the target
        share = max(target.width / width, target.height / height)
        shortest = max(1, round(min(width, height) * share))
    if width <= height:
        wide, high = shortest, int(shortest * height / width)
    else:
        wide, high = int(shortest * width / height), shortest
    if wide < target.width or high < target.height:
        share = max(target.width / wide, target.height / high)
        wide = max(target.width, round(wide * share))
        high = max(target.height, round(high * share))
    left, upper = round((wide - target.width) / 2), round((high - target.height) / 2)
    return Geometry(wide, high, (left, upper, left + target.width, upper + target.height))


def _even(length: float, limit: int) -> int:
    """The nearest even number, at least 2, not above the limit (unless that is 1)."""
    return max(2, min(round(length / 2) * 2, limit // 2 * 2))


class Scaler:
    """Turns the frames of one video into one target; keeps one swscale context."""

    def __init__(
        self,
        target: Target,
        *,
        rotation: int = 0,
        mirrored: bool = False,
        pixel_aspect: Fraction = Fraction(1),
    ):
        """To be upright, a picture is ``mirrored`` first, then turned clockwise by ``rotation``."""
        self._target = target
        self._mirrored = mirrored
        self._turns = rotation // 90 % 4  # quarter turns clockwise
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()

    def picture(self, frame: av.VideoFrame) -> Picture:
        """The frame as uint8 RGB of shape (H, W, 3)."""
        width = max(1, round(frame.width * self._pixel_aspect))
        height = frame.height
        lying = self._turns % 2 == 1
        plan = plan_geometry(*((height, width) if lying else (width, height)), self._target)
        matrix, source_range = colours_of(frame)
        scaled = self._reformatter.reformat(
            frame,
            width=plan.height if lying else plan.width,
            height=plan.width if lying else plan.height,
            format="rgb24",
            interpolation=_FLAGS[self._target.interpolation],
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=source_range,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        image = np.asarray(scaled.to_ndarray(), dtype=np.uint8)
        if self._mirrored:
            image = image[:, ::-1]
        if self._turns:
            image = np.rot90(image, k=-self._turns)
        if plan.crop is not None:
            left, upper, right, lower = plan.crop
            image = image[upper:lower, left:right]
        return np.ascontiguousarray(image)


def orientation_of(frame: av.VideoFrame) -> tuple[Rotation, bool]:
    """What makes a frame upright: degrees clockwise, and whether it is mirrored before that.

    From the display matrix, whose a, b, c, d send a stored point (x, y), y downwards, to
    (a x + c y, b x + d y); a front camera may mirror, which FFmpeg's own angle does not tell.
    """
    matrix = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    if matrix is None:
        return 0, False
    numbers = np.frombuffer(bytes(matrix), dtype=np.int32)
    if numbers.size < 5:
        return 0, False
    a, b, c, d = (float(number) for number in numbers[[0, 1, 3, 4]])
    turns = round(math.atan2(-c, d) / (math.pi / 2)) % 4
    return _ROTATIONS[turns], a * d - b * c < 0


def colours_of(frame: av.VideoFrame) -> tuple[int, int]:
    """The matrix and range to read a frame with, as swscale's numbers.

    Where the frame does not say: BT.709 from 720 lines up, else BT.601, limited range.
    """
    usual = Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601
    matrix = _MATRICES.get(int(frame.colorspace), usual)
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return int(matrix), int(ColorRange.JPEG if full or frame.format.is_rgb else ColorRange.MPEG)


def load_picture(path: str | Path, target: Target) -> Picture:
    """A still picture file as uint8 RGB (H, W, 3), upright by its EXIF orientation.

    Transparent parts are laid on white. Raises UnreadableMediaError.
    """
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image)
            image = image.convert("RGB")
    except FileNotFoundError as error:
        raise UnreadableMediaError(f"{path}: there is no such file.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableMediaError(
            f"{path}: not readable as a picture; JPEG, PNG, WebP, GIF, BMP and TIFF are."
        ) from error
    return scale_picture(image, target)


def scale_picture(image: Image.Image, target: Target) -> Picture:
    """An RGB picture in memory, scaled to the target with PIL."""
    plan = plan_geometry(image.width, image.height, target)
    if (plan.width, plan.height) != image.size:
        image = image.resize((plan.width, plan.height), _PIL_FILTERS[target.interpolation])
    if plan.crop is not None:
        image = image.crop(plan.crop)
    return np.asarray(image, dtype=np.uint8)
