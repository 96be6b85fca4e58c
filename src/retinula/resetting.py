"""Recipes with other settings, `key=value`; another network goes without the arguments that it has not."""

from collections.abc import Collection

from retinula.assignment import parse
from retinula.models.catalog import NETWORKS
from retinula.recipe import Recipe
from retinula.recipe_files import checked, full_key, override
from retinula.targets import find_recipe

_ARGUMENTS = "model.arguments."


def with_settings(recipe: Recipe | str, settings: Collection[str]) -> Recipe:
    """Return a recipe, or what `targets.find_recipe` finds by a word, with other settings, each `key=value`.

    Raises:
        InputError: they do not fit it, or nothing is found.
    """
    if isinstance(recipe, str):
        return with_own_arguments(find_recipe(recipe, settings), settings)
    if not settings:
        return recipe
    values = recipe.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return with_own_arguments(checked(override(values, settings), recipe.name), settings)


def with_own_arguments(recipe: Recipe, settings: Collection[str]) -> Recipe:
    """Leave out the arguments that a network assigned by settings has not, but those that were assigned as well.

    Args:
        recipe: to which the settings were applied already.
        settings: each `key=value`.
    """
    assigned = {full_key(parse(setting)[0]) for setting in settings}
    if "model.name" not in assigned or recipe.model.name not in NETWORKS:
        return recipe
    known = NETWORKS[recipe.model.name].arguments
    own = {
        name: value
        for name, value in recipe.model.arguments.items()
        if name in known or f"{_ARGUMENTS}{name}" in assigned
    }
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"arguments": own})})
