"""Optimizers and groups: analytic truths, and published rules of who learns how fast."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_training import learner, network
from torch import nn

from scenewise.errors import TrainingError
from scenewise.models.registry import create_model
from scenewise.training.bert_adam import BertAdam
from scenewise.training.learner import Learner
from scenewise.training.objectives.classification import Classification
from scenewise.training.optimizers import make_optimizer
from scenewise.training.parameter_groups import parameter_groups
from scenewise.training.settings import GroupSettings, OptimizerSettings


def of(name: str) -> Learner:
    return Learner(create_model(name), Classification())


def test_sgd_on_a_parabola_is_a_geometric_series() -> None:
    """x² / 2 has the gradient x: without momentum x becomes (1 - lr)^n x."""
    point = nn.Linear(1, 1, bias=False)
    nn.init.constant_(point.weight, 3.0)
    settings = OptimizerSettings(name="sgd", lr=0.1, momentum=0, weight_decay=0)
    optimizer = make_optimizer(point, settings)
    for _ in range(10):
        optimizer.zero_grad()
        (point.weight.square().sum() / 2).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(point.weight.detach()) == pytest.approx(3 * 0.9**10)


def test_bert_adam_follows_its_published_equations() -> None:
    """Against them in float64: no bias correction, decoupled decay, a cut of each parameter."""
    draw = np.random.default_rng(0)
    values, gradients = draw.normal(size=5), draw.normal(size=(30, 5)) * 3
    parameter = nn.Parameter(torch.tensor(values))
    lr, first, second, eps, decay = 1e-2, 0.9, 0.98, 1e-6, 0.2
    optimizer = BertAdam(
        [parameter], lr, betas=(first, second), eps=eps, weight_decay=decay, max_norm=1.0
    )
    mean = square = np.zeros(5)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        cut = gradient * min(1.0, 1.0 / (np.linalg.norm(gradient) + 1e-6))
        mean = first * mean + (1 - first) * cut
        square = second * square + (1 - second) * cut**2
        values = values - lr * (mean / (np.sqrt(square) + eps) + decay * values)
        np.testing.assert_allclose(parameter.detach().numpy(), values, rtol=1e-9)


def test_bert_adam_takes_shorter_first_steps_than_adam() -> None:
    """(1 - b1) / sqrt(1 - b2) of Adam's, as nothing is corrected."""
    moved = []
    for kind in (BertAdam, torch.optim.AdamW):
        parameter = nn.Parameter(torch.zeros(1))
        optimizer = kind([parameter], lr=1.0, betas=(0.9, 0.98), eps=1e-12, weight_decay=0.0)
        parameter.grad = torch.tensor([0.5])
        optimizer.step()
        moved.append(float(parameter.detach()))
    assert moved[0] / moved[1] == pytest.approx(0.1 / 0.02**0.5, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("sgd", torch.optim.SGD),
        ("bert_adam", BertAdam),
    ],
)
def test_names(name: str, kind: type[torch.optim.Optimizer]) -> None:
    settings = OptimizerSettings(name=name)  # type: ignore[arg-type]
    assert type(make_optimizer(learner(), settings)) is kind


def test_clip4clip_s_towers_learn_a_thousand_times_slower() -> None:
    """lr 1e-4, coef_lr 1e-3 and weight decay 0.2, none for norms and biases."""
    module = of("clip4clip_tiny")
    settings = OptimizerSettings(
        name="bert_adam",
        lr=1e-4,
        weight_decay=0.2,
        groups=(GroupSettings(pattern="clip.*", lr_scale=1e-3),),
    )
    groups = {group["name"]: group for group in parameter_groups(module, settings)}
    assert {name.split(",")[0] for name in groups} <= {"clip.*", "base"}
    assert groups["clip.*"]["lr"] == groups["clip.*, no decay"]["lr"] == pytest.approx(1e-7)
    assert groups["clip.*"]["weight_decay"] == 0.2
    assert groups["clip.*, no decay"]["weight_decay"] == 0
    assert all(p.ndim > 1 for p in groups["clip.*"]["params"])
    assert all(p.ndim <= 1 for p in groups["clip.*, no decay"]["params"])


