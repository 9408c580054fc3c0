"""Run an exported network: ONNX Runtime, OpenVINO or torch behind one small face.

It knows files, arrays, devices and threads; it knows nothing of what the numbers mean. Each
runtime is imported when a session is opened, never before.

The torch runtime runs the traced program (``.pt2``) that export writes beside the ONNX file on
request: the same graph with its weights, so that no module code is needed to run it.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scenewise.device import check_device
from scenewise.encoders.signal_stack import kept_signal_stack
from scenewise.encoders.spec import Precision, RuntimeName
from scenewise.errors import EncoderError, MissingExtraError, UsageError, first_line

Array = npt.NDArray[Any]
RUNTIMES: tuple[RuntimeName, ...] = ("onnxruntime", "openvino", "torch")
PROGRAM_NAMES = "names.json"  # inside a traced program: what the ONNX file calls its ends
BATCH_BYTES = 160 * 2**20  # what the intermediate results of one batch may take


class Session(Protocol):
    """One network, ready to run. Not shared between threads."""

    runtime: RuntimeName
    precision: Precision
    device: str  # where it really runs: cpu or cuda
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Every output, in the order of ``output_names``. Raises EncoderError."""
        ...

    def close(self) -> None:
        """Release the network's memory; ``run`` must not be called afterwards."""
        ...


def open_session(
    onnx_path: Path,
    *,
    runtime: str = "onnxruntime",
    device: str = "auto",
    threads: int = 1,
    precision: Precision = "fp32",
) -> Session:
    """Load a network that ``scenewise.encoders.export`` wrote.

    ``device`` auto takes a GPU where the runtime has one; ``threads`` are those inside one
    operator. ``precision`` bf16 is OpenVINO's alone, and never chosen by itself: reduced
    precision changes rankings (EfficientNet-Lite0: 6 of 32 first labels).

    Raises UsageError for a value that is not allowed, MissingExtraError where the runtime is not
    installed, EncoderError where the network or the device cannot be used.
    """
    check_device(device)
    if threads < 1:
        raise UsageError(f"threads = {threads} is not allowed; give 1 or more.")
    if precision != "fp32" and (runtime, precision) != ("openvino", "bf16"):
        raise UsageError(
            f"precision {precision} is not offered by {runtime}; allowed: fp32, and bf16 with "
            "openvino."
        )
    if runtime == "onnxruntime":
        return _OnnxRuntimeSession(onnx_path, device, threads)
    if runtime == "openvino":
        return _OpenVinoSession(onnx_path, device, threads, precision)
    if runtime == "torch":
        return _TorchSession(onnx_path.with_suffix(".pt2"), device, threads)
    raise UsageError(f"runtime {runtime!r} is unknown; allowed: {', '.join(RUNTIMES)}.")


