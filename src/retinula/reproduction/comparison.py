"""Networks beside each other: the runs of one recipe that differ in little but the network. Computes no result anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from retinula.model_file import Model
from retinula.models.summary import summarize
from retinula.recipe import Metric, Recipe
from retinula.reproduction.measures import measure
from retinula.reproduction.table import spread
from retinula.run import Run

HEAD = ("network", "parameters", "multiply-adds", "steps", "a step", "training", "test pictures")
# What may differ besides the network: a slower one gets fewer steps at the same cost.
_LENGTHS = ("steps", "epochs")


@dataclass(frozen=True)
class Comparison:
    """Networks that one recipe trained.

    Attributes:
        runs: of each network those of one length, seeds of one recipe, the network with most parameters first.
    """

    runs: tuple[tuple[Run, ...], ...]

    @property
    def recipe(self) -> Recipe:
        """One of the recipes; they differ in network, length and seed."""
        return self.runs[0][0].recipe()

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The columns of `HEAD`, a row for each network."""
        return [_row(runs) for runs in self.runs]


def find_comparisons(groups: Sequence[Sequence[Run]]) -> list[Comparison]:
    """Return what can be compared among runs.

    Args:
        groups: runs that differ by their seed only.
    """
    alike: dict[tuple[str, str], list[tuple[Run, ...]]] = {}
    for runs in groups:
        recipe = runs[0].recipe()
        alike.setdefault((recipe.name, _without_network(recipe).digest()), []).append(tuple(runs))
    return [
        Comparison(tuple(sorted(found, key=lambda runs: (-_parameters(runs), runs[0].recipe().model.name))))
        for found in alike.values()
        if len({runs[0].recipe().model.name for runs in found}) > 1
    ]


def _without_network(recipe: Recipe) -> Recipe:
    model = recipe.model.model_copy(update={"name": "any", "arguments": {}})
    training = recipe.training.model_copy(update=dict.fromkeys(_LENGTHS))
    return recipe.model_copy(update={"seed": 0, "model": model, "training": training})


def _row(runs: Sequence[Run]) -> tuple[str, ...]:
    model = Model.load(runs[0].model_file)
    summary = summarize(model.network, model.preprocess.input_shape)
    steps = dict.fromkeys(f"{run.report()['training']['steps']:,}" for run in runs)
    return (
        runs[0].recipe().model.name,
        f"{summary.parameters:,}",
        f"{summary.multiply_adds:,}",
        ", ".join(steps),
        _spread(runs, "step_seconds"),
        _spread(runs, "seconds"),
        _spread(runs, "accuracy"),
    )


def _spread(runs: Sequence[Run], metric: Metric) -> str:
    measured = measure(runs, metric)
    return "-" if measured is None else spread(metric, measured)


def _parameters(runs: Sequence[Run]) -> int:
    number: int = runs[0].report()["parameters"]
    return number
