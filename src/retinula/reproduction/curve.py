"""The curve of the test pictures over a training, measured after the fact from the models kept after each epoch.

The published works watched the test set while they trained. Nothing here can have chosen by it: training is over.
"""

import json
from pathlib import Path
from typing import Any

from retinula.evaluation.measuring import evaluate
from retinula.files.durable import MAX_TEXT_BYTES, read_bytes, write_json
from retinula.images import ImageSet
from retinula.runs.run import Run
from retinula.trained.model_file import Model
from retinula.training.reporting import Reporter


def curve_on_test(run: Run, test_set: ImageSet, reporter: Reporter) -> list[dict[str, Any]]:
    """Return the rows of a run's epochs with `test_loss` and `test_accuracy` (None for a reconstruction) of each.

    Empty where the run kept no models. What was measured is kept in `epochs/test.json`.

    Args:
        run: a finished one.
        test_set: its own test pictures, as `run_data.own_pictures` gives them.
        reporter: told how far it is.

    Raises:
        InputError: what lies in the place of that file is none, or may not be read.
    """
    rows = [row for row in run.metrics() if run.snapshot_file(row["epoch"]).exists()]
    if not rows:
        return []
    file = run.snapshots / "test.json"
    known = _known(file)
    missing = [row["epoch"] for row in rows if str(row["epoch"]) not in known]
    for number, epoch in enumerate(missing, start=1):
        reporter.loading("measuring epochs", number, len(missing))
        result = evaluate(Model.load(run.snapshot_file(epoch)), test_set, split="test", progress=False).to_dict()
        known[str(epoch)] = {"test_loss": result["loss"], "test_accuracy": result.get("accuracy")}
        write_json(file, known)
    return [{**row, **known[str(row["epoch"])]} for row in rows]


def _known(file: Path) -> dict[str, dict[str, float | None]]:
    if not file.exists():
        return {}
    content = read_bytes(file, MAX_TEXT_BYTES)
    try:
        known = json.loads(content)
    except (ValueError, RecursionError):
        return {}  # damaged: measured anew
    return known if isinstance(known, dict) and all(map(_is_measured, known.values())) else {}


def _is_measured(row: Any) -> bool:
    """Tell whether a value has the form of what was measured of an epoch."""
    if not isinstance(row, dict) or row.keys() != {"test_loss", "test_accuracy"}:
        return False
    return all(value is None or isinstance(value, int | float) for value in row.values())
