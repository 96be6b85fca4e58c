"""Recipes with other settings, `key=value`; another network goes without the arguments that it has not.

All else that settings replace `files` leaves out: what arguments a network has only torch, once loaded, tells.
"""

from collections.abc import Collection
from pathlib import Path

from retinula.errors import InputError
from retinula.images import ImageSet, kind_of
from retinula.models.catalog import is_network, network_named
from retinula.recipe.assignment import ARGUMENTS
from retinula.recipe.files import assigned_keys, checked, load_recipe, override
from retinula.recipe.recipe import Recipe
from retinula.recipe.targets import find_recipe


def with_settings(recipe: Recipe | str | Path, settings: Collection[str]) -> Recipe:
    """Return a recipe, or what `targets.find_recipe` finds by a word, with other settings, each `key=value`.

    Args:
        recipe: it, or a word; a `Path` is always a file or folder.
        settings: that replace its own.

    Raises:
        InputError: they do not fit it, or nothing is found.
    """
    if isinstance(recipe, Path):
        recipe = str(recipe.absolute())
    if isinstance(recipe, str):
        return _with_own_arguments(find_recipe(recipe, settings), settings)
    _check_recipe(recipe)
    if not settings:
        return recipe
    values = recipe.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return _with_own_arguments(checked(override(values, settings), recipe.name), settings)


def _check_recipe(given: object) -> None:
    """Raise `InputError` where something is no recipe."""
    if isinstance(given, Recipe):
        return
    remedy = "; pictures come second: train('default', image_set)" if isinstance(given, ImageSet) else ""
    raise InputError(
        f"a recipe is a Recipe, its name or file, or the name of a data set or folder, not {kind_of(given)}{remedy}"
    )


def recipe_named(name: str, settings: Collection[str]) -> Recipe:
    """Return a shipped recipe by name, or that of a TOML file, with other settings, each `key=value`.

    Raises:
        InputError: there is none of that name, or they do not fit it.
    """
    return _with_own_arguments(load_recipe(name, settings), settings)


def _with_own_arguments(recipe: Recipe, settings: Collection[str]) -> Recipe:
    """Leave out the arguments that a network assigned by settings has not, but those that were assigned as well.

    Args:
        recipe: to which the settings were applied already.
        settings: each `key=value`.
    """
    assigned = assigned_keys(settings)
    if "model.name" not in assigned or not is_network(recipe.model.name):
        return recipe
    known = network_named(recipe.model.name).arguments
    own = {
        name: value
        for name, value in recipe.model.arguments.items()
        if name in known or f"{ARGUMENTS}{name}" in assigned
    }
    return recipe.changed(model={"arguments": own})
