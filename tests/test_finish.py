"""Ending an interrupted training: a finished run of what it has learned, which says so wherever it counts."""

import itertools
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from command_line import run_command
from retinula import experiment
from retinula.errors import InputError, Interrupted
from retinula.experiment import finish, resume, train
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.runs.run import Run
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.training.reporting import Reporter, StepProgress

MakeSet = Callable[..., ImageSet]
Capture = pytest.CaptureFixture[str]


class Stops(Reporter):
    """Stops a training after a step."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, progress: StepProgress) -> None:
        if progress.step == self.at:
            raise Interrupted("stopped here")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: plain)
    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: None)  # takes longer than such a training


def stopped(name: str = "cut", step: int = 25, *settings: str) -> Run:
    """A training on the digits, of 21 steps an epoch, that was stopped during a step."""
    quick = ["epochs=3", "model.arguments.width=0.25", *settings]
    with pytest.raises(Interrupted):
        train("digits", run=name, settings=quick, reporter=Stops(step), checkpoint_seconds=0)
    return Run(Path("runs") / name)


def test_it_becomes_a_finished_run_that_says_where_it_was_ended() -> None:
    run = stopped()
    saved = run.checkpoint_step()
    model = finish("cut", progress=False)
    assert 0 < saved <= 25
    training = run.report()["training"]
    assert (training["steps"], training["of_steps"]) == (saved, 63)
    assert model.provenance["of_steps"] == 63
    assert training["val_accuracy"] is not None
    assert run.finished
    assert not run.checkpoints.exists()
    with pytest.raises(InputError, match="runs/cut is finished"):
        resume("cut", progress=False)
    with pytest.raises(InputError, match="runs/cut is finished"):
        finish("cut", progress=False)


def test_a_training_that_comes_to_its_end_says_nothing_of_it() -> None:
    run = stopped()
    resume("cut", progress=False)
    assert run.report()["training"]["of_steps"] is None


def test_what_has_learned_nothing_is_not_ended(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise Interrupted("before the first step")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_run_steps", fails)
        with pytest.raises(Interrupted) as stop:
            train("digits", run="empty", settings=["epochs=1", "model.arguments.width=0.25"], progress=False)
    assert "runs finish" not in str(stop.value)
    _, said = run_command(monkeypatch, capsys, "runs", "finish", "empty", code=2)
    refused = "retinula: runs/empty has learned nothing yet; go on with: retinula train --resume runs/empty"
    assert said.splitlines()[-1] == refused
    assert not Run("runs/empty").finished


def test_pictures_that_were_given_are_given_again(make_set: MakeSet) -> None:
    sets = make_set(60), make_set(24, seed=9)
    quick = ["epochs=3", "model.arguments.width=0.25", "batch_size=16"]
    with pytest.raises(Interrupted) as stop:
        train("digits", *sets, run="given", settings=quick, reporter=Stops(6), checkpoint_seconds=0)
    assert str(stop.value).endswith("or end it there with finish('runs/given', train_set, validation_set)")
    for wrong in ((), (make_set(60, seed=3), sets[1])):
        with pytest.raises(InputError):
            finish("given", *wrong, progress=False)
    assert finish("given", *sets, progress=False).provenance["of_steps"] == 12


def test_the_command_says_what_there_is_then(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped()
    said, told = run_command(monkeypatch, capsys, "runs", "finish", "cut")
    ended = f"ended at step {run.checkpoint_step() or run.report()['training']['steps']} of 63"
    assert said.splitlines()[0] == ended
    assert "next     retinula evaluate last" in said
    assert "epoch   2" in told
    assert "ended early" in run_command(monkeypatch, capsys, "runs")[0]
    assert run_command(monkeypatch, capsys, "runs", "show", "cut")[0].splitlines()[-1] == ended
    listed = json.loads(run_command(monkeypatch, capsys, "runs", "--json")[0])
    assert [(row["finished"], row["ended_early"]) for row in listed] == [(True, True)]
    train("digits", run="whole", settings=["epochs=3", "model.arguments.width=0.25"], progress=False)
    compared = json.loads(run_command(monkeypatch, capsys, "runs", "compare", "whole", "cut", "--json")[0])
    assert compared["runs"][1]["settings"] == [ended]
    refused = run_command(monkeypatch, capsys, "runs", "finish", "whole", code=2)[1]
    assert refused.startswith("retinula: runs/whole is finished; train anew with: ")
    _, refused = run_command(monkeypatch, capsys, "runs", "finish", "who", code=2)
    assert refused == "retinula: no run 'who'; did you mean 'whole'?\n"


def test_an_interrupted_training_says_how_to_end_it(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = itertools.count(1)
    monkeypatch.setattr(experiment, "stop_requests", lambda: nullcontext(lambda: next(asked) == 3))
    words = ("train", "digits", "epochs=2", "model.arguments.width=0.25", "--run", "cut")
    _, said = run_command(monkeypatch, capsys, *words, code=130)
    assert said.splitlines()[-1] == (
        "retinula: stopped at step 3 of 42; all is saved in runs/cut; go on with: retinula train --resume runs/cut; "
        "or end it there with: retinula runs finish runs/cut"
    )


def test_a_training_asks_for_a_whole_one_to_begin_from() -> None:
    base = ["epochs=2", "model.arguments.width=0.25"]
    train("digits", run="whole", settings=base, progress=False)
    stopped("cut")
    finish("cut", progress=False)
    told: list[str] = []

    class Listens(Reporter):
        def message(self, text: str) -> None:
            told.append(text)

    after = load_recipe("digits", ["epochs=1", "weights='recipe:digits'"])
    model = train(after, run="after", reporter=Listens())
    assert model.provenance["source"]["name"] == "cut", "the newest, where none is as shipped"
    (line,) = [line for line in told if "not as shipped" in line]
    assert line.endswith(f", ended at step {Run('runs/cut').report()['training']['steps']} of 63")
