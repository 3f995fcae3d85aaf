"""The `popjax` command as a process: Ctrl-C ends it with one line from its first moment on.

The imports of the command take seconds, in which nothing is under way that could be lost.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Runs the command that the words of this process stand for; its exit code."""
    before = signal.signal(signal.SIGINT, _leave)
    from experiments.cli.app import main as command

    try:
        code = command(imported=lambda: signal.signal(signal.SIGINT, before))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # who reads has seen enough, as with `popjax envs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _leave(*_: object) -> None:
    os.write(2, b"popjax: stopped\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
