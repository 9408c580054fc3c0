"""Facts about export: dynamic axes, a check that can fail, silence, and no half-made file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scenewise.encoders.export import export_onnx
from scenewise.encoders.runtimes import open_session
from scenewise.errors import EncoderError


class MeanOverLength(nn.Module):
    """Token embeddings, averaged: batch and length are both free."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 6)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, L) int64 to (B, 6)."""
        embedded: torch.Tensor = self.table(tokens)
        return embedded.mean(dim=1)


class TracedOtherwise(nn.Module):
    """Computes one thing when traced and another when run, as a bad export would."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3) to (B, 3)."""
        return x * 2.0 if torch.compiler.is_compiling() else x * 2.001


def test_batch_and_length_are_free(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    module = MeanOverLength()
    path = tmp_path / "deep" / "model.onnx"
    worst = export_onnx(
        module,
        (torch.randint(0, 50, (2, 7)),),
        path,
        input_names=("tokens",),
        output_names=("vector",),
        dynamic_axes={"tokens": {1: "length"}},
    )
    assert 0.0 <= worst < 1e-5
    assert capfd.readouterr() == ("", "")
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    session = open_session(path, device="cpu")
    for shape in ((1, 1), (2, 7), (5, 20)):
        tokens = torch.randint(0, 50, shape)
        (ours,) = session.run({"tokens": tokens.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(ours, module(tokens).numpy(), atol=1e-6)


def test_a_fixed_batch_stays_fixed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(
        MeanOverLength(),
        (torch.randint(0, 50, (2, 7)),),
        path,
        input_names=("tokens",),
        output_names=("vector",),
        dynamic_batch=False,
    )
    session = open_session(path, device="cpu")
    with pytest.raises(EncoderError, match="cannot run"):
        session.run({"tokens": np.zeros((3, 7), np.int64)})


def test_a_network_that_differs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"differs from torch: output y by .*, allowed are"):
        export_onnx(
            TracedOtherwise(),
            (torch.ones(2, 3),),
            tmp_path / "model.onnx",
            input_names=("x",),
            output_names=("y",),
        )
    assert list(tmp_path.iterdir()) == [], "nothing appears before the check has passed"


def test_a_network_that_cannot_be_traced_is_one_sentence(tmp_path: Path) -> None:
    class Branches(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if float(x.sum()) > 0 else x

    with pytest.raises(EncoderError, match=r"cannot be exported to model\.onnx") as caught:
        export_onnx(
            Branches(),
            (torch.ones(2, 3),),
            tmp_path / "model.onnx",
            input_names=("x",),
            output_names=("y",),
        )
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_weights_beyond_one_file_lie_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenewise.encoders.export._ONE_FILE_BYTES", 100)
    path = tmp_path / "model.onnx"
    module = MeanOverLength()
    tokens = torch.randint(0, 50, (2, 7))
    export_onnx(module, (tokens,), path, input_names=("tokens",), output_names=("vector",))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    (ours,) = open_session(path, device="cpu").run({"tokens": tokens.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(ours, module(tokens).numpy(), atol=1e-6)


def test_axes_of_inputs_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dynamic axes for inputs that are not there"):
        export_onnx(
            MeanOverLength(),
            (torch.randint(0, 50, (2, 7)),),
            tmp_path / "model.onnx",
            input_names=("tokens",),
            output_names=("vector",),
            dynamic_axes={"words": {1: "length"}},
        )
