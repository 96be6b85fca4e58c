"""Trainings beside each other, and the best of them: chosen by validation pictures, never by test pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retinula.errors import InputError
from retinula.recipe.differences import settings_apart
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import ValidationMetric
from retinula.runs.files import EpochRow
from retinula.runs.run import Run
from retinula.text.names import printable
from retinula.training.outline import Outline
from retinula.training.ranking import best_places


@dataclass(frozen=True)
class Compared:
    """One of the trainings.

    Attributes:
        run: finished or not.
        settings: in which it differs from the first one, as `key=value`; and where the same settings gave it other
            pictures, that.
        rows: its epochs, as `metrics.jsonl` has them.
        value: on its validation pictures, of the weights that it keeps or has kept so far; None without such pictures.
        loss: of these, likewise, which decides where accuracies are the same.
        seconds: of training.
        test_accuracy: only shown; None where it was not measured or is no classifier.
        finished: whether training came to its end.
    """

    run: Run
    settings: tuple[str, ...]
    rows: tuple[EpochRow, ...]
    value: float | None
    loss: float | None
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
        as_good: places of those than which none is better, where they are several.
        reason: why not, or how it was chosen.
        by_loss: whether others have the same value as the best one, and its loss is the lowest of theirs.
    """

    compared: tuple[Compared, ...]
    metric: ValidationMetric
    best: int | None
    reason: str
    as_good: tuple[int, ...] = ()
    by_loss: bool = False


def choose(runs: Sequence[Run]) -> Choice:
    """Set trainings beside each other and find the best one by its validation pictures.

    Raises:
        InputError: fewer than two runs, one named twice, or one whose files cannot be read.
    """
    paths = [run.path.resolve() for run in runs]
    if len(set(paths)) < 2 or len(set(paths)) < len(paths):
        raise InputError("name at least two different runs to compare")
    recipes = [run.recipe() for run in runs]
    reconstruct = any(recipe.objective.reconstructs for recipe in recipes)
    metric: ValidationMetric = "val_loss" if reconstruct else "val_accuracy"
    pictures = [run.environment()["data"] for run in runs]
    compared = tuple(
        _compared(
            run,
            recipe,
            (
                *settings_apart(recipe, recipes[0]),
                *_other_pictures(recipe, recipes[0], own, pictures[0]),
            ),
            metric,
        )
        for run, recipe, own in zip(runs, recipes, pictures, strict=True)
    )
    lacking = next((each for each in compared if each.value is None), None)
    if lacking is not None:
        what = "no validation pictures to choose by" if lacking.rows or lacking.finished else "finished no epoch yet"
        return Choice(compared, metric, None, f"{printable(lacking.run.name)} has {what}")
    told = {(recipe.data.name, recipe.data.classes, recipe.data.labels, recipe.objective.name) for recipe in recipes}
    if len(told) > 1:
        return Choice(compared, metric, None, "they learn different things: no best one among them")
    best = best_places([{metric: each.value, "val_loss": each.loss} for each in compared], metric)
    apart = "" if _chosen_by_the_same(recipes, pictures) else ", on validation pictures of their own each"
    apart += "; the test pictures were not asked"
    if len(best) > 1:
        measures = " and ".join(dict.fromkeys((metric, "val_loss")))
        return Choice(compared, metric, None, f"the same {measures}{apart}", as_good=tuple(best))
    by_loss = sum(each.value == compared[best[0]].value for each in compared) > 1
    how = f"best by val_loss, of those with the same {metric}" if by_loss else f"best by {metric}"
    return Choice(compared, metric, best[0], f"{how}{apart}", by_loss=by_loss)


def _other_pictures(recipe: Recipe, first: Recipe, own: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """Say that what a run took from the same place in the same way as the first one were other pictures."""
    told_by_settings = (recipe.data, _form(recipe), recipe.seed) != (first.data, _form(first), first.seed)
    keys = ("fingerprint", "validation_fingerprint")
    if told_by_settings or all(None in (own.get(key), others.get(key)) or own[key] == others[key] for key in keys):
        return []
    count, before = own.get("num_images"), others.get("num_images")
    return ["other pictures" + ("" if count == before else f" ({count}, not {before})")]


def _chosen_by_the_same(recipes: Sequence[Recipe], pictures: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the validation pictures of all are the same: by what they are, where that can be compared."""
    prints = {data.get("validation_fingerprint") for data in pictures}
    if None not in prints and len({_form(recipe) for recipe in recipes}) == 1:
        return len(prints) == 1
    return len({(recipe.data.validation, recipe.data.validation_part, recipe.seed) for recipe in recipes}) == 1


def _form(recipe: Recipe) -> tuple[Any, ...]:
    """Return what else decides over the pixels of a picture, and so over fingerprints."""
    inputs = recipe.inputs
    return inputs.size, inputs.channels, inputs.resize, inputs.resample


def _compared(run: Run, recipe: Recipe, settings: tuple[str, ...], metric: ValidationMetric) -> Compared:
    rows = tuple(run.metrics())
    outline = Outline.of(run, recipe, rows)
    return Compared(
        run=run,
        settings=settings,
        rows=rows,
        value=outline.val_accuracy if metric == "val_accuracy" else outline.val_loss,
        loss=outline.val_loss,
        seconds=sum(row["seconds"] for row in rows),
        test_accuracy=outline.test_accuracy,
        finished=run.finished,
    )
