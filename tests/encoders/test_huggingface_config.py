"""Settings of published checkpoints, in the layouts of several years, give the same target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenewise.encoders.huggingface_config import read_config, read_licence
from scenewise.errors import EncoderError
from scenewise.media.target import Target

IMAGENET: dict[str, Any] = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF: dict[str, Any] = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CLIP = {"model_type": "clip", "projection_dim": 512}
# the large multilingual network, as google publishes its settings
SIGLIP2 = {
    "model_type": "siglip",
    "text_config": {"vocab_size": 256000, "hidden_size": 1152, "projection_size": 1152},
    "vision_config": {
        "image_size": 384,
        "patch_size": 14,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_attention_heads": 16,
    },
}

# id: (config.json, file of the processor, its content, the target)
LAYOUTS: dict[str, tuple[dict[str, Any], str, dict[str, Any], Target]] = {
    "CLIP with bare numbers": (
        CLIP,
        "preprocessor_config.json",
        {**IMAGENET, "size": 224, "crop_size": 224, "do_center_crop": True, "resample": 3},
        Target(224, 224, "crop", 224, "bicubic"),
    ),
    "CLIP with names": (
        CLIP,
        "preprocessor_config.json",
        {
            **IMAGENET,
            "size": {"shortest_edge": 256},
            "crop_size": {"height": 224, "width": 224},
            "do_center_crop": True,
        },
        Target(224, 224, "crop", 256, "bicubic"),
    ),
    "one file for the whole processor": (
        CLIP,
        "processor_config.json",
        {
            "processor_class": "CLIPProcessor",
            "image_processor": {
                **IMAGENET,
                "size": {"shortest_edge": 224},
                "crop_size": {"height": 224, "width": 224},
                "do_center_crop": True,
            },
        },
        Target(224, 224, "crop", 224, "bicubic"),
    ),
    "SigLIP 2": (
        SIGLIP2,
        "preprocessor_config.json",
        {**HALF, "size": {"height": 384, "width": 384}, "resample": 2, "do_convert_rgb": None},
        Target(384, 384, "squash", None, "bilinear"),
    ),
    "SigLIP 2 NaFlex": (
        {"model_type": "siglip2", "vision_config": {"num_patches": 256, "patch_size": 16}},
        "preprocessor_config.json",
        {**HALF, "patch_size": 16, "max_num_patches": 256},
        Target(256, 256, "squash", None, "bilinear"),
    ),
    "X-CLIP with the settings of VideoMAE": (
        {"model_type": "xclip", "projection_dim": 512, "vision_config": {"num_frames": 16}},
        "preprocessor_config.json",
        {**IMAGENET, "size": 224, "do_center_crop": True, "crop_size": 224, "resample": 2},
        Target(224, 224, "crop", 224, "bilinear"),
    ),
}


def write(folder: Path, config: dict[str, Any], name: str, processor: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / name).write_text(json.dumps(processor), "utf-8")
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_gives_its_target(layout: str, tmp_path: Path) -> None:
    config, name, processor, target = LAYOUTS[layout]
    read = read_config(write(tmp_path, config, name, processor))
    assert read.target == target
    settings = processor.get("image_processor", processor)
    assert read.mean == tuple(settings["image_mean"])
    assert read.std == tuple(settings["image_std"])


def test_sizes_come_from_the_networks_settings(tmp_path: Path) -> None:
    config, name, processor, _ = LAYOUTS["SigLIP 2"]
    read = read_config(write(tmp_path, config, name, processor))
    assert (read.dimension, read.text_length, read.vocabulary_size) == (1152, 64, 256000)
    assert read.multilingual
    # the wide layer of 27 x 27 patches alone: 729 tokens of 4,304 numbers of 4 bytes
    assert read.window_bytes > 729 * 4304 * 4
    config, name, processor, _ = LAYOUTS["X-CLIP with the settings of VideoMAE"]
    read = read_config(write(tmp_path, config, name, processor))
    assert (read.dimension, read.text_length, read.frames) == (512, 77, 16)
    assert not read.multilingual


def test_without_normalisation_pixels_stay_in_0_to_1(tmp_path: Path) -> None:
    config, name, processor, _ = LAYOUTS["SigLIP 2"]
    read = read_config(write(tmp_path, config, name, {**processor, "do_normalize": False}))
    assert (read.mean, read.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another scale": ({"rescale_factor": 1 / 127.5}, "rescale_factor"),
    "no scale": ({"do_rescale": False}, "rescale_factor"),
    "no resizing": ({"do_resize": False}, "do_resize"),
    "no crop after the short edge": ({"size": {"shortest_edge": 384}}, "a crop at the centre"),
    "a deviation of zero": ({"image_std": [0.5, 0.0, 0.5]}, "numbers above zero"),
    "no size": ({"size": {"longest_edge": 384}}, "size"),
    "a size in words": ({"size": {"height": "384", "width": 384}}, "a whole number above zero"),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_cannot_be_followed_exactly_is_refused(refused: str, tmp_path: Path) -> None:
    change, message = REFUSED[refused]
    config, name, processor, _ = LAYOUTS["SigLIP 2"]
    write(tmp_path, config, name, {**processor, **change})
    with pytest.raises(EncoderError, match=message) as caught:
        read_config(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\ntags:\n- vision\nlicense: apache-2.0\n---\n# A card", "apache-2.0"),
        ("---\ntags: vision\n---\nlicense: mit\n", "unknown"),
        ("license: mit\n", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_cards_head_names_the_licence(card: str | None, licence: str, tmp_path: Path) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card, "utf-8")
    assert read_licence(tmp_path) == licence
