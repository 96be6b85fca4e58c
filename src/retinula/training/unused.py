"""What is set in vain: settings that the optimizer, schedule or objective that was chosen does not use."""

from collections.abc import Collection

from retinula.recipe.files import assigned_keys, load_recipe, shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.targets import DEFAULT
from retinula.text.words import listed
from retinula.training.objectives import OBJECTIVES
from retinula.training.optimizers import OPTIMIZERS
from retinula.training.parts import unused_settings
from retinula.training.schedules import SCHEDULES


def said_in_vain(recipe: Recipe, settings: Collection[str] = ()) -> list[str]:
    """Return a line for each section in which somebody has set what changes nothing.

    It is no error. Not told is what the recipe had brought along for another part before one was chosen by a setting,
    or what the shipped recipe that it was made from has.

    >>> said_in_vain(Recipe(name="a", optimizer={"name": "adam", "momentum": 0.9}))
    ['optimizer.momentum changes nothing: optimizer adam does not use it']

    Args:
        recipe: to which the settings were applied already.
        settings: each `key=value`.
    """
    assigned = assigned_keys(settings)
    origin = _origin(recipe)
    lines = []
    for section, parts in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("objective", OBJECTIVES)):
        values = getattr(recipe, section)
        before = values if f"{section}.name" in assigned else getattr(origin, section, None)
        names = [
            f"{section}.{name}"
            for name in unused_settings(parts, values.name, values)
            if f"{section}.{name}" in assigned or before is None or getattr(before, name) != getattr(values, name)
        ]
        if names:
            change, them = ("changes", "it") if len(names) == 1 else ("change", "them")
            lines.append(f"{listed(names)} {change} nothing: {section} {values.name} does not use {them}")
    return lines


def _origin(recipe: Recipe) -> Recipe | None:
    """Return the shipped recipe that one was made from, as its name and what it says of itself tell, or None."""
    origin = load_recipe(recipe.name if recipe.name in shipped() else DEFAULT)
    return origin if recipe.about == origin.about else None
