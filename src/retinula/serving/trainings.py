"""What the page shows of trainings: a list of runs, one of them with its curves and settings, its report.

Only reads, and only below the folder of runs. Runs may be going on, damaged or foreign: what cannot be read of one
is left out. Knows nothing of HTTP but the refusals.
"""

import json
import tomllib
from pathlib import Path
from typing import Any, Final

from retinula.errors import RetinulaError
from retinula.run import Run, list_runs
from retinula.serving.refusals import Refusal
from retinula.settings import flat

REPORT: Final = "report.html"
MAX_RUNS: Final = 500  # the newest
MAX_EPOCHS: Final = 2000  # of a curve; of longer ones every second, third ... epoch is given
MAX_REPORT_BYTES: Final = 64 * 1024 * 1024

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
_CURVE_KEYS: Final = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")
_NO_SETTINGS: Final = frozenset({"name", "about", "source", "claims", "model.weights_sha256"})


def summaries(root: Path) -> list[dict[str, Any]]:
    """Describe the runs under `root` in a line each, the newest first."""
    return [_summary(run) for run in reversed(list_runs(root)[-MAX_RUNS:])]


def details(root: Path, name: str) -> dict[str, Any]:
    """Describe one run: its line, curves, results and settings.

    Raises:
        Refusal: not_found.
    """
    run = _find(root, name)
    rows = _metrics(run)
    step = -(-len(rows) // MAX_EPOCHS) or 1
    curves = [{key: row.get(key) for key in _CURVE_KEYS} for row in rows[::step]]
    return {
        **_summary(run),
        "curves": curves,
        "results": _results(_report(run)),
        "settings": _settings(_recipe(run)),
    }


def report_page(root: Path, name: str) -> bytes:
    """Return the report that `retinula report` wrote for a run.

    Raises:
        Refusal: not_found.
    """
    file = _find(root, name).path / REPORT
    try:
        if file.stat().st_size <= MAX_REPORT_BYTES:
            return file.read_bytes()
    except OSError:
        pass
    raise Refusal("not_found", f"there is no report of {name} yet; write it with: retinula report {name}")


def _find(root: Path, name: str) -> Run:
    # Looked up in the list and never joined to a path: a name cannot lead anywhere else.
    for run in list_runs(root):
        if run.name == name:
            return run
    raise Refusal("not_found", f"there is no training {name[:100]!r} here")


def _summary(run: Run) -> dict[str, Any]:
    report, rows, recipe = _report(run), _metrics(run), _recipe(run)
    training, last = _part(report, "training"), rows[-1] if rows else {}
    tests = [result for result in _results(report) if result.get("split") == "test" and "accuracy" in result]
    return {
        "name": run.name,
        "recipe": recipe.get("name"),
        "network": _part(recipe, "model").get("name"),
        "dataset": _without_folders(_part(recipe, "data").get("name")),
        "begun": _environment(run).get("started"),
        "finished": run.finished,
        "epochs": last.get("epoch", 0),
        "val_accuracy": training.get("val_accuracy", last.get("val_accuracy")),
        "test_accuracy": tests[0]["accuracy"] if tests else None,
        "seconds": training.get("seconds_in_all"),
        "parameters": report.get("parameters"),
        "report": (run.path / REPORT).is_file(),
    }


def _results(report: dict[str, Any]) -> list[dict[str, Any]]:
    found = [result for result in _part(report, "evaluations").values() if isinstance(result, dict)]
    return [{key: each[key] for key in _RESULT_KEYS if each.get(key) is not None} for each in found]


def _report(run: Run) -> dict[str, Any]:
    try:
        return run.report() if run.finished else {}
    except RetinulaError:
        return {}


def _environment(run: Run) -> dict[str, Any]:
    try:
        return run.environment()
    except RetinulaError:
        return {}


def _metrics(run: Run) -> list[dict[str, Any]]:
    try:
        return run.metrics()
    except (OSError, ValueError):
        return []


def _recipe(run: Run) -> dict[str, Any]:
    # As it stands in the file: an earlier version's recipe is worth showing, even where this one would not train it.
    try:
        return tomllib.loads(run.recipe_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _settings(recipe: dict[str, Any]) -> dict[str, Any]:
    """Write a recipe's settings flat, `optimizer.lr`, without what it says of itself."""
    return {key: _shown(value) for key, value in flat(recipe).items() if key not in _NO_SETTINGS}


def _shown(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return json.dumps([_shown(each) for each in value], default=str)
    return value if isinstance(value, int) else _without_folders(str(value))


def _without_folders(value: str | None) -> str | None:
    # Where on this machine something lies is nobody's business who only sees the page.
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _part(values: dict[str, Any], key: str) -> dict[str, Any]:
    part = values.get(key)
    return part if isinstance(part, dict) else {}
