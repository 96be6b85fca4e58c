import json
from pathlib import Path
from typing import Any

import pytest

from retinula.recipe.files import load_recipe
from retinula.reproduction.finished import Finished
from retinula.reproduction.measures import AVERAGED_STEPS, Measured, measure, num_images
from retinula.runs.run import create_run
from small_runs import step_row, whole_report


def finished(tmp_path: Path, report: dict[str, Any] | None = None, *, losses: tuple[float, ...] = ()) -> Finished:
    """A run that says what it is told to."""
    run = create_run(load_recipe("digits"), {}, root=tmp_path)
    run.add_steps(step_row(number, loss=loss, seconds=number / 1000) for number, loss in enumerate(losses, start=1))
    run.report_file.write_text(json.dumps(whole_report(**(report or {}))))
    return Finished.read(run)


def test_mean_and_deviation() -> None:
    assert Measured((0.5,)).mean == 0.5
    assert Measured((0.5,)).deviation is None
    assert Measured((1.0, 2.0, 3.0)).deviation == pytest.approx(1.0)


def test_what_every_run_has_is_gathered_and_what_one_lacks_is_not(tmp_path: Path) -> None:
    one = finished(tmp_path, {"evaluations": {"digits/test": {"accuracy": 0.9, "loss": 0.3}}})
    two = finished(tmp_path, {"evaluations": {"digits/test": {"accuracy": 0.7}}, "training": {"seconds": 3.0}})
    assert measure([one, two], "accuracy") == Measured((0.9, 0.7))
    assert measure([one, two], "loss") is None
    assert measure([one], "loss") == Measured((0.3,))
    assert measure([two], "seconds") == Measured((3.0,))
    assert measure([two], "epochs") == Measured((2.0,))
    assert measure([two], "train_accuracy") is None
    assert measure([two], "photos_accuracy") is None
    assert measure([finished(tmp_path, {"photos": {"accuracy": 0.25}})], "photos_accuracy") == Measured((0.25,))
    assert measure([one], "val_loss") is None


def test_a_steps_loss_is_the_mean_up_to_it(tmp_path: Path) -> None:
    run = finished(tmp_path, losses=tuple(float(number) for number in range(1, 301)))
    assert measure([run], "step_loss", 200) == Measured((150.5,))
    assert measure([run], "step_loss", 10) == Measured((5.5,))
    assert measure([run], "step_loss", 301) is None
    assert measure([run], "lowest_step_loss") == Measured((1.0,))
    assert measure([run], "step_seconds") == Measured((0.1505,))
    assert measure([finished(tmp_path)], "step_seconds") is None
    assert AVERAGED_STEPS == 100


def test_the_gain_of_denoising_is_at_one_noise(tmp_path: Path) -> None:
    levels = [{"noise": 0.05, "psnr": 30.0, "psnr_noised": 26.0}, {"noise": 0.1, "psnr": 26.5, "psnr_noised": 20.0}]
    run = finished(tmp_path, {"evaluations": {"digits/test": {"denoising": levels}}})
    assert measure([run], "psnr_gain") == Measured((6.5,))


def test_a_code_is_measured_by_how_far_it_is_above_the_linear_one(tmp_path: Path) -> None:
    for psnr, linear, wanted in ((30.0, 28.5, Measured((1.5,))), (1e308, -1e308, None)):  # no number holds the last
        run = finished(tmp_path, {"evaluations": {"digits/test": {"psnr": psnr, "linear_psnr": linear}}})
        assert measure([run], "psnr_over_linear") == wanted


def test_a_recipe_that_averages_is_measured_averaging(tmp_path: Path) -> None:
    run = create_run(load_recipe("digits", ["tta=mirror"]), {}, root=tmp_path)
    evaluations = {"digits/test": {"loss": 1.0}, "digits/test/mirror": {"loss": 2.0}, "digits/train": {"loss": 3.0}}
    run.report_file.write_text(json.dumps(whole_report(evaluations=evaluations)))
    assert run.evaluation() == {"loss": 2.0}
    assert run.evaluation("train") == {}


def test_a_single_look_is_told_of_recipes_that_average_and_of_others(tmp_path: Path) -> None:
    averaged = create_run(load_recipe("digits", ["tta=mirror"]), {}, root=tmp_path)
    single = create_run(load_recipe("digits"), {}, root=tmp_path)
    for key, told in (("plain_accuracy", 0.7), ("accuracy", None)):
        evaluations = {"digits/test": {"accuracy": 0.6}, "digits/test/mirror": {"accuracy": 0.8, "num_images": 9}}
        evaluations["digits/test/mirror"] |= {} if told is None else {key: told}
        for run in (averaged, single):
            run.report_file.write_text(json.dumps(whole_report(evaluations=evaluations)))
        by_many, by_one = Finished.read(averaged), Finished.read(single)
        assert measure([by_many], "plain_accuracy") == (None if told is None else Measured((told,)))
        assert measure([by_one], "plain_accuracy") == Measured((0.6,)), "reports of earlier versions lack it"
        assert (num_images([by_many, by_many]), num_images([by_one])) == ((9,), ())


def test_a_folders_measurements_are_found_by_its_name(tmp_path: Path) -> None:
    run = create_run(load_recipe("digits", ["data.name=/home/me/photos"]), {}, root=tmp_path)
    report = whole_report(data={"name": "photos/train"}, evaluations={"photos/test": {"loss": 1.0}})
    run.report_file.write_text(json.dumps(report))
    assert run.evaluation() == {"loss": 1.0}
