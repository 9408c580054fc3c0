"""Facts about loading: layouts are recognised, wrappings come off, and what differs is said."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from scenewise.errors import EncoderError, NetworkError, UsageError
from scenewise.models import create_model, load_pretrained, load_weights, save_pretrained
from scenewise.models.registry import created_as
from scenewise.models.weights.checkpoint import read_checkpoint

WRAPPINGS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "data parallel": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    "model_state": lambda state: {"model_state": state, "cfg": "text"},
    "compiled": lambda state: {"model": {f"_orig_mod.{k}": v for k, v in state.items()}},
}


def equal(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return create_model("c3d_tiny", num_classes=5)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("suffix", [".pth", ".pyth", ".pt", ".ckpt"])
def test_every_wrapping_comes_off(
    tmp_path: Path, network: nn.Module, wrapping: str, suffix: str
) -> None:
    file = tmp_path / f"weights{suffix}"
    torch.save(WRAPPINGS[wrapping](network.state_dict()), file)
    again = load_pretrained(file, "c3d_tiny", num_classes=5)
    assert equal(network, again)
    assert not again.training


def test_our_own_format_needs_no_name(tmp_path: Path, network: nn.Module) -> None:
    folder = save_pretrained(network, tmp_path / "mine", labels=["a", "b", "c", "d", "e"])
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config == {
        "format": "scenewise",
        "network": "c3d_tiny",
        "options": {"num_classes": 5},
        "labels": ["a", "b", "c", "d", "e"],
    }
    again = load_pretrained(folder)
    assert equal(network, again)
    assert created_as(again) == created_as(network)


def test_a_folder_is_written_over(tmp_path: Path, network: nn.Module) -> None:
    save_pretrained(create_model("c3d_tiny", num_classes=2), tmp_path)
    save_pretrained(network, tmp_path)
    assert equal(network, load_pretrained(tmp_path))


def test_shards_are_joined(tmp_path: Path, network: nn.Module) -> None:
    from safetensors.torch import save_file

    folder = save_pretrained(network, tmp_path)
    (folder / "model.safetensors").unlink()
    state = network.state_dict()
    half = len(state) // 2
    parts = [dict(list(state.items())[:half]), dict(list(state.items())[half:])]
    weight_map: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        name = f"model-0000{number}-of-00002.safetensors"
        save_file(part, folder / name)
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert equal(network, load_pretrained(folder))
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(
        NetworkError, match=r"names model-00002-of-00002.safetensors, which the fol"
    ):
        load_pretrained(folder)


def test_options_overrule_what_the_checkpoint_says(tmp_path: Path, network: nn.Module) -> None:
    folder = save_pretrained(network, tmp_path)
    with pytest.raises(
        NetworkError, match=r"does not fit c3d_tiny: 2 of another shape \(fc8\.bias"
    ):
        load_pretrained(folder, num_classes=7)
    changed = load_pretrained(folder, num_classes=7, strict=False)
    assert torch.equal(changed.get_parameter("conv1.weight"), network.get_parameter("conv1.weight"))
    assert changed.get_parameter("fc8.weight").shape[0] == 7


def test_a_report_names_what_differs(tmp_path: Path, network: nn.Module) -> None:
    state = dict(network.state_dict())
    del state["fc7.bias"]
    state["fc9.weight"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pth")
    fresh = create_model("c3d_tiny", num_classes=3)
    report = load_weights(fresh, tmp_path / "w.pth", strict=False)
    assert report.layout == "official"
    assert report.missing == ("fc7.bias",)
    assert report.unexpected == ("fc9.weight",)
    assert report.mismatched == ("fc8.bias", "fc8.weight")
    assert report.loaded == len(fresh.state_dict()) - 3
    assert not report.complete
    with pytest.raises(
        NetworkError, match=r"1 missing \(fc7\.bias\), 1 unexpected \(fc9\.weight\)"
    ):
        load_weights(create_model("c3d_tiny", num_classes=5), tmp_path / "w.pth")


def test_another_network_is_refused_in_one_sentence(tmp_path: Path) -> None:
    torch.save(nn.LSTM(3, 4).state_dict(), tmp_path / "lstm.pth")
    for strict in (True, False):
        with pytest.raises(NetworkError, match=r"does not belong to c3d_tiny: of its 22 tensors"):
            load_pretrained(tmp_path / "lstm.pth", "c3d_tiny", strict=strict)
    with pytest.raises(NetworkError, match=r"no layout that is known .*weight_ih_l0.*models list"):
        load_pretrained(tmp_path / "lstm.pth")


def _broken(path: Path) -> None:
    path.write_bytes(b"not weights at all")


def _pickled(path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}, "date": datetime.date.today()}, path)


def _empty(path: Path) -> None:
    torch.save({"state_dict": {}, "epoch": 1}, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_broken, r"w\.pth (cannot be read as weights|holds more than)"),
        (
            _pickled,
            r"w\.pth holds more than .* \(datetime\.date\), and code of a file is never run",
        ),
        (_empty, r"w\.pth holds no tensors by name; allowed is a state_dict"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, write: Any, message: str) -> None:
    write(tmp_path / "w.pth")
    with pytest.raises(NetworkError, match=message):
        read_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "beside",
    [
        argparse.Namespace(lr=0.1, name="run", nested=argparse.Namespace(depth=2)),
        np.float64(71.3),
        np.arange(3),
        {"best": np.float32(1.0), "epochs": [1, 2]},
    ],
    ids=["options", "a figure", "an array", "several"],
)
def test_settings_beside_the_tensors_do_no_harm(
    tmp_path: Path, network: nn.Module, beside: Any
) -> None:
    torch.save({"state_dict": network.state_dict(), "beside": beside}, tmp_path / "w.pth")
    assert equal(network, load_pretrained(tmp_path / "w.pth", "c3d_tiny", num_classes=5))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.pth is not there; give a file of weights"):
        load_pretrained(tmp_path / "absent.pth")
    with pytest.raises(NetworkError, match=r"config\.json cannot be read"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}", "utf-8")
    with pytest.raises(NetworkError, match=r"holds no weights; allowed are model\.safetensors"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("[]", "utf-8")
    with pytest.raises(NetworkError, match="must hold one JSON object"):
        load_pretrained(tmp_path)


def test_a_damaged_config_of_ours(tmp_path: Path, network: nn.Module) -> None:
    folder = save_pretrained(network, tmp_path)
    (folder / "config.json").write_text('{"format": "scenewise", "network": 3}', "utf-8")
    with pytest.raises(NetworkError, match=r"must name a network and its options"):
        load_pretrained(folder)


def test_a_hub_name_without_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EncoderError, match="some/where"):
        load_pretrained("some/where")


def test_a_tokenizer_is_copied(tmp_path: Path, network: nn.Module) -> None:
    (tmp_path / "theirs.json").write_text("{}", "utf-8")
    folder = save_pretrained(network, tmp_path / "out", tokenizer=tmp_path / "theirs.json")
    assert (folder / "tokenizer.json").read_text("utf-8") == "{}"
    save_pretrained(network, folder, tokenizer=folder / "tokenizer.json")  # onto itself
    assert (folder / "tokenizer.json").read_text("utf-8") == "{}"
