"""Facts about attention over time and space: formula, counting, a loop over pairs, a network."""

from __future__ import annotations

import itertools

import pytest

from scenewise.errors import UsageError
from scenewise.models import create_model, list_models
from scenewise.models.attention_flops import (
    SCHEMES,
    Clip,
    Scheme,
    attention_pairs,
    comparison,
    counted,
    formula,
)
from scenewise.models.flops import multiply_adds

EACH = pytest.mark.parametrize("scheme", SCHEMES)
CLIPS = (
    Clip(),
    Clip(frames=8, size=64, width=96, heads=3, depth=2, classes=10),
    Clip(frames=5, size=96, patch=8, width=64, heads=4, depth=1, window=(2, 7, 5)),
)


@EACH
@pytest.mark.parametrize("clip", CLIPS)
def test_formula_and_counting_agree(scheme: Scheme, clip: Clip) -> None:
    assert formula(scheme, clip) == counted(scheme, clip)


def test_pairs_by_a_loop() -> None:
    """Tokens (frame, place), and who may look at whom."""
    frames, side = 4, 4
    tokens = [*itertools.product(range(frames), range(side), range(side))]
    pairs = [*itertools.product(tokens, tokens)]
    in_frame = sum(a[0] == b[0] for a, b in pairs) + frames * (2 * side * side + 1)
    in_time = sum(a[1:] == b[1:] for a, b in pairs)
    window = (2, 2, 4)
    in_window = sum(
        all(x // one == y // one for x, y, one in zip(a, b, window, strict=True)) for a, b in pairs
    )
    clip = Clip(frames=frames, size=64, width=32, heads=2, window=window)
    assert attention_pairs("space-only", frames, 16, clip.windows) == in_frame
    assert attention_pairs("divided", frames, 16, clip.windows) == in_frame + in_time
    assert attention_pairs("windowed", frames, 16, clip.windows) == in_window
    assert attention_pairs("joint", frames, 16, clip.windows) == len(pairs) + 2 * len(tokens) + 1


def test_windows_shrink_and_are_filled_up() -> None:
    assert Clip(frames=4, size=64, width=32, heads=2).windows == (1, 4 * 4 * 4)
    assert Clip(frames=9).windows == (2 * 2 * 2, 8 * 7 * 7)


def test_divided_attention_at_16_frames_does_not_save_96_percent() -> None:
    """93.2 % of the products, an eighth of a block and of the network; 96 % needs 32 frames."""
    divided = comparison().schemes[1]
    # by hand, with D = 768: pairs of 3137 tokens; 5 + 4 projections and an MLP of 8 widths
    tokens, in_frames = 16 * 196, 16 * 197
    joint_pairs, pairs = (tokens + 1) ** 2, 196 * 16**2 + 16 * 197**2
    joint_block = 2 * 768 * joint_pairs + 12 * 768**2 * (tokens + 1)
    block = 2 * 768 * pairs + 768**2 * (5 * tokens + 4 * in_frames + 8 * (tokens + 1))
    assert divided.saved_products == pytest.approx(1 - pairs / joint_pairs)
    assert divided.saved_block == pytest.approx(1 - block / joint_block)
    assert f"{divided.saved_products:.1%}" == "93.2%"
    assert f"{divided.saved_block:.1%}" == "12.9%"
    assert f"{divided.saved_network:.1%}" == "12.8%"
    assert f"{comparison(Clip(frames=32)).schemes[1].saved_products:.1%}" == "96.3%"


def test_divided_attention_costs_more_than_joint_at_8_frames() -> None:
    assert comparison(Clip(frames=8)).schemes[1].saved_network < 0


@pytest.mark.skipif(
    "timesformer_base" not in list_models(), reason="there is no TimeSformer in the registry"
)
@pytest.mark.parametrize(
    ("scheme", "attention"),
    [
        ("joint", "joint_space_time"),
        ("divided", "divided_space_time"),
        ("space-only", "space_only"),
    ],
)
def test_formulas_are_those_of_timesformer(scheme: Scheme, attention: str) -> None:
    whole = multiply_adds(
        lambda: create_model("timesformer_base", num_frames=16, attention=attention),
        (1, 16, 3, 224, 224),
    )
    assert whole == formula(scheme, Clip()).network


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 100}, "16 frames of 100 pixels .* a multiple of 16"),
        ({"frames": 0}, "0 frames"),
        ({"heads": 7}, "width of 768 cannot be shared by 7 heads"),
    ],
)
def test_clips_that_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Clip(**options)  # type: ignore[arg-type]
