"""Facts about the encoder of series: gaps, ends, scale, gradients, and that it learns."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from network_checks import (
    assert_exports,
    assert_gradients_are_right,
    assert_gradients_flow,
    assert_runs_in_bfloat16,
)
from seeded import seeded_input
from torch import Tensor

from scenewise.errors import UsageError
from scenewise.models.series import SeriesEncoder


def encoder(channels: int = 3, **options: object) -> SeriesEncoder:
    torch.manual_seed(0)
    options = {"width": 8, "num_features": 5, **options}
    return SeriesEncoder(channels, **options).eval()  # type: ignore[arg-type]


def some_missing(series: Tensor) -> Tensor:
    return seeded_input("missing", tuple(series.shape)) > -0.5


@pytest.mark.parametrize("filler", [0.0, 1e9, math.nan])
def test_what_missing_numbers_are_changes_nothing(filler: float) -> None:
    network, series = encoder(), seeded_input("series", (2, 12, 3))
    mask = some_missing(series)
    wanted = network(torch.where(mask, series, 7.0), mask)
    assert torch.equal(network(torch.where(mask, series, filler), mask), wanted)
    assert not torch.allclose(network(series), wanted, atol=1e-3)


def test_missing_ends_are_as_if_they_were_not_there() -> None:
    network, series = encoder(), seeded_input("series", (2, 20, 3))
    mask = torch.zeros(2, 20, dtype=torch.bool)
    mask[:, 3:11] = True
    mask[:, 6] = False  # a gap inside stays a gap
    inner = torch.ones(2, 8, dtype=torch.bool)
    inner[:, 3] = False
    assert torch.allclose(network(series, mask), network(series[:, 3:11], inner), atol=1e-6)
    shorter = torch.cat([series[:, 3:6], series[:, 7:11]], dim=1)
    assert not torch.allclose(network(shorter), network(series[:, 3:11], inner), atol=1e-4)


def test_a_mask_of_steps_is_one_of_all_channels() -> None:
    network, series = encoder(), seeded_input("series", (2, 6, 3))
    steps = torch.tensor([[1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 0, 0]]).bool()
    assert torch.equal(network(series, steps), network(series, steps[..., None].expand(2, 6, 3)))


def test_mean_and_std_take_the_unit_away() -> None:
    series = seeded_input("series", (2, 6, 2))
    plain = encoder(2)
    metres = encoder(2, mean=[10.0, -3.0], std=[100.0, 0.5])
    scaled = series * torch.tensor([100.0, 0.5]) + torch.tensor([10.0, -3.0])
    assert torch.allclose(metres(scaled), plain(series), atol=1e-5)


def test_nothing_measured_gives_the_bias() -> None:
    network = encoder()
    nothing = network(torch.full((1, 4, 3), math.nan), torch.zeros(1, 4, dtype=torch.bool))
    assert torch.equal(nothing[0], network.head.bias)


def test_it_learns_the_order_of_two_bumps() -> None:
    """The same numbers in another order: a mean alone cannot tell them apart."""
    torch.manual_seed(1)
    series = torch.zeros(8, 16, 2)
    labels = torch.arange(8) % 2
    for number in range(8):
        first = 2 + number // 2
        series[number, first, labels[number]] = 1.0
        series[number, first + 4, 1 - labels[number]] = 1.0
    network = SeriesEncoder(2, width=16, num_features=2)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(100):
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(network(series), labels))
        optimizer.step()
    assert torch.equal(network(series).argmax(dim=1), labels)


def test_gradients() -> None:
    series = seeded_input("series", (2, 5, 3))
    mask = some_missing(series)
    assert_gradients_are_right(encoder(depth=2), series, mask)
    assert_gradients_flow(encoder(), series, mask)
    network = encoder()
    network(torch.where(mask, series, math.nan), mask).sum().backward()
    assert all(
        bool(item.grad.isfinite().all()) for item in network.parameters() if item.grad is not None
    )


def test_it_exports_and_runs_in_bfloat16() -> None:
    series = seeded_input("series", (2, 12, 3))
    assert_exports(encoder(), series, some_missing(series))
    assert_runs_in_bfloat16(encoder(), series[:1], some_missing(series[:1]))


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a series is \(B, T, 3\), got \(1, 4, 2\)"):
        encoder()(torch.zeros(1, 4, 2))
    with pytest.raises(ValueError, match=r"got \(1, 3\)"):
        encoder()(torch.zeros(1, 4, 3), torch.ones(1, 3))
    for options, message in (
        ({"kernel": 4}, "odd number of steps"),
        ({"mean": [1.0]}, "mean has 1 numbers for 3 channels"),
        ({"std": [1.0, 0.0, 1.0]}, "above 0"),
    ):
        with pytest.raises(UsageError, match=message):
            encoder(**options)
