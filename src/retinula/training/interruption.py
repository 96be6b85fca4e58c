"""Ctrl-C, SIGTERM and a closed terminal as a wish that the loop asks for between steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from retinula.errors import Interrupted

# What asks to stop; Windows has no hangup.
ASKING: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class _Wish:
    """Whether a stop was asked for, told by signals; a wish within another's block tells the outer one as well."""

    def __init__(self) -> None:
        # No lock and no threading.Event: a second signal may arrive while the first is being handled.
        self.asked = False
        self.before: dict[int, Any] = {}

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise Interrupted("stopped at once")
        self.asked = True
        around = self.before.get(number)
        if isinstance(around, _Wish) and not around.asked:
            around(number, frame)


def heeded() -> list[int]:
    """Return those of `ASKING` that nobody had ignored, as `nohup` does with a closed terminal."""
    return [number for number in ASKING if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether a stop was asked for since the block began.

    A second Ctrl-C stops at once. Outside the main thread, where signals cannot be caught, nothing is asked for; nor by
    a signal that is ignored. A stop that is asked for in a block within this one is asked for here as well.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    wish = _Wish()
    wish.before.update({number: signal.signal(number, wish) for number in heeded()})
    try:
        yield lambda: wish.asked
    finally:
        for number, handler in wish.before.items():
            # None stands for a handler that was not set from Python, which cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
