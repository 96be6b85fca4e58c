"""The recipe that is meant to go further than a published work: whether its finished runs do, beside the work's own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from retinula.errors import InputError, nearest
from retinula.forms import Averaging
from retinula.recipe.differences import as_shipped
from retinula.recipe.files import shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Metric
from retinula.reproduction.chance import BY_ONE_SEED, difference_interval
from retinula.reproduction.finished import Finished
from retinula.reproduction.measures import Measured, measure, num_images, result_metrics
from retinula.reproduction.table import metric_words, spread
from retinula.text.names import printable
from retinula.text.words import plural

Finding = Literal["goes further", "falls behind", "cannot be told apart", "not measured"]
_SHARES: frozenset[Metric] = frozenset(("accuracy", "plain_accuracy"))  # of the test pictures
_BESIDE: Metric = "photos_accuracy"  # shown too; so few photos decide nothing


@dataclass(frozen=True)
class Further:
    """The better recipe of a work.

    Attributes:
        name: of the recipe.
        work: name of the work's own.
        runs: finished ones of it as it is shipped; empty where there is none.
        metrics: by which it can be told whether it goes further, of which a run has one at most.
        measured: what the runs measured of these, and of photos.
        here: what those of the work itself did, asked alike; nothing where one was ended early.
        num_images: on how many test pictures each; None where that is not known.
        tta: over which looks both average.
    """

    name: str
    work: str
    runs: tuple[Finished, ...]
    metrics: tuple[Metric, ...]
    measured: dict[Metric, Measured]
    here: dict[Metric, Measured]
    num_images: tuple[int | None, int | None]
    tta: Averaging

    @property
    def command(self) -> str:
        """What measures it."""
        return f"retinula reproduce {self.name}"

    @property
    def finding(self) -> Finding:
        """Whether it goes further, by the first measure of test pictures that both have."""
        metric = self._metric
        if metric is None:
            return "not measured"
        pictures = self.num_images if metric in _SHARES else (None, None)
        bounds = difference_interval(self.measured[metric], self.here[metric], pictures)
        if bounds is None or bounds[0] <= 0 <= bounds[1]:
            return "cannot be told apart"
        return "goes further" if bounds[0] > 0 else "falls behind"  # more is better of all of these

    @property
    def words(self) -> str:
        """What it reaches, in a line; or how to find out."""
        if not self.runs:
            return f"{self.intention}; there is no run of it here: measure it with `{self.command}`"
        if not any(metric in self.measured for metric in self.metrics):
            names = [each.run.name for each in self.runs if not _measured([each], self.metrics)]
            lacking = f"not measured by `retinula evaluate` yet: {', '.join(names)}"
            return f"{self.intention}; {printable(lacking)}"
        found = [
            f"{metric_words(metric, self.tta)} {spread(metric, measured)}"
            + (f", here {spread(metric, self.here[metric])}" if metric in self.here else "")
            + (self._pictures if metric in _SHARES else "")
            for metric, measured in self.measured.items()
        ]
        return f"{self._beginning}: {'; '.join(found)}"

    @property
    def intention(self) -> str:
        """What is said of it where nothing was measured."""
        return f"{self.name} is meant to go further"

    @property
    def _metric(self) -> Metric | None:
        return next((metric for metric in self.metrics if metric in self.measured and metric in self.here), None)

    @property
    def _beginning(self) -> str:
        metric = self._metric
        if metric is None:
            return self.intention
        whom = f" from {self.work}" if self.finding == "cannot be told apart" else ""
        num_seeds = max(len(side[metric].values) for side in (self.measured, self.here))
        return f"{self.name} {self.finding}{whom}{BY_ONE_SEED if num_seeds == 1 else ''}"

    @property
    def _pictures(self) -> str:
        first, second = self.num_images
        if first is None:
            return ""
        return f", of {plural(first, 'picture') if second in (first, None) else f'{first:,} and {second:,} pictures'}"

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {
            "recipe": self.name,
            "runs": [str(each.run.path) for each in self.runs],
            "measured": {metric: list(found.values) for metric, found in self.measured.items()},
            "here": {metric: list(found.values) for metric, found in self.here.items()},
            "finding": self.finding,
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


def goes_further(recipe: Recipe, runs: Sequence[Finished], groups: Iterable[Sequence[Finished]]) -> Further | None:
    """Return what the better recipe of a work reaches; None where the work names none.

    Args:
        recipe: of the work.
        runs: its finished ones.
        groups: finished runs that differ by their seed only, as `results.gather` gives them.
    """
    if not recipe.better:
        return None
    of_it = [
        group
        for group in groups
        if group[0].recipe.name == recipe.better and as_shipped(group[0].recipe) and not group[0].ended_early
    ]
    found = max(of_it, key=len) if of_it else ()
    metrics = _asked_alike(found or runs, runs)
    return Further(
        name=recipe.better,
        work=recipe.name,
        runs=tuple(found),
        metrics=metrics,
        measured=_measured(found, (*metrics, _BESIDE)),
        here={} if any(each.ended_early for each in runs) else _measured(runs, (*metrics, _BESIDE)),
        num_images=(_number(found), _number(runs)),
        tta=runs[0].recipe.evaluation.tta,
    )


def _asked_alike(runs: Sequence[Finished], others: Sequence[Finished]) -> tuple[Metric, ...]:
    """Return the measures of some runs that others can be asked for as well: single looks where one side averages."""
    recipe = runs[0].recipe
    alike = recipe.evaluation.tta == others[0].recipe.evaluation.tta
    metrics = result_metrics(recipe)
    return metrics if alike else tuple("plain_accuracy" if each == "accuracy" else each for each in metrics)


def _measured(runs: Sequence[Finished], metrics: Iterable[Metric]) -> dict[Metric, Measured]:
    return {metric: measured for metric in metrics if (measured := measure(runs, metric)) is not None}


def _number(runs: Sequence[Finished]) -> int | None:
    return min(num_images(runs), default=None)
