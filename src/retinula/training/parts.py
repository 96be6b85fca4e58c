"""The parts that a recipe chooses by name in a section, and which of the section's settings each of them uses.

A part is a function; what it asks for by keyword are settings of its own. So that is said once, by the part itself, and
no list of it can go stale. All parts together of a section are a dict by their names.
"""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, signature
from typing import Any, TypeVar

from retinula.recipe.sections import Section

T = TypeVar("T")


def own_settings(part: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the settings that are a part's own.

    >>> own_settings(lambda network, *, momentum, nesterov: None)
    ('momentum', 'nesterov')
    """
    parameters = signature(part).parameters.values()
    return tuple(each.name for each in parameters if each.kind is Parameter.KEYWORD_ONLY)


def settled(part: Callable[..., T], section: Section) -> Callable[..., T]:
    """Return a part with the settings that are its own."""
    return partial(part, **{name: getattr(section, name) for name in own_settings(part)})


def unused_settings(parts: Mapping[str, Callable[..., Any]], chosen: str, section: Section) -> list[str]:
    """Return the names of settings that are not at their defaults and belong to other parts than the chosen one."""
    belonging = {name for part in parts.values() for name in own_settings(part)} - {*own_settings(parts[chosen])}
    fields = type(section).model_fields
    return [name for name in fields if name in belonging and getattr(section, name) != fields[name].default]
