"""Run: the folder of one training, the names of the files in it, and its logs.

All that comes later needs only the folder. Knows nothing of training or torch.
"""

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from filelock import FileLock

from retinula.errors import InputError, nearest
from retinula.files.durable import UNFINISHED, append_text, explained, take_free_place, write_json, write_text
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.files import (
    STEP_COLUMNS,
    EpochRow,
    StepRow,
    begun_at,
    ended_early,
    own_evaluation,
    read_environment,
    read_epochs,
    read_report,
    read_steps,
    step_lines,
)
from retinula.runs.locking import is_locked, lock_folder
from retinula.text.names import printable

RUNS = Path("runs")
EVENTS = "events.out.tfevents"  # TensorBoard knows its files by it
_LONGEST_NAME = 255  # bytes that the name of a folder may have
_STEP_HEAD = ",".join(STEP_COLUMNS) + "\n"


@dataclass(frozen=True, init=False)
class Run:
    """The folder of one training."""

    path: Path

    def __init__(self, path: str | Path) -> None:
        object.__setattr__(self, "path", Path(path))

    @property
    def name(self) -> str:
        """What the run is called: the name of its folder."""
        return self.path.name

    @property
    def recipe_file(self) -> Path:
        """The recipe as it runs, every key written out."""
        return self.path / "recipe.toml"

    @property
    def environment_file(self) -> Path:
        """Machine, versions, data and command."""
        return self.path / "environment.json"

    @property
    def metrics_file(self) -> Path:
        """One JSON object an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def steps_file(self) -> Path:
        """One row a step: `step,epoch,loss,learning_rate,seconds`."""
        return self.path / "steps.csv"

    @property
    def table_file(self) -> Path:
        """One row an epoch for other programs, where the recipe asks for it."""
        return self.path / "metrics.csv"

    def event_file(self, seconds: int, number: int) -> Path:
        """What TensorBoard reads of one session of the training: when it began, in Unix time, and its number."""
        return self.path / f"{EVENTS}.{seconds:010d}.{number:06d}"

    def event_files(self) -> list[Path]:
        """Return what TensorBoard reads, the oldest first."""
        return sorted(self.path.glob(f"{EVENTS}.*"))

    @property
    def log_file(self) -> Path:
        """What was decided and what happened, in words."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """The folder of the newest two checkpoints of an unfinished training."""
        return self.path / "checkpoint"

    def checkpoint_file(self, step: int) -> Path:
        """The state of the training after so many steps."""
        return self.checkpoints / f"step-{step:09d}.safetensors"

    def checkpoint_files(self) -> list[Path]:
        """Return the checkpoints that there are, the oldest first."""
        return sorted(self.checkpoints.glob("step-*.safetensors"))

    def checkpoint_step(self) -> int:
        """Return after how many steps the newest checkpoint was made; 0 where there is none."""
        steps = [path.stem.removeprefix("step-") for path in self.checkpoint_files()]
        return max((int(step) for step in steps if step.isdecimal()), default=0)

    @property
    def can_go_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return bool(self.checkpoint_files())

    @property
    def hardware_file(self) -> Path:
        """What a training computes with that has no checkpoint yet."""
        return self.path / "hardware.json"

    @property
    def failure(self) -> Path:
        """The folder of what led to a loss that is not finite, where there was one."""
        return self.path / "failure"

    @property
    def model_file(self) -> Path:
        """The trained model."""
        return self.path / "model.safetensors"

    @property
    def learned_file(self) -> Path:
        """Digests of the pictures that the model has learned, here and in what it began from."""
        return self.path / "learned.safetensors"

    @property
    def snapshots(self) -> Path:
        """The folder of the models after each epoch, where the recipe asks for them."""
        return self.path / "epochs"

    def snapshot_file(self, epoch: int) -> Path:
        """The model after an epoch, counted from 1."""
        return self.snapshots / f"epoch-{epoch:04d}.safetensors"

    @property
    def report_file(self) -> Path:
        """The results; written last, so its being there means that training finished."""
        return self.path / "report.json"

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.path / "figures"

    @property
    def report_page(self) -> Path:
        """The report for people, which `retinula report` writes."""
        return self.path / "report.html"

    def answers_file(self, split: str) -> Path:
        """What a classifier answered about its own pictures of a split when they were last measured."""
        return self.path / f"answers-{split}.safetensors"

    @property
    def inspection_file(self) -> Path:
        """What a deep evaluation has found."""
        return self.path / "inspection.json"

    @property
    def photos_file(self) -> Path:
        """The answers to the photos of a work, one row a photo."""
        return self.path / "photos.csv"

    @property
    def finished(self) -> bool:
        """Whether training came to its end; `InputError` where there is no such folder, as for all that is read."""
        return self._holds(self.report_file)

    def other_folder(self, data: str) -> Path:
        """Return where goes what is measured on other pictures than its own: a data set by name, or files by path."""
        place = Path(data).resolve()
        by_path = f"-{hashlib.sha256(str(place).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        if not place.exists():
            return self.path / "other" / data
        name = printable(place.name).encode()[: _LONGEST_NAME - len(by_path)].decode(errors="ignore")
        return self.path / "other" / f"{name}{by_path}"

    def measured_in(self, data: str | None) -> Path:
        """Return where measurements go: of its own pictures into the run, of others into `other_folder`."""
        return self.path if data is None else self.other_folder(data)

    def recipe(self) -> Recipe:
        """Read the recipe back."""
        self._holds(self.recipe_file)
        return load_recipe(self.recipe_file)

    def report(self) -> dict[str, Any]:
        """Read the results of a finished run.

        Raises:
            InputError: the run is not finished, or its report cannot be read or is not whole.
        """
        if not self.finished:
            raise InputError(f"{self.path}: not finished; {self.unfinished()}")
        return read_report(self.report_file)

    def evaluation(self, split: str = "test") -> dict[str, Any]:
        """Return a finished run's measurement on its own pictures of a split, as its recipe averages; empty without.

        Raises:
            InputError: as `report`, or the recipe cannot be read.
        """
        return own_evaluation(self.report(), self.recipe().evaluation.tta, split)

    def ended_early(self) -> str:
        """Say where a finished run was ended by somebody's wish; nothing of others; `InputError` as `report`."""
        return ended_early(self.report()) if self.finished else ""

    def unfinished(self) -> str:
        """Say what to do about a run that is not finished."""
        return "it is being trained now" if self.in_training() else f"go on with: retinula train --resume {self.path}"

    def environment(self) -> dict[str, Any]:
        """Read machine, versions, data, command, and the digest of the recipe.

        Raises:
            InputError: the file cannot be read or is not whole.
        """
        self._holds(self.environment_file)
        return read_environment(self.environment_file)

    def metrics(self) -> list[EpochRow]:
        """Read the epochs so far; a last line that a kill cut short is left out.

        Raises:
            InputError: the file cannot be read, or a line of it is damaged.
        """
        return read_epochs(self.metrics_file) if self._holds(self.metrics_file) else []

    def steps(self) -> list[StepRow]:
        """Read the steps so far; a last row that a kill cut short is left out.

        Raises:
            InputError: the file cannot be read, or a row of it is damaged.
        """
        return read_steps(self.steps_file) if self._holds(self.steps_file) else []

    def _holds(self, file: Path) -> bool:
        """Tell whether a file of the run is there.

        Raises:
            InputError: there is not even a folder, so that nothing can be said of the run.
        """
        if file.exists() or self.path.exists():
            return file.exists()
        hint = nearest(str(self.path), [str(run.path) for run in list_runs()])
        if Run(RUNS / self.path).recipe_file.is_file():
            hint = f"; did you mean {str(RUNS / self.path)!r}?"
        raise InputError(f"there is no run {str(self.path)!r}{hint}")

    def note(self, message: str) -> None:
        """Add a line to the log."""
        append_text(self.log_file, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {message}\n")

    def add_metrics(self, row: EpochRow) -> None:
        """Add an epoch."""
        append_text(self.metrics_file, json.dumps(row, allow_nan=False) + "\n")

    def add_steps(self, rows: Iterable[StepRow]) -> None:
        """Add steps."""
        lines = step_lines(rows)
        if lines:
            append_text(self.steps_file, lines if self.steps_file.exists() else _STEP_HEAD + lines)

    def cut_logs(self, step: int, *, in_epoch: bool) -> None:
        """Forget what was logged after a checkpoint: a training that goes on from there knows nothing of it.

        Args:
            step: how many steps the checkpoint has.
            in_epoch: whether the last of them ended no epoch, so that there can be no row of one.
        """
        metrics = [row for row in self.metrics() if row["step"] < step + (not in_epoch)]
        steps = step_lines(row for row in self.steps() if row["step"] <= step)
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in metrics))
        write_text(self.steps_file, _STEP_HEAD + steps)

    def lock(self) -> FileLock:
        """Return a lock that keeps a second process from training into the same folder.

        Raises:
            RetinulaError: another process holds it.
        """
        return lock_folder(self.path)

    def in_training(self) -> bool:
        """Tell whether a process is training into this folder now."""
        return is_locked(self.path)


