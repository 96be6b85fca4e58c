"""A search keeps the best by validation, goes on after whatever stopped it, and refuses what it cannot compare."""

import contextlib
import csv
import errno
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock, Timeout

from command_line import run_command
from retinula import experiment, extras
from retinula.cli import trials as terminal
from retinula.datasets.reading import Dataset
from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.evaluation import run_data
from retinula.files.durable import explained
from retinula.images import ImageSet
from retinula.plots.figure import save
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.files import EpochRow
from retinula.runs.run import Run, list_runs
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.training.reporting import StepProgress
from retinula.tuning import ledger, search
from retinula.tuning import tune as finding
from retinula.tuning.search import TuningReporter
from retinula.tuning.space import read_space
from retinula.tuning.study import Study, as_good_as, ranked
from retinula.tuning.tune import Tuning, tune

MakeSet = Callable[..., ImageSet]
QUICK = ("epochs=2", "model.arguments.width=0.25", "batch_size=32")
RATE = "lr=0.001..0.5"


@pytest.fixture(autouse=True)
def splits(tmp_path: Path, make_set: MakeSet, monkeypatch: pytest.MonkeyPatch) -> dict[str, ImageSet]:
    """What loading gives, in an empty folder, on hardware that is not measured; runs are not drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: Hardware("cpu", 1, False, "float32", "for the test"))
    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: [])
    monkeypatch.setattr(experiment, "made_trustworthy", lambda model, *_: model)
    monkeypatch.setattr(finding, "save", lambda figure, folder, name: [folder / f"{name}.png"])
    found = {"train": make_set(60)}
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("made", dict(found)))  # type: ignore[arg-type]  # names of splits
    return found


def searched(*settings: str, **options: Any) -> Tuning:
    return tune("digits", [*QUICK, *settings], **options)


def reached(tuning: Tuning) -> list[tuple[str, dict[str, Any], float | None]]:
    return [(trial.state, dict(trial.values), trial.value) for trial in tuning.trials]


class Stops(TuningReporter):
    """Raises in a trial, after so many steps of it."""

    def __init__(self, trial: int, step: int, error: BaseException) -> None:
        self._wanted, self._error = (trial, step), error
        self._trial = -1

    def trial_begins(self, number: int, wanted: int, settings: Any) -> None:
        self._trial = number

    def step(self, progress: StepProgress) -> None:
        if (self._trial, progress.step) == self._wanted:
            raise self._error


class Told(TuningReporter):
    """Keeps messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def no_training(*_: Any, **__: Any) -> None:
    raise AssertionError("something was trained")


def test_the_best_by_validation_is_kept_as_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as drawing:
        drawing.setattr(finding, "save", save)
        found = searched(RATE, "optimizer=sgd|adamw", trials=4)
    assert found.study.path == Path("studies/digits")
    assert [trial.state for trial in found.trials] == ["finished"] * 4
    assert found.trials[0].values == {"optimizer.lr": 0.1, "optimizer.name": "sgd"}, "the recipe's own come first"
    assert len({str(trial.values) for trial in found.trials}) == 4
    assert found.best is not None
    assert found.best.value == max(trial.value or 0 for trial in found.trials)
    for trial in found.trials:
        run = found.study.run(trial.number)
        assert run.report()["training"]["val_accuracy"] == trial.value
        assert run.recipe().optimizer.lr == trial.values["optimizer.lr"]
        assert run.report()["evaluations"] == {}

    best = load_recipe(found.study.best_file)
    assert best == found.recipe
    assert (best.name, best.optimizer.lr) == ("digits-tuned", found.best.values["optimizer.lr"])
    experiment.train(str(found.study.best_file), run="again")
    again = Run(Path("runs/again"))
    assert again.report()["training"]["val_accuracy"] == found.best.value
    assert again.recipe().digest() == found.study.run(found.best.number).recipe().digest()

    with found.study.table_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_accuracy"]) for row in rows] == [trial.value for trial in found.trials]
    assert [float(row["optimizer.lr"]) for row in rows] == [trial.values["optimizer.lr"] for trial in found.trials]
    assert all(path.stat().st_size > 1000 for path in found.figures)
    monkeypatch.setattr(experiment, "train", no_training)
    assert reached(searched(RATE, "optimizer=sgd|adamw", trials=4)) == reached(found)
    assert reached(tune(study="studies/digits", trials=2)) == reached(found)
    given = {
        "epochs": 2,
        "model.arguments": {"width": 0.25},
        "batch_size": 32,
        "lr": "0.001..0.5",
        "optimizer": "sgd|adamw",
    }
    assert reached(tune("digits", given, trials=4, root="runs")) == reached(found)


