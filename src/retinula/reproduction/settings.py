"""In what one recipe differs from another. Knows recipes only."""

from collections.abc import Mapping
from typing import Any

from retinula.recipe import Recipe


def changed_settings(recipe: Recipe, usual: Recipe, *, with_seed: bool = False) -> list[str]:
    """Return, as `key=value`, the settings by which a recipe differs from a usual one, such as that shipped.

    What cannot change a result is left out, and what comes from the model that a recipe begins from.

    Args:
        recipe: whose values are told.
        usual: what it is compared with.
        with_seed: whether the seed counts.
    """
    before, after = (_flat(each.model_dump(mode="json")) for each in (usual, recipe))
    beside = {"name", "about", "source", "claims", "training.snapshots"} | (set() if with_seed else {"seed"})
    beside |= {key for key in before | after if key.startswith("figures.")}
    if usual.model.weights is not None:
        beside |= {"model.weights"} | {key for key in after if before.get(key) in (None, "")}
    keys = sorted((before.keys() | after.keys()) - beside)
    return [f"{key}={after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat
