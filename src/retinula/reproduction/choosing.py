"""Trainings beside each other, and the best of them: chosen by validation pictures, never by test pictures.

Where chance alone may have made the difference, none is called the best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from retinula.errors import InputError
from retinula.recipe.differences import settings_apart
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import ValidationMetric
from retinula.reproduction.chance import BY_ONE_SEED, share_interval
from retinula.reproduction.contenders import Contender, standing
from retinula.reproduction.measures import Measured
from retinula.runs.files import EpochRow
from retinula.runs.run import Run
from retinula.text.names import printable
from retinula.training.outline import Outline


@dataclass(frozen=True)
class Compared:
    """One of the trainings.

    Attributes:
        run: finished or not.
        settings: in which it differs from the first one, as `key=value`; where the same settings gave it other
            pictures, that; and where it was ended early, at which step.
        rows: its epochs, as `metrics.jsonl` has them.
        value: on its validation pictures, of the weights that it keeps or has kept so far; None without such pictures.
        interval: in which the value lies with 95 % confidence, where it is an accuracy; None where nobody can tell.
        num_images: how many validation pictures it has; None where that is not known.
        seconds: of training.
        test_accuracy: only shown; None where it was not measured or is no classifier.
        test_plain_accuracy: the same by a single look at each picture; None where its recipe averages over no others.
        finished: whether training came to its end.
    """

    run: Run
    settings: tuple[str, ...]
    rows: tuple[EpochRow, ...]
    value: float | None
    interval: tuple[float, float] | None
    num_images: int | None
    seconds: float
    test_accuracy: float | None
    test_plain_accuracy: float | None
    finished: bool


@dataclass(frozen=True)
class Choice:
    """Trainings that were compared.

    Attributes:
        compared: in the order given.
        metric: by which they were.
        best: places in `compared` of the best one, or of the seeds of the best recipe; none where nothing can be said.
        reason: why not, or how it was chosen.
        as_good: places of those among which none can be called the best.
        undecided: what these do, as in "cannot be told apart by 144 pictures"; of a best one that nobody can tell from
            chance, "perhaps by chance"; or nothing.
    """

    compared: tuple[Compared, ...]
    metric: ValidationMetric
    best: tuple[int, ...]
    reason: str
    as_good: tuple[int, ...] = ()
    undecided: str = ""


def choose(runs: Sequence[Run]) -> Choice:
    """Set trainings beside each other and find the best one by its validation pictures, where it is told from chance.

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
    changed = [
        [*_other_pictures(recipe, recipes[0], own, pictures[0]), *filter(None, [run.ended_early()])]
        for run, recipe, own in zip(runs, recipes, pictures, strict=True)
    ]
    compared = tuple(
        _compared(run, recipe, (*settings_apart(recipe, recipes[0]), *others), own.get("num_validation_images"), metric)
        for run, recipe, others, own in zip(runs, recipes, changed, pictures, strict=True)
    )
    lacking = next((each for each in compared if each.value is None), None)
    if lacking is not None:
        what = "no validation pictures to choose by" if lacking.rows or lacking.finished else "finished no epoch yet"
        return Choice(compared, metric, (), f"{printable(lacking.run.name)} has {what}")
    told = {(recipe.data.name, recipe.data.classes, recipe.data.labels, recipe.objective.name) for recipe in recipes}
    if len(told) > 1:
        return Choice(compared, metric, (), "they learn different things: no best one among them")
    apart = "" if _chosen_by_the_same(recipes, pictures) else ", on validation pictures of their own each"
    return _decided(
        compared, metric, _contenders(compared, recipes, changed), f"{apart}; the test pictures were not asked"
    )


def _contenders(
    compared: Sequence[Compared], recipes: Sequence[Recipe], changed: Sequence[Sequence[str]]
) -> list[Contender]:
    """Put together the trainings that differ by their seed alone, and have come equally far."""
    places: dict[tuple[str | int, ...], list[int]] = {}
    for place, (each, recipe, others) in enumerate(zip(compared, recipes, changed, strict=True)):
        so_far = () if each.finished else (len(each.rows),)
        places.setdefault((recipe.changed(seed=0).digest(), *others, *so_far), []).append(place)
    found = []
    for group in places.values():
        of_it = [compared[place] for place in group]
        by_seed: dict[int, list[float]] = {}  # the same one twice tells nothing more of what seeds do
        for place, each in zip(group, of_it, strict=True):
            if each.value is not None:
                by_seed.setdefault(recipes[place].seed, []).append(each.value)
        numbers = [each.num_images for each in of_it if each.num_images is not None]
        found.append(
            Contender(
                places=tuple(group),
                values=Measured(tuple(map(fmean, by_seed.values()))),
                num_images=min(numbers) if len(numbers) == len(of_it) else None,
            )
        )
    return found


def _decided(
    compared: tuple[Compared, ...], metric: ValidationMetric, contenders: Sequence[Contender], asked: str
) -> Choice:
    found = standing(contenders, metric)
    leader, told = found.leader, found.leader.told(metric)
    if len(contenders) == 1:
        words = f"differ by their seed alone: {told}" if leader.num_seeds > 1 else "are the same recipe and seed"
        return Choice(compared, metric, (), f"by {metric}{asked}", leader.places, words)
    if all(each.num_seeds == 1 for each in contenders):
        asked = f"{BY_ONE_SEED}{asked}"
    if found.rivals:
        places = sorted(place for each in (leader, *found.rivals) for place in each.places)
        return Choice(compared, metric, (), f"by {metric}{asked}", tuple(places), found.undecided(metric))
    seeds = f", {told}" if leader.num_seeds > 1 else ""
    by_chance = "" if found.sure else "perhaps by chance"
    reason = f"best by {metric}{seeds}{by_chance and f', {by_chance}'}{asked}"
    return Choice(compared, metric, leader.places, reason, undecided=by_chance)


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


def _compared(run: Run, recipe: Recipe, settings: tuple[str, ...], number: Any, metric: ValidationMetric) -> Compared:
    rows = tuple(run.metrics())
    outline = Outline.of(run, recipe, rows)
    num_images = number if isinstance(number, int) else None  # earlier versions did not say it
    return Compared(
        run=run,
        settings=settings,
        rows=rows,
        value=outline.val_accuracy if metric == "val_accuracy" else outline.val_loss,
        interval=share_interval(outline.val_accuracy, num_images) if metric == "val_accuracy" else None,
        num_images=num_images,
        seconds=sum(row["seconds"] for row in rows),
        test_accuracy=outline.test_accuracy,
        test_plain_accuracy=outline.test_plain_accuracy,
        finished=run.finished,
    )
