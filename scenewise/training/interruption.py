"""Ctrl-C while a run goes on: the first one asks it to end after the step, the second one ends it.

It knows signals; it knows no loop.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether somebody asked the run to end."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The handler. Raises KeyboardInterrupt the second time."""
        if self.asked:
            signal.default_int_handler(number, frame)
        self.asked = True


@contextmanager
def noticing_interrupts() -> Iterator[Interruption]:
    """In here Ctrl-C asks. Outside the main thread, where python takes no signals, nobody can."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = signal.signal(signal.SIGINT, interruption.ask)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
