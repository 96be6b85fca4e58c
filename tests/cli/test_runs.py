"""What is said of trainings that are finished, cut off, or going on."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from command_line import run_command
from retinula.cli.terminal import remark
from retinula.errors import InputError
from retinula.files.durable import write_json
from retinula.recipe.files import load_recipe
from retinula.recipe.sections import Data
from retinula.recipe.targets import find_recipe
from retinula.runs.locking import LOCK
from retinula.runs.run import Run, create_run
from retinula.trained.finding import find_finished
from small_runs import SURROUNDINGS, epoch_row, whole_report

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    run = create_run(load_recipe("digits"), SURROUNDINGS, "done")
    write_json(run.report_file, whole_report(training={"val_accuracy": 0.9, "val_loss": 0.3}))
    os.utime(run.recipe_file, (0, 0))  # begun long ago
    return run


@pytest.fixture
def begun(finished: Run) -> Run:
    run = create_run(load_recipe("digits"), SURROUNDINGS, "begun")
    run.add_metrics(epoch_row(3, 36))
    return run


def test_a_training_that_goes_on_is_not_to_be_resumed(
    begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert "3 epochs so far" in run_command(monkeypatch, capsys, "runs")[0]
    shown, _ = run_command(monkeypatch, capsys, "runs", "show", "begun")
    assert shown.endswith("not finished; go on with: retinula train --resume runs/begun\n")
    with begun.lock():
        assert "in training, 3 epochs so far" in run_command(monkeypatch, capsys, "runs")[0]
        shown, _ = run_command(monkeypatch, capsys, "runs", "show", "begun")
        assert shown.endswith("not finished; it is being trained now\n")
        listed = json.loads(run_command(monkeypatch, capsys, "runs", "--json")[0])
        assert {row["name"]: row["in_training"] for row in listed} == {"done": False, "begun": True}
        for words in (("evaluate", "begun"), ("predict", "begun", "x.png")):
            assert "it is being trained now" in run_command(monkeypatch, capsys, *words, code=2)[1]
    assert not begun.in_training()


def test_names_of_folders_are_printed_as_one_line(begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    hostile = begun.path.rename(begun.path.with_name("x\x1b]0;owned\x07\n\u202ey"))
    for words in ("list",), ("show", str(hostile)), ("compare", "done", str(hostile)):
        shown, _ = run_command(monkeypatch, capsys, "runs", *words)
        assert r"x\x1b]0;owned\x07\n\u202ey" in shown
        assert not set(shown) & set("\x1b\x07\u202e")
    assert json.loads(run_command(monkeypatch, capsys, "runs", "--json")[0])[1]["name"] == hostile.name


def test_what_the_files_of_a_run_say_is_printed_as_one_line(
    finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    hostile = "x\x1b]0;owned\x07\n\u202ey"
    run = create_run(load_recipe("digits").changed(data=Data(name=hostile)), SURROUNDINGS, "odd")
    write_json(run.report_file, whole_report(evaluations={hostile: {"accuracy": 0.5}, f"{hostile}/2": {"loss": 1.0}}))
    for words, times in ((("show", "odd"), 3), (("compare", "done", "odd"), 1)):
        shown, _ = run_command(monkeypatch, capsys, "runs", *words)
        assert shown.count(r"x\x1b]0;owned\x07\n\u202ey") == times
        assert not set(shown) & set("\x1b\x07\u202e")


def test_to_ask_whether_a_run_is_in_training_leaves_no_file(begun: Run) -> None:
    assert not begun.in_training()
    assert not (begun.path / LOCK).exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_run_that_may_only_be_read_is_not_in_training(begun: Run) -> None:
    (begun.path / LOCK).touch(stat.S_IRUSR)
    assert not begun.in_training()


def test_where_no_run_is_finished_last_is_the_one_begun_last(
    begun: Run, finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    finished.report_file.unlink()
    said = "runs/begun has no model yet; go on with: retinula train --resume runs/begun"
    assert said in run_command(monkeypatch, capsys, "evaluate", "last", code=2)[1]
    with pytest.raises(InputError, match="runs/begun: not finished; go on with"):
        begun.report()


def test_commands_that_only_look_or_go_on_take_the_run_begun_last(
    begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    shown, said = run_command(monkeypatch, capsys, "runs", "show", "last")
    assert shown.startswith(f"{begun.path}: recipe digits")
    assert said == ""


def test_what_a_folder_was_trained_by_is_not_called_like_a_shipped_recipe(
    begun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (tmp_path / "digits").mkdir()
    create_run(find_recipe("./digits"), SURROUNDINGS, "own")
    shown, _ = run_command(monkeypatch, capsys, "runs")
    recipes = {
        line.split()[0]: line.partition("  0 ")[0].split(maxsplit=1)[1].strip() for line in shown.splitlines()[1:]
    }
    assert recipes == {"done": "digits", "begun": "digits", "own": "default on digits"}
    assert ": recipe default on digits, seed 0" in run_command(monkeypatch, capsys, "runs", "show", "own")[0]
    listed = json.loads(run_command(monkeypatch, capsys, "runs", "--json")[0])
    assert {row["name"]: (row["recipe"], row["from_default"]) for row in listed} == {
        "done": ("digits", False),
        "begun": ("digits", False),
        "own": ("digits", True),
    }


def test_of_many_epochs_some_are_shown_and_the_last(
    begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    row = begun.metrics()[-1]
    for epoch in range(row["epoch"] + 1, 96):
        begun.add_metrics({**row, "epoch": epoch})
    shown = run_command(monkeypatch, capsys, "runs", "show", "begun")[0].splitlines()
    assert [int(line.split()[0]) for line in shown[2:-2]] == [*range(3, 94, 3), 95]
    assert shown[-2] == f"32 of 93 epochs; all of them: {begun.metrics_file}"


def test_a_command_for_models_says_which_run_is_taken(
    begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert begun.path.exists()
    for words in (("report", "last"), ("predict", "last", "x.png"), ("train", "--model", "last")):
        said = run_command(monkeypatch, capsys, *words, code=2)[1]
        assert said.startswith("last: runs/done, since runs/begun is not finished\n"), said
        assert "runs/done" in said.splitlines()[-1]


def test_of_an_unfinished_run_the_best_epoch_so_far_is_listed(
    begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for epoch, accuracy in ((4, 0.7), (5, 0.6)):
        begun.add_metrics(epoch_row(epoch, val_accuracy=accuracy, val_loss=1 - accuracy))
    listed = json.loads(run_command(monkeypatch, capsys, "runs", "--json")[0])
    assert {row["name"]: (row["epochs"], row["val_accuracy"]) for row in listed} == {
        "done": (2, 0.9),
        "begun": (5, 0.7),
    }
    assert "5 epochs so far     70.00 %" in run_command(monkeypatch, capsys, "runs")[0]
    compared = json.loads(run_command(monkeypatch, capsys, "runs", "compare", "done", "begun", "--json")[0])
    assert [row["val_accuracy"] for row in compared["runs"]] == [0.9, 0.7]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("report.json", '{"a":' + "[" * 100_000),
        ("report.json", '{"training": {"seconds": NaN}}'),
        ("report.json", '{"data": null, "training": "x", "evaluations": [1]}'),
        ("metrics.jsonl", '{"epoch": 1, "step": 1}\n'),
        ("metrics.jsonl", '{"epoch": 1, "step": 1, "loss": "x"}\n'),
    ],
)
def test_a_damaged_run_is_one_line_and_hides_no_other(
    begun: Run, finished: Run, file: str, content: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (finished.path / file).write_text(content)
    listed, said = run_command(monkeypatch, capsys, "runs")
    assert (begun.name in listed, finished.name in listed) == (True, False)
    assert said.startswith(f"left out runs/done/{file}")
    assert said.count("\n") == 1
    for words in (("runs", "show", "done"), ("runs", "compare", "begun", "done"), ("runs", "show", "done", "--json")):
        said = run_command(monkeypatch, capsys, *words, code=2)[1]
        assert f"runs/done/{file}" in said
        assert said.count("\n") == 1


def test_surroundings_that_are_not_whole_are_one_line(
    finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    write_json(finished.environment_file, {"data": None})
    said = run_command(monkeypatch, capsys, "runs", "show", "done", "--json", code=2)[1]
    assert "runs/done/environment.json: 'data' is no table" in said


def test_a_measurement_of_an_earlier_version_is_shown_without_its_interval(
    finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    write_json(finished.report_file, whole_report(evaluations={"digits/test": {"accuracy": 0.5, "num_images": 9}}))
    shown, _ = run_command(monkeypatch, capsys, "runs", "show", "done")
    assert "digits/test: accuracy 50.00 % (- to -), loss -" in shown


def test_a_folder_that_may_not_be_entered_is_told(
    begun: Run, finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    look = Path.stat
    hostile = begun.path.rename(begun.path.with_name("begun\x1b"))

    def closed(path: Path, **options: Any) -> os.stat_result:
        if path == Run(hostile).recipe_file:
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", closed)
    told = r"runs/begun\x1b: cannot be looked into (Permission denied)"
    for words in (("runs",), ("runs", "show", "last")):
        listed, said = run_command(monkeypatch, capsys, *words)
        assert finished.name in listed
        assert said.endswith(f"{told}\n")
    assert find_finished("last", tell=remark) == finished
    assert capsys.readouterr().err == f"{told}\n"
