"""What trials may choose from: ranges and choices of a recipe's settings, as they are written on the command line.

`key=low..high` is a range of numbers, `key=a|b|c` are choices; whatever else is written stands fixed. Knows recipes,
and neither how values are drawn nor what trials reach.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from retinula.errors import InputError
from retinula.models.catalog import is_network, network_named
from retinula.recipe.assignment import parse
from retinula.recipe.files import full_key
from retinula.recipe.recipe import Recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.sections import Section

TENFOLD = 10  # a range of fractions whose ends lie at least so far apart is drawn from by its logarithm
_RANGE = re.compile(r"(?:(log|linear):)?(.*?)\.\.(.*)")
_WHOLE = re.compile(r"[+-]?\d+")

_COMPARES_BY = "trials are compared by it"
_OTHER_PICTURES = "trials on different pictures cannot be compared"
_OTHER_MODEL = "a study begins from one model"
_NOTHING = "it changes nothing that is learned"
_NOT_CHOSEN = {
    "seed": "the luckiest seed is no better setting, and which pictures trials are compared on depends on it",
    "data.": _OTHER_PICTURES,
    "objective.name": "trials that learn different things cannot be compared",
    "training.metric": _COMPARES_BY,
    "model.weights": _OTHER_MODEL,
    "model.weights_sha256": _OTHER_MODEL,
    "evaluation.": _NOTHING,
    "prediction.": _NOTHING,
    "figures.": _NOTHING,
    "training.snapshots": _NOTHING,
    "track": _NOTHING,
    "name": _NOTHING,
    "about": _NOTHING,
    "source": _NOTHING,
}
_OTHER_NOISE = "reconstructions are compared on noise, which has to be the same"
_OF_RECONSTRUCTIONS = {
    "inputs.": "reconstructions of other pictures cannot be compared",
    "augment.noise": _OTHER_NOISE,
    "augment.probability": _OTHER_NOISE,
}

# Of trials that differ in these, the ones that are behind after an epoch may be those that end ahead.
_COURSE = (
    "training.epochs",
    "training.steps",
    "training.least_steps",
    "training.batch_size",
    "training.sizes",
    "training.average",
    "schedule.",
)

Value = int | float | str


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        key: the setting's full name.
        low: the smallest.
        high: the largest.
        whole: only whole numbers.
        log: drawn evenly by their logarithm.
    """

    key: str
    low: float
    high: float
    whole: bool
    log: bool

    def __str__(self) -> str:
        return f"{self.key}={'log' if self.log else 'linear'}:{json.dumps(self.low)}..{json.dumps(self.high)}"

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that are checked before any trial."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        """Tell whether a value of a recipe lies in it."""
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        return not self.whole or value == int(value)


@dataclass(frozen=True)
class Choices:
    """Values to choose from, as they are written after `key=`.

    Attributes:
        key: the setting's full name.
        values: at least two.
    """

    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}={'|'.join(self.values)}"

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that are checked before any trial."""
        return self.values


Dimension = Range | Choices


def read_space(assignments: Iterable[str]) -> tuple[tuple[Dimension, ...], list[str]]:
    """Part what is to be chosen from what is fixed.

    >>> space, fixed = read_space(["lr=1e-3..1e-1", "optimizer=sgd|adamw", "epochs=3"])
    >>> [str(each) for each in space], fixed
    (['optimizer.lr=log:0.001..0.1', 'optimizer.name=sgd|adamw'], ['epochs=3'])

    Raises:
        InputError: no such setting, one that is given twice, or no range.
    """
    space: list[Dimension] = []
    fixed: list[str] = []
    keys: set[str] = set()
    for assignment in assignments:
        parse(assignment)  # refuses what is no key=value at all
        word, _, text = assignment.partition("=")
        key = full_key(word.strip())
        if key in keys:
            raise InputError(f"{key} is given twice")
        keys.add(key)
        dimension = _dimension(key, text.strip())
        if dimension is None:
            fixed.append(assignment)
        else:
            space.append(dimension)
    return tuple(space), fixed


def settings_for(space: Sequence[Dimension], values: Mapping[str, Value]) -> list[str]:
    """Return the values of a trial as `key=value` settings of a recipe."""
    return [f"{each.key}={_written(values[each.key])}" for each in space]


