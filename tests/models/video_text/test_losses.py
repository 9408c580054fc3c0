"""Facts about contrastive losses: transformers', closed forms, loops over pairs."""

from __future__ import annotations

import math

import pytest
import torch
from seeded import seeded_input
from torch import Tensor
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from scenewise.models.video_text.losses import (
    info_nce,
    max_margin,
    mil_nce,
    symmetric_info_nce,
    train_step,
)


def similarities(size: int = 5) -> Tensor:
    return 3.0 * seeded_input("similarities", (size, size))


def test_parity_with_the_loss_of_transformers_clip() -> None:
    ours = symmetric_info_nce(similarities())
    assert abs(ours - image_text_contrastive_loss(similarities())).item() < 1e-6
    off = similarities()
    off[0, 3] += 0.1  # a column that row 0 takes for the right one
    assert abs(symmetric_info_nce(off) - ours).item() > 1e-4


def test_the_gradient_is_softmax_less_one() -> None:
    given = similarities().requires_grad_()
    torch.autograd.backward(symmetric_info_nce(given))
    rows, columns = given.softmax(dim=1), given.softmax(dim=0)
    expected = (rows + columns - 2 * torch.eye(5)) / (2 * 5)
    assert given.grad is not None
    assert torch.allclose(given.grad, expected, atol=1e-6)


def test_infonce_by_hand() -> None:
    """Two pairs: log(1 + e^(wrong - right)) of each row and each column."""
    given = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    rows = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-2))) / 2
    columns = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 2
    assert info_nce(given).item() == pytest.approx(rows)
    assert symmetric_info_nce(given).item() == pytest.approx((rows + columns) / 2)
    assert symmetric_info_nce(given, halved=False).item() == pytest.approx(rows + columns)


def test_mil_nce_of_one_positive_is_infonce_and_of_two_their_sum() -> None:
    given = similarities()
    assert torch.allclose(mil_nce(given, torch.eye(5)), info_nce(given))
    two = torch.eye(5) + torch.eye(5).roll(1, dims=1)
    shares = (given.softmax(dim=1) * two).sum(dim=1)
    assert torch.allclose(mil_nce(given, two), -shares.log().mean())


def test_margins_by_a_loop() -> None:
    given, total = similarities(4), 0.0
    for a in range(4):
        for b in range(4):
            if a != b:
                total += max(0.0, 0.2 + float(given[a, b] - given[a, a]))
                total += max(0.0, 0.2 + float(given[a, b] - given[b, b]))
    assert max_margin(given, 0.2).item() == pytest.approx(total / 24, abs=1e-6)


def test_clear_errors() -> None:
    for loss in (info_nce, symmetric_info_nce, max_margin):
        with pytest.raises(ValueError, match=r"pairs are \(B, B\), got \(2, 3\)"):
            loss(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"shape of the similarities \(2, 3\), got \(2, 2\)"):
        mil_nce(torch.zeros(2, 3), torch.eye(2))


def test_a_step_cuts_the_gradient_and_says_the_loss_ahead_of_it() -> None:
    from scenewise.models import create_model
    from scenewise.models.video_text.interface import VideoTextModel

    torch.manual_seed(0)
    model = create_model("dual_encoder_tiny").eval()
    assert isinstance(model, VideoTextModel)
    clips, ids = seeded_input("clips", (3, 8, 3, 64, 64)), torch.arange(1, 13).view(3, 4)
    before = model.loss(model(clips, ids)).item()
    kept = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    assert train_step(model, optimizer, clips, ids, max_norm=0.01) == pytest.approx(before)
    moved = torch.stack(
        [(a - b).norm() for a, b in zip(kept, model.parameters(), strict=True)]
    ).norm()
    assert moved.item() == pytest.approx(0.01, rel=1e-3)
    assert model.training
