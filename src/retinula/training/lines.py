"""Reporters that are ready: plain lines of progress, for a script, a notebook, and wherever nothing can be redrawn."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from retinula.runs.files import EpochRow
from retinula.text.names import printable_text
from retinula.text.words import percent, share
from retinula.training.reporting import Reporter, StepProgress

PATIENCE = 5.0  # seconds for which nothing is said of what goes on
BETWEEN_LINES = 10.0  # seconds between two lines about the same thing
MOST_LINES = 50  # about epochs; where they are more, only the slow ones among them have a line each


def print_line(text: str) -> None:
    """Print a line on standard error, so that what a program prints as its result stays by itself."""
    if sys.stderr is not None:  # as it is in a program of windows
        # Whoever reads it may stop, close it, or take less than all of Unicode: that is no reason to lose a training.
        with suppress(OSError, ValueError):
            encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
            line = printable_text(text).encode(encoding, "backslashreplace").decode(encoding)
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


class Lines:
    """Says how far something is: in lines, and only of what takes a while.

    Args:
        write: takes each line.
        clock: gives the seconds of now.
    """

    def __init__(
        self, write: Callable[[str], None] = print_line, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._quiet_until = clock() + PATIENCE
        self._what: str | None = None
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Write a line where another thing is being done, or the last line was long ago."""
        now = self._clock()
        if now < self._quiet_until or (what == self._what and now < self._next):
            return
        far = f" {percent(done / total, 0)}" if total else f" {done:,}" if done else ""
        self._write(f"{what}{far}")
        self._what, self._next = what, now + BETWEEN_LINES


class LineReporter(Reporter):
    """Tells a training in lines: one an epoch, and each decision and warning.

    Of hundreds of quick epochs only some have a line, and the last of all, which is told when the block ends.

    Args:
        write: takes each line.
        clock: gives the seconds of now.
    """

    def __init__(
        self, write: Callable[[str], None] = print_line, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._lines = Lines(write, clock=clock)
        self._every = 1  # so many epochs are a line
        self._next_line = 0.0
        self._untold = ""  # of the newest epoch, where it has had no line

    def message(self, text: str) -> None:
        """Write it."""
        self._tell_last()
        self._line(text)

    def loading(self, what: str, done: int, total: int | None) -> None:
        """Say in lines how far it is."""
        self._lines(what, done, total)

    def step(self, progress: StepProgress) -> None:
        """Learn how many epochs there are."""
        self._every = -(-progress.num_epochs // MOST_LINES)

    def epoch(self, row: EpochRow) -> None:
        """Write the epoch's figures, unless it is one of many quick ones."""
        parts = [f"epoch {row['epoch']:>3}", f"step {row['step']:>6}", f"loss {row['loss']:.4f}"]
        if row["accuracy"] is not None:
            parts.append(f"accuracy {share(row['accuracy'])}")
        parts += held_out(row)
        parts.append(f"{row['seconds']:.1f} s")
        self._untold = "  ".join(parts)
        now = self._clock()
        if row["epoch"] % self._every == 0 or now >= self._next_line:
            self._tell_last()
            self._next_line = now + BETWEEN_LINES

    def _tell_last(self) -> None:
        if self._untold:
            self._line(self._untold)
        self._untold = ""

    def _line(self, text: str) -> None:
        self._write(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._tell_last()


def held_out(row: EpochRow) -> list[str]:
    """Write what an epoch's validation pictures gave, as far as there are any."""
    parts = []
    if row["val_loss"] is not None:
        parts.append(f"val_loss {row['val_loss']:.4f}")
    if row["val_accuracy"] is not None:
        parts.append(f"val_accuracy {share(row['val_accuracy'])}")
    return parts


@contextmanager
def telling(reporter: Reporter | None, *, progress: bool) -> Iterator[Reporter]:
    """Yield who is told of a training: a given reporter, or else one that prints lines, silent without `progress`."""
    if reporter is not None or not progress:
        yield reporter or Reporter()
        return
    with LineReporter() as lines:
        yield lines
