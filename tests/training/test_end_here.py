"""A training that somebody ends before its recipe would."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from retinula.errors import Interrupted
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run, create_run
from retinula.trained.model_file import Model
from retinula.training import loop
from retinula.training.averaging import WeightAverage
from retinula.training.hardware import Hardware
from retinula.training.loop import train
from retinula.training.reporting import Reporter

MakeSet = Callable[..., ImageSet]
PLAIN = Hardware("cpu", 1, False, "float32", "for the test")
STEPS = 4  # of an epoch


def small(*settings: str, length: str = "epochs=4") -> Recipe:
    return load_recipe("digits", [length, "batch_size=16", "model.arguments.width=0.25", *settings])


def stopped(recipe: Recipe, make_set: MakeSet, root: Path, after: int) -> Run:
    """A run that was stopped after so many steps."""
    run, steps = create_run(recipe, {}, root=root), iter(range(1, after + 1))
    with pytest.raises(Interrupted):
        go_on(run, make_set, stop_requested=lambda: next(steps) == after)
    return run


def killed_at_its_end(run: Run, make_set: MakeSet, *, end_here: bool = False) -> None:
    """Go on, and die before there is a model."""

    def dies(*_: object, **__: object) -> Model:
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "finished_model", dies)
        with pytest.raises(SystemExit):
            go_on(run, make_set, end_here=end_here)


def go_on(
    run: Run, make_set: MakeSet, *, end_here: bool = False, stop_requested: Callable[[], bool] = lambda: False
) -> Model:
    recipe = run.recipe()
    validation = make_set(24, seed=9) if recipe.data.validation else None
    return train(recipe, make_set(), validation, run, hardware=PLAIN, end_here=end_here, stop_requested=stop_requested)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_model_is_of_what_was_learned_so_far(keep: str, make_set: MakeSet, tmp_path: Path) -> None:
    run = stopped(small(f"keep={keep}"), make_set, tmp_path, after=6)
    model = go_on(run, make_set, end_here=True)
    rows = run.metrics()
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 4), (2, 6)]
    assert len(run.steps()) == 6
    assert rows[-1]["val_accuracy"] is not None
    last = run.steps()[-2:]
    assert rows[-1]["loss"] == pytest.approx(sum(row["loss"] for row in last) / 2)
    assert rows[-1]["learning_rate"] == pytest.approx(last[-1]["learning_rate"])
    assert model.provenance["steps"] == 6
    assert model.provenance["of_steps"] == 4 * STEPS
    best = max(rows, key=lambda row: (row["val_accuracy"] or 0.0, -(row["val_loss"] or 0.0)))
    assert model.provenance["kept_step"] == (best["step"] if keep == "best" else 6)
    assert Model.load(run.path).provenance["of_steps"] == 4 * STEPS
    assert "ended at step 6 of 16" in run.log_file.read_text()


def test_its_weights_are_those_of_a_training_of_so_many_steps(make_set: MakeSet, tmp_path: Path) -> None:
    constant = ("schedule=constant", "schedule.warmup=0", "average=0.9", "keep=last")
    short = small(*constant, length="steps=6")
    whole = train(short, make_set(), make_set(24, seed=9), create_run(short, {}, root=tmp_path), hardware=PLAIN)
    run = stopped(small(*constant), make_set, tmp_path, after=6)
    ended = go_on(run, make_set, end_here=True)
    assert "of_steps" not in whole.provenance
    for name, value in ended.network.state_dict().items():
        assert torch.equal(value, whole.network.state_dict()[name]), name


@pytest.mark.parametrize("after", [6, 8])
def test_statistics_of_an_average_fit_it_without_validation(
    after: int, make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(small("validation=0", "average=0.9"), make_set, tmp_path, after)
    renewed = []
    renew = WeightAverage.renew_statistics

    def noting(self: WeightAverage, *arguments: object) -> int:
        renewed.append(copy.deepcopy(self.network.state_dict()))
        return renew(self, *arguments)  # type: ignore[arg-type]  # as they come

    monkeypatch.setattr(WeightAverage, "renew_statistics", noting)
    model = go_on(run, make_set, end_here=True)
    assert len(renewed) == 1
    assert [row["step"] for row in run.metrics()] == [4, after]
    statistics = [name for name in renewed[0] if name.endswith("running_mean")]
    now = model.network.state_dict()
    assert any(not torch.equal(renewed[0][name], now[name]) for name in statistics)


def test_killed_while_it_ends_it_ends_or_goes_on_as_if_it_had_not(make_set: MakeSet, tmp_path: Path) -> None:
    whole = create_run(small(), {}, root=tmp_path)
    go_on(whole, make_set)
    for end_here in (True, False):
        run = stopped(small(), make_set, tmp_path, after=6)
        killed_at_its_end(run, make_set, end_here=True)
        assert [row["step"] for row in run.metrics()] == [4, 6]
        go_on(run, make_set, end_here=end_here)
        wanted = [4, 6] if end_here else [4, 8, 12, 16]
        assert [row["step"] for row in run.metrics()] == wanted
        if not end_here:
            assert [row["loss"] for row in run.metrics()] == [row["loss"] for row in whole.metrics()]


def test_what_is_at_its_end_is_not_ended_early(make_set: MakeSet, tmp_path: Path) -> None:
    run = create_run(small(), {}, root=tmp_path)
    killed_at_its_end(run, make_set)
    assert "of_steps" not in go_on(run, make_set, end_here=True).provenance
    assert "ended at" not in run.log_file.read_text()


def test_the_epoch_that_it_ends_in_is_told(make_set: MakeSet, tmp_path: Path) -> None:
    told = []

    class Listens(Reporter):
        def epoch(self, row: object) -> None:
            told.append(row)

    run = stopped(small(), make_set, tmp_path, after=2)
    train(run.recipe(), make_set(), make_set(24, seed=9), run, hardware=PLAIN, end_here=True, reporter=Listens())
    assert told == run.metrics()
    assert len(told) == 1
