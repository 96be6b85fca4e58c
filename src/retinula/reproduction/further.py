"""The recipe that goes further than a published work: what its finished runs measured beside the work's own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from retinula.errors import InputError, nearest
from retinula.recipe.differences import as_shipped
from retinula.recipe.files import shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Metric
from retinula.reproduction.measures import Measured, measure, result_metrics
from retinula.reproduction.table import metric_words, spread
from retinula.runs.run import Run
from retinula.text.names import printable


@dataclass(frozen=True)
class Further:
    """The better recipe of a work.

    Attributes:
        name: of the recipe.
        runs: finished ones of it as it is shipped; empty where there is none.
        measured: what they measured, by measure.
        here: what the runs of the work itself measured of the same.
    """

    name: str
    runs: tuple[Run, ...]
    measured: dict[Metric, Measured]
    here: dict[Metric, Measured]

    @property
    def command(self) -> str:
        """What measures it."""
        return f"retinula reproduce {self.name}"

    @property
    def words(self) -> str:
        """What it reaches, in a line; or how to find out."""
        if self.runs and not self.measured:
            compared = _compared(self.runs)
            names = [run.name for run in self.runs if not _measured([run], compared)] or [run.name for run in self.runs]
            lacking = f"not measured by `retinula evaluate` yet: {', '.join(names)}"
            return f"{self.name} goes further; {printable(lacking)}"
        if not self.measured:
            return f"{self.name} goes further; there is no run of it here: measure it with `{self.command}`"
        found = [
            f"{metric_words(metric)} {spread(metric, measured)}"
            + (f", here {spread(metric, self.here[metric])}" if metric in self.here else "")
            for metric, measured in self.measured.items()
        ]
        return f"{self.name} goes further: {'; '.join(found)}"

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {
            "recipe": self.name,
            "runs": [str(run.path) for run in self.runs],
            "measured": {metric: list(found.values) for metric, found in self.measured.items()},
            "command": self.command,
        }


def check_better(recipe: Recipe) -> None:
    """Refuse a recipe whose better one is none that is shipped.

    Only who asks for the better one is told: a run stays readable when a recipe is renamed.

    Raises:
        InputError: naming the recipe, the key and the nearest name.
    """
    names = shipped()
    if recipe.better and recipe.better not in names:
        hint = nearest(recipe.better, names) or "; those there are are listed by: retinula recipes"
        raise InputError(f"recipe {recipe.name}: better: no shipped recipe {recipe.better!r}{hint}")


def goes_further(recipe: Recipe, runs: Sequence[Run], groups: Iterable[Sequence[Run]]) -> Further | None:
    """Return what the better recipe of a work reaches; None where the work names none.

    Args:
        recipe: of the work.
        runs: its finished ones.
        groups: finished runs that differ by their seed only, as `results.gather` gives them.
    """
    if not recipe.better:
        return None
    of_it = [group for group in groups if group[0].recipe().name == recipe.better and as_shipped(group[0].recipe())]
    found = max(of_it, key=len) if of_it else ()
    compared = _compared(found or runs)
    return Further(recipe.better, tuple(found), _measured(found, compared), _measured(runs, compared))


def _compared(runs: Sequence[Run]) -> tuple[Metric, ...]:
    return (*result_metrics(runs[0].recipe()), "photos_accuracy")


def _measured(runs: Sequence[Run], metrics: Iterable[Metric]) -> dict[Metric, Measured]:
    return {metric: measured for metric in metrics if (measured := measure(runs, metric)) is not None}
