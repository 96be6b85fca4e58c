"""What is meant where a command takes `[RECIPE|DATASET|FOLDER] [key=value ...]`."""

import os
from collections.abc import Sequence

from retinula.errors import InputError
from retinula.text.words import listed


def one_target(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Part what is to be trained, None where nothing is named, from settings as `key=value`.

    What begins as a path does, or is here, is no setting, even with an equals sign in its name.

    Raises:
        InputError: more than one thing is named, or a setting without an equals sign.
    """
    names = [word for word in words if _is_target(word)]
    if len(names) > 1:
        for name, value in zip(names, [*names[1:], "..."], strict=True):
            mended = None if _is_here(name) else as_setting(name, value)
            if mended:
                raise InputError(mended)
        raise InputError(f"one recipe, data set or folder at a time, not {listed(names)}")
    return next(iter(names), None), [word for word in words if not _is_target(word)]


def as_setting(word: str, value: str) -> str | None:
    """Say to those who write `epochs 3` or `--epochs 3` how settings are written; None of what is no setting.

    >>> as_setting("--epochs", "3"), as_setting("learning-rate", "0.1"), as_setting("3", "...")
    ('settings are written epochs=3', 'settings are written lr=0.1', None)
    """
    from retinula.recipe.files import brief, meant_setting

    key = meant_setting(word.removeprefix("--").replace("-", "_"))
    return None if key is None else f"settings are written {brief(key)}={value}"


def _is_target(word: str) -> bool:
    return "=" not in word or word.startswith((".", "/")) or _is_here(word)


def _is_here(word: str) -> bool:
    return os.path.exists(word)  # noqa: PTH110 - Path's fails at long ones
