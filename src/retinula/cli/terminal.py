"""What the commands share: output for people and for machines, progress on a terminal, plain lines elsewhere."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from retinula.errors import InputError
from retinula.training.reporting import Progress, Reporter

if TYPE_CHECKING:
    from rich import progress as rich_progress

    from retinula.recipe import ValidationMetric

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]


def say(text: str = "") -> None:
    """Print a line of the result."""
    typer.echo(text)


def remark(text: str) -> None:
    """Print a line about the work, which is not part of the result."""
    typer.echo(text, err=True)


def say_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def on_terminal() -> bool:
    """Tell whether progress can be drawn over itself."""
    return sys.stderr.isatty()


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lay rows out in columns; columns of numbers are aligned to the right.

    >>> table(("name", "pictures"), [("digits", "1,797")])
    ['name    pictures', 'digits     1,797']
    """
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    numeric = [all(row[column][:1].isdigit() or not row[column] for row in rows) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def share(value: float | None, places: int = 2) -> str:
    """Write a share as a percentage; `-` where there is none."""
    return "-" if value is None else f"{value:.{places}%}"


def number(value: float | None, places: int = 4) -> str:
    """Write a number; `-` where there is none."""
    return "-" if value is None else f"{value:.{places}f}"


def reached(metric: "ValidationMetric", value: float | None) -> str:
    """Write what validation pictures gave; `-` where there is none."""
    return share(value) if metric == "val_accuracy" else number(value)


def one_target(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Part what is to be trained, None where nothing is named, from settings as `key=value`.

    What begins as a path does, or is here, is no setting, even with an equals sign in its name.

    Raises:
        InputError: more than one thing is named.
    """
    names = [word for word in words if _is_target(word)]
    if len(names) > 1:
        raise InputError(f"one recipe, data set or folder at a time, not {' and '.join(names)}")
    return next(iter(names), None), [word for word in words if not _is_target(word)]


@contextmanager
def counting() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function `(what, done, total)` that shows how far something is; it draws only on a terminal."""
    if not on_terminal():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


class TrainingReporter(Reporter):
    """Shows a training: a bar with the newest figures on a terminal, and a line an epoch everywhere."""

    def __init__(self) -> None:
        self._bar: rich_progress.Progress | None = None
        self._task: Any = None

    def message(self, text: str) -> None:
        """Print it above the bar."""
        self._line(text)

    def loading(self, what: str, done: int, total: int | None) -> None:
        """Move the bar for a download or the preparation."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, description=what)

    def step(self, progress: Progress) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=progress.step,
                total=progress.num_steps,
                description=f"epoch {progress.epoch}/{progress.num_epochs}",
                loss=f"loss {progress.loss:.3f}",
                speed=f"{progress.images_per_second:,.0f} images/s",
            )

    def epoch(self, row: dict[str, Any]) -> None:
        """Print the epoch's figures."""
        parts = [f"epoch {row['epoch']:>3}", f"step {row['step']:>6}", f"loss {row['loss']:.4f}"]
        if row["accuracy"] is not None:
            parts.append(f"accuracy {row['accuracy']:.2%}")
        if row["val_loss"] is not None:
            parts.append(f"val_loss {row['val_loss']:.4f}")
        if row["val_accuracy"] is not None:
            parts.append(f"val_accuracy {row['val_accuracy']:.2%}")
        parts.append(f"{row['seconds']:.1f} s")
        self._line("  ".join(parts))
        if self._bar is not None:
            self._bar.update(self._task, held_out="  ".join(part for part in parts if part.startswith("val_")))

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
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
        if self._bar is not None:
            self._bar.stop()


def _is_target(word: str) -> bool:
    return "=" not in word or word.startswith((".", "/")) or os.path.exists(word)  # noqa: PTH110 - Path's fails at long ones
