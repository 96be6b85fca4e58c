"""What the page shows of trainings: a list of runs, one of them with its curves and settings, its report.

Only reads, and only ordinary files: a run's folder may be a link, its files may not, for links may lead anywhere. Runs
may be going on, damaged or foreign: what cannot be read of one, or is far larger than any training writes it, is left
out. Knows nothing of HTTP but the refusals.
"""

import json
import re
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, get_args

from markupsafe import escape

from retinula.errors import RetinulaError
from retinula.files.durable import read_bytes, read_text
from retinula.recipe.assignment import flat
from retinula.recipe.differences import last_part
from retinula.recipe.sections import Training, ValidationMetric
from retinula.runs.files import EpochRow
from retinula.runs.run import Run, list_runs
from retinula.serving.refusals import Refusal
from retinula.training.loss_words import only_in_training
from retinula.training.outline import Outline

MAX_RUNS: Final = 500  # the newest
MAX_EPOCHS: Final = 2000  # of a curve; of longer ones every second, third ... epoch is given
MAX_REPORT_BYTES: Final = 64 * 1024 * 1024
MAX_BYTES: Final = 32 * 1024 * 1024  # of what else is read; as much as the longest training has of epochs
MAX_RECIPE_BYTES: Final = 64 * 1024  # of a recipe, which is read in Python
MAX_DEPTH: Final = 8  # of lists and tables in one another; what lies deeper is left out

_RESULT_KEYS: Final = (
    "dataset",
    "split",
    "num_images",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "top5",
    "loss",
    "psnr",
)
_TRAINING: Final = Training.model_fields
_NO_SETTINGS: Final = frozenset({"name", "about", "source", "better", "claims", "model.weights_sha256"})


def summaries(root: Path) -> list[dict[str, Any]]:
    """Describe the runs under `root` in a line each, the newest first."""
    return [_plain(_summary(run)) for run in reversed(list_runs(root)[-MAX_RUNS:])]


