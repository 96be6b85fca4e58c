"""How far the loss of a reconstruction lies above the least that it could be: grey values are neither 0 nor 1."""

import statistics
from collections.abc import Sequence

from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Metric
from retinula.reproduction.finished import Finished
from retinula.reproduction.measures import Measured
from retinula.reproduction.table import spread

_LOSSES: frozenset[Metric] = frozenset(("loss", "step_loss", "lowest_step_loss", "val_loss"))


def floor_words(recipe: Recipe, runs: Sequence[Finished]) -> str:
    """Set the test loss of finished runs beside that of a perfect copy, in a line.

    Empty where the recipe claims no loss, or a run was not measured against that of a copy.
    """
    measured = [each.evaluation() for each in runs]
    if not any(claim.metric in _LOSSES for claim in recipe.claims) or any(
        "loss_floor" not in each for each in measured
    ):
        return ""
    above = Measured(tuple(each["loss"] - each["loss_floor"] for each in measured))
    floor = statistics.fmean(each["loss_floor"] for each in measured)
    return f"The test loss lies {spread('loss', above)} above {floor:.4f}, that of a perfect copy of the test pictures"
