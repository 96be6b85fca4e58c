"""Where the parts of a confusion matrix of many classes are drawn, in pixels, where there is room for as many.

Knows nothing of what is in its fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from retinula.text.words import num_columns

FIELDS = 800  # of the side of all fields together, as far as single ones may be so large or so small
SMALLEST, LARGEST = 8, 16  # of a field's side
LINE = 13  # of a name, which takes the place of one field or more
COLUMN = 7.2  # of a name's length, for each column that its letters would take in a terminal
MOST_COLUMNS = 24
WORDS, GAP = 22, 6  # of the words beside an axis, and between names and fields
RULED = 10  # classes from one line to the next


@dataclass(frozen=True)
class Name:
    """What is written beside a row and above a column: a class's number, its name as far as it fits, and all of it."""

    number: int
    shown: str
    whole: str


@dataclass(frozen=True)
class Grid:
    """The drawing.

    Attributes:
        field: side of a field.
        start: where the first field begins, across and down.
        side: of the whole, which is a square.
        names: of all classes, or of every second.
        rules: where lines go, across and down.
    """

    field: int
    start: int
    side: int
    names: tuple[Name, ...]
    rules: tuple[int, ...]


def grid(classes: Sequence[str]) -> Grid:
    """Lay out the matrix of so many classes, at least one."""
    field = min(LARGEST, max(SMALLEST, FIELDS // len(classes)))
    step = -(-LINE // field)
    names = tuple(Name(number, _begun(classes[number]), classes[number]) for number in range(0, len(classes), step))
    start = WORDS + round(COLUMN * max(num_columns(name.shown) for name in names)) + GAP
    rules = tuple(start + field * number for number in range(RULED, len(classes), RULED))
    return Grid(field, start, start + field * len(classes) + 1, names, rules)


def _begun(name: str) -> str:
    """Return a name, or its beginning where it is too long."""
    if num_columns(name) <= MOST_COLUMNS:
        return name
    shown = name
    while num_columns(shown) >= MOST_COLUMNS:
        shown = shown[:-1]
    return f"{shown.rstrip()}\u2026"
