"""Facts about running exported networks: same numbers everywhere, one sentence when not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scenewise.encoders.export import export_onnx
from scenewise.encoders.runtimes import RUNTIMES, batches, open_session
from scenewise.errors import EncoderError, MissingExtraError, UsageError

ROOT = Path(__file__).resolve().parents[2]


class TwoEnds(nn.Module):
    """Two inputs, two outputs, a weight that matters."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(8, 4)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 8) twice to (B, 4) and (B, 8)."""
        return torch.relu(self.project(left)) + 1.0, left * right


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[TwoEnds, Path]:
    torch.manual_seed(0)
    module = TwoEnds()
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    export_onnx(
        module,
        (torch.randn(2, 8), torch.randn(2, 8)),
        path,
        input_names=("frames", "masks"),  # not the names of forward
        output_names=("vectors", "products"),
        program=True,
    )
    return module, path


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_every_runtime_gives_torchs_numbers(
    network: tuple[TwoEnds, Path], runtime: str, batch: int
) -> None:
    module, path = network
    rng = np.random.default_rng(batch)
    left, right = rng.normal(size=(2, batch, 8)).astype(np.float32)
    session = open_session(path, runtime=runtime, device="cpu")
    assert session.runtime == runtime
    assert session.device == "cpu"
    assert session.precision == "fp32"
    assert session.input_names == ("frames", "masks")
    assert session.output_names == ("vectors", "products")
    first, second = session.run({"masks": right, "frames": left})
    with torch.no_grad():
        expected = module(torch.from_numpy(left), torch.from_numpy(right))
    np.testing.assert_allclose(first, expected[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(second, left * right, atol=1e-6)
    kept = first.copy()
    session.run({"masks": right * 0, "frames": left * 0})
    np.testing.assert_array_equal(first, kept, "results are not written over by the next run")
    session.close()


def test_openvino_bf16_is_another_precision_and_said_so(network: tuple[TwoEnds, Path]) -> None:
    session = open_session(network[1], runtime="openvino", device="cpu", precision="bf16")
    assert session.precision == "bf16"
    session.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_wrong_inputs_are_one_sentence(network: tuple[TwoEnds, Path], runtime: str) -> None:
    session = open_session(network[1], runtime=runtime, device="cpu")
    left = np.zeros((1, 8), np.float32)
    with pytest.raises(EncoderError, match="wants the inputs frames, masks; got frames"):
        session.run({"frames": left})
    with pytest.raises(EncoderError, match="cannot run the network") as caught:
        session.run({"frames": left, "masks": np.zeros((1, 7), np.float32)})
    assert "\n" not in str(caught.value)
    session.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "runtime 'tensorrt' is unknown; allowed: onnxruntime, openvino"),
        ({"device": "tpu"}, "device 'tpu' is unknown; allowed: auto, cpu, cuda"),
        ({"threads": 0}, "threads = 0 is not allowed"),
        ({"precision": "bf16"}, "precision bf16 is not offered by onnxruntime"),
        ({"precision": "fp16", "runtime": "openvino"}, "precision fp16 is not offered by openvino"),
    ],
)
def test_values_that_are_not_allowed(
    network: tuple[TwoEnds, Path], options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        open_session(network[1], **options)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("content", [None, b"", b"not a network" * 100])
def test_a_file_that_is_no_network(tmp_path: Path, runtime: str, content: bytes | None) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EncoderError, match=r"cannot load .*model\.onnx") as caught:
        open_session(path, runtime=runtime, device="cpu")
    assert "\n" not in str(caught.value)


def test_torch_needs_its_own_file(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"model\.pt2 is missing; prepare .* --runtime torch"):
        open_session(tmp_path / "model.onnx", runtime="torch", device="cpu")
    (tmp_path / "model.pt2").write_bytes(b"no program")
    with pytest.raises(EncoderError, match=r"torch cannot load .*model\.pt2"):
        open_session(tmp_path / "model.onnx", runtime="torch", device="cpu")


def test_a_gpu_that_is_not_there(
    network: tuple[TwoEnds, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    for runtime in RUNTIMES:
        with pytest.raises(EncoderError, match=r"cuda.*--device cpu"):
            open_session(network[1], runtime=runtime, device="cuda")
        open_session(network[1], runtime=runtime, device="auto").close()


def test_openvino_that_is_not_installed(
    network: tuple[TwoEnds, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'scenewise\[openvino\]'"):
        open_session(network[1], runtime="openvino")


def test_importing_the_module_loads_no_runtime() -> None:
    script = (
        "import sys, scenewise.encoders.runtimes, scenewise.encoders.export, "
        "scenewise.encoders.load; "
        "print([name for name in ('torch', 'transformers', 'onnxruntime', 'openvino') "
        "if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("count", "item_bytes", "largest", "budget", "lengths"),
    [
        (0, 10, 32, 100, []),
        (1, 10, 32, 100, [1]),
        (10, 10, 32, 100, [10]),
        (11, 10, 32, 100, [5, 6]),
        (65, 1, 32, 100, [21, 22, 22]),
        (3, 1000, 32, 100, [1, 1, 1]),
    ],
)
def test_batches_stay_within_memory(
    count: int, item_bytes: int, largest: int, budget: int, lengths: list[int]
) -> None:
    parts = batches(count, item_bytes=item_bytes, largest=largest, budget=budget)
    assert [part.stop - part.start for part in parts] == lengths
    assert [index for part in parts for index in range(count)[part]] == list(range(count))
