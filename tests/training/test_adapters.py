"""Adapters: an exact beginning, exact switching, a base that stays bit for bit, own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from seeded import seeded_input
from tiny_batches import TINY
from torch import Tensor, nn

from scenewise.errors import TrainingError
from scenewise.models import load_pretrained, save_pretrained
from scenewise.training.adapters import (
    adapter_names,
    adapters_of,
    add_adapter,
    load_adapter,
    remove_adapters,
    save_adapter,
    train_adapter,
    use_adapter,
)
from scenewise.training.objective_settings import AdapterSettings

MEDICAL = AdapterSettings(name="medical", domain="endoscopy of the colon", width=4)
SATELLITE = AdapterSettings(name="satellite", domain="pictures from above", width=6)


def moved(network: nn.Module, name: str) -> None:
    """As training would leave it."""
    with torch.no_grad():
        for key in adapter_names(network, name):
            parameter = network.get_parameter(key)
            parameter.add_(0.1 * seeded_input(f"{name} {key}", tuple(parameter.shape)))


def answer(name: str, network: nn.Module) -> Tensor:
    with torch.no_grad():
        return TINY[name].answer(network)


@pytest.mark.parametrize("name", sorted(TINY))
def test_on_networks(name: str) -> None:
    """Two adapters: nothing at the start, each learns alone, the base stays bit for bit."""
    network = TINY[name].network().eval()
    base = {key: value.clone() for key, value in network.state_dict().items()}
    before = answer(name, network)
    count = add_adapter(network, MEDICAL)
    assert torch.equal(answer(name, network), before)
    learns = {key for key, value in network.named_parameters() if value.requires_grad}
    assert learns == adapter_names(network, "medical")
    assert count.trained == sum(network.get_parameter(key).numel() for key in learns)
    assert 0 < count.share < 0.1
    moved(network, "medical")
    torch.autograd.backward(TINY[name].answer(network).square().sum())
    for key in learns:  # an adapter behind a layer that nobody calls would have none
        assert network.get_parameter(key).grad is not None, key
    medical = answer(name, network)
    add_adapter(network, SATELLITE)
    assert torch.equal(answer(name, network), before)  # the new one is in use, and fresh
    moved(network, "satellite")
    satellite = answer(name, network)
    assert (medical - before).abs().max() > 1e-5
    assert (satellite - medical).abs().max() > 1e-5
    for used, expected in (("medical", medical), (None, before), ("satellite", satellite)):
        use_adapter(network, used)
        assert torch.equal(answer(name, network), expected)
    remove_adapters(network)
    assert network.state_dict().keys() == base.keys()
    assert all(torch.equal(network.state_dict()[key], base[key]) for key in base)
    assert torch.equal(answer(name, network), before)
    assert not any(module._forward_hooks for module in network.modules())


def test_each_learns_alone_and_has_its_own_head() -> None:
    network = TINY["timesformer_tiny"].network()
    head = network.get_parameter("head.weight").clone()
    for settings in (MEDICAL, SATELLITE):
        add_adapter(network, settings.model_copy(update={"also": ("head",)}))
    train_adapter(network, "medical")
    frozen = {
        key: value.clone()
        for key, value in network.state_dict().items()
        if key not in adapter_names(network, "medical")
    }
    use_adapter(network, "medical")
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    start = network.get_parameter("head.versions.medical.weight").clone()
    for _ in range(2):
        optimizer.zero_grad()
        torch.autograd.backward(TINY["timesformer_tiny"].answer(network).square().sum())
        optimizer.step()
    assert all(torch.equal(network.state_dict()[key], frozen[key]) for key in frozen)
    assert torch.equal(network.get_parameter("head.weight"), head)
    assert not torch.equal(network.get_parameter("head.versions.medical.weight"), start)
    assert torch.equal(network.get_parameter("head.versions.satellite.weight"), head)
    assert not any("versions.medical.versions" in key for key in network.state_dict())


def test_each_is_saved_apart(tmp_path: Path) -> None:
    name = "vivit_tiny"
    network = TINY[name].network().eval()
    save_pretrained(network, tmp_path / "base")
    expected = {}
    for settings in (MEDICAL, SATELLITE):
        add_adapter(network, settings.model_copy(update={"also": ("head",)}))
        moved(network, settings.name)
        expected[settings.name] = answer(name, network)
        save_adapter(network, settings.name, tmp_path / settings.name)
    said = json.loads((tmp_path / "medical" / "adapter.json").read_text("utf-8"))
    assert said["format"] == "scenewise-adapter"
    assert said["network"] == name
    assert said["settings"]["domain"] == "endoscopy of the colon"
    fresh = load_pretrained(tmp_path / "base")
    for each in ("satellite", "medical"):
        assert load_adapter(fresh, tmp_path / each) == each
        assert torch.equal(answer(name, fresh), expected[each])
    use_adapter(fresh, "satellite")
    assert torch.equal(answer(name, fresh), expected["satellite"])
    assert adapters_of(fresh).keys() == {"medical", "satellite"}
    with pytest.raises(TrainingError, match="has an adapter 'medical' already"):
        load_adapter(fresh, tmp_path / "medical")
    with pytest.raises(TrainingError, match="belongs to vivit_tiny, and the network here is"):
        load_adapter(TINY["timesformer_tiny"].network(), tmp_path / "medical")
    damaged = tmp_path / "medical" / "adapter.json"
    damaged.write_text(json.dumps({**said, "format": "scenewise-lora"}), "utf-8")
    with pytest.raises(TrainingError, match="another form than scenewise-adapter"):
        load_adapter(TINY[name].network(), tmp_path / "medical")


def test_names_that_are_not_there() -> None:
    network = TINY["timesformer_tiny"].network()
    with pytest.raises(TrainingError, match="has no adapter 'medical'; it has none"):
        use_adapter(network, "medical")
    with pytest.raises(TrainingError, match=r"no linear layer named 'mlp\.fc3'; near: mlp"):
        add_adapter(network, AdapterSettings(name="a", targets=("mlp.fc3",)))
    assert not adapters_of(network)
    add_adapter(network, MEDICAL)
    with pytest.raises(TrainingError, match="has no adapter 'sports'; it has medical"):
        train_adapter(network, "sports")
    with pytest.raises(TrainingError, match="none of the usual linear layers of attention and"):
        add_adapter(nn.Sequential(nn.Linear(2, 2)), MEDICAL)
