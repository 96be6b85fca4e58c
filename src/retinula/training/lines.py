"""Reporters that are ready: plain lines of progress, for a script, a notebook, and wherever nothing can be redrawn."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, Self

from retinula.runs.files import EpochRow
from retinula.text.remarks import remark
from retinula.text.words import percent, share
from retinula.training.reporting import Reporter, StepProgress

PATIENCE = 5.0  # seconds for which nothing is said of what goes on
BETWEEN_LINES = 10.0  # seconds between two lines about the same thing
MOST_LINES = 50  # about epochs; where they are more, only the slow ones among them have a line each
_EXPENDABLE: Final = ("seconds", "val_loss", "step", "accuracy")  # of an epoch's line, the first one first


class Lines:
    """Says how far something is: in lines, and only of what takes a while.

    Args:
        write: takes each line.
        clock: gives the seconds of now.
    """

    def __init__(self, write: Callable[[str], None] = remark, *, clock: Callable[[], float] = time.monotonic) -> None:
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

    def __init__(self, write: Callable[[str], None] = remark, *, clock: Callable[[], float] = time.monotonic) -> None:
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
        parts = {
            "epoch": f"epoch {row['epoch']:>3}",
            "step": f"step {row['step']:>6}",
            "loss": f"loss {row['loss']:.4f}",
        }
        if row["accuracy"] is not None:
            parts["accuracy"] = f"accuracy {share(row['accuracy'])}"
        parts |= held_out(row) | {"seconds": f"{row['seconds']:.1f} s"}
        self._untold = fitting(parts, _EXPENDABLE, self._width())
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

    def _width(self) -> float:
        """Return how many letters a line of figures may have."""
        return math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        hidden = () if kind is None else (Exception,)  # what ended the training is told, not that nobody takes a line
        with suppress(*hidden):
            self._tell_last()


def held_out(row: EpochRow) -> dict[str, str]:
    """Write what an epoch's validation pictures gave, as far as there are any, each under its name."""
    parts = {}
    if row["val_loss"] is not None:
        parts["val_loss"] = f"val_loss {row['val_loss']:.4f}"
    if row["val_accuracy"] is not None:
        parts["val_accuracy"] = f"val_accuracy {share(row['val_accuracy'])}"
    return parts


def fitting(parts: Mapping[str, str], expendable: Iterable[str], width: float) -> str:
    """Join the parts of a line, leaving out one after the other of the expendable ones until it is no wider.

    >>> fitting({"loss": "loss 0.5", "speed": "9 images/s"}, ["speed"], 12)
    'loss 0.5'
    """
    kept = dict(parts)
    for name in expendable:
        if len("  ".join(kept.values())) <= width:
            break
        kept.pop(name, None)
    return "  ".join(kept.values())


@contextmanager
def telling(reporter: Reporter | None, *, progress: bool) -> Iterator[Reporter]:
    """Yield who is told of a training: a given reporter, or else one that prints lines, silent without `progress`."""
    if reporter is not None or not progress:
        yield reporter or Reporter()
        return
    with LineReporter() as lines:
        yield lines
