"""Trainings beside each other, and the best of them: chosen by validation pictures, never by test pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retinula.errors import InputError
from retinula.recipe import ValidationMetric
from retinula.reproduction.measures import evaluation
from retinula.reproduction.runs import check_report
from retinula.run import Run
from retinula.settings import changed_settings


@dataclass(frozen=True)
class Compared:
    """One of the trainings.

    Attributes:
        run: finished or not.
        settings: in which it differs from the first one, as `key=value`.
        rows: its epochs, as `metrics.jsonl` has them.
        value: on its validation pictures, of the weights that it keeps or has kept so far; None without such pictures.
        seconds: of training.
        test_accuracy: only shown; None where it was not measured or is no classifier.
        finished: whether training came to its end.
    """

    run: Run
    settings: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    value: float | None
    seconds: float
    test_accuracy: float | None
    finished: bool


@dataclass(frozen=True)
class Choice:
    """Trainings that were compared.

    Attributes:
        compared: in the order given.
        metric: by which they were.
        best: place of the best one in `compared`; None where nothing can be said.
        reason: why not, or how it was chosen.
    """

    compared: tuple[Compared, ...]
    metric: ValidationMetric
    best: int | None
    reason: str


def choose(runs: Sequence[Run]) -> Choice:
    """Set trainings beside each other and find the best one by its validation pictures.

    Raises:
        InputError: fewer than two runs, one named twice, or one whose files cannot be read.
    """
    paths = [run.path.resolve() for run in runs]
    if len(set(paths)) < 2 or len(set(paths)) < len(paths):
        raise InputError("name at least two different runs to compare")
    recipes = [run.recipe() for run in runs]
    classify = all(recipe.objective.name == "cross_entropy" for recipe in recipes)
    metric: ValidationMetric = "val_accuracy" if classify else "val_loss"
    compared = tuple(
        _compared(run, tuple(changed_settings(recipe, recipes[0], with_seed=True)), metric)
        for run, recipe in zip(runs, recipes, strict=True)
    )
    places = [place for place, each in enumerate(compared) if each.value is not None]
    if len(places) < len(compared):
        lacking = next(each.run.name for each in compared if each.value is None)
        return Choice(compared, metric, None, f"{lacking} has no validation pictures to choose by")
    told = {(recipe.data.name, recipe.data.classes, recipe.data.labels, recipe.objective.name) for recipe in recipes}
    if len(told) > 1:
        return Choice(compared, metric, None, "they learn different things: no best one among them")
    sign = 1 if metric == "val_accuracy" else -1
    best = max(places, key=lambda place: sign * (compared[place].value or 0.0))
    shares = {(recipe.data.validation, recipe.data.validation_part, recipe.seed) for recipe in recipes}
    apart = "" if len(shares) == 1 else ", on validation pictures of their own each"
    return Choice(compared, metric, best, f"best by {metric}{apart}; the test pictures were not asked")


def _compared(run: Run, settings: tuple[str, ...], metric: ValidationMetric) -> Compared:
    rows = tuple(run.metrics())
    report = run.report() if run.finished else None
    if report is not None:
        check_report(run)
        value = report["training"].get(metric)
    else:
        values = [row[metric] for row in rows if row.get(metric) is not None]
        best = max if metric == "val_accuracy" else min
        value = (best(values) if run.recipe().training.keep == "best" else values[-1]) if values else None
    return Compared(
        run=run,
        settings=settings,
        rows=rows,
        value=value,
        seconds=sum(row.get("seconds", 0.0) for row in rows),
        test_accuracy=None if report is None else evaluation(run).get("accuracy"),
        finished=report is not None,
    )
