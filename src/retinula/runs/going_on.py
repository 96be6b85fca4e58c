"""How to go on with a training, as the end of a message."""

import shlex

from retinula.runs.run import Run


def going_on(run: Run, *, given: bool) -> str:
    """Say how to go on with a training, on pictures that were `given` or that its recipe names."""
    if given:
        return f"go on with train(recipe, train_set, validation_set, run=Run({str(run.path)!r}))"
    return f"go on with: retinula train --resume {shlex.quote(str(run.path))}"


def going_on_or_not(run: Run, *, given: bool) -> str:
    """Say how to go on with an interrupted training, or how to end it there where it has learned something."""
    if not run.checkpoint_step():
        return going_on(run, given=given)
    ends = (
        f"finish({str(run.path)!r}, train_set, validation_set)"
        if given
        else f"retinula runs finish {shlex.quote(str(run.path))}"
    )
    return f"{going_on(run, given=given)}; or end it there with{'' if given else ':'} {ends}"


def more_epochs(run: Run) -> str:
    """Say how to train a finished one for longer; nothing of one that gives pictures back: none begins from it.

    Raises:
        InputError: its files cannot be read or are not whole.
    """
    if run.recipe().objective.reconstructs:
        return ""
    recipe, path = str(run.recipe_file), str(run.path)
    if run.environment()["data"].get("given"):
        settings = {"model.weights": path, "epochs": 5}
        return f"for five more epochs: train({recipe!r}, train_set, validation_set, settings={settings})"
    return f"for five more epochs: retinula train {shlex.quote(recipe)} --model {shlex.quote(path)} epochs=5"
