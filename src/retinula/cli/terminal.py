"""What the commands share: output for people and for machines, progress on a terminal, plain lines elsewhere."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from retinula.errors import RetinulaError
from retinula.text.names import printable_text
from retinula.text.words import percent
from retinula.training.reporting import Reporter, StepProgress

if TYPE_CHECKING:
    from rich import progress as rich_progress

    from retinula.recipe.sections import ValidationMetric
    from retinula.runs.files import EpochRow

PATIENCE = 5.0  # seconds for which nothing is said of what goes on
BETWEEN_LINES = 10.0  # seconds between two lines about the same thing
MOST_LINES = 50  # about epochs; where they are more, only the slow ones among them have a line each
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]


def say(text: str = "") -> None:
    """Print a line of the result; names in it that come from outside say nothing to a terminal.

    Raises:
        RetinulaError: it cannot be written to where output goes.
    """
    _print(printable_text(text))


def _print(text: str) -> None:
    try:
        typer.echo(text)
    except BrokenPipeError:  # whoever reads it may stop
        raise
    except OSError as error:
        raise RetinulaError(f"cannot write to standard output: {error.strerror or error}") from error


def remark(text: str) -> None:
    """Print a line about the work, which is not part of the result."""
    typer.echo(printable_text(text), err=True)


def say_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    _print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def on_terminal() -> bool:
    """Tell whether progress can be drawn over itself."""
    return sys.stderr.isatty()


def share(value: float | None, places: int = 2) -> str:
    """Write a share as a percentage; `-` where there is none."""
    return "-" if value is None else percent(value, places)


def number(value: float | None, places: int = 4) -> str:
    """Write a number; `-` where there is none."""
    return "-" if value is None else f"{value:.{places}f}"


def reached(metric: "ValidationMetric", value: float | None) -> str:
    """Write what validation pictures gave; `-` where there is none."""
    return share(value) if metric == "val_accuracy" else number(value)


class Lines:
    """Says how far something is where nothing can be drawn over itself: in lines, and only of what takes a while.

    Args:
        clock: gives the seconds of now.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until = clock() + PATIENCE
        self._what: str | None = None
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Print a line where another thing is being done, or the last line was long ago."""
        now = self._clock()
        if now < self._quiet_until or (what == self._what and now < self._next):
            return
        far = f" {percent(done / total, 0)}" if total else f" {done:,}" if done else ""
        remark(f"{what}{far}")
        self._what, self._next = what, now + BETWEEN_LINES


@contextmanager
def counting() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function `(what, done, total)` that shows how far something is: a bar on a terminal, else lines."""
    if not on_terminal():
        yield Lines()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=escape(printable_text(what)), completed=done, total=total
        )


class TrainingReporter(Reporter):
    """Shows a training: a bar with the newest figures on a terminal, and a line an epoch everywhere.

    Of hundreds of quick epochs only some have a line, and the last of all.

    Args:
        clock: gives the seconds of now.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bar: rich_progress.Progress | None = None
        self._task: Any = None
        self._lines = Lines()
        self._every = 1  # so many epochs are a line
        self._next_line = 0.0
        self._untold = ""  # of the newest epoch, where it has had no line

    def message(self, text: str) -> None:
        """Print it above the bar."""
        self._tell_last()
        self._line(text)

    def loading(self, what: str, done: int, total: int | None) -> None:
        """Move the bar for a download or the preparation; elsewhere say in lines how far it is."""
        if self._bar is None:
            self._lines(what, done, total)
        else:
            from rich.markup import escape

            described = escape(printable_text(what))
            self._bar.update(self._task, completed=done, total=total, description=described)

    def step(self, progress: StepProgress) -> None:
        """Move the bar."""
        self._every = -(-progress.num_epochs // MOST_LINES)
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=progress.step,
                total=progress.num_steps,
                description=f"epoch {progress.epoch}/{progress.num_epochs}",
                loss=f"loss {progress.loss:.3f}",
                speed=f"{progress.images_per_second:,.0f} images/s",
            )

    def epoch(self, row: "EpochRow") -> None:
        """Print the epoch's figures, unless it is one of many quick ones."""
        parts = [f"epoch {row['epoch']:>3}", f"step {row['step']:>6}", f"loss {row['loss']:.4f}"]
        if row["accuracy"] is not None:
            parts.append(f"accuracy {share(row['accuracy'])}")
        if row["val_loss"] is not None:
            parts.append(f"val_loss {row['val_loss']:.4f}")
        if row["val_accuracy"] is not None:
            parts.append(f"val_accuracy {share(row['val_accuracy'])}")
        parts.append(f"{row['seconds']:.1f} s")
        self._untold = "  ".join(parts)
        now = self._clock()
        if row["epoch"] % self._every == 0 or now >= self._next_line:
            self._tell_last()
            self._next_line = now + BETWEEN_LINES
        if self._bar is not None:
            self._bar.update(self._task, held_out="  ".join(part for part in parts if part.startswith("val_")))

    def _tell_last(self) -> None:
        if self._untold:
            self._line(self._untold)
        self._untold = ""

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(printable_text(text), highlight=False, markup=False, emoji=False, soft_wrap=True)
        else:
            remark(text)

    def __enter__(self) -> Self:
        if on_terminal():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            fields = [TextColumn(f"{{task.fields[{name}]}}") for name in ("loss", "held_out", "speed")]
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                *fields,
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("starting", total=None, loss="", held_out="", speed="")
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._tell_last()
        if self._bar is not None:
            self._bar.stop()
