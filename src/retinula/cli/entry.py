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
        _replace_closed()
        _listen()
        from retinula.cli.main import main as command

        command()
    except KeyboardInterrupt:  # before the command line was there to say so
        from retinula.errors import Interrupted
        from retinula.text.remarks import remark

        remark("retinula: interrupted")
        sys.exit(Interrupted.exit_code)


def _replace_closed() -> None:
    """Let what is printed go nowhere where a stream is closed, as `2>&-` does.

    Else the next file that is opened, a checkpoint perhaps, has the stream's number, and whatever another library
    prints to that is written into it.
    """
    for number, name in enumerate(("stdout", "stderr"), start=1):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8"))


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
