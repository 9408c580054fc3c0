"""Which processor a network runs on, and with how many threads.

It knows names and counts; it loads no runtime except to look whether a GPU is there.
"""

from __future__ import annotations

import os

from scenewise.errors import UsageError

DEVICES = ("auto", "cpu", "cuda")

# To be in the environment before numpy is imported. Our matrices are small: the threads of its
# OpenBLAS save nothing, and between two products they turn idly on the cores that decode.
QUIET_MATRICES = {"OPENBLAS_NUM_THREADS": "1"}


def processor_count() -> int:
    """Cores that this process may use (at least 1)."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def check_device(name: str) -> str:
    """Return the name if it is one of ``DEVICES``; raise UsageError otherwise."""
    if name not in DEVICES:
        raise UsageError(f"device {name!r} is unknown; allowed: {', '.join(DEVICES)}.")
    return name
