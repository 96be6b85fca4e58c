"""Going on from a checkpoint: what it has to fit, and what the beginning has settled for good."""

from collections.abc import Callable
from typing import Any

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.recipe import Recipe
from retinula.run import Run
from retinula.training.checkpoint import load_checkpoint
from retinula.training.hardware import Hardware
from retinula.transfer import Source


def newest_checkpoint(run: Run, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """Return what the newest whole checkpoint of a run holds; None where a training begins.

    Args:
        run: as its folder is now.
        tell: told about each checkpoint that cannot be read.

    Raises:
        InputError: there are steps in the log, but no checkpoint.
        RetinulaError: there are checkpoints, but none of them is whole.
    """
    saved = load_checkpoint(run, tell)
    if saved is None and run.steps():
        raise InputError(f"{run.path} has steps in its log but no checkpoint, so it cannot go on; begin a new run")
    return saved


def fingerprints(recipe: Recipe, train_set: ImageSet, validation_set: ImageSet | None) -> dict[str, str | None]:
    """Return of recipe and pictures what has to be the same wherever and whenever a training goes on."""
    return {
        "recipe": recipe.digest(),
        "data": train_set.fingerprint(),
        "validation": None if validation_set is None else validation_set.fingerprint(),
    }


def check_fit(saved: dict[str, str | None], now: dict[str, str | None], run: Run) -> None:
    """See that a checkpoint belongs to the recipe and the pictures of now, by `fingerprints` of then and now.

    Raises:
        InputError: it does not.
    """
    if saved["recipe"] != now["recipe"]:
        raise InputError(f"{run.path}: its checkpoint belongs to another recipe; begin a new run for this one")
    for key, what in (("data", "training"), ("validation", "validation")):
        if saved.get(key) != now[key]:
            raise InputError(f"{run.path}: the {what} pictures have changed since its checkpoint; begin a new run")


def saved_hardware(saved: dict[str, Any], run: Run) -> Hardware:
    """Return what a training was begun with, by which alone it goes on bit for bit.

    Raises:
        InputError: this machine has not got it.
    """
    try:
        return Hardware.from_dict(saved)
    except InputError as error:
        raise InputError(f"{run.path}: {error}") from error


def origin_of(recipe: Recipe, source: Source | None, saved: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the model says of itself that a training begins from, or began from.

    Args:
        recipe: that is trained.
        source: the model that it begins from, where there is one.
        saved: the checkpoint that it goes on from, where there is one: this knows the model already.

    Raises:
        InputError: the recipe names a model, but nobody has read it.
    """
    origin = saved.get("source") if saved is not None else None if source is None else source.to_dict()
    if recipe.model.weights is not None and origin is None:
        raise InputError(f"{recipe.name} begins from {recipe.model.weights}: read it with retinula.transfer.begin_from")
    return origin
