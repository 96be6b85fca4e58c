"""Where recipes come from: those shipped with the package, TOML files, and `key=value` settings on top.

A recipe is data; nothing in it is executed. Every error names the file, the key and what was expected.
"""

import functools
import json
import tomllib
from collections.abc import Iterable, Mapping, Set
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from retinula.errors import InputError, nearest
from retinula.files.durable import read_text
from retinula.recipe.assignment import ARGUMENTS, assign, parse
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Section
from retinula.recipe.synonyms import ANSWERS, ELSEWHERE, NAMESAKES

# One for each setting that is a list; what stands in a recipe is TOML too.
EXAMPLES = {
    "data.more": "['more photos', 'others.zip', 'labels.csv']",
    "data.classes": "['cat', 'dog']",
    "inputs.size": "[64, 64]",
    "inputs.crop": "[28, 28]",
    "inputs.mean": "[0.5, 0.5, 0.5]",
    "inputs.std": "[0.25, 0.25, 0.25]",
    "augment.zoom": "[0.8, 1.25]",
    "augment.random_crop": "[28, 28]",
    "augment.contrast": "[0.8, 1.2]",
    "augment.saturation": "[0.8, 1.2]",
    "augment.noise": "[0.0, 0.1]",
    "optimizer.betas": "[0.9, 0.999]",
    "schedule.milestones": "[0.5, 0.75]",
    "schedule.points": "[[0.0, 0.1], [0.3, 1.0], [1.0, 0.0]]",
    "training.sizes": "[[0.0, 24], [0.5, 32]]",
    "prediction.scales": "[1.0, 0.75]",
    "prediction.zooms": "[0.9, 0.8]",
    "figures.ranges": "[[0, 100], [900, 1000]]",
    "track": "['csv', 'tensorboard']",
}
_NO_SUCH_LIST = {"tuple_type", "missing", "too_long"}
# By pydantic's names for what is wrong.
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text, in quotation marks",
    "model_type": "a section",
    "dict_type": "a section",
}
_ONE_OF_SEVERAL_KINDS = {"bool", "int", "float", "str"}  # the last word of a place where one of them may stand
_OF_ITS_OWN = "augment"  # the section whose words mean something else in others, as zoom, crop and mirror do
_SHOWN = "; those of a recipe are shown by: retinula recipes NAME"
_BEYOND_REASON = "a number has thousands of digits, or values lie hundreds deep in each other"


@functools.cache
def shipped() -> Mapping[str, str]:
    """Return the TOML text of every recipe that comes with the package, by name; read once."""
    folder = resources.files("retinula.recipes")
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".toml")), key=lambda f: f.name)
    return MappingProxyType({file.name.removesuffix(".toml"): file.read_text(encoding="utf-8") for file in files})


