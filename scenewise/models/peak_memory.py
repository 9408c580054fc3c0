"""How much memory one forward pass takes, measured in a process of its own.

What is measured is the resident memory of the process on a processor: its highest mark during one
pass (eval mode, no gradients, one thread, float32) less what it held before, when the network and
its input were already there. Linux lets that mark be set back (``/proc/self/clear_refs``); where
that is not possible it is ``ru_maxrss``, which cannot fall, so that building the network may hide
a smaller pass: ``how`` says which it was. Activations, results and the workspaces of kernels are
in it; another machine or another kernel gives another number. It knows processes, not networks.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from scenewise.errors import NetworkError
from scenewise.models.flops import builder_at, example_inputs
from scenewise.models.registry import model_card

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"  # what the kernel wants to read in clear_refs


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """One forward pass of one example."""

    weights_bytes: int
    forward_bytes: int  # the highest mark less what was held before
    how: str  # "VmHWM" or "ru_maxrss"

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def peak_memory(
    name: str,
    *,
    frames: int | None = None,
    size: int | None = None,
    timeout: float = 600.0,
    **options: Any,
) -> PeakMemory:
    """Of a network of the registry at its card's input, or at other ``frames`` and ``size``.

    Raises NetworkError where the process fails or takes longer than ``timeout`` seconds.
    """
    card = model_card(name)
    if card.input is None:
        raise NetworkError(f"The card of {name} names no input, so nothing can be measured.")
    question = json.dumps({"name": name, "frames": frames, "size": size, "options": options})
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "scenewise.models.peak_memory", question],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise NetworkError(
            f"One pass of {name} takes more than {timeout:g} s; give it fewer frames or pixels."
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was killed, for want of memory perhaps"])[
            -1
        ]
        raise NetworkError(f"{name} cannot be measured: {last.rstrip('.')}.")
    return PeakMemory(**json.loads(done.stdout))


def measure(name: str, frames: int | None, size: int | None, options: dict[str, Any]) -> PeakMemory:
    """In this process, which should have done nothing else."""
    torch.set_num_threads(1)
    network = builder_at(name, frames, size, options)().eval()
    inputs = example_inputs(model_card(name), frames, size)
    weights = [*network.parameters(), *network.buffers()]
    with torch.no_grad():
        _load_kernels()
        _give_back()
        before, how = _start()
        network(*inputs)
        peak = _peak(how)
    return PeakMemory(sum(one.nbytes for one in weights), max(0, peak - before), how)


def _load_kernels() -> None:
    """Libraries that torch loads at their first use are no part of a network's cost."""
    F.conv3d(torch.zeros(1, 8, 4, 8, 8), torch.zeros(8, 8, 3, 3, 3))
    F.linear(torch.zeros(8, 64), torch.zeros(64, 64))
    heads = torch.zeros(1, 2, 8, 16)
    F.scaled_dot_product_attention(heads, heads, heads)


def _give_back() -> None:
    """Memory that was freed goes back to the system, so that none of it is used unseen."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):  # not glibc
        return


def _start() -> tuple[int, str]:
    """Resident bytes now, and by what the peak is read."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
        return _status("VmRSS"), "VmHWM"
    except OSError:
        return _peak("ru_maxrss"), "ru_maxrss"


def _peak(how: str) -> int:
    if how == "VmHWM":
        return _status(how)
    try:
        import resource
    except ImportError as error:
        raise NetworkError("Memory cannot be measured on this system.") from error
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1])).to_dict()))
