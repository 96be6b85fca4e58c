"""What is said of trainings that are finished, cut off, or going on."""

import json
import os
import stat
from pathlib import Path

import pytest

from command_line import run_command
from retinula.cli.trained import newest_finished
from retinula.durable import write_json
from retinula.errors import InputError
from retinula.recipe_files import load_recipe
from retinula.run import LOCK, Run, create_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    run = create_run(load_recipe("digits"), {}, "done")
    write_json(run.report_file, {"training": {"val_accuracy": 0.9, "val_loss": 0.3}})
    os.utime(run.recipe_file, (0, 0))  # begun long ago
    return run


@pytest.fixture
def begun(finished: Run) -> Run:
    run = create_run(load_recipe("digits"), {}, "begun")
    run.add_metrics({"epoch": 3, "step": 36, "loss": 0.5})
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


def test_to_ask_whether_a_run_is_in_training_leaves_no_file(begun: Run) -> None:
    assert not begun.in_training()
    assert not (begun.path / LOCK).exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_run_that_may_only_be_read_is_not_in_training(begun: Run) -> None:
    (begun.path / LOCK).touch(stat.S_IRUSR)
    assert not begun.in_training()


def test_what_needs_a_model_takes_the_newest_finished_run(begun: Run, capsys: Capture) -> None:
    assert begun.path.exists()
    assert newest_finished("last") == "runs/done"
    assert capsys.readouterr().err == "last: runs/done, since runs/begun is not finished\n"
    assert newest_finished("begun") == "begun"
    write_json(begun.report_file, {})
    assert newest_finished("last") == "runs/begun"
    assert capsys.readouterr().err == ""


def test_where_no_run_is_finished_last_is_the_one_begun_last(
    begun: Run, finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    finished.report_file.unlink()
    assert newest_finished("last") == "last"
    said = "runs/begun: not finished; go on with: retinula train --resume runs/begun"
    assert said in run_command(monkeypatch, capsys, "evaluate", "last", code=2)[1]
    with pytest.raises(InputError, match=said):
        begun.report()


def test_commands_that_only_look_or_go_on_take_the_run_begun_last(
    begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    shown, said = run_command(monkeypatch, capsys, "runs", "show", "last")
    assert shown.startswith(f"{begun.path}: recipe digits")
    assert said == ""


def test_a_command_for_models_says_which_run_is_taken(
    begun: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert begun.path.exists()
    for words in (("report", "last"), ("predict", "last", "x.png"), ("train", "--model", "last")):
        said = run_command(monkeypatch, capsys, *words, code=2)[1]
        assert said.startswith("last: runs/done, since runs/begun is not finished\n"), said
        assert "runs/done" in said.splitlines()[-1]
