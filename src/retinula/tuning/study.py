"""Study: the folder of a search for better settings, and its trials as plain values.

Knows how they are laid down and ordered; neither how settings are drawn nor how trials are trained.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from retinula.errors import InputError
from retinula.files.durable import write_text
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.sections import ValidationMetric
from retinula.runs.run import Run
from retinula.text.words import first_few
from retinula.training.ranking import score
from retinula.tuning.space import Dimension, Value, settings_for

STUDIES = Path("studies")
State = Literal["finished", "given up", "failed", "running"]


@dataclass(frozen=True)
class Trial:
    """One training of a study.

    Attributes:
        number: counted from 1; from 0 in a study that was begun so.
        state: `given up` after an epoch; `running` also means cut in the middle.
        values: what was drawn, by the settings' full names.
        value: on the validation pictures: of a finished trial that of the weights it keeps, else the last one measured.
        epochs: that were measured.
        seconds: of training; None while it is running.
        reason: why it was given up or failed, or whose result it shares; else empty.
        loss: of the weights that a finished trial keeps, which decides where accuracies are the same; None where it is
            not known.
    """

    number: int
    state: State
    values: Mapping[str, Value]
    value: float | None
    epochs: int
    seconds: float | None
    reason: str = ""
    loss: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {
            "trial": self.number,
            "state": self.state,
            "values": dict(self.values),
            "value": self.value,
            "loss": self.loss,
            "epochs": self.epochs,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Study:
    """The folder of a search."""

    path: Path

    @property
    def database(self) -> Path:
        """The trials, as optuna keeps them in SQLite."""
        return self.path / "study.db"

    @property
    def recipe_file(self) -> Path:
        """The recipe without what is chosen, every key written out."""
        return self.path / "recipe.toml"

    @property
    def best_file(self) -> Path:
        """The recipe with the best settings so far."""
        return self.path / "best.toml"

    @property
    def table_file(self) -> Path:
        """A row a trial."""
        return self.path / "trials.csv"

    @property
    def runs(self) -> Path:
        """The folder of the trials' runs."""
        return self.path / "runs"

    @property
    def figures(self) -> Path:
        """The folder of the figure."""
        return self.path / "figures"

    @property
    def locks(self) -> Path:
        """The folder of the locks by which processes share a study."""
        return self.path / ".locks"

    def run(self, number: int) -> Run:
        """Return the run of a trial, whether it is there or not."""
        return Run(self.runs / f"trial-{number:04d}")

    def recipe(self) -> Recipe:
        """Read the recipe back.

        Raises:
            InputError: there is no study here, or its recipe cannot be read.
        """
        if not self.database.exists():
            raise InputError(f"{self.path} is no study; begin one with: retinula tune RECIPE lr=1e-3..1e-1")
        return load_recipe(self.recipe_file)


def ranked(trials: Iterable[Trial], metric: ValidationMetric) -> list[Trial]:
    """Return trials, the best first: finished ones before those given up, those before failed and running ones."""
    order: tuple[State, ...] = ("finished", "given up", "running", "failed")

    def place(trial: Trial) -> tuple[int, float, float, int]:
        value, loss = _score(trial, metric)
        return order.index(trial.state), -value, -loss, trial.number

    return sorted(trials, key=place)


def best_of(trials: Iterable[Trial], metric: ValidationMetric) -> Trial | None:
    """Return the best finished trial, the earliest of equals; None where none has come to its end."""
    first = ranked(trials, metric)[:1]
    return first[0] if first and first[0].state == "finished" else None


def as_good_as(best: Trial, trials: Iterable[Trial], metric: ValidationMetric) -> list[Trial]:
    """Return the other finished trials, of other settings, that have reached what the best one has, in loss as well.

    Of trials whose loss is not known, as those of earlier versions, nobody can say so: none.
    """
    if best.loss is None:
        return []
    return [
        trial
        for trial in trials
        if trial.state == "finished" and trial.values != best.values and _score(trial, metric) == _score(best, metric)
    ]


def _score(trial: Trial, metric: ValidationMetric) -> tuple[float, float]:
    return score({"val_loss": trial.loss, metric: trial.value}, metric)


def write_table(study: Study, trials: Sequence[Trial], space: Sequence[Dimension], metric: ValidationMetric) -> None:
    """Write `trials.csv`: a row a trial, in their order, with a column for each setting that was chosen."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["trial", "state", metric, "epochs", "seconds", *(each.key for each in space), "reason"])
    for trial in trials:
        values = [trial.values.get(each.key, "") for each in space]
        measured = ["" if value is None else value for value in (trial.value, trial.epochs, trial.seconds)]
        table.writerow([trial.number, trial.state, *measured, *values, trial.reason])
    write_text(study.table_file, text.getvalue())


def write_best(
    study: Study,
    recipe: Recipe,
    best: Trial,
    trials: Sequence[Trial],
    space: Sequence[Dimension],
    metric: ValidationMetric,
) -> Recipe:
    """Write `best.toml`, the recipe with the best trial's settings, and return it."""
    chosen = settings_for(space, best.values)
    tuned = with_settings(recipe, chosen)
    others = [str(trial.number) for trial in as_good_as(best, trials, metric)]
    how = "the best on the validation pictures, by which it was chosen"
    if others:
        how = f"the first of those that are as good as each other on the validation pictures, with {first_few(others)}"
    head = (
        f"# Trial {best.number} of {len(trials)}, {metric} {best.value:.4f}: {how}.\n"
        f"# Chosen: {', '.join(chosen)}\n# Command: retinula train {study.best_file}\n"
    )
    write_text(study.best_file, head + tuned.to_toml())
    return tuned
