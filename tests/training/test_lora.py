"""LoRA: the equation, an exact beginning, merging, and files beside the network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from seeded import seeded_input
from tiny_batches import TINY
from torch import nn

from scenewise.errors import TrainingError
from scenewise.models import create_model, load_pretrained, save_pretrained
from scenewise.training.adapters import add_adapter
from scenewise.training.lora import (
    LoraLinear,
    add_lora,
    fold_lora,
    load_lora,
    lora_layers,
    merge_lora,
    save_lora,
)
from scenewise.training.objective_settings import AdapterSettings, LoraSettings

NAMES = sorted(TINY)
TARGETS = {"clip4clip_tiny": ("out_proj", "c_fc", "c_proj")}  # its q, k and v are bare parameters


def settings(name: str, **options: object) -> LoraSettings:
    return LoraSettings.model_validate({"targets": TARGETS.get(name, ()), "rank": 2, **options})


def moved(network: nn.Module) -> None:
    """As training would leave it: B is not zero."""
    with torch.no_grad():
        for name, layer in lora_layers(network).items():
            layer.lora_b.copy_(0.3 * seeded_input(name, tuple(layer.lora_b.shape)))


def test_the_equation() -> None:
    own = nn.Linear(5, 4)
    layer = LoraLinear(own, rank=2, alpha=6.0)
    x = seeded_input("x", (3, 5))
    assert torch.equal(layer(x), own(x))  # exactly as it was
    with torch.no_grad():
        layer.lora_b.normal_()
        a, b = layer.lora_a[0], layer.lora_b[0]
        expected = own(x) + 6.0 / 2 * (x @ a.T @ b.T)
        assert torch.allclose(layer(x), expected, atol=1e-6)
        assert torch.allclose(layer.weight, own.weight + 3.0 * b @ a, atol=1e-6)
    assert a.std() > 0


def test_parts_of_a_fused_layer_are_layers_of_their_own() -> None:
    """Updates of q and v alone are what two plain layers would have; k stays."""
    own = nn.Linear(4, 12)
    fused = LoraLinear(own, rank=2, alpha=2.0, slots=(0, 2))
    x = seeded_input("x", (2, 3, 4))
    with torch.no_grad():
        fused.lora_b.normal_()
        output = fused(x) - own(x)
        for place, slot in ((0, 0), (1, 2)):
            expected = x @ fused.lora_a[place].T @ fused.lora_b[place].T
            assert torch.allclose(output[..., 4 * slot : 4 * slot + 4], expected, atol=1e-6)
        assert not output[..., 4:8].any()
        before = fused(x)
        fused.merge()
        assert torch.equal(fused.own_weight, own.weight)  # the same parameter, changed in place
        assert torch.allclose(fused(x), before, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_on_networks(name: str) -> None:
    """Nothing at the start, every update learns, merging and unmerging change nothing."""
    tiny = TINY[name]
    network = tiny.network().eval()
    with torch.no_grad():
        before = tiny.answer(network)
        weights = {key: value.clone() for key, value in network.state_dict().items()}
    count = add_lora(network, settings(name))
    learns = {key for key, value in network.named_parameters() if value.requires_grad}
    assert learns == {f"{key}.lora_{side}" for key in lora_layers(network) for side in "ab"}
    assert count.trained == sum(network.get_parameter(key).numel() for key in learns)
    assert 0 < count.share < 0.2
    assert torch.equal(tiny.answer(network), before)
    moved(network)
    torch.autograd.backward(tiny.answer(network).square().sum())
    for key in learns:  # a layer that its owner never calls would have none
        gradient = network.get_parameter(key).grad
        assert gradient is not None, key
        assert gradient.abs().max() > 0, key
    with torch.no_grad():
        changed = tiny.answer(network)
        assert (changed - before).abs().max() > 1e-4
        merge_lora(network)
        assert torch.allclose(tiny.answer(network), changed, atol=2e-5)
        merge_lora(network, False)
    state = network.state_dict()
    assert all(torch.allclose(state[key], weights[key], atol=1e-6) for key in weights)


def test_saved_apart_and_put_on_the_base(tmp_path: Path) -> None:
    tiny = TINY["timesformer_tiny"]
    network = tiny.network().eval()
    save_pretrained(network, tmp_path / "base")
    add_lora(network, settings(tiny.name, parts=("q", "v"), also=("head",), dropout=0.1))
    network.eval()
    moved(network)
    with torch.no_grad():
        network.get_parameter("head.weight").add_(0.1)
        expected = tiny.answer(network)
    save_lora(network, tmp_path / "lora")
    size = (tmp_path / "lora" / "lora.safetensors").stat().st_size
    assert size < 0.05 * (tmp_path / "base" / "model.safetensors").stat().st_size
    said = json.loads((tmp_path / "lora" / "lora.json").read_text("utf-8"))
    assert (said["format"], said["network"]) == ("scenewise-lora", tiny.name)
    fresh = load_pretrained(tmp_path / "base")
    count = load_lora(fresh, tmp_path / "lora")
    with torch.no_grad():
        assert torch.equal(tiny.answer(fresh.eval()), expected)
    assert count.trained == sum(p.numel() for p in fresh.parameters() if p.requires_grad)
    fold_lora(fresh)
    assert not lora_layers(fresh)
    save_pretrained(fresh, tmp_path / "folded")  # a plain network of the registry again
    with torch.no_grad():
        answer = tiny.answer(load_pretrained(tmp_path / "folded"))
    assert torch.allclose(answer, expected, atol=1e-5)
    with pytest.raises(TrainingError, match="belongs to timesformer_tiny, and the network here is"):
        load_lora(TINY["vivit_tiny"].network(), tmp_path / "lora")
    with pytest.raises(TrainingError, match=r"does not fit this network: 2 tensors differ, head"):
        load_lora(tiny.network(num_classes=7), tmp_path / "lora")
    with pytest.raises(TrainingError, match="holds no lora"):
        load_lora(tiny.network(), tmp_path / "base")


def test_frozen_batch_norms_keep_their_means() -> None:
    network = create_model("resnet3d_tiny", num_classes=3)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    add_lora(network, LoraSettings(targets=("fc",), rank=1))
    network.train()(seeded_input("clip", (2, 8, 3, 64, 64)))
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (
            "timesformer_tiny",
            {"targets": ("qvk",)},
            "no linear layer named 'qvk'; near: temporal_attn.qkv",
        ),
        ("clip4clip_tiny", {}, "none of the usual linear layers of attention; name some of its"),
        (
            "clip4clip_tiny",
            {"targets": ("in_proj",)},
            r"in_proj_weight is a bare parameter of SelfAttention\); near: mlp.c_proj, attn.out_p",
        ),
        ("timesformer_tiny", {"targets": ("norm1",)}, r"norm1 is LayerNorm\)"),
        ("timesformer_tiny", {"also": ("heads",)}, "no module named 'heads'.*near: head"),
    ],
)
def test_names_that_are_not_there(name: str, options: dict[str, object], said: str) -> None:
    network = TINY[name].network()
    with pytest.raises(TrainingError, match=said):
        add_lora(network, LoraSettings.model_validate(options))
    assert not lora_layers(network)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_what_lora_cannot_do() -> None:
    network = TINY["videomae_tiny"].network()
    add_lora(network)
    with pytest.raises(TrainingError, match="has LoRA already"):
        add_lora(network)
    with pytest.raises(TrainingError, match="has no LoRA"):
        save_lora(nn.Linear(1, 1), "nowhere")
    dropping = LoraLinear(nn.Linear(2, 2), rank=1, alpha=1.0, dropout=0.5)
    assert dropping.eval().weight.shape == (2, 2)
    with pytest.raises(TrainingError, match=r"set lora\.dropout = 0"):
        _ = dropping.train().weight
    odd = nn.Sequential()
    odd.add_module("qkv", nn.Linear(4, 8))
    with pytest.raises(TrainingError, match="parts are not thirds"):
        add_lora(odd, LoraSettings(parts=("q",)))
    attention = nn.Sequential(nn.MultiheadAttention(4, 1))
    with pytest.raises(TrainingError, match="out_proj is NonDynamicallyQuantizableLinear"):
        add_lora(attention, LoraSettings(targets=("out_proj",)))


def test_shares_that_the_page_names() -> None:
    page = (Path(__file__).parents[2] / "docs" / "objectives.md").read_text("utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| ([\d,]+).*\(([\d.]+) %\).* \| ([\d,]+) \(([\d.]+) %\)", page, re.M
    )
    assert len(rows) == 6
    for name, updates, share, adapters, part in rows:
        with torch.device("meta"):
            given = ("out_proj", "c_fc", "c_proj") if name.startswith("clip4clip") else ()
            network = create_model(name)
            lora = add_lora(network, LoraSettings(targets=given))
            fold_lora(network)
            adapter = add_adapter(network, AdapterSettings(name="medical"))
        assert (f"{lora.trained:,}", f"{lora.share:.2%}") == (updates, f"{share}%")
        assert (f"{adapter.trained:,}", f"{adapter.share:.2%}") == (adapters, f"{part}%")
