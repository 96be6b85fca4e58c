"""In what two recipes differ, told as `key=value`, and whether one is as shipped. Knows recipes only."""

from pathlib import Path
from typing import Any

from retinula.recipe.assignment import ARGUMENTS, flat
from retinula.recipe.files import load_recipe, shipped
from retinula.recipe.recipe import Recipe

# What `transfer.begin_from` writes into a recipe that leaves it open; a size or crop of one's own looks the same.
_FROM_MODEL = {
    "model.name",
    "model.weights_sha256",
    *(f"inputs.{name}" for name in ("size", "channels", "crop", "mean", "std")),
}
_LENGTHS = ("training.epochs", "training.steps")  # of which a recipe has one
_BESIDE = {"name", "about", "source", "better", "claims", "track", "training.snapshots"}  # they change no result


def changed_settings(recipe: Recipe, usual: Recipe) -> list[str]:
    """Return, as `key=value`, the settings by which a recipe differs from a usual one, such as that shipped.

    One that is left open here, but not there, is told as `without key`. What cannot change a result is left out, and
    what comes from the model that a recipe begins from; so is the seed.

    Args:
        recipe: whose values are told.
        usual: what it is compared with.
    """
    before, after = _flat(usual), _flat(recipe)
    beside = {"seed"}
    if usual.model.weights is not None:
        left_open = {key for key in after if before.get(key) in (None, "")}
        beside |= {"model.weights"} | {key for key in left_open if _follows(key)}
    return [_told(key, after.get(key)) for key in _changed(before, after, beside)]


def settings_apart(recipe: Recipe, first: Recipe) -> list[str]:
    """Return, as `changed_settings` does, in which settings a run's recipe differs from another run's; to be read.

    The seed is among them. Where the two begin from different models, or only one of them from a model, that is told
    and not what follows from it. Numbers have four digits.

    Args:
        recipe: whose values are told.
        first: the other one's.
    """
    before, after = _flat(first), _flat(recipe)
    keys = _changed(before, after, set())
    if "model.weights" in keys:
        keys = [key for key in keys if not _follows(key)]
    return [_told(key, _short(after.get(key))) for key in keys]


def _flat(recipe: Recipe) -> dict[str, Any]:
    return flat(recipe.model_dump(mode="json"))


def _follows(key: str) -> bool:
    """Tell whether a setting may come from the model that a recipe begins from."""
    return key in _FROM_MODEL or key.startswith(ARGUMENTS)


def _changed(before: dict[str, Any], after: dict[str, Any], beside: set[str]) -> list[str]:
    keys = {key for key in before | after if not key.startswith("figures.")} - _BESIDE - beside
    return [
        key
        for key in sorted(keys)
        if before.get(key) != after.get(key)
        and (after.get(key) is not None or key not in _LENGTHS)  # the other one is told
    ]


def _told(key: str, value: Any) -> str:
    return f"without {key}" if value is None else f"{key}={value}"


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


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
