"""Ctrl-C is answered at once, even while a compiled program is at work."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from experiments.train.process import LAST_SEGMENT, SOON, interruptible


def press(after=0.0):
    """Ctrl-C from elsewhere, after so many seconds."""
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def native():
    """A call of a large fraction of a second that lets no signal handler run until it returns, as
    compiled programs do."""
    np.sort(np.random.default_rng(0).random(8_000_000))


@pytest.mark.parametrize(("running", "says"), [(True, LAST_SEGMENT), (False, SOON)])
def test_it_is_answered_before_the_program_returns(running, says):
    said, returned = [], []

    def answer(text):
        said.append((text, time.monotonic()))

    with pytest.raises(KeyboardInterrupt), interruptible(answer) as one:
        one.running = running
        press(0.05)
        try:
            native()
        finally:
            returned.append(time.monotonic())
        assert one.asked, "out of a segment it has been raised"
        one.check()
    [(text, at)] = said
    assert text == says and at < returned[0]


def test_the_second_time_it_interrupts():
    said = []
    with pytest.raises(KeyboardInterrupt), interruptible(said.append) as one:
        one.running = True
        for _ in range(2):
            press().join()
            time.sleep(0.05)
        raise AssertionError("the second was not heard")
    assert said == [LAST_SEGMENT], "and is answered by what happens"


def test_all_is_as_before_afterwards():
    handler = signal.getsignal(signal.SIGINT)
    threads = threading.active_count()
    with interruptible(print):
        assert signal.getsignal(signal.SIGINT) is not handler
    assert signal.getsignal(signal.SIGINT) is handler
    assert threading.active_count() == threads
    assert signal.set_wakeup_fd(-1) == -1


def test_in_another_thread_nothing_is_heard_or_broken():
    seen = []

    def work():
        with interruptible(print) as one:
            seen.append(one.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
