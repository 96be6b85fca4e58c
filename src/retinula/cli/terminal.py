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
from retinula.training.lines import LineReporter, Lines, held_out
from retinula.training.reporting import StepProgress

if TYPE_CHECKING:
    from rich import progress as rich_progress

    from retinula.runs.files import EpochRow

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


@contextmanager
def counting() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function `(what, done, total)` that shows how far something is: a bar on a terminal, else lines."""
    if not on_terminal():
        yield Lines(remark)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=escape(printable_text(what)), completed=done, total=total
        )


class TrainingReporter(LineReporter):
    """Shows a training: a bar with the newest figures on a terminal, and a line an epoch everywhere."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(remark, clock=clock)
        self._bar: rich_progress.Progress | None = None
        self._task: Any = None

    def loading(self, what: str, done: int, total: int | None) -> None:
        """Move the bar for a download or the preparation; elsewhere say in lines how far it is."""
        if self._bar is None:
            super().loading(what, done, total)
        else:
            from rich.markup import escape

            described = escape(printable_text(what))
            self._bar.update(self._task, completed=done, total=total, description=described)

    def step(self, progress: StepProgress) -> None:
        """Move the bar."""
        super().step(progress)
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
        """Print the epoch's figures above the bar, and show the newest of the validation pictures on it."""
        super().epoch(row)
        if self._bar is not None:
            self._bar.update(self._task, held_out="  ".join(held_out(row)))

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(printable_text(text), highlight=False, markup=False, emoji=False, soft_wrap=True)
        else:
            super()._line(text)

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
        super().__exit__(*error)
        if self._bar is not None:
            self._bar.stop()