def batches(
    count: int, *, item_bytes: int, largest: int = 32, budget: int = BATCH_BYTES
) -> list[slice]:
    """Cut ``count`` items into runs of nearly equal length whose memory stays within bounds.

    ``item_bytes`` is what one item's inputs and intermediate results take at most; one item is
    run even where it alone is above the budget.
    """
    if count <= 0:
        return []
    most = max(1, min(largest, budget // max(1, item_bytes)))
    parts = math.ceil(count / most)
    edges = [count * part // parts for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


class _OnnxRuntimeSession:
    runtime: RuntimeName = "onnxruntime"
    precision: Precision = "fp32"

    def __init__(self, path: Path, device: str, threads: int) -> None:
        import onnxruntime as ort

        provider, self.device = _onnxruntime_provider(ort.get_available_providers(), device)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # waiting threads would burn the cores that the other workers decode with
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors, which arrive as exceptions too
        # The arena keeps what the largest batch needed: bounded, because batches are (see
        # ``batches``). Without it every run maps fresh pages, which costs a third of the speed.
        options.enable_cpu_mem_arena = True
        with _foreign_errors(f"ONNX Runtime cannot load {path}"):
            self._session: Any = ort.InferenceSession(str(path), options, providers=[provider])
        self.input_names = tuple(entry.name for entry in self._session.get_inputs())
        self.output_names = tuple(entry.name for entry in self._session.get_outputs())

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        _check_names(feeds, self.input_names)
        with _foreign_errors("ONNX Runtime cannot run the network"):
            return list(self._session.run(None, dict(feeds)))

    def close(self) -> None:
        self._session = None


class _OpenVinoSession:
    runtime: RuntimeName = "openvino"

    def __init__(self, path: Path, device: str, threads: int, precision: Precision) -> None:
        try:
            import openvino
        except ImportError:
            raise MissingExtraError(
                "The runtime openvino is not installed; install it with "
                "pip install 'scenewise[openvino]', or set SCENEWISE_RUNTIME=onnxruntime."
            ) from None
        if device == "cuda":
            raise EncoderError(
                "The runtime openvino does not run on device cuda; use --device cpu, or "
                "set SCENEWISE_RUNTIME=torch."
            )
        self.device = "cpu"
        self.precision: Precision = precision
        settings = {
            # without the hint OpenVINO takes bf16 where the processor has it: other rankings
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        with _foreign_errors(f"OpenVINO cannot load {path}"), kept_signal_stack():
            compiled = openvino.Core().compile_model(str(path), "CPU", settings)
            self._request: Any = compiled.create_infer_request()
        self._shapes = {port.get_any_name(): port.get_partial_shape() for port in compiled.inputs}
        self.input_names = tuple(self._shapes)
        self.output_names = tuple(port.get_any_name() for port in compiled.outputs)

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        _check_names(feeds, self.input_names)
        for name, shape in self._shapes.items():
            # a dynamic network's kernels read past an input that is too small, without a word
            if not shape.compatible(type(shape)(list(feeds[name].shape))):
                raise EncoderError(
                    f"OpenVINO cannot run the network: input {name} has the shape "
                    f"{feeds[name].shape}, wanted is {shape.to_string()}."
                )
        with _foreign_errors("OpenVINO cannot run the network"), kept_signal_stack():
            results = self._request.infer(dict(feeds))
        # copies: the request's own memory is written over by the next run
        return [np.array(results[index]) for index in range(len(self.output_names))]

    def close(self) -> None:
        self._request = None


class _TorchSession:
    runtime: RuntimeName = "torch"
    precision: Precision = "fp32"

    def __init__(self, path: Path, device: str, threads: int) -> None:
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise EncoderError(
                "Device cuda is not there: this machine has no NVIDIA GPU that torch can use, or "
                "torch is the build for processors. Use --device cpu."
            )
        self.device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        if not path.is_file():
            raise EncoderError(
                f"The traced program {path} is missing; prepare the encoder with --runtime torch."
            )
        torch.set_num_threads(threads)  # torch knows only one number for the whole process
        with _foreign_errors(f"torch cannot load {path}"):
            extra = {PROGRAM_NAMES: ""}
            program = torch.export.load(path, extra_files=extra)
            if self.device == "cuda":
                from torch.export.passes import move_to_device_pass

                program = move_to_device_pass(program, "cuda")
            self._module: Any = program.module()
        # the program itself names its inputs as the module's forward did
        names = json.loads(extra[PROGRAM_NAMES])
        self.input_names = tuple(names["inputs"])
        self.output_names = tuple(names["outputs"])

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        import torch

        _check_names(feeds, self.input_names)
        inputs = [torch.from_numpy(np.ascontiguousarray(feeds[name])) for name in self.input_names]
        with (
            _foreign_errors("torch cannot run the network"),
            torch.inference_mode(),
            # TF32 would make a GPU's vectors differ from a processor's in the third digit
            torch.backends.cudnn.flags(allow_tf32=False),
        ):
            outputs = self._module(*(tensor.to(self.device) for tensor in inputs))
            if isinstance(outputs, torch.Tensor):
                outputs = (outputs,)
            return [output.cpu().numpy() for output in outputs]

    def close(self) -> None:
        self._module = None


def _onnxruntime_provider(available: list[str], device: str) -> tuple[Any, str]:
    """The execution provider with its options, and the device that it runs on."""
    if device != "cpu" and "CUDAExecutionProvider" in available:
        return ("CUDAExecutionProvider", {"use_tf32": "0"}), "cuda"
    if device == "cuda":
        raise EncoderError(
            "Device cuda is not there: the installed onnxruntime is the build for processors. "
            "Install onnxruntime-gpu, or use --device cpu."
        )
    return "CPUExecutionProvider", "cpu"


def _check_names(feeds: Mapping[str, Array], wanted: tuple[str, ...]) -> None:
    if set(feeds) != set(wanted):
        raise EncoderError(
            f"The network wants the inputs {', '.join(wanted)}; got {', '.join(feeds) or 'none'}."
        )


@contextmanager
def _foreign_errors(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the runtimes share no base class of errors
        raise EncoderError(f"{what}: {first_line(error)}") from error