def create_run(recipe: Recipe, environment: dict[str, Any], name: str | None = None, root: Path = RUNS) -> Run:
    """Make the folder of a new training: `root/name`, or `root/<recipe>-<number>`.

    It has its name once all is in it, so that whatever comes between leaves none that cannot go on.

    Raises:
        InputError: the name is taken, or no name for a folder.
        RetinulaError: the folder cannot be written.
    """
    if name is not None and (not re.fullmatch(r"\w[\w.-]{0,99}", name) or name == "last"):
        raise InputError(f"{name!r} cannot be a run's name: letters, digits, dots, dashes; and not 'last'")
    made = Run(root / f"{UNFINISHED}{uuid.uuid4().hex}")
    try:
        with explained(root):
            made.path.mkdir(parents=True)
        write_json(made.environment_file, {**environment, "digest": recipe.digest()})
        write_text(made.recipe_file, recipe.to_toml())
        with explained(root):
            if name is None:
                return Run(_numbered(made.path, root, recipe.name))
            if not take_free_place(made.path, root / name):
                there = Run(root / name)
                is_run = there.recipe_file.exists()
                what = f"a run {name!r}" if is_run else f"something called {name!r}"
                goes_on = ", or resume it" if is_run and not there.finished else ""
                raise InputError(f"there is {what} already in {root}: choose another name{goes_on}")
            return Run(root / name)
    finally:
        shutil.rmtree(made.path, ignore_errors=True)


