"""Recipes with other settings, `key=value`; another network goes without the arguments that it has not."""

from collections.abc import Collection

from retinula.assignment import ARGUMENTS
from retinula.models.catalog import NETWORKS
from retinula.recipe import Recipe
from retinula.recipe_files import assigned_keys, checked, load_recipe, override
from retinula.targets import find_recipe


def with_settings(recipe: Recipe | str, settings: Collection[str]) -> Recipe:
    """Return a recipe, or what `targets.find_recipe` finds by a word, with other settings, each `key=value`.

    Raises:
        InputError: they do not fit it, or nothing is found.
    """
    if isinstance(recipe, str):
        return _with_own_arguments(find_recipe(recipe, settings), settings)
    if not settings:
        return recipe
    values = recipe.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return _with_own_arguments(checked(override(values, settings), recipe.name), settings)


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
    if "model.name" not in assigned or recipe.model.name not in NETWORKS:
        return recipe
    known = NETWORKS[recipe.model.name].arguments
    own = {
        name: value
        for name, value in recipe.model.arguments.items()
        if name in known or f"{ARGUMENTS}{name}" in assigned
    }
    return recipe.changed(model={"arguments": own})
