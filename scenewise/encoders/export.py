"""From a torch module to an ONNX file that gives the same numbers.

It knows tracing, checking and files; it knows no particular network. torch is imported when a
function is called: the query path never does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenewise.encoders.runtimes import PROGRAM_NAMES, open_session
from scenewise.errors import EncoderError, first_line

if TYPE_CHECKING:  # for the annotations alone: importing torch costs more than a second
    import torch

TOLERANCE = 1e-4  # of the largest magnitude in an output, or of 1 where that is larger
_ONE_FILE_BYTES = 3 * 2**29  # a protobuf ends at 2 GiB; larger networks keep weights beside it


def export_onnx(
    module: torch.nn.Module,
    example_inputs: tuple[torch.Tensor, ...],
    path: Path,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic_batch: bool = True,
    dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
    program: bool = False,
    tolerance: float = TOLERANCE,
) -> float:
    """Trace ``module`` and write it to ``path``; returns the largest difference that was seen.

    With ``dynamic_batch`` axis 0 of every input may have any length; ``dynamic_axes`` names
    further axes, such as ``{"input_ids": {1: "length"}}``. An axis that the example shows with
    length 1 cannot be made dynamic: give an example of 2. The file is then run by ONNX Runtime
    on a batch of another size than the example's and compared with torch: each output within
    ``tolerance`` times its largest magnitude (or times 1, where that is larger).

    ``program`` also writes the traced program beside it (``.pt2``), for the torch runtime. Files
    appear only when the check has passed.

    Raises EncoderError where the network cannot be traced or the numbers differ.
    """
    import torch

    axes = _axes(input_names, dynamic_batch, dynamic_axes)
    shapes = tuple({axis: _dimension(name) for axis, name in axes[key].items()} for key in axes)
    module.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as scratch:
        fresh = Path(scratch) / path.name
        with _quiet(), torch.no_grad():
            _write(module, example_inputs, fresh, input_names, output_names, shapes, program)
            checked = tuple(
                _another(tensor, axes[name])
                for name, tensor in zip(input_names, example_inputs, strict=True)
            )
            worst = _compare(module, checked, fresh, input_names, output_names, tolerance)
        # the weights first: a network must not appear before what it needs
        for file in sorted(Path(scratch).iterdir(), key=lambda file: file.name == path.name):
            file.replace(path.parent / file.name)
    return worst


def _write(
    module: torch.nn.Module,
    example_inputs: tuple[torch.Tensor, ...],
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    shapes: tuple[dict[int, object], ...],
    program: bool,
) -> None:
    """Trace, and write the ONNX file and where wanted the traced program; unchecked."""
    import torch

    weight_bytes = sum(tensor.nbytes for tensor in module.state_dict().values())
    try:
        traced = torch.export.export(module, example_inputs, dynamic_shapes=shapes, strict=False)
        torch.onnx.export(
            traced,
            (),
            path,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamo=True,
            external_data=weight_bytes > _ONE_FILE_BYTES,
            verbose=False,
        )
        if program:
            names = {"inputs": list(input_names), "outputs": list(output_names)}
            torch.export.save(
                traced,
                path.with_suffix(".pt2"),
                extra_files={PROGRAM_NAMES: json.dumps(names)},
            )
    except Exception as error:  # the exporter raises anything at all
        raise EncoderError(
            f"The network cannot be exported to {path.name}: {first_line(error)}."
        ) from error


def _axes(
    input_names: Sequence[str],
    dynamic_batch: bool,
    dynamic_axes: Mapping[str, Mapping[int, str]] | None,
) -> dict[str, dict[int, str]]:
    """Per input: which axes are dynamic, and what they are called."""
    unknown = set(dynamic_axes or {}) - set(input_names)
    if unknown:
        raise ValueError(f"dynamic axes for inputs that are not there: {sorted(unknown)}")
    return {
        name: ({0: "batch"} if dynamic_batch else {}) | dict((dynamic_axes or {}).get(name, {}))
        for name in input_names
    }


def _dimension(name: str) -> object:
    import torch

    return torch.export.Dim.DYNAMIC if name == "batch" else torch.export.Dim.AUTO


def _another(tensor: torch.Tensor, axes: Mapping[int, str]) -> torch.Tensor:
    """The same kind of input with every dynamic axis one longer, in another order."""
    import torch

    for axis in axes:
        tensor = torch.cat([tensor.flip(axis), tensor.narrow(axis, 0, 1)], dim=axis)
    return tensor


def _compare(
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    tolerance: float,
) -> float:
    import torch

    expected = module(*inputs)
    if isinstance(expected, torch.Tensor):
        expected = (expected,)
    session = open_session(path, device="cpu")
    try:
        feeds = {name: tensor.numpy() for name, tensor in zip(input_names, inputs, strict=True)}
        outputs = session.run(feeds)
    finally:
        session.close()
    worst = 0.0
    for name, ours, theirs in zip(output_names, outputs, expected, strict=True):
        reference = theirs.numpy()
        if ours.shape != reference.shape:
            raise EncoderError(
                f"The exported network differs from torch: output {name} has the shape "
                f"{ours.shape} instead of {reference.shape}."
            )
        difference = float(np.max(np.abs(ours - reference), initial=0.0))
        allowed = tolerance * max(1.0, float(np.max(np.abs(reference), initial=0.0)))
        if not difference <= allowed:  # also where it is no number
            raise EncoderError(
                f"The exported network differs from torch: output {name} by {difference:.2g}, "
                f"allowed are {allowed:.2g}. Please report the network and its version."
            )
        worst = max(worst, difference)
    return worst


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings and no log lines of the exporter: they speak to its own developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
