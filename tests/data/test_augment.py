"""Augmentations: by formula, and beside Pillow on the same picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from einops import rearrange
from numbered_films import BYTES, SIDE
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from scenewise.data.augment import boxes, colour, rand_augment
from scenewise.data.augment.boxes import Box
from scenewise.data.augment.erasing import erase
from scenewise.data.augment.mixing import Mixer, cutmix, soft_targets
from scenewise.data.augment.pipeline import Preparation, scale_of
from scenewise.data.batch import Batch
from scenewise.data.settings import AugmentSettings
from scenewise.errors import UsageError
from scenewise.media.film import noise_picture


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pictures(height: int = 60, width: int = 80) -> Tensor:
    """Two different smooth frames (2, 3, H, W)."""
    both = np.stack([noise_picture(seed, width, height) for seed in (1, 2)])
    return rearrange(torch.from_numpy(both), "t h w c -> t c h w")


def as_pillow(change: Callable[[Image.Image], Image.Image], frames: Tensor) -> Tensor:
    """The same by Pillow, frame by frame."""
    changed = [
        np.asarray(change(Image.fromarray(rearrange(frame, "c h w -> h w c").numpy())))
        for frame in frames
    ]
    return rearrange(torch.from_numpy(np.stack(changed)), "t h w c -> t c h w")


def farthest(ours: Tensor, theirs: Tensor) -> int:
    return int((ours.int() - theirs.int()).abs().max())


# colours


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(colour.brightness, ImageEnhance.Brightness, id="brightness"),
        pytest.param(colour.contrast, ImageEnhance.Contrast, id="contrast"),
        pytest.param(colour.saturation, ImageEnhance.Color, id="saturation"),
        pytest.param(colour.sharpness, ImageEnhance.Sharpness, id="sharpness"),
    ],
)
def test_a_colour_is_pillows_within_two_levels(
    ours: Callable[[Tensor, float], Tensor],
    theirs: Callable[[Image.Image], ImageEnhance._Enhance],
    factor: float,
) -> None:
    frames = pictures()
    expected = as_pillow(lambda image: theirs(image).enhance(factor), frames)
    assert farthest(ours(frames, factor), expected) <= 2


@pytest.mark.parametrize(
    "change", [colour.brightness, colour.contrast, colour.saturation, colour.sharpness]
)
def test_a_factor_of_one_changes_nothing(change: Callable[[Tensor, float], Tensor]) -> None:
    assert torch.equal(change(pictures(), 1.0), pictures())


def test_a_third_of_the_circle_moves_the_channels_on() -> None:
    frames = pictures()
    # red becomes green: what was red is now green
    assert farthest(colour.hue(frames, 1 / 3), frames[:, [2, 0, 1]]) <= 1
    assert farthest(colour.hue(frames, -1 / 3), frames[:, [1, 2, 0]]) <= 1


@pytest.mark.parametrize("shift", [-0.4, -0.1, 0.2])
def test_hue_turns_back(shift: float) -> None:
    assert farthest(colour.hue(colour.hue(pictures(), shift), -shift), pictures()) <= 3


def test_grey_has_no_hue_and_no_saturation() -> None:
    plain = colour.grayscale(pictures())
    assert torch.equal(colour.hue(plain, 0.3), plain)
    assert farthest(colour.saturation(plain, 1.8), plain) <= 1
    assert (
        farthest(plain, as_pillow(lambda image: image.convert("L").convert("RGB"), pictures())) <= 1
    )


def test_jitter_is_alike_in_all_frames() -> None:
    still = pictures()[:1].expand(5, -1, -1, -1)
    for seed in range(20):
        changed = colour.jitter(
            still, chance(seed), brightness_by=0.4, contrast_by=0.4, saturation_by=0.4, hue_by=0.1
        )
        assert torch.equal(changed, changed[:1].expand(5, -1, -1, -1))


def test_jitter_of_nothing_is_nothing() -> None:
    same = colour.jitter(
        pictures(), chance(), brightness_by=0, contrast_by=0, saturation_by=0, hue_by=0
    )
    assert torch.equal(same, pictures())


# RandAugment


def by_affine(matrix: tuple[float, ...]) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, matrix)


def by_autocontrast(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(image)


@pytest.mark.parametrize(
    ("name", "sign", "theirs"),
    [
        pytest.param(
            "posterize", 1, lambda i: ImageOps.posterize(i, 8 - round(4 * 0.3)), id="posterize"
        ),
        pytest.param("solarize", 1, lambda i: ImageOps.solarize(i, 179), id="solarize"),
        pytest.param("equalize", 1, ImageOps.equalize, id="equalize"),
        pytest.param("autocontrast", 1, by_autocontrast, id="autocontrast"),
        pytest.param("shear_x", 1, by_affine((1, 0.09, 0, 0, 1, 0)), id="shear x"),
        pytest.param("shear_y", -1, by_affine((1, 0, 0, -0.09, 1, 0)), id="shear y"),
        # 150 / 331 * 80 * 0.3 = 10.9, and 8.2 of 60 lines
        pytest.param("translate_x", 1, by_affine((1, 0, -10, 0, 1, 0)), id="right by 10"),
        pytest.param("translate_y", -1, by_affine((1, 0, 0, 0, 1, 8)), id="up by 8"),
        pytest.param("rotate", 1, lambda i: i.rotate(9), id="rotate"),
        pytest.param("rotate", -1, lambda i: i.rotate(-9), id="rotate back"),
    ],
)
def test_an_operation_is_pillows(
    name: str, sign: int, theirs: Callable[[Image.Image], Image.Image]
) -> None:
    frames = pictures()
    ours = rand_augment.operations(9, sign, 60, 80)[name](frames)
    off = (ours.int() - as_pillow(theirs, frames).int()).abs()
    # a centre that falls between two pixels may be rounded to either
    assert float((off > 1).float().mean()) < 0.001


def test_magnitude_nought_is_no_change_where_an_operation_has_a_strength() -> None:
    able = rand_augment.operations(0, 1, 60, 80)
    weak = set(able) - {"autocontrast", "equalize", "solarize"}
    assert len(able) == 14
    for name in weak:
        assert torch.equal(able[name](pictures()), pictures()), name


def test_rand_augment_is_alike_in_all_frames_and_does_every_operation() -> None:
    still = pictures()[:1].expand(3, -1, -1, -1)
    seen = set()
    for seed in range(60):
        changed = rand_augment.rand_augment(still, chance(seed), 1, 9)
        assert torch.equal(changed, changed[:1].expand(3, -1, -1, -1))
        seen.add(changed.numpy().tobytes())
    assert len(seen) > 14  # two signs of most


# boxes


def test_a_resized_box_has_areas_and_ratios_of_its_range() -> None:
    areas, ratios = [], []
    for seed in range(500):
        box = boxes.resized_box(240, 320, chance(seed))
        assert 0 <= box.top <= 240 - box.height
        assert 0 <= box.left <= 320 - box.width
        areas.append(box.height * box.width / (240 * 320))
        ratios.append(box.width / box.height)
    assert 0.07 < min(areas) < 0.12
    assert 0.85 < max(areas) <= 1
    # even draws of which those count that fit the picture
    area, ratio = (
        chance().uniform(0.08, 1, 100_000),
        np.exp(chance(1).uniform(np.log(3 / 4), np.log(4 / 3), 100_000)),
    )
    fits = (np.sqrt(area * 4 / 3 / ratio) <= 1) & (np.sqrt(area * 3 / 4 * ratio) <= 1)
    assert np.mean(areas) == pytest.approx(area[fits].mean(), abs=0.03)
    assert 0.73 < min(ratios) < 0.78
    assert 1.28 < max(ratios) < 1.36
    assert abs(np.median(np.log(ratios))) < 0.06


def test_a_resized_box_of_a_ribbon_is_the_middle_one() -> None:
    assert boxes.resized_box(10, 1000, chance(), (0.9, 1.0)) == Box(0, 493, 10, 13)


def test_corner_boxes_are_of_four_scales_at_thirteen_places() -> None:
    found = {boxes.corner_box(256, 340, 224, chance(seed)) for seed in range(3000)}
    assert {box.height for box in found} == {256, 224, 192, 168}
    steps = (256, 224, 192, 168)
    assert all(abs(steps.index(b.height) - steps.index(b.width)) <= 1 for b in found)
    places = {(box.top, box.left) for box in found if (box.height, box.width) == (224, 224)}
    assert len(places) == 13
    assert {(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)} <= places


def test_jitter_shows_as_much_as_a_crop_of_the_scaled_picture() -> None:
    sides = [
        boxes.jitter_box(320, 426, 224, (256, 320), chance(seed)).height for seed in range(400)
    ]
    # a 224 of 320 to a 224 of 256, in pixels of a short edge of 320
    assert min(sides) == 224
    assert max(sides) == 280


@pytest.mark.parametrize(
    ("size", "place", "expected"),
    [
        ((60, 100), 0, Box(0, 0, 60, 60)),
        ((60, 100), 1, Box(0, 20, 60, 60)),
        ((60, 100), 2, Box(0, 40, 60, 60)),
        ((100, 60), 0, Box(0, 0, 60, 60)),
        ((100, 60), 2, Box(40, 0, 60, 60)),
    ],
)
def test_three_crops_lie_along_the_longer_edge(
    size: tuple[int, int], place: int, expected: Box
) -> None:
    assert boxes.centre_box(*size, 60, place, 3) == expected


def test_cutting_without_scaling_changes_no_pixel() -> None:
    frames = pictures()
    assert torch.equal(boxes.cut(frames, Box(3, 5, 40, 40), 40), frames[:, :, 3:43, 5:45])


def test_scaling_is_pillows_within_one_level() -> None:
    frames = pictures()
    ours = boxes.cut(frames, Box(0, 0, 60, 80), 32)
    theirs = as_pillow(lambda i: i.resize((32, 32), Image.Resampling.BILINEAR), frames)
    assert farthest(ours, theirs) <= 1


# the whole way


def prepared(augment: AugmentSettings | None, seed: int = 0, **options: bool) -> Tensor:
    still = np.stack([noise_picture(3, SIDE, SIDE)] * 3)
    return Preparation(BYTES, augment)(still, chance(seed), **options)


def test_flipping_twice_is_the_same() -> None:
    flipped = prepared(AugmentSettings(flip=1.0))
    assert torch.equal(flipped.flip(-1), prepared(None))
    assert not torch.equal(flipped, prepared(None))


def test_a_row_with_a_direction_is_not_flipped() -> None:
    assert torch.equal(prepared(AugmentSettings(flip=1.0), keep_direction=True), prepared(None))


@pytest.mark.parametrize("crop", ["resized", "corners", "jitter"])
def test_all_frames_are_changed_alike(crop: str) -> None:
    settings = AugmentSettings.model_validate(
        {"crop": crop, "flip": 0.5, "brightness": 0.4, "grayscale": 0.2, "rand_augment": 2}
    )
    for seed in range(15):
        clip = prepared(settings, seed)
        assert clip.shape == (3, 3, SIDE, SIDE)
        assert torch.equal(clip, clip[:1].expand(3, -1, -1, -1))


def test_normalisation_is_the_cards() -> None:
    from dataclasses import replace

    pixels = replace(BYTES, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2), channels="bgr")
    frames = np.full((1, SIDE, SIDE, 3), (51, 102, 204), dtype=np.uint8)
    clip = Preparation(pixels)(frames, chance())
    expected = [(0.8 - 0.1) / 0.5, (0.4 - 0.2) / 0.25, (0.2 - 0.3) / 0.2]
    assert clip[0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("crop", "expected"),
    [("centre", 96), ("resized", 110), ("corners", 110), ("jitter", 137)],
)
def test_frames_are_decoded_as_large_as_boxes_need(crop: str, expected: int) -> None:
    augment = AugmentSettings.model_validate({"crop": crop})
    assert scale_of(BYTES, augment).short_side == expected
    assert scale_of(BYTES, augment, 200).short_side == 200
    assert scale_of(BYTES, None, 200).short_side == 96


# erasing


def test_erasing_is_one_box_in_the_same_place() -> None:
    shares = []
    for seed in range(200):
        clip = erase(torch.ones(4, 3, 50, 70), chance(seed), "const")
        gone = clip == 0
        assert torch.equal(gone, gone[:1, :1].expand_as(gone))
        rows, columns = gone[0, 0].any(1).sum(), gone[0, 0].any(0).sum()
        assert gone[0, 0].sum() == rows * columns
        shares.append(float(gone[0, 0].float().mean()))
        assert 0.28 < columns / rows < 3.6
    assert min(shares) > 0.015
    assert max(shares) < 0.345


def test_erasing_with_pixels_is_noise_of_its_own_everywhere() -> None:
    clip = erase(torch.full((4, 3, 50, 70), 9.0), chance(1), "pixel")
    noise = clip[clip != 9.0]
    assert abs(float(noise.mean())) < 0.1
    assert abs(float(noise.std()) - 1) < 0.1
    assert len(set(noise.tolist())) > 0.99 * len(noise)


# mixing


def batch(size: int = 4) -> Batch:
    clips = torch.arange(size).float()[:, None, None, None, None].expand(size, 2, 3, 20, 30)
    return Batch(rows=torch.arange(size), clips=clips.contiguous(), targets=torch.arange(size))


def test_mixup_mixes_clips_and_targets_alike() -> None:
    mixed = Mixer(AugmentSettings(mixup=0.8), classes=4)(batch(), 0, 0)
    assert mixed.clips is not None
    assert mixed.targets is not None
    share = mixed.targets[0, 0]
    assert 0 < share < 1
    torch.testing.assert_close(mixed.targets[0, 3], 1 - share)
    torch.testing.assert_close(mixed.clips[0], torch.full((2, 3, 20, 30), float(3 * (1 - share))))


def test_cutmix_counts_the_area_that_stayed() -> None:
    clips = batch().clips
    assert clips is not None
    for seed in range(100):
        mixed, share = cutmix(clips, float(chance(seed).random()), chance(seed))
        stays = mixed[0] == clips[0]
        assert torch.equal(stays, stays[:1, :1].expand_as(stays))
        assert share == pytest.approx(float(stays.float().mean()))


def test_a_mixers_targets_follow_the_area_of_cutmix() -> None:
    mixed = Mixer(AugmentSettings(cutmix=1.0), classes=4)(batch(), 2, 5)
    assert mixed.clips is not None
    assert mixed.targets is not None
    stayed = float((mixed.clips[0] == 0).float().mean())
    assert float(mixed.targets[0, 0]) == pytest.approx(stayed)


def test_smoothing_leaves_shares_that_sum_to_one() -> None:
    soft = soft_targets(torch.tensor([2, 0]), 5, 0.1)
    assert soft.sum(1).tolist() == pytest.approx([1, 1])
    assert soft[0].tolist() == pytest.approx([0.02, 0.02, 0.92, 0.02, 0.02])


def test_mixing_depends_on_seed_epoch_and_position_alone() -> None:
    mixer = Mixer(AugmentSettings(mixup=0.8, cutmix=1.0, label_smoothing=0.1), classes=4, seed=3)

    def shares(epoch: int, position: int) -> Tensor:
        targets = mixer(batch(), epoch, position).targets
        assert targets is not None
        return targets

    assert torch.equal(shares(1, 2), shares(1, 2))
    assert len({tuple(shares(e, p)[0].tolist()) for e in range(4) for p in range(4)}) > 12


def test_what_cannot_be_mixed_is_said() -> None:
    mixer = Mixer(AugmentSettings(mixup=0.8), classes=4)
    with pytest.raises(UsageError, match="are of classes"):
        mixer(Batch(rows=torch.arange(2), clips=torch.zeros(2, 1, 3, 4, 4)), 0, 0)
    with pytest.raises(UsageError, match="class below 4"):
        mixer(Batch(rows=torch.arange(1), targets=torch.tensor([-100])), 0, 0)


def test_without_settings_a_batch_stays_what_it_is() -> None:
    given = batch()
    assert Mixer(AugmentSettings(), classes=4)(given, 0, 0) is given
