"""What a run has reached is told alike everywhere."""

from pathlib import Path

import pytest

from retinula.files.durable import write_json
from retinula.recipe.files import load_recipe
from retinula.runs.run import create_run
from retinula.training.outline import Outline
from small_runs import epoch_row, whole_report

REACHED = [
    (0.6, 0.5),
    (0.8, 0.4),
    (0.8, 0.3),
    (0.7, 0.2),
    (0.9, None),
]  # the last is never kept: its loss was not finite


@pytest.mark.parametrize(
    ("settings", "reached"),
    [
        ((), (0.8, 0.3)),
        (("metric=val_loss",), (0.7, 0.2)),
        (("keep=last",), (0.9, None)),
    ],
)
def test_an_unfinished_run_has_reached_what_it_would_keep(
    settings: tuple[str, ...], reached: tuple[float, float | None], tmp_path: Path
) -> None:
    run = create_run(load_recipe("digits", settings), {}, root=tmp_path)
    assert Outline.of(run, run.recipe(), run.metrics()) == Outline(0, None, None, None)
    for epoch, (accuracy, loss) in enumerate(REACHED, start=1):
        run.add_metrics(epoch_row(epoch, val_accuracy=accuracy, val_loss=loss))
    assert Outline.of(run, run.recipe(), run.metrics()) == Outline(5, *reached, test_accuracy=None)


def test_a_finished_run_has_reached_what_its_report_says(tmp_path: Path) -> None:
    run = create_run(load_recipe("digits", ["tta=mirror"]), {}, root=tmp_path)
    run.add_metrics(epoch_row(1, val_accuracy=0.1, val_loss=1.0))
    evaluations = {"digits/test": {"accuracy": 0.7}, "digits/test/mirror": {"accuracy": 0.75, "plain_accuracy": 0.7}}
    write_json(run.report_file, whole_report(training={"val_accuracy": 0.8}, evaluations=evaluations))
    assert Outline.of(run, run.recipe(), run.metrics()) == Outline(2, 0.8, None, 0.75, test_plain_accuracy=0.7)
    write_json(run.report_file, whole_report(training={"of_steps": 60}))
    assert Outline.of(run, run.recipe(), run.metrics()).ended_early
    evaluations["digits/test"]["plain_accuracy"] = 0.7
    single = create_run(load_recipe("digits"), {}, root=tmp_path)
    write_json(single.report_file, whole_report(evaluations=evaluations))
    assert Outline.of(single, single.recipe(), []).test_plain_accuracy is None, "it has no other looks"
