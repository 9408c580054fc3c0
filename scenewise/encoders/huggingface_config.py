"""What a checkpoint's JSON files say: family, sizes, and how a picture must be prepared.

It knows the layouts that transformers writes, old and new; it loads no weights and imports
neither torch nor transformers, so wrong folders are refused at once.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scenewise.errors import EncoderError
from scenewise.media.target import Target

Family = Literal["clip", "siglip", "siglip2", "xclip"]
Triple = tuple[float, float, float]

FAMILIES: tuple[Family, ...] = ("clip", "siglip", "siglip2", "xclip")
# vocabularies of this size are those of networks that were trained on many languages (SigLIP 2
# and the multilingual SigLIP: 256,000 and 250,000; English ones: 32,000 and 49,408)
_MANY_LANGUAGES = 200_000
_INTERPOLATIONS: dict[int, Literal["bicubic", "bilinear", "area"]] = {
    2: "bilinear",
    3: "bicubic",
    4: "area",
}
# what transformers takes where config.json leaves a value out
_VISION_DEFAULTS: dict[Family, dict[str, int]] = {
    "clip": {"image_size": 224, "patch_size": 32, "hidden_size": 768, "num_attention_heads": 12},
    "siglip": {"image_size": 224, "patch_size": 16, "hidden_size": 768, "num_attention_heads": 12},
    "siglip2": {
        "patch_size": 16,
        "num_patches": 256,
        "hidden_size": 768,
        "num_attention_heads": 12,
    },
    "xclip": {"image_size": 224, "patch_size": 32, "hidden_size": 768, "num_attention_heads": 12},
}
_VOCABULARIES: dict[Family, int] = {
    "clip": 49_408,
    "siglip": 32_000,
    "siglip2": 32_000,
    "xclip": 49_408,
}


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """The parts of a checkpoint's settings that embedding depends on."""

    family: Family
    dimension: int
    target: Target
    mean: Triple  # of pixels in 0..1
    std: Triple
    patch_size: int
    frames: int  # per window: 1, or what an X-CLIP was built for
    text_length: int  # positions of the text side, marks included
    vocabulary_size: int
    multilingual: bool
    window_bytes: int  # of one window's intermediate results, an upper estimate


