"""Keeps a thread's alternate signal stack as it was while foreign code runs.

OpenVINO's processor plugin gives the calling thread an alternate signal stack of its own
(``sigaltstack``) while it compiles a network, and frees that memory with the network but leaves it
registered. Python's signal handlers run on that stack, so the next signal (Ctrl-C, a child process
that ends) would then end the process by a segmentation fault. It knows Linux's C library; where
there is no such call, nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = (
        ("ss_sp", ctypes.c_void_p),
        ("ss_flags", ctypes.c_int),
        ("ss_size", ctypes.c_size_t),
    )


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Whatever signal stack the code inside registers for this thread is taken back after it."""
    if not sys.platform.startswith("linux"):
        yield
        return
    libc = ctypes.CDLL(None)
    before = _Stack()
    known = libc.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            libc.sigaltstack(ctypes.byref(before), None)
