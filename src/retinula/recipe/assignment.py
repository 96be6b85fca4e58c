"""Settings assigned one by one, `key=value`, as they are written on the command line.

Knows how they are read and put into nested values, not which settings there are.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from os import fspath
from typing import Any, Final

from retinula.errors import InputError

ARGUMENTS: Final = "model.arguments."  # what the full names of a network's own settings begin with


def parse(assignment: str) -> tuple[str, Any]:
    """Read `key=value`; the value is TOML, or else text.

    >>> parse("epochs=4"), parse("flip=random")
    (('epochs', 4), ('flip', 'random'))

    Raises:
        InputError: it is not of that form.
    """
    key, equals, text = assignment.partition("=")
    if not equals or not key:
        raise InputError(f"{assignment!r}: expected key=value, such as epochs=4 or optimizer.lr=0.05")
    return key.strip(), _toml_value(text.strip())


def assignments(given: Iterable[str] | Mapping[str, Any]) -> list[str]:
    """Return settings that Python was given, `key=value` or a mapping, nested or not, as a list of the former.

    >>> assignments({"epochs": 4, "flip": "random"})
    ['epochs=4', 'flip=random']

    Raises:
        InputError: they are no list, or one text, whose letters would be taken for settings, or hold what is none.
    """
    if isinstance(given, Mapping):
        return [f"{key}={_written(key, value)}" for key, value in flat(given).items()]
    single = isinstance(given, str) or not isinstance(given, Iterable)
    settings = [] if single else list(given)
    if single or not all(isinstance(setting, str) for setting in settings):
        raise InputError(f"settings are a list, such as ['epochs=1'], not {given!r}")
    return settings


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings under their full names.

    >>> flat({"seed": 1, "optimizer": {"lr": 0.1}})
    {'seed': 1, 'optimizer.lr': 0.1}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def assign(values: dict[str, Any], key: str, value: Any) -> None:
    """Put a value into nested dicts, by its full name such as `optimizer.lr`.

    Raises:
        InputError: something else stands where a section should.
    """
    *sections, last = key.split(".")
    target = values
    for section in sections:
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            raise InputError(f"{key!r}: {section!r} is a section, but the recipe has {target!r} for it")
    target[last] = value


def _written(key: str, value: Any) -> str:
    """Write a setting's value so that `parse` reads it back."""
    if value is None:
        raise InputError(f"{key} cannot be None: leave it out")
    if isinstance(value, str) and _toml_value(value.strip()) == value:
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)  # TOML, too
    except (TypeError, ValueError) as error:
        raise InputError(f"{key} cannot be {value!r} ({error})") from error


def _plain(value: Any) -> Any:
    """Return what JSON has no form of in one that it has: a path's text, the number in an array of no dimensions."""
    if getattr(value, "ndim", None) == 0:  # a scalar of NumPy or torch, neither of which is needed to know it
        return value.item()
    return fspath(value)


def _toml_value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        text = text.lower()
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        repr(value)  # fails where a number is too long ever to be written down, as in hexadecimal it can be
    except (ValueError, RecursionError):  # the first is TOML's own too, the second comes from brackets in brackets
        return text
    return value
