"""Files of checkpoints: whole, checked, readable without unpickling, two of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from scenewise.errors import StorageError, TrainingError
from scenewise.training.checkpoint import (
    CheckpointFolder,
    DamagedCheckpointError,
    check_same,
    read,
    write,
)

TENSORS = {
    "learner/a": torch.arange(6.0).reshape(2, 3),
    "learner/half": torch.ones(3, dtype=torch.bfloat16),
    "optimizer/step": torch.tensor(7.0),
    "chance": torch.tensor([1, 2, 3], dtype=torch.uint8),
    "empty": torch.empty(0),
}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.safetensors"
    write(path, TENSORS, {"step": 3, "loss": 0.1, "name": "ä"})
    saved = read(path)
    assert saved.state == {"step": 3, "loss": 0.1, "name": "ä"}
    assert saved.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert saved.tensors[name].dtype == tensor.dtype
        assert torch.equal(saved.tensors[name], tensor)
    assert saved.part("learner/").keys() == {"a", "half"}
    with safe_open(path, framework="pt") as file:  # anybody reads it, and nothing is unpickled
        assert torch.equal(file.get_tensor("learner/a"), TENSORS["learner/a"])


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    write(path, TENSORS, {"step": 3})
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedCheckpointError):
            read(path)
    path.write_bytes(whole[:-5])
    with pytest.raises(DamagedCheckpointError, match="no whole checkpoint"):
        read(path)


def test_the_newest_two_stay(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    assert folder.newest() is None
    for step in (5, 10, 15):
        folder.save(step, TENSORS, {"step": step})
    assert list(folder.steps()) == [15, 10]
    newest = folder.newest()
    assert newest is not None
    assert newest.state["step"] == 15


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="the checkpoint cannot be written"):
        write(tmp_path / "file" / "one.safetensors", TENSORS, {})


def test_settings_that_differ_are_named_with_both_values() -> None:
    before = {"optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}, "seed": 1}
    check_same(before, {"optimizer": {"lr": 0.1, "betas": (0.9, 0.99)}, "seed": 1}, "x")
    with pytest.raises(TrainingError, match=r"optimizer\.lr was 0\.1 and is 0\.2, seed was 1"):
        check_same(before, {"optimizer": {"lr": 0.2, "betas": [0.9, 0.99]}, "seed": 2}, "x")
