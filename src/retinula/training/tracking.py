"""The logs of a training in the forms of other programs, where its recipe asks for them: TensorBoard's, and CSV.

They say what `metrics.jsonl` and `steps.csv` say, at the same moments, so that a resumed training goes on in them as it
does in those. Nothing of them enters the training.
"""

import csv
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self

from retinula.extras import load
from retinula.files.durable import append_text, explained, write_text
from retinula.recipe.recipe import Recipe
from retinula.runs.files import EPOCH_COLUMNS, EpochRow, StepRow
from retinula.runs.run import Run

_PLACES = ("epoch", "step")  # where a value was measured: no curves of their own

Clock = Callable[[], float]


class Tracker(Protocol):
    """One form of the logs."""

    def add_steps(self, rows: Iterable[StepRow]) -> None:
        """Take in steps, with their rows of `steps.csv`."""

    def add_metrics(self, row: EpochRow) -> None:
        """Take in an epoch, with its row of `metrics.jsonl`."""


class Tracking:
    """All forms that a recipe asks for, perhaps none."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers

    def add_steps(self, rows: Iterable[StepRow]) -> None:
        """Hand steps on."""
        for tracker in self._trackers:
            tracker.add_steps(rows)

    def add_metrics(self, row: EpochRow) -> None:
        """Hand an epoch on."""
        for tracker in self._trackers:
            tracker.add_metrics(row)


def check_trackers(recipe: Recipe) -> None:
    """See that what a recipe asks for can be written.

    Raises:
        InputError: a package is not installed.
    """
    if "tensorboard" in recipe.track:
        for module in ("tensorboard.compat.proto.event_pb2", "tensorboard.summary.writer.event_file_writer"):
            load("track", "track=tensorboard", module)


@contextmanager
def tracking(recipe: Recipe, run: Run, step: int, clock: Clock = time.time) -> Iterator[Tracking]:
    """Open what the recipe asks for; a training that goes on after `step` goes on in it as well.

    Args:
        recipe: names the forms.
        run: its logs hold nothing after `step`.
        step: the steps made so far.
        clock: Unix time.

    Raises:
        InputError: a package is not installed.
        RetinulaError: a file cannot be written.
    """
    check_trackers(recipe)
    with ExitStack() as stack:
        trackers: list[Tracker] = []
        if "csv" in recipe.track:
            trackers.append(MetricsTable(run))
        if "tensorboard" in recipe.track:
            trackers.append(stack.enter_context(EventFile(run, recipe, step, clock)))
        yield Tracking(trackers)


class MetricsTable:
    """`metrics.csv`: a row an epoch; what there is none of is left empty."""

    def __init__(self, run: Run) -> None:
        self._path = run.table_file
        write_text(self._path, _csv_line(EPOCH_COLUMNS) + "".join(map(_epoch_line, run.metrics())))

    def add_steps(self, rows: Iterable[StepRow]) -> None:
        """Leave them out: `steps.csv` has them."""

    def add_metrics(self, row: EpochRow) -> None:
        """Add a row."""
        append_text(self._path, _epoch_line(row))


class EventFile:
    """What TensorBoard reads: a file for each session of a training.

    Each begins by telling after which step it goes on, so that TensorBoard forgets what a killed session had made
    beyond its last checkpoint. torch's own `SummaryWriter` is not used: it writes from a thread of its own, which a
    full disk ends with a traceback instead of an error.
    """

    def __init__(self, run: Run, recipe: Recipe, step: int, clock: Clock = time.time) -> None:
        self._torch: Any = import_module("torch.utils.tensorboard")
        self._events: Any = import_module("tensorboard.compat.proto.event_pb2")
        self._summary: Any = import_module("torch.utils.tensorboard.summary")
        self._clock = clock
        before = len(run.event_files())
        self._path = run.event_file(int(clock()), before)
        with explained(self._path):
            self._file = self._path.open("ab")
        self._writer: Any = self._torch.RecordWriter(self._file)
        try:
            self._begin(run, recipe, step, with_history=not before)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def add_steps(self, rows: Iterable[StepRow]) -> None:
        """Add the values of each step."""
        with explained(self._path):
            for row in rows:
                self._add_scalars("step", row, row["step"])
            self._flush()

    def add_metrics(self, row: EpochRow) -> None:
        """Add the values of an epoch, at its last step."""
        with explained(self._path):
            self._add_scalars("epoch", row, row["step"])
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of what could not be written was told when it should have been
            self._file.close()

    def _begin(self, run: Run, recipe: Recipe, step: int, *, with_history: bool) -> None:
        with explained(self._path):
            self._write(file_version="brain.Event:2", step=step)
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            self._write(session_log=start, step=step + 1)
            if with_history:
                # Indented: TensorBoard shows Markdown.
                code = "".join(f"    {line}\n" for line in recipe.to_toml().splitlines())
                self._write(summary=self._summary.text("recipe", code), step=0)
            self._flush()
        if with_history:  # of a training that is tracked only since it goes on
            self.add_steps(run.steps())
            for row in run.metrics():
                self.add_metrics(row)

    def _add_scalars(self, group: str, values: Mapping[str, Any], step: int) -> None:
        for name, value in values.items():
            if name not in _PLACES and value is not None:
                self._write(summary=self._summary.scalar(f"{group}/{name}", float(value)), step=step)

    def _write(self, **content: Any) -> None:
        event = self._events.Event(wall_time=self._clock(), **content)
        self._writer.write(event.SerializeToString())

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def _epoch_line(row: Mapping[str, Any]) -> str:
    return _csv_line(["" if row.get(key) is None else row[key] for key in EPOCH_COLUMNS])


def _csv_line(values: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()