def find_run(name: str | Path, root: Path = RUNS, tell: Callable[[str], None] = lambda _: None) -> Run:
    """Find a run by its folder, its name under `root`, or `last`: the one begun last.

    Args:
        name: of one of the three kinds.
        root: the folder of the runs.
        tell: where `last` is asked for, told of each folder that cannot be looked into: it may be a newer one's.

    Raises:
        InputError: there is none, the nearest names are in the message; or nobody may look into its folder.
    """
    if str(name) == "last":
        runs = list_runs(root, tell)
        if not runs:
            raise InputError(f"there is no run in {root.resolve()} yet: begin with retinula train")
        return runs[-1]
    for run in (Run(name), Run(root / name)):
        try:
            if run.recipe_file.is_file():
                return run
        except OSError as error:  # closed to us, or no name that a folder can have
            raise InputError(_closed(run.path, error)) from error
    if Path(name).is_file():
        raise InputError(f"{name} is a file; asked for is a run: its folder, its name, or 'last'")
    if Path(name).suffix.lower() in (".safetensors", ".onnx", ".npz", ".pt2"):
        raise InputError(f"no file {str(name)!r}")
    raise InputError(f"no run {str(name)!r}{nearest(str(name), [run.name for run in list_runs(root)])}")


def list_runs(root: Path = RUNS, tell: Callable[[str], None] = lambda _: None) -> list[Run]:
    """Return all runs under `root`, the one begun last at the end.

    Args:
        root: the folder of the runs; one that is not there holds none.
        tell: told of each folder that cannot be looked into, so that nobody knows what is in it.
    """
    found = []
    try:
        folders = [folder for folder in root.iterdir() if not folder.name.startswith(".")]  # one half written has a dot
    except OSError as error:
        if isinstance(error, PermissionError):
            tell(_closed(root, error))
        return []
    for run in map(Run, folders):
        try:
            found.append((begun_at(run.environment_file, run.recipe_file), run.name, run))
        except PermissionError as error:
            tell(_closed(run.path, error))
        except OSError:  # no run, or gone by now
            continue
    return [run for _, _, run in sorted(found, key=itemgetter(0, 1))]


def _closed(folder: Path, error: OSError) -> str:
    return f"{printable(str(folder))}: cannot be looked into ({error.strerror})"


def _numbered(folder: Path, root: Path, stem: str) -> Path:
    """Give a folder the first name with a number that is free."""
    taken = {path.name for path in root.glob(f"{stem}-*")}
    number = 1
    # Another process may take one between the look and the step.
    while f"{stem}-{number}" in taken or not take_free_place(folder, root / f"{stem}-{number}"):
        number += 1
    return root / f"{stem}-{number}"
