"""Facts about losses: torch's and transformers' own, closed forms, loops, gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from seeded import seeded_input
from torch import Tensor
from transformers import SiglipConfig, SiglipModel

from scenewise.models.video_text.losses import info_nce
from scenewise.training.losses import (
    captioning_loss,
    class_loss,
    distillation_loss,
    hidden_words_loss,
    mil_nce_of_groups,
    precise,
    regression_loss,
    several_labels_loss,
    sigmoid_loss,
)

WIDTHS = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}


def logits(*shape: int) -> Tensor:
    return 2.0 * seeded_input("logits", shape)


def test_the_sigmoid_loss_is_that_of_transformers_siglip() -> None:
    config = SiglipConfig(
        text_config={**WIDTHS, "num_attention_heads": 2, "vocab_size": 30},
        vision_config={**WIDTHS, "num_attention_heads": 2, "image_size": 8, "patch_size": 4},
    )
    model = SiglipModel(config).eval()
    with torch.no_grad():
        model.logit_scale.fill_(1.3)
        model.logit_bias.fill_(-0.7)
        output = model(
            input_ids=torch.arange(12).reshape(4, 3),
            pixel_values=seeded_input("pictures", (4, 3, 8, 8)),
            return_loss=True,
        )
        cosines = output.text_embeds @ output.image_embeds.T
        ours = sigmoid_loss(cosines, model.logit_scale, model.logit_bias)
    assert ours.item() == pytest.approx(output.loss.item(), abs=1e-6)


def test_the_sigmoid_loss_by_hand_as_it_begins() -> None:
    """Scale 10 and bias -10: orthogonal vectors, and each its own twin."""
    loss = sigmoid_loss(torch.eye(3), torch.tensor(math.log(10.0)), torch.tensor(-10.0))
    assert loss.item() == pytest.approx(math.log(2.0) + 2 * math.log1p(math.exp(-10.0)), abs=1e-6)


def test_mil_nce_by_a_loop_over_the_papers_formula() -> None:
    videos, texts = 3, 2
    similarity = logits(videos * texts, videos).double()
    total = 0.0
    for video in range(videos):
        own = [similarity[video * texts + n, video].exp() for n in range(texts)]
        others = [
            similarity[k, video].exp() for k in range(videos * texts) if k // texts != video
        ] + [
            similarity[video * texts + n, other].exp()
            for n in range(texts)
            for other in range(videos)
            if other != video
        ]
        total -= math.log(sum(own) / (sum(own) + sum(others)))
    assert mil_nce_of_groups(similarity).item() == pytest.approx(total / videos, abs=1e-9)


def test_mil_nce_of_one_text_counts_rows_and_columns_and_the_own_pair_once() -> None:
    """With two pairs, all else equal, 1 / 3 is the own share: own, other text, other video."""
    assert mil_nce_of_groups(torch.zeros(2, 2)).item() == pytest.approx(math.log(3.0))
    assert info_nce(torch.zeros(2, 2)).item() == pytest.approx(math.log(2.0))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classes_as_numbers_and_as_shares_agree(smoothing: float) -> None:
    given, classes = logits(5, 4), torch.tensor([0, 3, 1, 1, 2])
    shares = F.one_hot(classes, 4).float()
    hard = class_loss(given, classes, label_smoothing=smoothing)
    smoothed = (1 - smoothing) * shares + smoothing / 4
    by_hand = -(smoothed * given.log_softmax(dim=1)).sum(dim=1).mean()
    assert hard.item() == pytest.approx(by_hand.item(), abs=1e-6)
    soft = class_loss(given, shares, label_smoothing=smoothing)
    assert soft.item() == pytest.approx(by_hand.item(), abs=1e-6)


def test_mixed_shares_are_the_mix_of_both_losses() -> None:
    """Mixup: the loss of a * one class + (1 - a) * another is the same mix of their losses."""
    given, one, other = logits(3, 4), torch.tensor([0, 1, 2]), torch.tensor([3, 3, 0])
    mixed = 0.3 * F.one_hot(one, 4).float() + 0.7 * F.one_hot(other, 4).float()
    expected = 0.3 * F.cross_entropy(given, one) + 0.7 * F.cross_entropy(given, other)
    assert class_loss(given, mixed).item() == pytest.approx(expected.item(), abs=1e-6)


def test_several_labels_are_torchs_binary_cross_entropy_without_focus() -> None:
    given, targets = logits(4, 3), (logits(4, 3) > 0.3).float()
    expected = F.binary_cross_entropy_with_logits(given, targets)
    assert several_labels_loss(given, targets).item() == pytest.approx(expected.item(), abs=1e-7)


def test_the_focal_loss_by_its_formula() -> None:
    given, targets = logits(4, 3).double(), (logits(4, 3) > 0.3).double()
    right = torch.where(targets > 0, given.sigmoid(), 1 - given.sigmoid())
    weight = torch.where(targets > 0, 0.25, 0.75)
    expected = (-weight * (1 - right) ** 2 * right.log()).mean()
    ours = several_labels_loss(given, targets, gamma=2.0, alpha=0.25)
    assert ours.item() == pytest.approx(expected.item(), abs=1e-9)


def test_distillation() -> None:
    """Nothing where both agree; T^2 keeps the gradient of small logits whatever T is."""
    given = logits(3, 4)
    assert distillation_loss(given, given, 4.0).item() == pytest.approx(0.0, abs=1e-6)
    sizes = []
    for temperature in (50.0, 100.0):
        student = torch.zeros(1, 4, requires_grad=True)
        torch.autograd.backward(distillation_loss(student, logits(1, 4), temperature))
        assert student.grad is not None
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    teacher = logits(3, 4).softmax(dim=1)
    expected = (teacher * (teacher.log() - given.roll(1, 0).log_softmax(dim=1))).sum(dim=1).mean()
    assert distillation_loss(given.roll(1, 0), logits(3, 4)).item() == pytest.approx(
        expected.item(), abs=1e-6
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_captions_are_shifted_and_padding_is_left_out(smoothing: float) -> None:
    given, ids = logits(2, 4, 7), torch.tensor([[1, 4, 2, 0], [1, 5, 6, 2]])
    mask = ids != 0
    labels = torch.where(mask, ids, -100)[:, 1:]
    expected = F.cross_entropy(
        given[:, :-1].flatten(0, 1), labels.flatten(), label_smoothing=smoothing
    )
    ours = captioning_loss(given, ids, mask, label_smoothing=smoothing)
    assert ours.item() == pytest.approx(expected.item(), abs=1e-6)
    changed = given.clone()
    changed[0, 2:], changed[1, 3] = 9.0, 9.0  # what padding would tell, and what nothing follows
    assert captioning_loss(changed, ids, mask, label_smoothing=smoothing) == ours
    changed[0, 0, 0] += 9.0
    assert captioning_loss(changed, ids, mask, label_smoothing=smoothing) > ours


def test_hidden_words_are_told_where_they_are_hidden_alone() -> None:
    given, labels = logits(2, 4, 7), torch.full((2, 4), -100)
    labels[0, 1], labels[1, 2] = 3, 5
    expected = F.cross_entropy(given.flatten(0, 1), labels.flatten())
    assert hidden_words_loss(given, labels).item() == pytest.approx(expected.item(), abs=1e-6)
    none = logits(2, 4, 7).requires_grad_()
    loss = hidden_words_loss(none, torch.full((2, 4), -100))
    torch.autograd.backward(loss)
    assert loss.item() == 0.0  # torch's own mean over none is nan
    assert none.grad is not None
    assert not none.grad.any()


def test_numbers() -> None:
    outputs, targets = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.5, 0.0]])
    assert regression_loss(outputs, targets).item() == pytest.approx((0.25 + 9.0) / 2)
    huber = (0.5 * 0.25 + 2.0 * (3.0 - 1.0)) / 2
    assert regression_loss(outputs, targets, "huber", delta=2.0).item() == pytest.approx(huber)
    smooth = regression_loss(outputs, targets, "smooth_l1", delta=2.0).item()
    assert smooth == pytest.approx(huber / 2)
    with pytest.raises(ValueError, match=r"outputs \(1, 2\), but targets \(1,\)"):
        regression_loss(outputs, targets[:, 0])


def test_shapes_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"pairs are \(B, B\), got \(2, 3\)"):
        sigmoid_loss(torch.zeros(2, 3), torch.zeros(()), torch.zeros(()))
    with pytest.raises(ValueError, match=r"N texts to each video, got \(4, 3\)"):
        mil_nce_of_groups(torch.zeros(4, 3))


def test_half_precision_becomes_single_and_double_stays() -> None:
    kinds = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
    for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        assert precise(torch.zeros(1, dtype=kind)).dtype == kinds.get(kind, kind)


LABELS = torch.tensor([[-100, 2, -100], [1, -100, 0]])
LOSSES: dict[str, tuple[Callable[..., Tensor], tuple[int, ...]]] = {
    "sigmoid": (
        lambda x: sigmoid_loss(x[:3], x[3, 0], x[3, 1]),
        (4, 3),
    ),
    "mil_nce": (mil_nce_of_groups, (6, 3)),
    "classes": (lambda x: class_loss(x, torch.tensor([0, 2]), label_smoothing=0.1), (2, 3)),
    "focal": (
        lambda x: several_labels_loss(x, torch.eye(3, dtype=x.dtype), gamma=2.0, alpha=0.3),
        (3, 3),
    ),
    "distillation": (
        lambda x: distillation_loss(x, torch.eye(3, dtype=x.dtype), 2.0),
        (3, 3),
    ),
    "captioning": (
        lambda x: captioning_loss(x, LABELS.abs() % 4, LABELS < 9, label_smoothing=0.1),
        (2, 3, 4),
    ),
    "hidden words": (lambda x: hidden_words_loss(x, LABELS), (2, 3, 4)),
    "huber": (lambda x: regression_loss(x, torch.zeros_like(x), "huber", delta=0.7), (3, 2)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_in_double_precision(name: str) -> None:
    loss, shape = LOSSES[name]
    assert torch.autograd.gradcheck(loss, logits(*shape).double().requires_grad_())
