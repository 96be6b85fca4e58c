"""What the commands share: output for people and for machines, progress on a terminal, plain lines elsewhere."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, Self, cast

import typer

from retinula.errors import RetinulaError
from retinula.text.names import printable_text
from retinula.text.remarks import remark as remark  # for the commands, which say all else from here
from retinula.training.lines import LineReporter, Lines, fitting, held_out
from retinula.training.reporting import StepProgress

if TYPE_CHECKING:
    from rich import progress as rich_progress

    from retinula.runs.files import EpochRow

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]

_BAR: Final = 5  # letters that a bar has at least
_TIME: Final = len("00:00:00")
_SPACES: Final = 3  # between what it is, the bar, its figures, and the time
_EXPENDABLE: Final = ("speed", "val_loss", "val_accuracy", "loss")  # beside a bar, the first one first


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


def say_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    _print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def on_terminal() -> bool:
    """Tell whether progress can be drawn over itself."""
    return sys.stderr is not None and sys.stderr.isatty()


class _Unfailing:
    """Standard error as bars are drawn on it: what it does not take, as a terminal that has gone, is lost."""

    def __init__(self, stream: IO[str]) -> None:
        # Where another bar stands already, it has put itself before the stream, and rich would look behind both.
        self._stream: IO[str] = getattr(stream, "rich_proxied_file", stream)

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _new_bar(
    *columns: "rich_progress.ProgressColumn", clock: Callable[[], float] = time.monotonic
) -> "rich_progress.Progress":
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(file=cast("IO[str]", _Unfailing(sys.stderr)))
    # What is printed as the result goes above the bar where it is seen, and else where it is sent.
    seen = sys.stdout is not None and sys.stdout.isatty()
    return Bar(*columns, console=console, transient=True, redirect_stdout=seen, get_time=clock)


@contextmanager
def counting() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function `(what, done, total)` that shows how far something is: a bar on a terminal, else lines."""
    if not on_terminal():
        yield Lines(remark)
        return
    from rich.markup import escape

    with _new_bar() as bar:
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
        self._held_out: dict[str, str] = {}
        self._measured_at = 0  # which step

    def loading(self, what: str, done: int, total: int | None) -> None:
        """Move the bar for a download or the preparation; elsewhere say in lines how far it is."""
        if self._bar is None:
            super().loading(what, done, total)
        else:
            from rich.markup import escape
            from rich.text import Text

            described = Text(printable_text(what))
            described.truncate(self._room(), overflow="ellipsis")
            self._bar.update(self._task, completed=done, total=total, description=escape(described.plain), figures="")

    def step(self, progress: StepProgress) -> None:
        """Move the bar."""
        super().step(progress)
        if progress.step <= self._measured_at:  # another training, of the next seed or trial
            self._held_out, self._measured_at = {}, 0
        if self._bar is not None:
            described = self._described(progress)
            figures = {
                "loss": f"loss {progress.loss:.3f}",
                **self._held_out,
                "speed": f"{progress.images_per_second:,.0f} images/s",
            }
            self._bar.update(
                self._task,
                completed=progress.step,
                total=progress.num_steps,
                description=described,
                figures=fitting(figures, _EXPENDABLE, self._room() - len(described)),
            )

    def epoch(self, row: "EpochRow") -> None:
        """Print the epoch's figures above the bar, and show the newest of the validation pictures on it."""
        super().epoch(row)
        self._held_out, self._measured_at = held_out(row), row["step"]

    def _described(self, progress: StepProgress) -> str:
        return f"epoch {progress.epoch}/{progress.num_epochs}"

    def _room(self) -> int:
        """Return how many letters are left beside the shortest bar and the time."""
        return 0 if self._bar is None else self._bar.console.width - _BAR - _TIME - _SPACES

    def _width(self) -> float:
        return super()._width() if self._bar is None else self._bar.console.width

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(printable_text(text), highlight=False, markup=False, emoji=False, soft_wrap=True)
        else:
            super()._line(text)

    def __enter__(self) -> Self:
        if on_terminal():
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.table import Column

            self._bar = _new_bar(
                TextColumn("{task.description}"),
                BarColumn(None, table_column=Column(min_width=_BAR, max_width=40)),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=_TIME)),
                clock=self._clock,
            )
            self._task = self._bar.add_task("starting", total=None, figures="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            super().__exit__(kind, *error)
        finally:
            if self._bar is not None:
                self._bar.stop()
