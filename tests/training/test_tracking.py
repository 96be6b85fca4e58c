"""What is written for other programs says what the logs say, whatever happened on the way, and changes nothing."""

import csv
import errno
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from retinula import experiment, extras
from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.images import ImageSet
from retinula.recipe.differences import changed_settings
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run, create_run
from retinula.trained.model_file import Model
from retinula.training import tracking
from retinula.training.hardware import Hardware
from retinula.training.loop import train
from small_runs import step_row

MakeSet = Callable[..., ImageSet]
PLAIN = Hardware("cpu", 1, False, "float32", "for the test")
BOTH = "track=csv,tensorboard"
EPOCH_TAGS = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "images_per_second"}


def small(*settings: str) -> Recipe:
    return load_recipe("digits", ["epochs=4", "batch_size=16", "model.arguments.width=0.25", *settings])


def fitted(recipe: Recipe, make_set: MakeSet, root: Path, run: Run | None = None, **options: Any) -> tuple[Run, Model]:
    run = run or create_run(recipe, {}, root=root)
    return run, train(recipe, make_set(), make_set(24, seed=9), run, hardware=PLAIN, **options)


def after(number: int) -> Callable[[], bool]:
    """A wish to stop after so many steps."""
    asked = iter(range(1, 1000))
    return lambda: next(asked) == number


def seen(run: Run) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard makes of the event files: step and value by name."""
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    accumulator = reader.EventAccumulator(str(run.path), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {tag: [(e.step, e.value) for e in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]}


def assert_close(curve: list[tuple[int, float]], expected: list[tuple[int, float]]) -> None:
    """Check steps exactly, and values as float32 has them."""
    assert [step for step, _ in curve] == [step for step, _ in expected]
    assert [value for _, value in curve] == pytest.approx([value for _, value in expected], rel=1e-6)


def assert_says_the_same(run: Run) -> None:
    """Check that events and table hold exactly what the logs hold."""
    metrics: Sequence[Mapping[str, Any]] = run.metrics()
    steps: Sequence[Mapping[str, Any]] = run.steps()
    curves = seen(run)
    assert curves.keys() == {f"epoch/{tag}" for tag in EPOCH_TAGS} | {"step/loss", "step/learning_rate", "step/seconds"}
    for tag in EPOCH_TAGS:
        assert_close(curves[f"epoch/{tag}"], [(row["step"], row[tag]) for row in metrics])
    for tag in ("loss", "learning_rate"):
        assert_close(curves[f"step/{tag}"], [(row["step"], row[tag]) for row in steps])
    with run.table_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == metrics


def test_it_says_what_the_logs_say_and_changes_nothing(make_set: MakeSet, tmp_path: Path) -> None:
    plain, one = fitted(small(), make_set, tmp_path)
    assert not plain.table_file.exists()
    assert not plain.event_files()
    run, other = fitted(small(BOTH), make_set, tmp_path)
    assert_says_the_same(run)
    assert len(run.steps()) == 16
    weights = other.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.network.state_dict().items())
    assert [row["val_loss"] for row in plain.metrics()] == [row["val_loss"] for row in run.metrics()]
    assert one.provenance["digest"] == other.provenance["digest"]
    (text,) = run.event_files()
    assert b"width = 0.25" in text.read_bytes()


@pytest.mark.parametrize("stop_at", [3, 8, 11])
def test_a_stopped_training_goes_on_in_it(stop_at: int, make_set: MakeSet, tmp_path: Path) -> None:
    run = create_run(small(BOTH), {}, root=tmp_path)
    with pytest.raises(Interrupted):
        fitted(small(BOTH), make_set, tmp_path, run, stop_requested=after(stop_at))
    fitted(small(BOTH), make_set, tmp_path, run)
    assert_says_the_same(run)


def test_after_a_kill_nothing_is_there_twice(make_set: MakeSet, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def killed() -> bool:
        raise Killed

    run = create_run(small(BOTH), {}, root=tmp_path)
    with pytest.raises(Interrupted):
        fitted(small(BOTH), make_set, tmp_path, run, stop_requested=after(2))
    steps = iter(range(100))
    with pytest.raises(Killed):  # in the third epoch; the second was logged, but no checkpoint was made since
        fitted(
            small(BOTH),
            make_set,
            tmp_path,
            run,
            stop_requested=lambda: killed() if next(steps) == 7 else False,
            checkpoint_seconds=1e9,
        )
    assert run.steps()[-1]["step"] == 10
    assert run.metrics()[-1]["step"] == 8
    newest = run.event_files()[-1]
    os.truncate(newest, newest.stat().st_size - 5)  # what a kill in the middle of a write leaves
    with run.table_file.open("a") as file:
        file.write("3,12,0.5")
    fitted(small(BOTH), make_set, tmp_path, run)
    assert_says_the_same(run)
    assert [row["step"] for row in run.metrics()] == [4, 8, 12, 16]


def test_a_training_that_is_tracked_later_brings_its_past(make_set: MakeSet, tmp_path: Path) -> None:
    run = create_run(small(), {}, root=tmp_path)
    with pytest.raises(Interrupted):
        fitted(small(), make_set, tmp_path, run, stop_requested=after(6))
    fitted(small(BOTH), make_set, tmp_path, run)
    assert_says_the_same(run)
    assert len(run.steps()) == 16


def test_without_validation_cells_are_empty(make_set: MakeSet, tmp_path: Path) -> None:
    recipe = small("validation=0", "epochs=1", BOTH)
    run = create_run(recipe, {}, root=tmp_path)
    train(recipe, make_set(), None, run, hardware=PLAIN)
    assert run.table_file.read_text().splitlines()[1].split(",")[4:6] == ["", ""]
    assert "epoch/val_loss" not in seen(run)


def test_which_forms_there_are() -> None:
    assert load_recipe("digits", ["track=csv"]).track == ("csv",)
    assert load_recipe("digits", ["track=csv, tensorboard"]).track == ("csv", "tensorboard")
    assert load_recipe("digits", ['track=["tensorboard"]']).track == ("tensorboard",)
    assert load_recipe("digits", ["track=[]"]) == load_recipe("digits")
    with pytest.raises(InputError, match=r"track\.0: .*'tensorboard' or 'csv', not 'wandb'"):
        load_recipe("digits", ["track=wandb"])
    with pytest.raises(InputError, match="track: "):
        load_recipe("digits", ["track=3"])
    assert load_recipe("digits", [BOTH]).digest() == load_recipe("digits").digest()
    assert changed_settings(load_recipe("digits", [BOTH]), load_recipe("digits")) == []


def test_a_missing_package_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"track=tensorboard needs tensorboard.*pip install 'retinula\[track\]'"):
        experiment.train("digits", settings=["track=tensorboard"], root=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    tracking.check_trackers(small("track=csv"))


def test_a_full_disk_is_one_line(make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small("track=tensorboard")
    run = create_run(recipe, {}, root=tmp_path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with tracking.tracking(recipe, run, 0, clock=lambda: 1.0) as tracked:
        tracked.add_steps([step_row(1)])
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RetinulaError, match=r"cannot write .*events\.out\.tfevents\.0000000001.*: No space left"):
            tracked.add_steps([step_row(2)])
