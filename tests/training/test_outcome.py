"""The report of a training says what its run and its model do, of the weights that were kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retinula.models.catalog import build
from retinula.models.summary import summarize
from retinula.recipe.files import load_recipe
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.training import outcome
from retinula.training.outcome import training_report
from retinula.transforms.preprocess import Preprocess
from retinula.version import __version__
from small_runs import epoch_row

VALUES = (0.5, 0.75, 0.625)  # the best is not the last


def reported(folder: Path, **provenance: Any) -> tuple[dict[str, Any], Model]:
    """The report of three epochs of four steps, of 1, 2 and 3 seconds; and the model."""
    recipe = load_recipe("digits", ["seed=7"])
    run = create_run(recipe, {"data": {}, "machine": {"cpus": 2}, "versions": {"torch": "x"}}, "mine", folder)
    for epoch, value in enumerate(VALUES, start=1):
        loss, of_validation = {"loss": 1 - value, "accuracy": value / 2}, {"val_loss": 2 - value, "val_accuracy": value}
        speed = {"seconds": float(epoch), "images_per_second": 100.0 * epoch}
        run.add_metrics(epoch_row(epoch, 4 * epoch, **loss, **of_validation, **speed))
    preprocess = Preprocess(1, (8, 8), (0.5,), (0.5,))
    network = build("residual", num_classes=2, channels=1, size=(8, 8), width=0.25)
    of_training = {"kept": "best val_accuracy", "kept_step": 8, "hardware": "on cpu", **provenance}
    model = Model(network.eval(), "residual", {"width": 0.25}, ("ant", "bee"), preprocess, provenance=of_training)
    started = datetime.now(UTC) - timedelta(seconds=100)
    return training_report(run, recipe, {"name": "digits/train"}, model, started, earlier=1000.0), model


def test_a_report_says_what_run_and_model_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "peak_memory_mib", lambda: 12.5)
    report, model = reported(tmp_path, source={"name": "theirs"}, calibration={"temperature": 1.5})
    assert datetime.now(UTC) - datetime.fromisoformat(report.pop("finished")) < timedelta(minutes=1)
    assert 1100 <= report["training"].pop("seconds_in_all") < 1160
    recipe, summary = load_recipe("digits", ["seed=7"]), summarize(model.network, (1, 8, 8))
    assert report == {
        "retinula": __version__,
        "run": "mine",
        "recipe": "digits",
        "digest": recipe.digest(),
        "seed": 7,
        "task": "classification",
        "network": "residual",
        "parameters": summary.parameters,
        "multiply_adds": summary.multiply_adds,
        "data": {"name": "digits/train"},
        "source": {"name": "theirs"},
        "training": {
            "epochs": 3,
            "steps": 12,
            "of_steps": None,
            "kept": "best val_accuracy",
            "kept_step": 8,
            "loss": 0.25,
            "accuracy": 0.375,
            "val_loss": 1.25,
            "val_accuracy": max(VALUES),
            "hardware": "on cpu",
            "seconds": 6.0,
            "images_per_second": 233.3,
            "peak_memory_mib": 12.5,
        },
        "calibration": {"temperature": 1.5},
        "machine": {"cpus": 2},
        "versions": {"torch": "x"},
        "went_on": [],
        "evaluations": {},
    }


def test_of_weights_between_two_epochs_the_last_epoch_speaks(tmp_path: Path) -> None:
    report, _ = reported(tmp_path, kept_step=14)
    assert (report["training"]["kept_step"], report["training"]["val_accuracy"]) == (12, VALUES[-1])
    assert (report["source"], report["calibration"]) == (None, None)
