"""The tables of layers and classes."""

import csv
import json
from pathlib import Path

import pytest

from retinula.reproduction.tables import tables_of
from small_reproductions import finished_runs


def test_classes_and_layers_are_those_of_the_run(trained: Path) -> None:
    (run,) = finished_runs(trained)
    report = run.report()
    measured = report["evaluations"]["digits/test"]
    never = {"precision": None, "recall": None, "f1": None, "support": 0}
    measured["per_class"] = {"=1+1": never, **measured["per_class"]}
    run.report_file.write_text(json.dumps(report))
    tables = tables_of(run)
    assert list(tables) == ["layers.txt", "classes-test.csv"]
    head, formula, zero, *_, classes, pictures = csv.reader(tables["classes-test.csv"].splitlines())
    assert head == ["class", "precision", "recall", "F1", "pictures"]
    assert formula == ["'=1+1", "", "", "", "0"]
    own = measured["per_class"]["0"]
    assert zero == ["0", *(f"{own[key]:.6f}" for key in ("precision", "recall", "f1")), str(own["support"])]
    assert [classes[0], pictures[0]] == ["mean of the classes", "mean of the pictures"]
    assert float(pictures[2]) == pytest.approx(measured["accuracy"], abs=1e-6)
    assert int(pictures[4]) == measured["num_images"]
    layers = tables["layers.txt"].splitlines()
    assert layers[0].split() == ["layer", "kind", "output", "parameters", "multiply-adds"]
    assert layers[-2].startswith(f"parameters {report['parameters']:,}, ")
    assert layers[-1].startswith(f"memory for a batch of {run.recipe().training.batch_size}, MB: input ")
