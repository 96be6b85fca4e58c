"""What the files of a run hold: its report, its surroundings, its epochs and steps; read and checked.

Anyone may have edited them, so that whoever reads them here need not look again: what is in its place has its kind,
and every number is finite. Knows nothing of where in a run's folder they lie.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any, Final, TypedDict, cast, get_args, get_type_hints

from retinula.errors import InputError
from retinula.files.durable import read_text
from retinula.files.strict_json import read_json


class StepRow(TypedDict):
    """A step, as `steps.csv` has it; it and its epoch are counted from 1."""

    step: int
    epoch: int
    loss: float
    learning_rate: float
    seconds: float


class EpochRow(TypedDict):
    """An epoch, as `metrics.jsonl` has it.

    `step` is its last one, both counted from 1. `accuracy` is None where labels were mixed or there are none, what
    begins with `val_` where there are no validation pictures, `val_loss` also where it was not finite.
    """

    epoch: int
    step: int
    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    seconds: float
    images_per_second: float | None


_WRITTEN_SECONDS: Final = 60.0  # in which a run that has begun has written its recipe
STEP_COLUMNS: Final = tuple(StepRow.__annotations__)
EPOCH_COLUMNS: Final = tuple(EpochRow.__annotations__)

# What a value has to be: one of the words below, a table with these keys, or a list of such values. The key `*` stands
# for any; what has a `?` behind its key may be null or missing.
_Kind = str | Mapping[str, "_Kind"] | list["_Kind"]
_TYPES: Final[dict[str, tuple[type, ...]]] = {"text": (str,), "number": (int, float), "whole number": (int,)}
_WORDS: Final = {int: "whole number", float: "number"}
_EPOCH: Final[_Kind] = {
    f"{key}{'?' if NoneType in get_args(hint) else ''}": next(
        _WORDS[kind] for kind in (hint, *get_args(hint)) if kind in _WORDS
    )
    for key, hint in get_type_hints(EpochRow).items()
}
_DENOISED: Final[_Kind] = {"noise": "number", "psnr": "number", "psnr_noised": "number"}
_EVALUATION: Final[_Kind] = {
    "num_images?": "whole number",
    "num_correct?": "whole number",
    "loss?": "number",
    "accuracy?": "number",
    "accuracy_low?": "number",
    "accuracy_high?": "number",
    "plain_accuracy?": "number",
    "top5?": "number",
    "psnr?": "number",
    "ssim?": "number",
    "linear_psnr?": "number",
    "denoising?": [_DENOISED],
}
_REPORT: Final[_Kind] = {
    "run": "text",
    "network": "text",
    "parameters": "whole number",
    "multiply_adds?": "whole number",
    "data": {
        "name": "text",
        "num_images": "whole number",
        "num_classes": "whole number",
        "num_validation_images?": "whole number",
        "num_skipped?": "whole number",
        "skipped?": [{"source": "text", "reason": "text"}],
    },
    "training": {
        "epochs": "whole number",
        "steps": "whole number",
        "of_steps?": "whole number",
        "kept": "text",
        "kept_step": "whole number",
        "loss?": "number",
        "accuracy?": "number",
        "val_loss?": "number",
        "val_accuracy?": "number",
        "seconds?": "number",
        "seconds_in_all?": "number",
    },
    "evaluations": {"*": _EVALUATION},
    "photos?": {"accuracy?": "number", "correct?": "whole number", "total?": "whole number"},
    "machine?": {"cores?": "whole number"},
    "versions?": {},
    "went_on?": [{"machine": {"cores?": "whole number"}, "versions": {}}],
}
_ENVIRONMENT: Final[_Kind] = {
    "data": {},
    "machine": {},
    "versions": {},
    "started?": "text",
    "digest?": "text",
    "command?": ["text"],
    "went_on?": [{"after_step": "whole number", "machine": {}, "versions": {}}],
}


def read_report(file: Path) -> dict[str, Any]:
    """Read the results of a finished run.

    Raises:
        InputError: the file cannot be read, or lacks what every training writes.
    """
    return _table(read_text(file), str(file), _REPORT)


def read_environment(file: Path) -> dict[str, Any]:
    """Read machine, versions, data and command of a run.

    Raises:
        InputError: the file cannot be read, or lacks what every training writes.
    """
    return _table(read_text(file), str(file), _ENVIRONMENT)


def read_epochs(file: Path) -> list[EpochRow]:
    """Read the epochs of a run; a last line that a kill cut short is left out.

    Raises:
        InputError: the file cannot be read, or a line of it is damaged.
    """
    rows = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if line.endswith("}"):
            place = f"{file}, line {number}"
            row = _table(line, place, _EPOCH)
            rows.append(cast("EpochRow", {key: row.get(key) for key in EPOCH_COLUMNS}))
    return rows


def read_steps(file: Path) -> list[StepRow]:
    """Read the steps of a run; a last row that a kill cut short is left out.

    Raises:
        InputError: the file cannot be read, or a row of it is damaged.
    """
    lines = read_text(file).splitlines()
    try:
        # A row that a kill cut short lacks a column, or has nothing in its last one.
        rows = [row for row in csv.reader(lines) if len(row) == len(STEP_COLUMNS) and row[-1]]
        steps = [tuple(map(float, row)) for row in rows[1:]]
    except (ValueError, csv.Error) as error:
        raise InputError(f"{file}: not readable as a table of numbers ({error})") from error
    if not all(math.isfinite(value) for step in steps for value in step):
        raise InputError(f"{file}: a row has a number that is not finite")
    if not all(step.is_integer() and epoch.is_integer() for step, epoch, *_ in steps):
        raise InputError(f"{file}: a row has a step or an epoch that is no whole number")
    return [
        StepRow(step=int(step), epoch=int(epoch), loss=loss, learning_rate=rate, seconds=seconds)
        for step, epoch, loss, rate, seconds in steps
    ]


def begun_at(environment: Path, recipe: Path) -> tuple[float, bool, float]:
    """Return what tells which of two runs was begun later: the greater one's.

    A run was begun when its environment says, or where that is missing, when its recipe was written. Of two begun
    within one second the recipes tell; a copy, whose recipe was written long after the run began, comes before what it
    is a copy of.

    Raises:
        OSError: there is no recipe, or nobody may look.
    """
    written = recipe.stat().st_mtime
    try:
        started = datetime.fromisoformat(json.loads(read_text(environment))["started"])
        seconds = started.replace(tzinfo=started.tzinfo or UTC).timestamp()
    except (LookupError, TypeError, ValueError, RecursionError):
        return written, True, written
    return seconds, written < seconds + _WRITTEN_SECONDS, written


def evaluation_key(dataset: str, split: str, tta: str) -> str:
    """Return under what a report has a measurement.

    >>> evaluation_key("digits", "test", "none"), evaluation_key("digits", "test", "mirror")
    ('digits/test', 'digits/test/mirror')
    """
    return f"{dataset}/{split}" + ("" if tta == "none" else f"/{tta}")


def own_evaluation(report: Mapping[str, Any], tta: str, split: str = "test") -> dict[str, Any]:
    """Return what a report says of the run's own pictures of a split; empty where they were not measured.

    Args:
        report: of the run, as `read_report` gives it.
        tta: the averaging that its recipe asks for.
        split: which pictures.
    """
    # Of a folder the last part of its path, where the recipe has all of it.
    dataset = report["data"]["name"].removesuffix("/train")
    found: dict[str, Any] = report["evaluations"].get(evaluation_key(dataset, split, tta), {})
    return found


def ended_early(report: Mapping[str, Any]) -> str:
    """Say where a training was ended before its last step, by somebody's wish; nothing where it came to its end.

    >>> ended_early({"training": {"steps": 7500, "of_steps": 62500}})
    'ended at step 7,500 of 62,500'
    """
    training = report["training"]
    planned = training.get("of_steps")
    return "" if planned is None else f"ended at step {training['steps']:,} of {planned:,}"


def step_lines(rows: Iterable[StepRow]) -> str:
    """Write steps as lines of `steps.csv`."""
    form = "{step},{epoch},{loss:.9g},{learning_rate:.9g},{seconds:.6f}\n"  # in the order of `STEP_COLUMNS`
    return "".join(form.format_map(row) for row in rows)


def _table(text: str, place: str, kind: _Kind) -> dict[str, Any]:
    try:
        content = read_json(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{place}: expected a JSON object")
    _check(content, kind, place, "")
    return content


def _check(value: Any, kind: _Kind, place: str, name: str) -> None:
    """See that a value is of a kind, and what is in it.

    Raises:
        InputError: naming `place` and the value's own `name` in it.
    """
    if isinstance(kind, str):
        right = isinstance(value, _TYPES[kind]) and not isinstance(value, bool)
        if not right or (kind == "whole number" and value < 0):
            raise InputError(f"{place}: {name!r} is no {kind}{' of 0 or more' if kind == 'whole number' else ''}")
    elif isinstance(kind, list):
        if not isinstance(value, list):
            raise InputError(f"{place}: {name!r} is no list")
        for number, each in enumerate(value):
            _check(each, kind[0], place, f"{name}[{number}]")
    else:
        if not isinstance(value, dict):
            raise InputError(f"{place}: {name!r} is no table")
        for wanted, inner in kind.items():
            key = wanted.removesuffix("?")
            for found in value if key == "*" else (key,):
                each = value.get(found)
                if found not in value and key == wanted:
                    raise InputError(f"{place}: there is no {_inside(name, found)!r} in it")
                if each is not None or key == wanted:
                    _check(each, inner, place, _inside(name, found))


def _inside(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
