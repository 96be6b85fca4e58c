"""Where `retinula` and `python -m retinula` begin: what asks to stop is understood before anything large is imported.

A training and a server have answers of their own to it while they run.
"""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Run the command line; what asks to stop ends it with one line and exit code 130, temporary files removed."""
    try:
        _listen()
        from retinula.cli.main import main as command

        command()
    except KeyboardInterrupt:  # before the command line was there to say so
        from retinula.errors import Interrupted

        sys.stderr.write("retinula: interrupted\n")
        sys.exit(Interrupted.exit_code)


def _listen() -> None:
    """Let the system's requests to stop do what Ctrl-C does, where nobody had them ignored, as `nohup` does."""
    if "RANK" in os.environ:  # who starts several processes tells by the signal which of them it has ended itself
        return
    from retinula.training.interruption import ASKING

    for number in ASKING:
        if signal.getsignal(number) is signal.SIG_DFL:  # not so of Ctrl-C, which Python itself answers
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
