"""In what two recipes differ, told as `key=value`, and whether one is as shipped. Knows recipes only."""

from pathlib import Path
from typing import Any

from retinula.assignment import ARGUMENTS, flat
from retinula.recipe import Recipe
from retinula.recipe_files import load_recipe, shipped

# What `transfer.begin_from` writes into a recipe that leaves it open; a size or crop of one's own looks the same.
_FROM_MODEL = {
    "model.name",
    "model.weights_sha256",
    *(f"inputs.{name}" for name in ("size", "channels", "crop", "mean", "std")),
}
_LENGTHS = ("training.epochs", "training.steps")  # of which a recipe has one


def changed_settings(recipe: Recipe, usual: Recipe, *, with_seed: bool = False) -> list[str]:
    """Return, as `key=value`, the settings by which a recipe differs from a usual one, such as that shipped.

    One that is left open here, but not there, is told as `without key`. What cannot change a result is left out, and
    what comes from the model that a recipe begins from.

    Args:
        recipe: whose values are told.
        usual: what it is compared with.
        with_seed: whether the seed counts.
    """
    before, after = (flat(each.model_dump(mode="json")) for each in (usual, recipe))
    beside = {"name", "about", "source", "better", "claims", "track", "training.snapshots"}
    beside |= set() if with_seed else {"seed"}
    beside |= {key for key in before | after if key.startswith("figures.")}
    if usual.model.weights is not None:
        left_open = {key for key in after if before.get(key) in (None, "")}
        beside |= {"model.weights"} | {key for key in left_open if key in _FROM_MODEL or key.startswith(ARGUMENTS)}
    keys = sorted((before.keys() | after.keys()) - beside)
    changed = [key for key in keys if before.get(key) != after.get(key)]
    return [
        f"without {key}" if after.get(key) is None else f"{key}={after[key]}"
        for key in changed
        if after.get(key) is not None or key not in _LENGTHS  # the other one is told
    ]


def changed_from_shipped(recipe: Recipe) -> list[str] | None:
    """Return the changed settings against the shipped recipe of that name; None where none is shipped."""
    return changed_settings(recipe, load_recipe(recipe.name)) if recipe.name in shipped() else None


def as_shipped(recipe: Recipe) -> Recipe | None:
    """Return the shipped recipe of that name where this one is the same but for its seed, else None."""
    return load_recipe(recipe.name) if changed_from_shipped(recipe) == [] else None


def last_part(value: Any) -> Any:
    """Return of a full path the last part, in lists of each; all else as it is.

    >>> last_part("/home/me/photos"), last_part(["/home/me/photos", "near/by", 3])
    ('photos', ['photos', 'near/by', 3])
    """
    if isinstance(value, list):
        return [last_part(item) for item in value]
    return (Path(value).name or value) if isinstance(value, str) and Path(value).is_absolute() else value