def load_recipe(source: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a shipped recipe by name, or a TOML file, and apply settings, each `key=value`.

    Raises:
        InputError: no such recipe; or the file, the key, and what was expected of it.
    """
    recipes = shipped()
    path = Path(source)
    if str(source) in recipes:
        text, where = recipes[str(source)], f"recipe {source}"
    elif path.suffix == ".toml":
        text, where = read_text(path), str(path)
    else:
        raise InputError(f"no recipe {str(source)!r}{nearest(str(source), recipes)}")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: {_BEYOND_REASON}") from error
    values.setdefault("name", path.stem)
    return checked(override(values, settings, where), where)


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


def override(values: Mapping[str, Any], settings: Iterable[str], where: str = "recipe") -> dict[str, Any]:
    """Return `values` with settings applied, each `key=value`; a value is TOML, or else text.

    A key is written as `full_key` takes it. A network's name and a model to begin from replace each other. Messages
    call the recipe `where`.

    >>> override({"seed": 0}, ["seed=3", "lr=0.5"])
    {'seed': 3, 'optimizer': {'lr': 0.5}}
    """
    result: dict[str, Any] = json.loads(_as_json(values, where))
    assigned = set()
    for setting in settings:
        key, value = parse(setting)
        key = full_key(key)
        assign(result, key, value)
        assigned.add(key)
    _forget_replaced(result, assigned)
    return result


def full_key(key: str) -> str:
    """Return the full name of a setting given in full, by its last word, or by the part it names.

    >>> full_key("lr"), full_key("optimizer"), full_key("seed")
    ('optimizer.lr', 'optimizer.name', 'seed')

    Raises:
        InputError: there is no such setting.
    """
    known = setting_names()
    if key in known or key.startswith(ARGUMENTS):
        return key
    if f"{key}.name" in known:
        return f"{key}.name"
    by_last_word = {name.rpartition(".")[2]: name for name in known}
    if key not in by_last_word:
        raise InputError(f"no setting {key!r}{_hint(key, {*known, *by_last_word, *Recipe.model_fields})}")
    return by_last_word[key]


def assigned_keys(settings: Iterable[str]) -> set[str]:
    """Return the full names of settings, each `key=value`.

    >>> sorted(assigned_keys(["seed=3", "lr=0.5"]))
    ['optimizer.lr', 'seed']
    """
    return {full_key(parse(setting)[0]) for setting in settings}


def brief(key: str) -> str:
    """Write a setting's full name as briefly as `full_key` takes it.

    >>> brief("optimizer.lr"), brief("optimizer.name"), brief("model.arguments.width")
    ('lr', 'optimizer', 'model.arguments.width')
    """
    return key if key.startswith(ARGUMENTS) else key.removesuffix(".name").rpartition(".")[2]


def meant_setting(word: str) -> str | None:
    """Return the full name of the setting that a word is, or would be elsewhere; None where it is none.

    >>> meant_setting("epochs"), meant_setting("learning_rate"), meant_setting("photo album")
    ('training.epochs', 'optimizer.lr', None)
    """
    try:
        return full_key(ELSEWHERE.get(word, word))
    except InputError:
        return None


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


def _forget_replaced(values: dict[str, Any], assigned: Set[str]) -> None:
    """Drop other lengths, and what belongs to another schedule, network or model to begin from, than those assigned.

    What was assigned as well stays, so that a contradiction is found later, not hidden here.
    """
    training = values.get("training")
    lengths = {f"training.{name}" for name in ("epochs", "steps", "least_steps")}
    if isinstance(training, dict) and assigned & {"training.epochs", "training.steps"}:
        # A user who asks for 4 epochs means 4, and does not want to be told about steps.
        for name in lengths - assigned:
            training.pop(name.removeprefix("training."), None)
    schedule = values.get("schedule")
    begins_anew = "schedule.name" in assigned and "schedule.warmup" not in assigned
    if isinstance(schedule, dict) and begins_anew and schedule["name"] == "one-cycle":
        schedule.pop("warmup", None)  # it rises by itself
    model = values.get("model")
    if not isinstance(model, dict):
        return
    dropped: tuple[str, ...] = ()
    if "model.weights" in assigned:
        dropped = ("name", "weights_sha256")
        inputs = values.get("inputs")
        if isinstance(inputs, dict):
            for name in {"normalise", "mean", "std"} - {name.removeprefix("inputs.") for name in assigned}:
                inputs.pop(name, None)
        arguments = model.pop("arguments", {})
        if isinstance(arguments, dict):
            own = {name: value for name, value in arguments.items() if f"{ARGUMENTS}{name}" in assigned}
            model.update({"arguments": own} if own else {})
    elif "model.name" in assigned:
        dropped = ("weights", "weights_sha256", "freeze")
    for name in dropped:
        if f"model.{name}" not in assigned:
            model.pop(name, None)


def _as_json(values: Mapping[str, Any], where: str) -> str:
    try:
        text = json.dumps(values, default=str, ensure_ascii=False)
        text.encode()  # names of files are bytes, which need not be text
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: the name of a file or folder is not UTF-8; rename it") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: {_BEYOND_REASON}") from error
    return text


def _hint(key: str, known: Iterable[str]) -> str:
    """Say what a key that is no setting may have meant, as the end of an error message.

    Args:
        key: with its section, where it was given one.
        known: names that are near enough to be meant where there is no section.
    """
    section, _, word = key.rpartition(".")
    settings = setting_names()
    if word in ANSWERS:
        return f"; {ANSWERS[word]}"
    siblings = [name.rpartition(".")[2] for name in settings if section and name.rpartition(".")[0] == section]
    meant = next((name for name in settings if name.endswith(f".{word}")), ELSEWHERE.get(word, key))
    if siblings and (section == _OF_ITS_OWN) != meant.startswith(f"{_OF_ITS_OWN}."):
        meant = key
    inside = [name for name in settings if name.startswith(f"{meant}.")]
    if inside:
        return f"; the section {meant!r} has {', '.join(inside)}"
    if meant != key:
        return f"; did you mean {meant!r}?"
    return (nearest(word, siblings) if siblings else nearest(key, known)) or _SHOWN


def _explanation(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    kind, value = first["type"], first["input"]
    value = list(value) if isinstance(value, tuple) else value  # as it was written
    key = ".".join(str(part) for part in first["loc"])
    if kind == "extra_forbidden":
        return f"unknown key {key!r}{_hint(key, Recipe.model_fields)}"
    if kind == "json_invalid":
        return str(first["msg"])
    last = first["loc"][-1] if first["loc"] else ""
    listed = next((name for name in EXAMPLES if key == name or key.startswith(f"{name}.")), None)
    if listed and kind in _NO_SUCH_LIST:
        key, message = listed, f"expected a list such as {listed.rpartition('.')[2]}={EXAMPLES[listed]}"
    elif last in _ONE_OF_SEVERAL_KINDS:
        key, message = key.removesuffix(f".{last}"), "expected text or a number"
    elif kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}"
    else:
        message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    remedy = ANSWERS.get(str(value).lower()) or NAMESAKES.get(key)
    told = f"{key}: {message}, not {value!r}" if _is_plain(value) else f"{key or 'recipe'}: {message}"
    return f"{told}; {remedy}" if remedy else told


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | list) and len(repr(value)) < 80
