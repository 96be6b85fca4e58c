"""Labels that look like no classes: several things of one picture, or a quantity. Knows only what they are called.

Cautious, because classes have names of several words, and numbers for names, far more often than these occur.
"""

import re
from collections.abc import Collection
from typing import Final

_SEPARATORS: Final = ("|", ";", ",", " ")
_FEWEST_PAIRS: Final = 3  # labels of several parts, each of which is a label by itself
_FEWEST_MIXED: Final = 10  # labels of several parts, if these are not
_FEWEST_LENGTHS: Final = 3  # how many parts they have: that of names is always about the same
_FEWEST_VALUES: Final = 20  # of a quantity
_FEWEST_FRACTIONAL: Final = 10
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_QUANTITIES: Final = frozenset(
    (
        *("age", "amount", "angle", "area", "bmi", "cost", "count", "days", "depth", "distance", "duration", "height"),
        *("hours", "income", "length", "minutes", "months", "percent", "percentage", "price", "quantity", "rating"),
        *("salary", "score", "seconds", "size", "speed", "temperature", "volume", "weight", "width", "year", "years"),
    )
)
_NAMES_OF_CLASSES: Final = frozenset(
    ("bin", "category", "class", "code", "grade", "group", "id", "label", "level", "range", "target", "type")
)


def several_labels(labels: Collection[str]) -> str:
    """Return one of the labels that looks like several, or nothing where they look like classes.

    Most of those with parts must consist of what are labels by themselves (`cat|dog` beside `cat` and `dog`). Or there
    must be many of few parts, some of two, some of three and so on, most of them another label and something more.

    >>> several_labels(["cat", "dog", "owl", "cat|dog", "dog|owl", "cat|dog|owl"])
    'cat|dog'
    >>> several_labels(["fire truck", "fire engine", "truck", "sea lion"])
    ''
    """
    for separator in _SEPARATORS:
        parts_of = {label: _parts(label, separator) for label in labels}
        mixed = [label for label, parts in parts_of.items() if len(parts) > 1]
        alone = {next(iter(parts)) for parts in parts_of.values() if len(parts) == 1}
        if len(mixed) >= _FEWEST_PAIRS and 2 * sum(parts_of[label] <= alone for label in mixed) >= len(mixed):
            return next(label for label in mixed if parts_of[label] <= alone)
        words = frozenset[str]().union(*parts_of.values())
        lengths = {len(parts_of[label]) for label in mixed}
        if len(mixed) < _FEWEST_MIXED or 2 * len(words) > len(parts_of) or len(lengths) < _FEWEST_LENGTHS:
            continue
        known = {*parts_of.values()}
        grown = [label for label in mixed if any(parts_of[label] - {part} in known for part in parts_of[label])]
        if 2 * len(grown) >= len(mixed):
            return grown[0]
    return ""


def is_quantity(labels: Collection[str], column: str = "") -> bool:
    """Tell whether labels look like measured values.

    Numbers with fractions do, where there are many; whole ones only if their column is called like a quantity, because
    classes may be numbered in any way.

    Args:
        labels: the different ones.
        column: what their column is called, if they have one.

    >>> is_quantity([f"{number}" for number in range(100)]), is_quantity([f"{number}" for number in range(100)], "Age")
    (False, True)
    """
    if not labels or not all(map(_NUMBER.fullmatch, labels)):
        return False
    words = {*re.split(r"[\W_]+", column.lower())}
    if len(labels) >= _FEWEST_VALUES and words & _QUANTITIES and not words & _NAMES_OF_CLASSES:
        return True
    fractional = sum(float(label) % 1 != 0 for label in labels)
    return fractional >= _FEWEST_FRACTIONAL and 2 * fractional >= len(labels)


def doubted_classes(classes: Collection[str]) -> list[str]:
    """Return a line to warn with where what is trained on as classes looks like none.

    Args:
        classes: their names.
    """
    if label := several_labels(classes):
        return [f"{label!r} looks like several labels of one picture: each combination is learned as its own class"]
    if is_quantity(classes):
        return ["the classes look like values of a quantity: none of them is learned to be near another"]
    return []


def _parts(label: str, separator: str) -> frozenset[str]:
    """Return what a label consists of; also one written as a list of Python."""
    return frozenset(filter(None, (part.strip(" []'\"") for part in label.split(separator))))
