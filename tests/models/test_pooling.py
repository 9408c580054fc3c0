"""Facts about pooling: loops by hand, masks, windows, permutations, gradients, export."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_input
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.pooling import (
    AttentionPooling,
    MapPooling,
    first_token,
    masked_max,
    masked_mean,
)

TOKENS: dict[str, Callable[[], Callable[..., Tensor]]] = {
    "mean": lambda: masked_mean,
    "max": lambda: masked_max,
    "attention": lambda: AttentionPooling(8, heads=2).eval(),
    "queries": lambda: AttentionPooling(8, heads=4, queries=3).eval(),
}
MAPS: dict[str, Callable[..., MapPooling]] = {
    "average": lambda **more: MapPooling("average", **more),
    "max": lambda **more: MapPooling("max", **more),
    "joint": lambda **more: MapPooling("joint", **more),
    "both": lambda **more: MapPooling("joint", concatenate=True, **more),
    "max-average": lambda **more: MapPooling("temporal-spatial", **more),
    "average-max": lambda **more: MapPooling(
        "temporal-spatial", temporal="average", spatial="max", **more
    ),
}
EACH_TOKENS = pytest.mark.parametrize("kind", TOKENS)
EACH_MAPS = pytest.mark.parametrize("kind", MAPS)


def tokens() -> Tensor:
    return seeded_input("tokens", (3, 6, 8))


def maps() -> Tensor:
    return seeded_input("maps", (2, 3, 4, 6, 5))


def pool_tokens(kind: str) -> Callable[..., Tensor]:
    torch.manual_seed(0)
    return TOKENS[kind]()


class Side(nn.Module):
    """Every pooling of maps at once: an export takes seconds."""

    def forward(self, maps: Tensor, mask: Tensor) -> Tensor:
        whole = [pool()(maps, mask) for pool in MAPS.values()]
        parts = [pool(window=(2, 3, 2))(maps, mask).flatten(1) for pool in MAPS.values()]
        return torch.cat([*whole, *parts], dim=1)


def test_mean_max_and_first_by_hand() -> None:
    given = torch.tensor([[[1.0, -1.0], [3.0, -5.0], [8.0, 8.0]]])
    mask = torch.tensor([[True, True, False]])
    assert masked_mean(given, mask).tolist() == [[2.0, -3.0]]
    assert masked_max(given, mask).tolist() == [[3.0, -1.0]]
    assert first_token(given).tolist() == [[1.0, -1.0]]


def test_attention_by_hand() -> None:
    pool = AttentionPooling(4, heads=1)
    given = seeded_input("given", (2, 5, 4))
    key, value = pool.kv(pool.norm(given)).chunk(2, dim=-1)
    scores = (key @ pool.q(pool.queries)[0].T)[..., 0] / 2.0
    expected = pool.proj(torch.einsum("bn,bnd->bd", scores.softmax(dim=1), value))
    assert torch.allclose(pool(given), expected, atol=1e-6)


@EACH_TOKENS
@pytest.mark.parametrize("filler", [0.0, 1e6, math.nan])
def test_masked_tokens_change_nothing(kind: str, filler: float) -> None:
    pool, mask = pool_tokens(kind), torch.arange(6) < torch.tensor([[6], [4], [1]])
    pooled = pool(torch.where(mask[..., None], tokens(), filler), mask)
    for row, length in enumerate((6, 4, 1)):
        assert torch.allclose(pooled[row], pool(tokens()[row : row + 1, :length])[0], atol=1e-6)


@EACH_TOKENS
def test_the_order_of_tokens_does_not_matter(kind: str) -> None:
    pool = pool_tokens(kind)
    assert torch.allclose(pool(tokens()[:, [3, 1, 5, 0, 4, 2]]), pool(tokens()), atol=1e-6)


@EACH_TOKENS
def test_nothing_real_is_no_nan(kind: str) -> None:
    pool, given = pool_tokens(kind), tokens().requires_grad_()
    pooled = pool(given, torch.zeros(3, 6, dtype=torch.bool))
    expected = pool.proj.bias if isinstance(pool, AttentionPooling) else torch.zeros(8)
    assert torch.equal(pooled, expected.expand_as(pooled))
    torch.autograd.backward(pooled.sum())
    assert given.grad is not None
    assert not given.grad.any()


def test_attention_learns_exports_and_runs_in_bfloat16() -> None:
    mask = torch.arange(6) < torch.tensor([[6], [4], [1]])
    for kind in ("attention", "queries"):
        pool = pool_tokens(kind)
        assert isinstance(pool, AttentionPooling)
        assert_runs_in_bfloat16(pool, tokens()[:1], mask[1:2])
        assert_gradients_are_right(pool, tokens()[:2, :3], mask[:2, :3])
        assert_gradients_flow(pool.float(), tokens(), mask)
    assert_exports(AttentionPooling(8, heads=2), tokens(), mask)


def loop(maps: Tensor, mask: Tensor, how: str, window: tuple[int, ...]) -> Tensor:
    """Average or max of windows that follow each other, number by number."""
    batch, width, *size = maps.shape
    counts = [whole // one for whole, one in zip(size, window, strict=True)]
    pooled = torch.zeros(batch, width, *counts)
    for b in range(batch):
        for place in torch.cartesian_prod(*(torch.arange(count) for count in counts)).tolist():
            where = tuple(slice(p * w, (p + 1) * w) for p, w in zip(place, window, strict=True))
            for d in range(width):
                numbers = maps[b, d][where][mask[b][where]]
                if len(numbers):
                    value = numbers.max() if how == "max" else numbers.mean()
                    pooled[b, d][tuple(place)] = value
    return pooled


def map_mask() -> Tensor:
    mask = seeded_input("mask", (2, 4, 6, 5)) > -0.5
    mask[1, :2, :3, :2] = False  # a whole window
    return mask


@pytest.mark.parametrize("how", ["average", "max"])
@pytest.mark.parametrize("window", [(2, 3, 2), (4, 6, 5), (1, 1, 1), (3, 4, 3)])
def test_windows_by_a_loop(how: str, window: tuple[int, int, int]) -> None:
    pool = MAPS[how](window=window)
    assert torch.allclose(pool(maps(), map_mask()), loop(maps(), map_mask(), how, window))
    everything = torch.ones(2, 4, 6, 5, dtype=torch.bool)
    assert torch.allclose(pool(maps()), loop(maps(), everything, how, window), atol=1e-6)
    held = loop(torch.ones(2, 1, 4, 6, 5), map_mask(), how, window)[:, 0] > 0
    assert torch.equal(pool.pooled_mask(maps(), map_mask()), held)


def test_joint_and_temporal_spatial_by_their_parts() -> None:
    window = (2, 3, 2)
    most, mean = (loop(maps(), map_mask(), how, window) for how in ("max", "average"))
    assert torch.allclose(MAPS["joint"](window=window)(maps(), map_mask()), most + mean)
    both = MAPS["both"](window=window)(maps(), map_mask())
    assert torch.allclose(both, torch.cat([most, mean], dim=1))
    assert torch.allclose(MAPS["max-average"]()(maps()), maps().amax(2).mean((2, 3)), atol=1e-6)
    assert torch.allclose(MAPS["average-max"]()(maps()), maps().mean(2).amax((2, 3)), atol=1e-6)
    in_time = loop(maps(), map_mask(), "max", (2, 1, 1))
    held = loop(torch.ones(2, 1, 4, 6, 5), map_mask(), "max", (2, 1, 1))[:, 0] > 0
    expected = loop(in_time, held, "average", (1, 3, 2))
    assert torch.allclose(MAPS["max-average"](window=window)(maps(), map_mask()), expected)


@EACH_MAPS
def test_a_window_of_all_is_global(kind: str) -> None:
    for mask in (None, map_mask(), map_mask()[:, :, 0, 0]):
        windowed = MAPS[kind](window=(4, 6, 5))(maps(), mask)
        assert torch.allclose(windowed.flatten(1), MAPS[kind]()(maps(), mask), atol=1e-6)


@EACH_MAPS
@pytest.mark.parametrize("filler", [-1e6, 1e6, math.nan])
def test_a_masked_frame_changes_nothing(kind: str, filler: float) -> None:
    mask = torch.tensor([[True, False, True, True]] * 2)
    filled = torch.where(mask[:, None, :, None, None], maps(), filler)
    wanted = MAPS[kind]()(maps()[:, :, [0, 2, 3]])
    assert torch.allclose(MAPS[kind]()(filled, mask), wanted, atol=1e-6)


@EACH_MAPS
def test_the_order_of_frames_and_places_does_not_matter(kind: str) -> None:
    pool = MAPS[kind]()
    frames = maps()[:, :, [2, 0, 3, 1]]
    places = maps().flip(3)[..., [4, 0, 3, 1, 2]]
    assert torch.allclose(pool(frames), pool(maps()), atol=1e-6)
    assert torch.allclose(pool(places), pool(maps()), atol=1e-6)


def test_a_stride_and_windows_that_stick_out() -> None:
    line = torch.arange(5.0).view(1, 1, 5, 1, 1)
    overlapping = MapPooling("max", window=(2, 1, 1), stride=(1, 1, 1))
    assert overlapping(line).flatten().tolist() == [1, 2, 3, 4]
    assert MapPooling(window=(2, 1, 1))(line).flatten().tolist() == [0.5, 2.5]


@EACH_MAPS
def test_gradients_are_right(kind: str) -> None:
    few, mask = maps()[:, :2, :, :3, :2], torch.tensor([[True, False, True, True]] * 2)
    for pool in (MAPS[kind](), MAPS[kind](window=(2, 2, 1), stride=(1, 1, 1))):
        assert_gradients_are_right(pool, few, mask)


def test_maps_export_and_run_in_bfloat16() -> None:
    mask = map_mask()[:, :, 0, 0]
    assert_exports(Side(), maps(), mask)
    assert_runs_in_bfloat16(Side(), maps()[:1], mask[:1])


def test_what_is_refused() -> None:
    for build, message in (
        (lambda: MapPooling("sum"), "not by 'sum'"),  # type: ignore[arg-type]
        (lambda: MapPooling("max", concatenate=True), "belongs to how='joint'"),
        (lambda: MapPooling(stride=(1, 1, 1)), "a stride needs a window"),
        (lambda: MapPooling(window=(1, 0, 1)), r"window is three numbers .*\[1, 0, 1\]"),
        (lambda: MapPooling(temporal="sum"), "temporal is average or max"),  # type: ignore[arg-type]
        (lambda: AttentionPooling(6, heads=4), "6 cannot be shared by 4"),
    ):
        with pytest.raises(UsageError, match=message):
            build()
    with pytest.raises(ValueError, match=r"maps are \(B, D, T, H, W\)"):
        MapPooling()(torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match=r"window of \(9, 1, 1\) does not fit"):
        MapPooling(window=(9, 1, 1))(maps())
    with pytest.raises(ValueError, match=r"got \(2, 5\)"):
        MapPooling()(maps(), torch.ones(2, 5))
