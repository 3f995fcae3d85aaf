"""Ctrl-C between two segments, where nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupt:
    """Whether Ctrl-C was pressed while `running`; when not running, it acts at once."""

    def __init__(self, say: Callable[[str], None]):
        self.running = self.asked = False
        self._say = say

    def hear(self, *_) -> None:
        """The handler of the signal: the second time, or out of a segment, it interrupts."""
        if self.asked or not self.running:
            raise KeyboardInterrupt
        self.asked = True
        self._say("stopping: this segment was the last (Ctrl-C again loses it)")

    def check(self) -> None:
        """Called where a segment has been saved."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def interruptible(say: Callable[[str], None]) -> Iterator[Interrupt]:
    """While it lasts, Ctrl-C and SIGTERM wait for the end of a segment."""
    interrupt, before = Interrupt(say), {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, interrupt.hear)
    except ValueError:  # not the main thread, which alone hears signals
        pass
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