class Killed(BaseException):
    """What no handler expects."""


@pytest.mark.parametrize("error", [Interrupted("stopped"), Killed()], ids=["stopped", "killed"])
@pytest.mark.parametrize("step", [1, 3])
def test_a_search_that_was_cut_ends_as_if_it_had_not_been(error: BaseException, step: int) -> None:
    whole = searched(RATE, trials=3, study="whole")
    with pytest.raises(type(error)) as caught:
        searched(RATE, trials=3, study="cut", reporter=Stops(2, step, error))
    if isinstance(error, Interrupted):
        assert str(caught.value).endswith("go on with: retinula tune --study cut --trials 3")
    assert [line.split(",")[1] for line in Path("cut/trials.csv").read_text().splitlines()] == ["state", "finished"]
    assert load_recipe("cut/best.toml").optimizer.lr == 0.1
    gone_on = tune(study="cut", trials=3)
    assert reached(gone_on) == reached(whole)
    assert "going on from step" in gone_on.study.run(2).log_file.read_text()


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every trial reach the same at once."""
    monkeypatch.setattr(search.Search, "_outcome", lambda *_: ledger.Outcome("finished", 0.5))


@pytest.mark.usefixtures("untrained")
def test_a_search_goes_on_by_its_own_seed_unless_another_is_given() -> None:
    whole = searched(RATE, trials=4, seed=7, study="whole")
    assert reached(searched(RATE, trials=4, study="other"))[1:] != reached(whole)[1:]
    told = Told()
    searched(RATE, trials=2, seed=7, study="cut", reporter=told)
    assert reached(tune(study="cut", trials=3, reporter=told)) == reached(whole)[:3]
    assert reached(searched(RATE, trials=4, seed=7, study="cut", reporter=told)) == reached(whole)
    assert [line for line in told.lines if "seed" in line] == []
    shutil.copytree("cut", "copy")
    changed = tune(study="cut", trials=5, seed=8, reporter=told)
    assert reached(tune(study="copy", trials=5))[4] != reached(changed)[4]
    tune(study="cut", trials=5, seed=8, reporter=told)
    tune(study="cut", trials=5, reporter=told)
    assert [line for line in told.lines if "seed" in line] == ["cut drew by seed 7 so far; from now on by seed 8"]


@pytest.mark.usefixtures("untrained")
def test_trials_count_from_1_but_in_a_study_that_was_begun_from_0() -> None:
    assert [trial.number for trial in searched(RATE, trials=2).trials] == [1, 2]
    shutil.copytree("studies/digits", "earlier")
    with contextlib.closing(sqlite3.connect("earlier/study.db")) as database, database:
        assert database.execute("DELETE FROM study_user_attributes WHERE key = 'first'").rowcount == 1
    now, earlier = (tune(study=study, trials=3) for study in ("studies/digits", "earlier"))
    assert [trial.number for trial in earlier.trials] == [0, 1, 2]
    assert reached(earlier) == reached(now)


@pytest.mark.usefixtures("untrained")
def test_what_a_kill_left_unwritten_is_written_before_it_is_named() -> None:
    found = searched(RATE, trials=2)
    written = [file.read_bytes() for file in (found.study.best_file, found.study.table_file)]
    found.study.best_file.unlink()
    found.study.table_file.write_text("older")
    tune(study=found.study.path, trials=2)
    assert [file.read_bytes() for file in (found.study.best_file, found.study.table_file)] == written


@pytest.mark.usefixtures("untrained")
def test_no_process_writes_what_it_read_before_another(monkeypatch: pytest.MonkeyPatch) -> None:
    alone: dict[str, list[bool]] = {"trials": [], "write_best": [], "write_table": []}
    for place, name in ((ledger.Ledger, "trials"), (search, "write_best"), (search, "write_table")):
        real = getattr(place, name)

        def noted(*given: Any, real: Any = real, name: str = name) -> Any:
            lock = FileLock("studies/digits/.locks/study.lock", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                alone[name].append(True)
            else:
                lock.release()
                alone[name].append(False)
            return real(*given)

        monkeypatch.setattr(place, name, noted)
    searched(RATE, trials=1)
    assert alone == {"trials": [True, True], "write_best": [True, True], "write_table": [True, True]}


def test_cut_before_its_first_file_or_after_its_last() -> None:
    with pytest.raises(Killed):
        searched(RATE, trials=2, reporter=Stops(2, 1, Killed()))
    run = Study(Path("studies/digits")).run(2)
    shutil.rmtree(run.path)
    found = tune(study="studies/digits", trials=2)
    assert [trial.state for trial in found.trials] == ["finished", "finished"]
    assert run.finished


def test_what_kills_the_process_again_and_again_is_left_aside() -> None:
    for _ in range(search.CUT_OFTEN + 1):
        with pytest.raises(Killed):
            searched(RATE, trials=2, reporter=Stops(1, 1, Killed()))
    found = searched(RATE, trials=2)
    assert [trial.state for trial in found.trials] == ["failed", "finished"]
    assert found.trials[0].reason == "it was taken up 3 times after step 0 and came no further"


def test_what_was_stopped_or_refused_by_a_disk_is_taken_up_as_often_as_it_takes() -> None:
    full = RetinulaError("cannot write x: No space left on device")
    full.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    for stop in [Interrupted("stopped")] * (search.CUT_OFTEN + 1) + [full] * (search.CUT_OFTEN + 1):
        with pytest.raises(type(stop), match=r"; go on with: retinula tune --study studies/digits --trials 1$"):
            searched(RATE, trials=1, reporter=Stops(1, 1, stop))
    (trial,) = searched(RATE, trials=1).trials
    assert (trial.state, trial.reason) == ("finished", "")


def test_an_epoch_that_the_ledger_did_not_hear_of_is_told_before_going_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ledger.Ledger.report

    def refused(self: ledger.Ledger, number: int, epoch: int, value: float) -> bool:
        if epoch == 2:
            raise RetinulaError("cannot write the study")
        return real(self, number, epoch, value)

    with monkeypatch.context() as patched:
        patched.setattr(ledger.Ledger, "report", refused)
        for _ in range(search.CUT_OFTEN + 1):
            with pytest.raises(RetinulaError, match="cannot write the study; go on with: "):
                searched(RATE, trials=1)
    found = searched(RATE, trials=1)
    (trial,) = found.trials
    assert len(found.study.run(1).metrics()) == 2, "its checkpoint was made before the ledger was told"
    assert (trial.state, trial.epochs) == ("finished", 2)


def test_what_is_worse_than_the_median_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def report(self: ledger.Ledger, number: int, epoch: int, value: float) -> bool:
        asked.append((number, epoch))
        return number != 1

    monkeypatch.setattr(ledger.Ledger, "report", report)
    found = searched(RATE, trials=2)
    assert [trial.state for trial in found.trials] == ["finished", "given up"]
    assert found.trials[1].reason == "its best so far is worse than the median after epoch 1"
    assert asked == [(1, 1), (1, 2), (2, 1)]
    assert not found.study.run(2).checkpoints.exists()
    assert found.best is not None
    assert found.best.number == 1


def test_a_trial_is_worth_the_best_that_it_has_reached_so_far() -> None:
    judged = ledger.Ledger(Study(Path("judged")), "val_accuracy")
    space, _ = read_space(["lr=0.01..1"])

    def reports(values: Sequence[float], reached: float | None = None) -> list[bool]:
        taken = judged.take(space, 9, 0, {})
        assert taken is not None
        given_up = [judged.report(taken.number, epoch, value) for epoch, value in enumerate(values, 1)]
        judged.end(taken, ledger.Outcome("given up" if reached is None else "finished", reached))
        return given_up

    for _ in range(ledger.STARTUP_TRIALS):
        assert reports((0.5, 0.7, 0.8), 0.8) == [False] * 3
    assert reports((0.85, 0.1, 0.1)) == [False] * 3, "its weights of the first epoch are the best yet"
    assert reports((0.6, 0.6, 0.75)) == [False, True, True]
    assert reports((0.1, 0.71, 0.6)) == [False, False, True], "after the first epoch nothing is given up"


def test_of_trials_with_the_same_accuracy_the_lowest_loss_is_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.3, 0.1, 0.1, 0.2])
    monkeypatch.setattr(search.Search, "_outcome", lambda *_: ledger.Outcome("finished", 0.5, loss=next(losses)))
    found = searched(RATE, trials=3)
    assert found.best is not None
    assert (found.best.number, [trial.number for trial in found.as_good]) == (2, [3])
    assert [trial.number for trial in ranked(found.trials, "val_accuracy")] == [2, 3, 1]
    report = found.to_dict()
    assert (report["best"], report["as_good"], [trial["loss"] for trial in report["trials"]]) == (
        2,
        [3],
        [0.3, 0.1, 0.1],
    )
    head = found.study.best_file.read_text().splitlines()[0]
    assert head.endswith("the first of those that are as good as each other on the validation pictures, with 3.")
    again = replace(found.trials[2], number=4, values=found.best.values)
    assert as_good_as(found.best, [*found.trials, again], "val_accuracy") == [found.trials[2]], "not the same settings"


def test_nothing_is_given_up_after_its_last_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger.Ledger, "report", lambda self, number, epoch, value: epoch == 2)
    assert [trial.state for trial in searched(RATE, trials=2).trials] == ["finished", "finished"]


def test_nothing_is_given_up_where_trials_are_not_equally_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger.Ledger, "report", lambda *_: True)
    found = tune("digits", ["epochs=2|3", *QUICK[1:]], trials=4)
    assert [trial.state for trial in found.trials] == ["finished"] * 4
    assert {run.recipe().training.epochs for run in list_runs(found.study.runs)} == {2, 3}


def test_weights_that_are_not_finite_in_the_end_say_where_not_to_look() -> None:
    found = tune("digits", ["epochs=1", "batch_size=60", QUICK[1], "lr=0.1|1e300"], trials=4)
    assert found.trials[0].state == "finished"
    diverged = [trial for trial in found.trials if trial.values["optimizer.lr"] == "1e300"]
    assert diverged
    for trial in diverged:
        run = found.study.run(trial.number)
        assert trial.state == "given up"
        assert trial.reason == f"{run.path}: the last steps left weights that are not finite"
        assert not run.checkpoints.exists()


def test_a_validation_loss_that_is_never_finite_says_where_not_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 1.0])
    monkeypatch.setattr(loop, "validate", lambda *_: (next(losses, float("inf")), 0.5))
    found = searched(RATE, "metric=val_loss", trials=2)
    assert [(trial.state, trial.reason) for trial in found.trials] == [
        ("finished", ""),
        ("given up", "no val_loss that is finite"),
    ]


def test_a_loss_that_is_not_finite_says_where_not_to_look() -> None:
    found = searched("lr=0.1|1e30", "augment.crop_padding=0|1", "optimizer=sgd", trials=4)
    assert found.best is not None
    diverged = [trial for trial in found.trials if trial.values["optimizer.lr"] == "1e30"]
    assert diverged
    for trial in diverged:
        assert trial.state == "given up"
        assert trial.reason.startswith("the loss is ")
        assert (found.study.run(trial.number).path / "failure").is_dir()


def test_settings_that_do_not_fit_together_fail_and_the_others_go_on() -> None:
    space = ("momentum=0.0|0.9", "nesterov=true|false")
    mixed = tune(load_recipe("digits", [*QUICK, "momentum=0", "nesterov=false"]), space, trials=12, seed=1)
    states = {(trial.values["optimizer.momentum"], trial.values["optimizer.nesterov"]): trial for trial in mixed.trials}
    assert states["0.0", "true"].state == "failed"
    assert "nesterov needs momentum above 0" in states["0.0", "true"].reason
    assert states["0.9", "true"].state == "finished"


def test_where_nothing_comes_to_its_end_it_says_why() -> None:
    with pytest.raises(
        RetinulaError, match=r"none of 2 trials in studies/digits came to its end; the last: the loss is"
    ):
        searched("lr=1e30|1e31", trials=2)
    assert not Path("studies/digits/best.toml").exists()


def test_the_same_settings_are_not_trained_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []
    real = experiment.train

    def train(recipe: Recipe, **options: Any) -> Any:
        trained.append(recipe.optimizer.name)
        return real(recipe, **options)

    monkeypatch.setattr(experiment, "train", train)
    found = searched("optimizer=sgd|adamw", trials=6)
    assert sorted(trained) == ["adamw", "sgd"]
    assert len(found.trials) == 6
    assert found.trials[-1].reason.startswith("the same settings as trial ")


def test_losses_are_made_low() -> None:
    found = searched(RATE, "metric=val_loss", trials=3)
    assert found.metric == "val_loss"
    assert found.best is not None
    assert found.best.value == min(trial.value or 9 for trial in found.trials)


def test_no_trial_begins_after_the_minutes() -> None:
    seconds = iter([0.0, 1.0, 59.0, 61.0])
    assert len(searched(RATE, trials=9, minutes=1, clock=lambda: next(seconds)).trials) == 2


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        (
            [RATE, "validation=0"],
            {},
            "digits trains on all pictures, which leaves none to choose by: give validation=0.1",
        ),
        (["epochs=3"], {}, "nothing to choose"),
        (RATE, {}, r"settings are a list, such as \['epochs=1'\], not 'lr="),
        (["lr=1..0.1"], {}, "the low end comes first"),
        (["model.arguments.colour=1..3"], {}, "colour"),
        ([RATE], {"trials": 0}, "0 trials are too few"),
        ([RATE], {"minutes": 0}, "0 minutes are too few"),
        ([RATE], {"minutes": float("nan")}, "nan minutes are too few"),
        ([RATE], {"study": "file"}, "file is no folder"),
        ([RATE], {"study": "full"}, "full is there and is no study"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_made(
    settings: list[str], options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_text("")
    Path("full").mkdir()
    Path("full/recipe.toml").write_text("")
    monkeypatch.setattr(experiment, "train", no_training)
    before = sorted(Path().rglob("*"))
    with pytest.raises(InputError, match=message):
        tune("digits", settings, **options)
    assert sorted(Path().rglob("*")) == before


def test_a_study_is_of_one_recipe_its_ranges_and_its_pictures(
    splits: dict[str, ImageSet], make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(RATE, trials=1)
    monkeypatch.setattr(experiment, "train", no_training)
    with pytest.raises(InputError, match="studies/digits is a study of another recipe or other settings"):
        tune("digits", [*QUICK, RATE, "peak=0.4"])
    with pytest.raises(InputError, match=r"is a study of optimizer\.lr=log:0\.001\.\.0\.5; name another"):
        searched("lr=0.01..0.5")
    with pytest.raises(InputError, match="name what to tune"):
        tune(None, [RATE], study="studies/digits")
    with pytest.raises(InputError, match="name what to tune"):
        tune()
    with pytest.raises(InputError, match="nowhere is no study"):
        tune(study="nowhere")
    recipe_file = Path("studies/digits/recipe.toml")
    text = recipe_file.read_text()
    recipe_file.write_text(text.replace("peak = 0.2", "peak = 0.4"))
    with pytest.raises(InputError, match=r"digits/recipe\.toml is not the recipe that this study was begun with"):
        searched(RATE, trials=2)
    recipe_file.write_text(text)
    splits["train"] = replace(splits["train"], images=255 - splits["train"].images)
    with pytest.raises(InputError, match="the pictures have changed since it began"):
        searched(RATE, trials=2)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_broken_file_is_named(content: bytes) -> None:
    searched(RATE, trials=1)
    database = Path("studies/digits/study.db")
    database.write_bytes(content)
    with pytest.raises(
        InputError, match=r"studies/digits/study\.db cannot be read as a study \(.*; name another"
    ) as caught:
        searched(RATE, trials=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_stops_it_and_it_goes_on_later(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Run.add_metrics

    def full(run: Run, row: EpochRow) -> None:
        if run.name == "trial-0002":
            with explained(run.metrics_file):
                raise OSError(number, "refused")
        real(run, row)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "add_metrics", full)
        with pytest.raises(RetinulaError, match="refused"):
            searched(RATE, trials=2)
    assert [trial.state for trial in searched(RATE, trials=2).trials] == ["finished", "finished"]


def test_of_a_trial_that_was_removed_it_says_how_to_go_on_with_the_search() -> None:
    class Removes(TuningReporter):
        def step(self, progress: StepProgress) -> None:
            run = Study(Path("studies/digits")).run(1)
            shutil.rmtree(run.path)
            run.note("no folder")

    with pytest.raises(RetinulaError) as caught:
        searched(RATE, trials=1, reporter=Removes())
    removed = f"{Study(Path('studies/digits')).run(1).path} was moved or removed while it was being trained"
    assert str(caught.value) == f"{removed}; go on with: retinula tune --study studies/digits --trials 1"
    assert searched(RATE, trials=1).trials[0].state == "finished"


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"tuning needs optuna.*pip install 'retinula\[tune\]'"):
        searched(RATE)


def test_optuna_is_loaded_once_a_search_begins() -> None:
    code = "import sys, retinula.tuning.tune; print({'optuna', 'sqlalchemy'} & sys.modules.keys() or 'neither')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "neither\n"


def test_from_python_a_trial_is_a_line_unless_it_shall_not(capsys: pytest.CaptureFixture[str]) -> None:
    searched(RATE, trials=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[0] for line in err.splitlines() if line.startswith(("trial ", "epoch "))] == ["trial"]
    searched(RATE, trials=2, progress=False)
    assert capsys.readouterr() == ("", "")


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*words: str, code: int = 0) -> tuple[str, str]:
        return run_command(monkeypatch, capsys, *words, code=code)

    out, err = call("tune", "digits", *QUICK, RATE, "--trials", "2", "--study", "my study")
    lines = out.splitlines()
    assert lines[0].split() == ["trial", "val_accuracy", "state", "epochs", "seconds", "optimizer.lr"]
    assert "by the validation pictures: that flatters it; the test pictures were not asked" in lines[3]
    assert lines[-2:] == [
        "next     retinula train 'my study/best.toml'",
        "go on    retinula tune --study 'my study' --trials 4",
    ]
    assert len([line for line in err.splitlines() if line.startswith("trial ")]) == 2
    with monkeypatch.context() as patched:
        patched.setattr(finding, "as_good_as", lambda best, trials, _: [each for each in trials if each is not best])
        told = call("tune", "--study", "my study", "--trials", "2")[0].splitlines()[3:5]
    assert re.match(
        r"best     none: trials \d, \d of 2 are as good as each other, by .*: that flatters them; ", told[0]
    )
    assert re.fullmatch(r"recipe   my study/best\.toml, that of trial \d", told[1])
    report = json.loads(call("tune", "--study", "my study", "--trials", "2", "--json")[0])
    assert [trial["state"] for trial in report["trials"]] == ["finished", "finished"]
    assert report["run"] == f"my study/runs/trial-{report['best']:04d}"
    assert "one recipe, data set or folder at a time" in call("tune", "digits", "shapes", RATE, code=2)[1]
    assert "name what to tune" in call("tune", code=2)[1]

    def ctrl_c(self: terminal.TrialsReporter, progress: StepProgress) -> None:
        if progress.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(terminal.TrialsReporter, "step", ctrl_c)
    before = signal.getsignal(signal.SIGINT)
    _, err = call("tune", "--study", "my study", "--trials", "3", code=130)
    assert err.splitlines()[-1] == (
        "retinula: stopped at step 3 of 4; all is saved in my study/runs/trial-0003; "
        "go on with: retinula tune --study 'my study' --trials 3"
    )
    assert signal.getsignal(signal.SIGINT) is before


def test_a_trial_that_memory_does_not_suffice_for_fails_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(recipe: Recipe, **options: Any) -> Any:
        if options["run"] == "trial-0002":
            torch.empty(2**50)
        return trains(recipe, **options)

    trains = experiment.train
    monkeypatch.setattr(experiment, "train", train)
    found = searched(RATE, trials=3)
    assert [trial.state for trial in found.trials] == ["finished", "failed", "finished"]
    assert found.trials[1].reason == "not enough memory"


def test_another_network_is_tried_without_the_arguments_it_has_not() -> None:
    base = load_recipe("digits", [*QUICK, "epochs=1"])
    found = tune(base, ["model=residual|cifar10-augmented"], trials=6)
    assert [trial.state for trial in found.trials] == ["finished"] * 6
    models = [run.recipe().model for run in list_runs(found.study.runs)]  # what was drawn before is not trained again
    networks = {model.name: model.arguments for model in models}
    assert networks == {"residual": {"width": 0.25}, "cifar10-augmented": {}}
