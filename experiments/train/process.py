"""Memory that is freed stays with the process.

A compiled program allocates its large buffers at every call and frees them at its end. glibc hands
each back to the kernel, which clears every page when it is touched again: for a GRU of width 256
over 16 sequences of 1,024 steps, 50,000 page faults and a fifth of the time of each call.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h


def keep_pages() -> bool:
    """Tells glibc to keep what is freed; True if it will. Call it before JAX is first used.

    The main thread's heap then only grows, without mappings apart; so programs must run on that
    thread on a CPU. One heap for all threads would be slower: they would wait for one another.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    mallopt = sys.platform.startswith("linux") and getattr(ctypes.CDLL(None), "mallopt", None)
    if not mallopt:
        return False
    wishes = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    return all([mallopt(name, value) for name, value in wishes.items()])


LAST_SEGMENT = "stopping: this segment was the last (Ctrl-C again loses it)"
SOON = "stopping: as soon as the program at work returns (nothing that was finished is lost)"


class Interrupt:
    """Whether Ctrl-C was pressed while `running`; when not running, it acts at once."""

    def __init__(self):
        self.running = self.asked = False

    def hear(self, *_) -> None:
        """The handler of the signal: the second time, or out of a segment, it interrupts."""
        if self.asked or not self.running:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Called where a segment has been saved."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def interruptible(say: Callable[[str], None]) -> Iterator[Interrupt]:
    """While it lasts, Ctrl-C and SIGTERM wait for the end of a segment; `say` is called at once."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield interrupt
        return
    with _answering(interrupt, say):
        before = {number: signal.signal(number, interrupt.hear) for number in HEARD}
        try:
            yield interrupt
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


HEARD = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def _answering(interrupt: Interrupt, say: Callable[[str], None]) -> Iterator[None]:
    """While it lasts, the first signal is answered from another thread, whatever this one does."""
    heard, wake = os.pipe()
    os.set_blocking(wake, False)

    def listen():
        said = False
        while number := os.read(heard, 1):
            if number[0] in HEARD and not said:
                said = True
                say(LAST_SEGMENT if interrupt.running else SOON)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(wake)
        listener.join()
        os.close(heard)
