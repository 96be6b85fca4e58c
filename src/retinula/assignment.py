"""Settings assigned one by one, `key=value`, as they are written on the command line.

Knows how they are read and put into nested values, and which replace each other; not which settings there are.
"""

import tomllib
from collections.abc import Set
from typing import Any

from retinula.errors import InputError


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


def forget_replaced(values: dict[str, Any], assigned: Set[str]) -> None:
    """Drop the other length, and what belongs to another network or model to begin from, than those assigned.

    What was assigned as well stays, so that a contradiction is found later, not hidden here.
    """
    training = values.get("training")
    if isinstance(training, dict) and len(assigned & {"training.epochs", "training.steps"}) == 1:
        # A user who asks for 4 epochs does not want to be told about steps.
        training.pop("steps" if "training.epochs" in assigned else "epochs", None)
    model = values.get("model")
    if not isinstance(model, dict):
        return
    dropped: tuple[str, ...] = ()
    if "model.weights" in assigned:
        dropped = ("name", "weights_sha256")
        arguments = model.pop("arguments", {})
        if isinstance(arguments, dict):
            own = {name: value for name, value in arguments.items() if f"model.arguments.{name}" in assigned}
            model.update({"arguments": own} if own else {})
    elif "model.name" in assigned:
        dropped = ("weights", "weights_sha256", "freeze")
    for name in dropped:
        if f"model.{name}" not in assigned:
            model.pop(name, None)


def _toml_value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        text = text.lower()
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        repr(value)  # fails where a number is too long ever to be written down, as in hexadecimal it can be
    except (ValueError, RecursionError):  # the first is TOML's own too, the second comes from brackets in brackets
        return text
    return value
