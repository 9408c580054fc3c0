"""What every network must do beside giving the right numbers: learn, export, run in bfloat16."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from scenewise.encoders.export import export_onnx


def assert_gradients_flow(
    network: nn.Module, *inputs: Tensor, except_for: Iterable[str] = ()
) -> None:
    """Every trainable parameter gets a gradient that is finite and not zero everywhere.

    ``except_for`` names parameters that the published initialisation or design leaves without.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    output = network(*inputs)
    weights = torch.linspace(-1.0, 1.0, output.numel()).view_as(output)
    (output * weights).sum().backward()
    silent = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad or name in set(except_for):
            continue
        gradient = parameter.grad
        if gradient is None or not bool(gradient.isfinite().all()) or not bool(gradient.any()):
            silent.append(name)
    assert silent == []


def assert_exports(network: nn.Module, *inputs: Tensor, tolerance: float = 1e-4) -> None:
    """ONNX and torch.export, both with a batch of any size, give torch's numbers.

    ``inputs`` have a batch of 2 or more; our exporter itself compares at another size.
    """
    network.eval()
    names = [f"input{number}" for number in range(len(inputs))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_onnx(
            network,
            inputs,
            path,
            input_names=names,
            output_names=("output",),
            program=True,
            tolerance=tolerance,
        )
        program = torch.export.load(path.with_suffix(".pt2")).module()
    with torch.no_grad():
        assert torch.allclose(program(*inputs), network(*inputs), atol=tolerance, rtol=tolerance)


def assert_runs_in_bfloat16(network: nn.Module, *inputs: Tensor) -> None:
    """Whole, and under autocast as mixed precision has it; near the float32 result."""
    network.eval()
    with torch.no_grad():
        full = network(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = network(*inputs)
        whole = network.to(torch.bfloat16)(
            *(item.to(torch.bfloat16) if item.is_floating_point() else item for item in inputs)
        )
        network.to(torch.float32)
    assert whole.dtype == torch.bfloat16
    scale = max(1.0, float(full.abs().max()))
    for result in (mixed, whole):
        assert bool(result.isfinite().all())
        assert float((result.float() - full).abs().max()) < 0.1 * scale


def assert_gradients_are_right(layer: nn.Module, *inputs: Tensor) -> None:
    """In float64, against differences; inputs are small."""
    layer = layer.double()
    doubles = tuple(
        item.double().requires_grad_() if item.is_floating_point() else item for item in inputs
    )
    assert torch.autograd.gradcheck(layer, doubles, eps=1e-6, atol=1e-5)
