"""Run: the folder of one training, the names of the files in it, and its logs.

All that comes later needs only the folder. Knows nothing of training or torch.
"""

import csv
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from retinula.durable import UNFINISHED, append_text, explained, write_json, write_text
from retinula.errors import InputError, RetinulaError, nearest
from retinula.recipe import Recipe
from retinula.recipe_files import load_recipe
from retinula.version import __version__

RUNS = Path("runs")
STEP_COLUMNS = ("step", "epoch", "loss", "learning_rate", "seconds")
LOCK = ".lock"
EVENTS = "events.out.tfevents"  # TensorBoard knows its files by it
_STEP_HEAD = ",".join(STEP_COLUMNS) + "\n"
_PACKAGES = ("torch", "numpy", "pillow", "safetensors", "scikit-learn", "pytorch-optimizer")


@dataclass(frozen=True)
class Run:
    """The folder of one training."""

    path: Path

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

    def checkpoint_step(self) -> int:
        """Return after how many steps the newest checkpoint was made; 0 where there is none."""
        steps = [path.stem.removeprefix("step-") for path in self.checkpoints.glob("step-*.safetensors")]
        return max((int(step) for step in steps if step.isdecimal()), default=0)

    @property
    def failure(self) -> Path:
        """The folder of what led to a loss that is not finite, where there was one."""
        return self.path / "failure"

    @property
    def model_file(self) -> Path:
        """The trained model."""
        return self.path / "model.safetensors"

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
    def finished(self) -> bool:
        """Whether training came to its end."""
        return self.report_file.exists()

    def other_folder(self, data: str) -> Path:
        """Return where goes what is measured on other pictures than its own: a data set by name, or files by path."""
        place = Path(data).resolve()
        by_path = f"-{hashlib.sha256(str(place).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        return self.path / "other" / (f"{place.name}{by_path}" if place.exists() else data)

    def measured_in(self, data: str | None) -> Path:
        """Return where measurements go: of its own pictures into the run, of others into `other_folder`."""
        return self.path if data is None else self.other_folder(data)

    def recipe(self) -> Recipe:
        """Read the recipe back."""
        return load_recipe(self.recipe_file)

    def report(self) -> dict[str, Any]:
        """Read the results of a finished run.

        Raises:
            InputError: the run is not finished, or its report is not readable.
        """
        if not self.finished:
            raise InputError(f"{self.path}: not finished; {self.unfinished()}")
        return _read_json(self.report_file)

    def unfinished(self) -> str:
        """Say what to do about a run that is not finished."""
        return "it is being trained now" if self.in_training() else f"go on with: retinula train --resume {self.path}"

    def environment(self) -> dict[str, Any]:
        """Read machine, versions, data, command, and the digest of the recipe."""
        return _read_json(self.environment_file)

    def metrics(self) -> list[dict[str, Any]]:
        """Read the epochs so far; a last line that a kill cut short is left out.

        Raises:
            InputError: the file cannot be read, or a line of it is damaged.
        """
        if not self.metrics_file.exists():
            return []
        try:
            lines = self.metrics_file.read_text(encoding="utf-8").splitlines()
            rows = [json.loads(line) for line in lines if line.endswith("}")]
        except OSError as error:
            raise InputError(f"{self.metrics_file}: cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.metrics_file}: not readable as JSON, line by line ({error})") from error
        if not all(isinstance(row, dict) and type(row.get("epoch")) is type(row.get("step")) is int for row in rows):
            raise InputError(f"{self.metrics_file}: a line has no epoch or no step that is a whole number")
        return rows

    def steps(self) -> list[dict[str, float]]:
        """Read the steps so far, with the columns of `steps.csv`; a last row that a kill cut short is left out.

        Raises:
            InputError: the file cannot be read, or a row of it is damaged.
        """
        if not self.steps_file.exists():
            return []
        try:
            with self.steps_file.open(newline="", encoding="utf-8") as file:
                # A row that a kill cut short lacks a column, or has nothing in its last one.
                rows = [row for row in csv.reader(file) if len(row) == len(STEP_COLUMNS) and row[-1]]
            steps = [dict(zip(STEP_COLUMNS, map(float, row), strict=True)) for row in rows[1:]]
        except OSError as error:
            raise InputError(f"{self.steps_file}: cannot be read ({error.strerror})") from error
        except (ValueError, csv.Error) as error:
            raise InputError(f"{self.steps_file}: not readable as a table of numbers ({error})") from error
        if not all(step["step"].is_integer() and step["epoch"].is_integer() for step in steps):
            raise InputError(f"{self.steps_file}: a row has a step or an epoch that is no whole number")
        return steps

    def note(self, message: str) -> None:
        """Add a line to the log."""
        append_text(self.log_file, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {message}\n")

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Add an epoch."""
        append_text(self.metrics_file, json.dumps(row, allow_nan=False) + "\n")

    def add_steps(self, rows: Iterable[tuple[int, int, float, float, float]]) -> None:
        """Add steps, each with the values of `STEP_COLUMNS`."""
        lines = _step_lines(rows)
        if lines:
            append_text(self.steps_file, lines if self.steps_file.exists() else _STEP_HEAD + lines)

    def cut_logs(self, step: int) -> None:
        """Forget what was logged after `step`: the checkpoint that training goes on from knows nothing of it."""
        metrics = [row for row in self.metrics() if row["step"] <= step]
        steps = _step_lines(
            (int(row["step"]), int(row["epoch"]), row["loss"], row["learning_rate"], row["seconds"])
            for row in self.steps()
            if row["step"] <= step
        )
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in metrics))
        write_text(self.steps_file, _STEP_HEAD + steps)

    def lock(self) -> FileLock:
        """Return a lock that keeps a second process from training into the same folder.

        Raises:
            RetinulaError: another process holds it.
        """
        lock = FileLock(self.path / LOCK, timeout=0)
        with explained(self.path):
            try:
                lock.acquire()
            except Timeout as error:
                raise RetinulaError(f"{self.path}: another process is training in this folder") from error
        return lock

    def in_training(self) -> bool:
        """Tell whether a process is training into this folder now."""
        lock = FileLock(self.path / LOCK, timeout=0)
        try:
            if Path(lock.lock_file).exists():
                with lock:
                    pass
        except Timeout:
            return True
        except OSError:  # a folder that may only be read: nobody is training into it
            return False
        return False


class WrittenElsewhere(Run):
    """A run that another process writes: nothing that this one logs reaches the folder, which may be elsewhere too."""

    def note(self, message: str) -> None:
        """Do nothing."""

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Do nothing."""

    def add_steps(self, rows: Iterable[tuple[int, int, float, float, float]]) -> None:
        """Do nothing."""

    def cut_logs(self, step: int) -> None:
        """Do nothing."""


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
            if not _renamed(made.path, root / name):
                raise InputError(f"there is a run {name!r} already in {root}: choose another name, or --resume it")
            return Run(root / name)
    finally:
        shutil.rmtree(made.path, ignore_errors=True)


def find_run(name: str | Path, root: Path = RUNS) -> Run:
    """Find a run by its folder, its name under `root`, or `last`: the one begun last.

    Raises:
        InputError: there is none; the nearest names are in the message.
    """
    runs = list_runs(root)
    if str(name) == "last":
        if not runs:
            raise InputError(f"there is no run in {root.resolve()} yet: begin with retinula train")
        return runs[-1]
    for path in (Path(name), root / name):
        if (path / "recipe.toml").is_file():
            return Run(path)
    raise InputError(f"no run {str(name)!r}{nearest(str(name), [run.name for run in runs])}")


def list_runs(root: Path = RUNS) -> list[Run]:
    """Return all runs under `root`, the one begun last at the end."""
    # A name that begins with a dot is a folder half written.
    folders = [path.parent for path in root.glob("*/recipe.toml") if not path.parent.name.startswith(".")]
    return [Run(p) for p in sorted(folders, key=lambda path: ((path / "recipe.toml").stat().st_mtime_ns, path.name))]


def evaluation_key(dataset: str, split: str, tta: str) -> str:
    """Return under what a report has a measurement.

    >>> evaluation_key("digits", "test", "none"), evaluation_key("digits", "test", "mirror")
    ('digits/test', 'digits/test/mirror')
    """
    return f"{dataset}/{split}" + ("" if tta == "none" else f"/{tta}")


def own_evaluation(report: Mapping[str, Any], tta: str, split: str = "test") -> dict[str, Any]:
    """Return what a report says of the run's own pictures of a split; empty where they were not measured.

    Args:
        report: of the run, as `Run.report` gives it, or a damaged one.
        tta: the averaging that its recipe asks for.
        split: which pictures.
    """
    data, evaluations = report.get("data"), report.get("evaluations")
    if not isinstance(data, dict) or not isinstance(evaluations, dict):
        return {}
    # Of a folder the last part of its path, where the recipe has all of it.
    dataset = str(data.get("name")).removesuffix("/train")
    found = evaluations.get(evaluation_key(dataset, split, tta))
    return found if isinstance(found, dict) else {}


def describe_environment(data: dict[str, Any], machine: dict[str, Any], started: datetime) -> dict[str, Any]:
    """Gather what someone needs to repeat a run: versions, machine, data and the command."""
    versions = {package: metadata.version(package) for package in _PACKAGES}
    return {
        "started": started.isoformat(timespec="seconds"),
        "retinula": __version__,
        "python": platform.python_version(),
        "versions": versions,
        "platform": platform.platform(),
        "machine": machine,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "data": data,
    }


def _numbered(folder: Path, root: Path, stem: str) -> Path:
    """Give a folder the first name with a number that is free."""
    taken = {path.name for path in root.glob(f"{stem}-*")}
    number = 1
    # Another process may take one between the look and the step.
    while f"{stem}-{number}" in taken or not _renamed(folder, root / f"{stem}-{number}"):
        number += 1
    return root / f"{stem}-{number}"


def _renamed(folder: Path, path: Path) -> bool:
    """Rename a folder, unless something has the name; an empty folder may give way, as the system likes."""
    try:
        folder.rename(path)
    except OSError:
        if not os.path.lexists(path):
            raise
        return False
    return True


def _step_lines(rows: Iterable[tuple[int, int, float, float, float]]) -> str:
    return "".join(f"{step},{epoch},{loss:.9g},{lr:.9g},{s:.6f}\n" for step, epoch, loss, lr, s in rows)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object")
    return content