def test_every_parameter_that_learns_is_in_one_group() -> None:
    module = of("timesformer_tiny")
    for parameter in module.model.get_submodule("patch_embed").parameters():
        parameter.requires_grad_(False)
    groups = parameter_groups(
        module,
        OptimizerSettings(groups=(GroupSettings(pattern="head.*", lr_scale=10),), layer_decay=0.9),
    )
    found = [id(parameter) for group in groups for parameter in group["params"]]
    learning = [id(parameter) for parameter in module.parameters() if parameter.requires_grad]
    assert sorted(found) == sorted(learning)


def test_the_first_group_that_fits_takes_a_parameter() -> None:
    settings = OptimizerSettings(
        lr=1.0,
        groups=(
            GroupSettings(pattern="0.weight", lr_scale=0.5, weight_decay=0.0),
            GroupSettings(pattern="0.*", lr_scale=0.1),
        ),
    )
    module = learner()
    rates = {
        id(parameter): group["lr"]
        for group in parameter_groups(module, settings)
        for parameter in group["params"]
    }
    first, last = module.model.get_submodule("0"), module.model.get_submodule("3")
    assert rates[id(first.weight)] == 0.5
    assert rates[id(first.bias)] == 0.1
    assert rates[id(last.weight)] == 1.0


@pytest.mark.parametrize(
    ("pattern", "near"),
    [("cilp.*", "clip"), ("clip.visual.conv.weight", "clip.visual.conv1.weight")],
)
def test_a_pattern_that_fits_nothing_names_what_is_near(pattern: str, near: str) -> None:
    settings = OptimizerSettings(groups=(GroupSettings(pattern=pattern),))
    with pytest.raises(TrainingError, match=rf"no name fits '.*'; near it are .*{near}"):
        parameter_groups(of("clip4clip_tiny"), settings)


@pytest.mark.parametrize(
    ("name", "blocks", "below", "above"),
    [
        ("videomae_tiny", "videomae.encoder.layer.{}.", "videomae.embeddings.", "classifier."),
        ("timesformer_tiny", "blocks.{}.", "patch_embed.", "head."),
        ("internvideo2_encoder_tiny", "blocks.{}.", "patch_embed.", "head."),
    ],
)
def test_layer_decay_follows_the_order_of_the_network(
    name: str, blocks: str, below: str, above: str
) -> None:
    """Block i of N learns with decay ** (N + 1 - i): BEiT's and VideoMAE's rule."""
    decay, module = 0.75, of(name)
    names = {id(value): key for key, value in module.model.named_parameters()}
    groups = parameter_groups(module, OptimizerSettings(lr=1.0, layer_decay=decay))
    rates = {names[id(p)]: group["lr"] for group in groups for p in group["params"]}
    count = 1 + max(n for n in range(20) if any(k.startswith(blocks.format(n)) for k in rates))
    expected = {below: decay ** (count + 1), above: 1.0}
    expected |= {blocks.format(n): decay ** (count - n) for n in range(count)}
    for start, rate in expected.items():
        found = {key: value for key, value in rates.items() if key.startswith(start)}
        assert found, start
        assert all(value == pytest.approx(rate) for value in found.values()), start


def test_tokens_and_positions_are_below_all_blocks() -> None:
    module = of("timesformer_tiny")
    groups = parameter_groups(module, OptimizerSettings(lr=1.0, layer_decay=0.5))
    names = {id(value): key for key, value in module.model.named_parameters()}
    rates = {names[id(p)]: group["lr"] for group in groups for p in group["params"]}
    assert rates["cls_token"] == rates["pos_embed"] == 0.5**5


@pytest.mark.parametrize("name", ["c3d_tiny", "clip4clip_tiny"])
def test_a_network_without_one_order_has_no_layer_decay(name: str) -> None:
    with pytest.raises(TrainingError, match="one row of blocks"):
        parameter_groups(of(name), OptimizerSettings(layer_decay=0.75))


def test_nothing_that_learns_is_an_error() -> None:
    module = Learner(network().requires_grad_(False), Classification())
    with pytest.raises(TrainingError, match="all of them are frozen"):
        make_optimizer(module, OptimizerSettings())


@pytest.mark.parametrize("wrong", [{"betas": (0.9, 1.0)}, {"nesterov": True, "momentum": 0.0}])
def test_impossible_settings_are_mistakes(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        OptimizerSettings.model_validate(wrong)
