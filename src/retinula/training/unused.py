"""What a recipe says in vain: settings that the optimizer, schedule or objective it has chosen does not use."""

from retinula.recipe import Recipe
from retinula.training.objectives import OBJECTIVES
from retinula.training.optimizers import OPTIMIZERS
from retinula.training.parts import unused_settings
from retinula.training.schedules import SCHEDULES


def said_in_vain(recipe: Recipe) -> list[str]:
    """Return a line for each section with settings that change nothing.

    It is no error: a recipe with another optimizer keeps what belonged to its first one.

    >>> said_in_vain(Recipe(name="a", optimizer={"name": "adam", "momentum": 0.9}))
    ['optimizer.momentum changes nothing: optimizer adam does not use it']
    """
    lines = []
    for section, parts, values in (
        ("optimizer", OPTIMIZERS, recipe.optimizer),
        ("schedule", SCHEDULES, recipe.schedule),
        ("objective", OBJECTIVES, recipe.objective),
    ):
        names = [f"{section}.{name}" for name in unused_settings(parts, values.name, values)]
        if names:
            change, them = ("changes", "it") if len(names) == 1 else ("change", "them")
            lines.append(f"{' and '.join(names)} {change} nothing: {section} {values.name} does not use {them}")
    return lines
