"""How to go on with a training: advice that can be followed as it stands."""

import shlex
from pathlib import Path

from retinula.recipe.files import load_recipe
from retinula.runs.going_on import going_on, more_epochs
from retinula.runs.run import Run, create_run
from small_runs import SURROUNDINGS


def begun(root: Path, recipe: str = "digits", *, given: bool = False) -> Run:
    return create_run(load_recipe(recipe), SURROUNDINGS | {"data": {"given": given}}, "mine", root)


def test_a_path_with_spaces_is_one_word(tmp_path: Path) -> None:
    run = begun(tmp_path / "my runs")
    command = more_epochs(run).removeprefix("for five more epochs: ")
    assert shlex.split(command)[2:] == [str(run.recipe_file), "--model", str(run.path), "epochs=5"]
    assert shlex.split(going_on(run, given=False).partition(": ")[2])[-1] == str(run.path)


def test_pictures_that_were_given_are_given_again(tmp_path: Path) -> None:
    run = begun(tmp_path, given=True)
    settings = f"settings={{'model.weights': {str(run.path)!r}, 'epochs': 5}}"
    call = f"train({str(run.recipe_file)!r}, train_set, validation_set, {settings})"
    assert more_epochs(run) == f"for five more epochs: {call}"


def test_nothing_begins_from_a_model_that_gives_pictures_back(tmp_path: Path) -> None:
    assert more_epochs(begun(tmp_path, "cifar10-autoencoder")) == ""
