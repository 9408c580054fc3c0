"""Facts about the alternate signal stack: what foreign code registers does not stay."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from torch import Tensor, nn, zeros

from scenewise.encoders.signal_stack import _Stack, kept_signal_stack

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's signal stack")


def registered() -> tuple[int | None, int, int]:
    stack = _Stack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    return stack.ss_sp, stack.ss_flags, stack.ss_size


def test_what_was_registered_inside_is_taken_back() -> None:
    before = registered()
    memory = ctypes.create_string_buffer(1 << 16)
    with kept_signal_stack():
        other = _Stack(ctypes.addressof(memory), 0, len(memory))
        assert ctypes.CDLL(None).sigaltstack(ctypes.byref(other), None) == 0
        assert registered() != before
    assert registered() == before


def test_it_is_taken_back_after_an_error() -> None:
    before = registered()
    memory = ctypes.create_string_buffer(1 << 16)

    def failing() -> None:
        other = _Stack(ctypes.addressof(memory), 0, len(memory))
        ctypes.CDLL(None).sigaltstack(ctypes.byref(other), None)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), kept_signal_stack():
        failing()
    assert registered() == before


class _Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(x) * 2


_OPENED = """
import ctypes, gc, sys
from pathlib import Path
import numpy as np
from scenewise.encoders.runtimes import open_session
from scenewise.encoders.signal_stack import _Stack

def registered():
    stack = _Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack.ss_sp, stack.ss_flags, stack.ss_size

seen = [registered()]
session = open_session(Path(sys.argv[1]), runtime="openvino", device="cpu")
seen.append(registered())
session.run({"x": np.zeros((2, 4), np.float32)})
seen.append(registered())
session.close()
del session
gc.collect()
seen.append(registered())
print(len(set(seen)))
"""


def test_openvino_leaves_no_signal_stack_behind(tmp_path: Path) -> None:
    """It registers one for the time of the network, whose memory is freed with the network."""
    from scenewise.encoders.export import export_onnx

    path = tmp_path / "doubled.onnx"
    export_onnx(_Doubled(), (zeros(2, 4),), path, input_names=("x",), output_names=("y",))
    done = subprocess.run(
        [sys.executable, "-c", _OPENED, str(path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr
