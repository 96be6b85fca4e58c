"""Trainings that were ended early stand apart from whole ones, and are judged only by what was claimed of the way."""

import json
from pathlib import Path

import pytest

from retinula.recipe.files import load_recipe
from retinula.recipe.sections import Claim
from retinula.reproduction.comparison import find_comparisons
from retinula.reproduction.finished import Finished
from retinula.reproduction.further import goes_further
from retinula.reproduction.measures import Measured, measure
from retinula.reproduction.records import RECORDS, keep_records
from retinula.reproduction.results import gather, results_list, results_page
from retinula.reproduction.runs import runs_for
from retinula.reproduction.table import make_rows
from retinula.runs.run import Run, create_run
from small_reproductions import CLAIMS, Listens, finished_runs, recipe, run_it, small
from small_runs import SURROUNDINGS, epoch_row, whole_report

MACHINE = {
    "machine": {"processor": "a processor", "accelerator": None, "cores": 2, "bfloat16_units": "none"},
    "versions": {},
    "python": "3.11",
}
CUT = {"training": {"of_steps": 62500, "steps": 7000, "epochs": 12, "val_loss": 2.5}}


def cnn(name: str, seed: int = 0, *, cut: bool = True, accuracy: float = 0.4) -> Run:
    """A made-up run of the published network on CIFAR-100, of 625 steps an epoch."""
    run = create_run(load_recipe("cifar100-cnn").changed(seed=seed), {**SURROUNDINGS, **MACHINE}, name, Path("runs"))
    measured = {"evaluations": {"cifar100/test": {"accuracy": accuracy, "loss": 2.0, "num_images": 10_000}}}
    data = {"name": "cifar100/train", "num_images": 40_000, "num_classes": 100}
    run.report_file.write_text(json.dumps(whole_report(data=data, **measured, **(CUT if cut else {}))))
    for epoch in range(1, 12):
        run.add_metrics(epoch_row(epoch, 625 * epoch, val_loss=5 - 0.25 * epoch))
    run.add_metrics(epoch_row(12, 7000, val_loss=2.4))
    return run


def test_the_loss_after_an_epoch_is_that_of_a_whole_epoch() -> None:
    run = Finished.read(cnn("one"))
    assert measure([run], "epoch_val_loss", 5) == Measured((3.75,))
    assert measure([run], "epoch_val_loss", 11) == Measured((2.25,))
    assert measure([run], "epoch_val_loss", 12) is None, "which was cut short"
    assert measure([run], "epoch_val_loss", 13) is None


def test_the_way_is_judged_and_the_end_is_shown() -> None:
    run = cnn("one")
    rows = {row.figure: row for row in make_rows(load_recipe("cifar100-cnn"), [Finished.read(run)])}
    assert rows["test accuracy"].cells == ("test accuracy", "57.54 ± 2.00 %", "40.00 % (n = 1)", "so far")
    assert rows["best validation loss"].verdict == rows["test loss"].verdict == "so far"
    assert rows["epochs until it stopped"].verdict == "only shown"
    assert rows["validation loss after epoch 5"].cells[1:] == ("3.1894 ± 0.1000", "3.7500 (n = 1)", "no, worse")
    assert rows["validation loss after epoch 10"].verdict == "no, worse"
    assert rows["validation loss after epoch 20"].verdict == "not measured"


def test_they_stand_apart_on_the_page_and_go_no_further() -> None:
    cnn("whole", cut=False, accuracy=0.57)
    cnn("cut")
    cnn("cut-too", 1)
    groups = gather([Path("runs")])
    assert [len(group) for group in groups] == [1, 2]
    page = results_page(groups)
    assert "| cifar100-cnn | as shipped | 0 |" in page
    assert "| cifar100-cnn | as shipped, ended at step 7,000 of 62,500 | 0, 1 |" in page
    assert "\n## cifar100-cnn\n" in page
    assert "\n## cifar100-cnn, ended at step 7,000 of 62,500\n" in page
    assert [each["settings"] for each in results_list(groups)] == [
        "as shipped",
        "as shipped, ended at step 7,000 of 62,500",
    ]
    assert not find_comparisons(groups)
    usual = load_recipe("cifar100-cnn")
    for better, work, finding in (
        (groups[0], groups[0], "cannot be told apart"),
        (groups[0], groups[1], "not measured"),
        (groups[1], groups[0], "not measured"),
    ):
        further = goes_further(usual.model_copy(update={"better": "cifar100-cnn"}), work, [better])
        assert further is not None
        assert further.finding == finding


@pytest.mark.usefixtures("_undrawn")
def test_a_reproduction_uses_it_and_says_so(trained: Path) -> None:
    (run,) = finished_runs(trained, of=small())
    report = run.report()
    report["training"]["of_steps"] = 1000
    run.report_file.write_text(json.dumps(report))
    listens = Listens()
    claims = (*CLAIMS[:2], Claim(metric="photos_accuracy", value=0.5, tolerance=0.1))
    photos = Path("mine")
    photos.mkdir()
    of = small().model_copy(update={"claims": claims})
    assert runs_for(of, 1, root=Path("runs"), reporter=listens) == [run]
    steps = report["training"]["steps"]
    assert listens.said == [
        f"seed 0: {run.path} is finished, ended at step {steps} of 1,000; move it away to train a whole one"
    ]
    accuracy, loss, asked = run_it(of=of).rows
    assert accuracy.verdict == "so far"
    assert loss.verdict in ("yes", "no, worse", "no, better")
    assert asked.verdict in ("not measured", "so far")


def test_a_run_with_the_same_settings_is_another_one(trained: Path) -> None:
    one, two = finished_runs(trained, 2)
    report = two.report()
    report["training"]["of_steps"] = 1000
    two.report_file.write_text(json.dumps(report))
    assert [[each.run for each in group] for group in gather([Path("runs")])] == [[one], [two]]
    assert recipe().digest() == one.recipe().digest()


def test_the_record_of_a_whole_one_stays() -> None:
    kept = keep_records([cnn("whole", cut=False, accuracy=0.57), cnn("cut")])
    assert len({record.path for record in kept}) == 2
    assert kept[1].path.name.endswith("-step7000")
    assert [len(record.metrics()) for record in kept] == [12, 12]
    assert [each.evaluation()["accuracy"] for (each,) in gather([RECORDS])] == [0.57, 0.4]