def read_config(folder: Path) -> CheckpointConfig:
    """Read ``config.json`` and the processor's settings.

    Raises EncoderError, one sentence, for another kind of network, a missing file, and settings
    that cannot be followed exactly.
    """
    config = read_json(folder / "config.json")
    family = _family(folder, config)
    vision = {**_VISION_DEFAULTS[family], **_section(config, "vision_config")}
    text = _section(config, "text_config")
    siglip = family in ("siglip", "siglip2")
    vocabulary = _whole(folder, "vocab_size", text.get("vocab_size", _VOCABULARIES[family]))
    dimension = vision["hidden_size"] if siglip else config.get("projection_dim", 512)
    positions = text.get("max_position_embeddings", 64 if siglip else 77)
    processor = _processor(folder)
    patch = _whole(folder, "patch_size", vision["patch_size"])
    target = (
        _naflex_target(folder, processor, patch)
        if family == "siglip2"
        else _target(folder, processor, _side(folder, vision["image_size"]))
    )
    frames = _whole(folder, "num_frames", vision.get("num_frames", 8)) if family == "xclip" else 1
    return CheckpointConfig(
        family=family,
        dimension=_whole(folder, "projection_dim", dimension),
        target=target,
        mean=_statistics(folder, processor, "image_mean", 0.0),
        std=_statistics(folder, processor, "image_std", 1.0),
        patch_size=patch,
        frames=frames,
        text_length=_whole(folder, "max_position_embeddings", positions),
        vocabulary_size=vocabulary,
        multilingual=vocabulary >= _MANY_LANGUAGES,
        window_bytes=frames * _picture_bytes(folder, vision, target, patch),
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; EncoderError where it is none."""
    try:
        shape = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path} is not readable JSON: {error}; fetch it again.") from error
    if not isinstance(shape, dict):
        raise EncoderError(f"{path} must hold one JSON object; fetch it again.")
    return shape


def read_licence(folder: Path) -> str:
    """The licence that the model card's head names, or "unknown"."""
    card = folder / "README.md"
    if not card.is_file():
        return "unknown"
    lines = card.read_text("utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != "---":
        return "unknown"
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        if key.strip() == "---":
            break
        if key == "license" and colon and value.strip():
            return value.strip().strip("\"'")
    return "unknown"


def _family(folder: Path, config: dict[str, Any]) -> Family:
    kind = config.get("model_type")
    for family in FAMILIES:
        if kind == family:
            return family
    raise EncoderError(
        f"{folder}: config.json says model_type {kind!r}; allowed: {', '.join(FAMILIES)}, each "
        "with its image side and its text side. Choose such a checkpoint; one of a network that "
        "scenewise models list names becomes an encoder by scenewise models convert."
    )


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    return dict(section) if isinstance(section, dict) else {}


def _processor(folder: Path) -> dict[str, Any]:
    """Settings of the pictures' preparation; transformers 5 nests them in one file."""
    newer, older = folder / "processor_config.json", folder / "preprocessor_config.json"
    if newer.is_file():
        nested = read_json(newer)
        for key in ("image_processor", "video_processor"):
            if isinstance(nested.get(key), dict):
                return dict(nested[key])
    if older.is_file():
        return read_json(older)
    raise EncoderError(
        f"{folder} holds neither preprocessor_config.json nor processor_config.json with an "
        "image processor: without them mean, deviation and size of the pictures are not known; "
        "copy the file from where the checkpoint comes from."
    )


def _target(folder: Path, processor: dict[str, Any], side: int) -> Target:
    """The picture that the processor would make, as a target of ``media.scale``."""
    if processor.get("do_resize") is False:
        raise _refused(folder, "do_resize", False, "true")
    interpolation = _interpolation(folder, processor, 3)
    size = processor.get("size", {})
    shortest = size.get("shortest_edge") if isinstance(size, dict) else None
    crops = bool(processor.get("do_center_crop", "crop_size" in processor))
    if not isinstance(size, dict):  # a bare number is the short edge where a crop follows
        if crops:
            shortest = size
        else:
            size = {"height": size, "width": size}
    crop = _pair(folder, "crop_size", processor.get("crop_size", side)) if crops else None
    if shortest is not None:
        if crop is None:
            raise _refused(folder, "size", size, "a height and a width, or a crop at the centre")
        height, width = crop
        target = Target(
            width, height, "crop", _whole(folder, "size", shortest), interpolation=interpolation
        )
        if min(height, width) > _whole(folder, "size", shortest):
            raise _refused(folder, "crop_size", crop, f"at most {shortest}")
    else:
        height, width = _pair(folder, "size", size or side)
        if crop is not None and crop != (height, width):
            raise _refused(folder, "crop_size", crop, f"the size itself, {(height, width)}")
        target = Target(width, height, "squash", interpolation=interpolation)
    if (target.height, target.width) != (side, side):
        raise EncoderError(
            f"{folder}: pictures are prepared as {target.width}x{target.height}, but the network "
            f"was built for {side}x{side}; correct the processor's settings."
        )
    return target


def _naflex_target(folder: Path, processor: dict[str, Any], patch: int) -> Target:
    """The square grid of a NaFlex network: as many whole patches a side as its limit allows.

    It is what the published processor makes of a square picture. Other shapes are squashed to
    it, where the published one keeps their aspect with fewer patches a side.
    """
    own = processor.get("patch_size", patch)
    if own != patch:
        raise _refused(folder, "patch_size", own, f"the network's, {patch}")
    most = _whole(folder, "max_num_patches", processor.get("max_num_patches", 256))
    side = patch * math.isqrt(most)
    return Target(side, side, "squash", interpolation=_interpolation(folder, processor, 2))


def _interpolation(
    folder: Path, processor: dict[str, Any], default: int
) -> Literal["bicubic", "bilinear", "area"]:
    value = processor.get("resample", default)
    if value not in _INTERPOLATIONS:
        raise _refused(folder, "resample", value, "2 (bilinear), 3 (bicubic) or 4 (box)")
    return _INTERPOLATIONS[value]


def _statistics(folder: Path, processor: dict[str, Any], key: str, neutral: float) -> Triple:
    factor = processor.get("rescale_factor", 1 / 255)
    if processor.get("do_rescale") is False or not math.isclose(factor, 1 / 255, rel_tol=1e-3):
        raise _refused(folder, "rescale_factor", factor, "1/255")
    if processor.get("do_normalize") is False:
        return (neutral, neutral, neutral)
    values = processor.get(key)
    if isinstance(values, int | float):
        values = [values] * 3
    good = isinstance(values, list) and len(values) == 3
    if not good or not all(isinstance(value, int | float) for value in values or ()):
        raise _refused(folder, key, values, "three numbers, one a colour")
    if key == "image_std" and not all(value > 0 for value in values or ()):
        raise _refused(folder, key, values, "numbers above zero")
    red, green, blue = (float(value) for value in values or ())
    return (red, green, blue)


def _pair(folder: Path, key: str, value: Any) -> tuple[int, int]:
    """Height and width, given as one number, a pair or an object."""
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    elif not isinstance(value, list | tuple):
        value = [value, value]
    if len(value) != 2:
        raise _refused(folder, key, value, "a height and a width")
    return (_whole(folder, key, value[0]), _whole(folder, key, value[1]))


def _side(folder: Path, value: Any) -> int:
    height, width = _pair(folder, "image_size", value)
    if height != width:
        raise _refused(folder, "image_size", value, "a square")
    return height


def _whole(folder: Path, key: str, value: Any) -> int:
    if isinstance(value, list | tuple) and len(set(value)) == 1:
        value = value[0]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _refused(folder, key, value, "a whole number above zero")
    return value


def _refused(folder: Path, key: str, value: Any, allowed: str) -> EncoderError:
    return EncoderError(
        f"{folder}: the settings say {key} = {value!r}, which cannot be followed; allowed: "
        f"{allowed}. Choose another checkpoint."
    )


def _picture_bytes(folder: Path, vision: dict[str, Any], target: Target, patch: int) -> int:
    """What one picture's widest layer holds at once: hidden states, attention, wide layer."""
    tokens = (target.width // patch) * (target.height // patch) + 1
    hidden = _whole(folder, "hidden_size", vision["hidden_size"])
    wide = _whole(folder, "intermediate_size", vision.get("intermediate_size", 4 * hidden))
    heads = _whole(folder, "num_attention_heads", vision["num_attention_heads"])
    floats = tokens * (5 * hidden + 2 * wide) + 2 * heads * tokens**2
    return 4 * (floats + 2 * 3 * target.width * target.height)
