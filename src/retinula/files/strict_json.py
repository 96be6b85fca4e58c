"""JSON that can be written again as it was read, with finite numbers and text that is text; and values of one kind."""

import json
import math
from typing import Any

from retinula.errors import InputError


def read_json(text: str) -> Any:
    """Return the value that a text stands for.

    >>> read_json('{"accuracy": 0.5}')
    {'accuracy': 0.5}

    Raises:
        ValueError: it is not JSON, a number in it is not finite or larger than any, or a character is half of one.
        RecursionError: it has lists in lists without end.
    """
    content = json.loads(text, parse_constant=_finite, parse_float=_finite, parse_int=_whole)
    if "\\ud" in text.lower():  # only as such does JSON have halves of characters
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("a text has half a character") from error
    return content


def number(value: Any, name: str) -> float:
    """Return a value that is a number; raises `InputError` of any other."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number, not {value!r:.60}")
    return float(value)


def whole_number(value: Any, name: str) -> int:
    """Return a value that is a whole number; raises `InputError` of any other."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name} must be a whole number, not {value!r:.60}")
    return value


def table(value: Any, name: str) -> dict[str, Any]:
    """Return a copy of a value that is a table; raises `InputError` of any other."""
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a table, not {value!r:.60}")
    return dict(value)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _whole(text: str) -> int:
    _finite(text)  # what no float can be, nothing can be worked out from
    return int(text)
