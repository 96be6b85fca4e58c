"""Where recipes come from: those shipped with the package, TOML files, and `key=value` settings on top.

A recipe is data; nothing in it is executed. Every error names the file, the key and what was expected.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from retinula.assignment import assign, forget_replaced, parse
from retinula.errors import InputError, nearest
from retinula.recipe import Recipe, Section

_BEYOND_REASON = "a number has thousands of digits, or values lie hundreds deep in each other"


def shipped() -> dict[str, str]:
    """Return the TOML text of every recipe that comes with the package, by name."""
    folder = resources.files("retinula.recipes")
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".toml")), key=lambda f: f.name)
    return {file.name.removesuffix(".toml"): file.read_text(encoding="utf-8") for file in files}


def load_recipe(source: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a shipped recipe by name, or a TOML file, and apply `key=value` overrides.

    Raises:
        InputError: no such recipe; or the file, the key, and what was expected of it.
    """
    recipes = shipped()
    path = Path(source)
    if str(source) in recipes:
        text, where = recipes[str(source)], f"recipe {source}"
    elif path.suffix == ".toml":
        text, where = _read(path), str(path)
    else:
        raise InputError(f"no recipe {str(source)!r}{nearest(str(source), recipes)}")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: {_BEYOND_REASON}") from error
    values.setdefault("name", path.stem)
    return checked(override(values, overrides, where), where)


def checked(values: Mapping[str, Any], where: str) -> Recipe:
    """Turn plain values into a recipe.

    Raises:
        InputError: names `where`, the key and what was expected, on one line.
    """
    try:
        # By way of JSON, because only there strict checking takes a list for a tuple.
        return Recipe.model_validate_json(_as_json(values, where))
    except ValidationError as error:
        raise InputError(f"{where}: {_explanation(error)}") from error


def override(values: Mapping[str, Any], assignments: Iterable[str], where: str = "recipe") -> dict[str, Any]:
    """Return `values` with `key=value` assignments applied; a value is TOML, or else text.

    A key is written as `full_key` takes it. A network's name and a model to begin from replace each other. Messages
    call the recipe `where`.

    >>> override({"seed": 0}, ["seed=3", "lr=0.5"])
    {'seed': 3, 'optimizer': {'lr': 0.5}}
    """
    result: dict[str, Any] = json.loads(_as_json(values, where))
    assigned = set()
    for assignment in assignments:
        key, value = parse(assignment)
        key = full_key(key)
        assign(result, key, value)
        assigned.add(key)
    forget_replaced(result, assigned)
    return result


def full_key(key: str) -> str:
    """Return the full name of a setting given in full, by its last word, or by the part it names.

    >>> full_key("lr"), full_key("optimizer"), full_key("seed")
    ('optimizer.lr', 'optimizer.name', 'seed')

    Raises:
        InputError: there is no such setting.
    """
    known = setting_names()
    if key in known or key.startswith("model.arguments."):
        return key
    if f"{key}.name" in known:
        return f"{key}.name"
    by_last_word = {name.rpartition(".")[2]: name for name in known}
    if key not in by_last_word:
        hint = nearest(key, {*known, *by_last_word}) or "; those of a recipe are shown by: retinula recipes NAME"
        raise InputError(f"no setting {key!r}{hint}")
    return by_last_word[key]


def setting_names() -> list[str]:
    """Return every setting that can be given as `key=value`, in full."""
    keys = []
    for name, part in Recipe.model_fields.items():
        section = part.annotation
        if isinstance(section, type) and issubclass(section, Section):
            keys += [f"{name}.{inner}" for inner in section.model_fields]
        elif name != "claims":
            keys.append(name)
    return keys


def _as_json(values: Mapping[str, Any], where: str) -> str:
    try:
        text = json.dumps(values, default=str, ensure_ascii=False)
        text.encode()  # names of files are bytes, which need not be text
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: the name of a file or folder is not UTF-8; rename it") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: {_BEYOND_REASON}") from error
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8") from error


def _explanation(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        section, _, word = key.rpartition(".")
        homes = [name for name in setting_names() if name.endswith(f".{word}")]
        if homes:
            return f"unknown key {key!r}; did you mean {homes[0]!r}?"
        siblings = {name for name in (*setting_names(), *Recipe.model_fields) if name.rpartition(".")[0] == section}
        return f"unknown key {key!r}{nearest(word, [name.rpartition('.')[2] for name in siblings])}"
    if first["type"] == "json_invalid":
        return message
    return f"{key}: {message}, not {first['input']!r}" if _is_plain(first["input"]) else f"{key or 'recipe'}: {message}"


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | list) and len(repr(value)) < 80
