"""How to go on with a training, as the end of a message."""

from retinula.runs.run import Run


def going_on(run: Run, *, given: bool) -> str:
    """Say how to go on with a training, on pictures that were `given` or that its recipe names."""
    if given:
        return f"go on with train(recipe, train_set, validation_set, run=Run({str(run.path)!r}))"
    return f"go on with: retinula train --resume {run.path}"


def more_epochs(run: Run) -> str:
    """Say how to train a finished one for longer."""
    return f"for five more epochs: retinula train {run.recipe_file} --model {run.path} epochs=5"