def details(root: Path, name: str) -> dict[str, Any]:
    """Describe one run: its line, curves, results and settings, and what its training loss alone counts.

    Raises:
        Refusal: not_found.
    """
    run = _find(root, name)
    rows = _metrics(run)
    step = -(-len(rows) // MAX_EPOCHS) or 1
    told: dict[str, Any] = _plain(
        {
            **_summary(run),
            "curves": rows[::step],
            "only_in_training": _only_in_training(run),
            "results": _results(_report(run)),
            "settings": _settings(_recipe(run) or {}),
        }
    )
    return told


def report_page(root: Path, name: str) -> bytes:
    """Return the report that `retinula report` wrote for a run, without where on this machine things lie.

    Raises:
        Refusal: not_found.
    """
    run = _find(root, name)
    recipe = _recipe(run)  # without it nobody knows which places to leave out
    if recipe is not None and _is_own(run.report_page, MAX_REPORT_BYTES):
        try:
            return _without_places(read_bytes(run.report_page, MAX_REPORT_BYTES), run, recipe)
        except RetinulaError:
            pass
    raise Refusal("not_found", f"there is no report of {name} yet; write it with: retinula report {name}")


def _find(root: Path, name: str) -> Run:
    # Looked up in the list and never joined to a path: a name cannot lead anywhere else.
    for run in list_runs(root):
        if run.name == name:
            return run
    raise Refusal("not_found", f"there is no training {name[:100]!r} here")


def _is_own(file: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Tell whether a file lies in the run itself, and has no more bytes than are read of it; links are none."""
    try:
        found = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size <= max_bytes


def _summary(run: Run) -> dict[str, Any]:
    report, recipe = _report(run), _recipe(run) or {}
    training = _part(recipe, "training")
    usual: ValidationMetric = _TRAINING["metric"].default
    metric = next((name for name in get_args(ValidationMetric) if name == training.get("metric")), usual)
    keep = str(training.get("keep", _TRAINING["keep"].default))
    outline = Outline.told_by(report, _metrics(run), keep, metric, str(_part(recipe, "evaluation").get("tta", "none")))
    return {
        "name": run.name,
        "recipe": recipe.get("name"),
        "network": _part(recipe, "model").get("name"),
        # Where on this machine something lies is nobody's business who only sees the page.
        "dataset": last_part(_part(recipe, "data").get("name")),
        "begun": _environment(run).get("started"),
        "finished": run.report_file.exists(),
        "ended_early": outline.ended_early,
        "epochs": outline.epochs,
        "val_accuracy": outline.val_accuracy,
        "val_loss": outline.val_loss,
        "test_accuracy": outline.test_accuracy,
        "seconds": report["training"].get("seconds") if report else None,
        "parameters": report["parameters"] if report else None,
        "report": _is_own(run.report_page, MAX_REPORT_BYTES),
    }


def _results(report: dict[str, Any] | None) -> list[dict[str, Any]]:
    # Other pictures may be called as the run's own are; under what they stand in the report they differ.
    measured = report["evaluations"] if report else {}
    found = [{**result, "dataset": name.partition("/")[0]} for name, result in measured.items()]
    return [{key: each[key] for key in _RESULT_KEYS if each.get(key) is not None} for each in found]


def _report(run: Run) -> dict[str, Any] | None:
    try:
        return run.report() if _is_own(run.report_file) else None
    except RetinulaError:
        return None


def _environment(run: Run) -> dict[str, Any]:
    try:
        return run.environment() if _is_own(run.environment_file) else {}
    except RetinulaError:
        return {}


def _metrics(run: Run) -> list[EpochRow]:
    try:
        return run.metrics() if _is_own(run.metrics_file) else []
    except RetinulaError:
        return []


def _recipe(run: Run) -> dict[str, Any] | None:
    """Return a recipe as it stands in its file, even of an earlier version; None where it cannot be read."""
    if not _is_own(run.recipe_file, MAX_RECIPE_BYTES):
        return None
    try:
        recipe: dict[str, Any] = _plain(tomllib.loads(read_text(run.recipe_file)))
    except (ValueError, RecursionError):
        return None
    return recipe


def _only_in_training(run: Run) -> str:
    """Return what the loss in training counts and that of validation does not; nothing where the recipe is not read."""
    try:
        return only_in_training(run.recipe()) if _is_own(run.recipe_file, MAX_RECIPE_BYTES) else ""
    except RetinulaError:
        return ""


def _settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """Write a recipe's settings flat, `optimizer.lr`, without what it says of itself."""
    kept = {key: value for key, value in flat(recipe).items() if key not in _NO_SETTINGS and value is not None}
    return {key: _shown(value) for key, value in kept.items()}


def _shown(value: Any) -> Any:
    return json.dumps(_rounded(value)) if isinstance(value, list) else _rounded(value)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return [_rounded(each) for each in value] if isinstance(value, list) else last_part(value)


def _without_places(page: bytes, run: Run, recipe: dict[str, Any]) -> bytes:
    """Leave out of a report where its run lies, and what the recipe has a path of.

    On the disk its commands have the whole path and work everywhere; so changed, in the folder above the runs.
    """
    folder = run.path.resolve()
    places = {str(folder): f"{folder.parent.name}/{folder.name}"}
    given = flat(recipe).values()
    values = [
        each for value in given for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
    ]
    places |= {value: Path(value).name for value in values if Path(value).is_absolute()}
    for place, name in places.items():
        page = _renamed(_renamed(page, place, name), _in_shell(place), _in_shell(name))
    return page


def _renamed(page: bytes, place: str, name: str) -> bytes:
    written, new = (str(escape(text)).encode("utf-8", "surrogateescape") for text in (place, name))
    if written not in page:
        return page
    # A part of a longer word is something else, and in pictures, written as base64, anything short can occur.
    return re.sub(rb"(?<![\w+/.,-])" + re.escape(written) + rb"(?![\w+=-])", lambda _: new, page)


def _in_shell(text: str) -> str:
    return text.replace("'", "'\"'\"'")  # as `shlex.quote` has it between its quotes


def _plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return what JSON can write of a value: finite numbers, text, truth values, lists, tables; None for the rest."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # surrogates are no text
    if isinstance(value, int | float):
        return value if abs(value) <= sys.float_info.max else None
    if isinstance(value, dict) and depth:
        return {_plain(key): _plain(each, depth - 1) for key, each in value.items()}
    return [_plain(each, depth - 1) for each in value] if isinstance(value, list) and depth else None


def _part(values: dict[str, Any], key: str) -> dict[str, Any]:
    part = values.get(key)
    return part if isinstance(part, dict) else {}