def check_space(recipe: Recipe, space: Sequence[Dimension]) -> list[Recipe]:
    """See that every end of every range, and every choice, fits the recipe by itself or together with others'.

    Returns:
        The recipes that were found to fit, one for each such value.

    Raises:
        InputError: the key, and what was expected of it; nothing to choose; or a setting that cannot be chosen so.
    """
    if not space:
        raise InputError(
            "nothing to choose: give a range, such as lr=1e-3..1e-1, or choices, such as optimizer=sgd|adamw"
        )
    for each in space:
        for start, reason in {**_NOT_CHOSEN, **(_OF_RECONSTRUCTIONS if recipe.objective.reconstructs else {})}.items():
            if each.key == start or (start.endswith(".") and each.key.startswith(start)):
                raise InputError(f"{each.key} cannot be chosen by trials: {reason}")
    return [_fitting(recipe, space, each, value) for each in space for value in each.ends]


def own_values(recipe: Recipe, space: Sequence[Dimension]) -> dict[str, Value]:
    """Return the values that the recipe itself has, of those settings whose range or choices hold them.

    A network's arguments that are left out have the network's defaults.
    """
    found: dict[str, Value] = {}
    for each in space:
        own = _own_value(recipe, each.key)
        if isinstance(each, Range):
            if each.holds(own):
                found[each.key] = int(own) if each.whole else float(own)
        else:
            same = (text for text in each.values if _means(recipe, f"{each.key}={text}", each.key, own))
            text = next(same, None)
            if text is not None:
                found[each.key] = text
    return found


def of_one_course(space: Sequence[Dimension]) -> bool:
    """Tell whether all trials are equally far on their way after an epoch, so that they can be compared there."""
    return not any(each.key.startswith(_COURSE) for each in space)


def _own_value(recipe: Recipe, key: str) -> Any:
    """Return a setting's checked value; None where it is left out and has no default."""
    values: Any = recipe.model_dump()
    if is_network(recipe.model.name):
        values["model"]["arguments"] = {**network_named(recipe.model.name).arguments, **recipe.model.arguments}
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _means(recipe: Recipe, setting: str, key: str, value: Any) -> bool:
    """Tell whether a setting gives a recipe that value."""
    try:
        return bool(_own_value(with_settings(recipe, [setting]), key) == value)
    except InputError:  # it fits the recipe only together with others
        return False


def _fitting(recipe: Recipe, space: Sequence[Dimension], wanted: Dimension, value: Value) -> Recipe:
    """Return a recipe with that value: as it is otherwise, or else with the others' first or last ones."""
    ways: list[dict[str, Value]] = [{}]
    ways += [{each.key: each.ends[place] for each in space if each is not wanted} for place in (0, -1)]
    refusal: InputError | None = None
    for others in ways:
        settings = [f"{key}={_written(each)}" for key, each in {**others, wanted.key: value}.items()]
        try:
            return with_settings(recipe, settings)
        except InputError as error:
            refusal = refusal or error
    raise refusal or InputError(f"{wanted} does not fit {recipe.name}")


def _dimension(key: str, text: str) -> Dimension | None:
    numbers = _numbers(key)
    found = _RANGE.fullmatch(text)
    if "|" in text:
        values = tuple(part.strip() for part in text.split("|"))
        if not all(values) or len(set(values)) < len(values):
            raise InputError(f"{key}={text}: expected different choices, as in a|b|c")
        return Choices(key, values)
    if found is None:
        return None
    scale, low, high = found[1], _number(found[2]), _number(found[3])
    if not numbers:
        if low is not None and high is not None:
            raise InputError(f"{key}={text}: it takes no numbers between others; give choices, as in a|b|c")
        return None  # a path, perhaps
    if low is None or high is None:
        raise InputError(f"{key}={text}: expected two numbers, as in {key}=1..10 or {key}=log:0.001..0.1")
    if low >= high:
        raise InputError(f"{key}={text}: the low end comes first, and below the high one")
    whole = isinstance(low, int) and isinstance(high, int) and int in numbers
    if numbers == {int} and not whole:
        raise InputError(f"{key}={text}: it takes whole numbers")
    if scale == "log" and low <= 0:
        raise InputError(f"{key}={text}: a logarithmic range begins above 0")
    log = scale == "log" or (scale is None and not whole and low > 0 and high >= TENFOLD * low)
    return Range(key, low if whole else float(low), high if whole else float(high), whole, log)


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text.strip()):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _written(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _numbers(key: str) -> set[type]:
    """Return which kinds of numbers a setting takes: `int`, `float`, both or none."""
    section, _, name = key.rpartition(".")
    if section == "model.arguments":
        return {int, float}
    fields = Recipe.model_fields
    if section:
        part = fields[section].annotation
        if not (isinstance(part, type) and issubclass(part, Section)):
            return set()
        fields = part.model_fields
    return _kinds(fields[name].annotation)


def _kinds(annotation: Any) -> set[type]:
    if annotation in (int, float):
        return {annotation}
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*(_kinds(each) for each in get_args(annotation)))
    return set()
