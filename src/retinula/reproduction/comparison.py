"""Networks beside each other: the runs of one recipe that differ in the network only, or in its length as well.

Computes no result anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from retinula.recipe.recipe import Recipe
from retinula.reproduction.finished import Finished
from retinula.reproduction.measures import measure
from retinula.reproduction.table import first_measured

HEAD = ("network", "parameters", "multiply-adds", "steps", "a step", "training", "result")
# What may differ besides the network: a slower one gets fewer steps at the same cost.
_LENGTHS = ("steps", "epochs")
ALIKE = 1.5  # trainings cost alike whose mean seconds differ by no larger factor: time depends on what else ran
AT_ONE_LENGTH, AT_ONE_COST = "for as many steps", "for about as long"


@dataclass(frozen=True)
class Comparison:
    """Networks that one recipe trained.

    Attributes:
        runs: of each network those of one length, seeds of one recipe, the network with most parameters first.
        alike: what besides the recipe the trainings have in common, in words.
    """

    runs: tuple[tuple[Finished, ...], ...]
    alike: str

    @property
    def recipe(self) -> Recipe:
        """One of the recipes; they differ in network, length and seed."""
        return self.runs[0][0].recipe

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The columns of `HEAD`, a row for each network."""
        names = [runs[0].recipe.model.name for runs in self.runs]
        return [_row(runs, _differing(runs, self.runs) if len(set(names)) < len(names) else "") for runs in self.runs]


def find_comparisons(groups: Sequence[Sequence[Finished]]) -> list[Comparison]:
    """Return what can be compared among runs: networks trained for as many steps, and networks trained about as long.

    Args:
        groups: runs that differ by their seed only.
    """
    families: dict[tuple[str, str], list[tuple[Finished, ...]]] = {}
    for runs in groups:
        recipe = runs[0].recipe
        if runs[0].ended_early:
            continue
        families.setdefault((recipe.name, _without_network(recipe).digest()), []).append(tuple(runs))
    found: list[Comparison] = []
    for family in families.values():
        # Of trainings that are alike in both, the cost is the fairer word.
        for words, parts in ((AT_ONE_COST, _by_cost(family)), (AT_ONE_LENGTH, _by_length(family))):
            for part in parts:
                runs_of_part = tuple(sorted(part, key=lambda runs: (-_parameters(runs), runs[0].recipe.model.name)))
                several = len({runs[0].recipe.model.name for runs in part}) > 1
                if several and runs_of_part not in [comparison.runs for comparison in found]:
                    found.append(Comparison(runs_of_part, words))
    return found


def _by_length(family: Sequence[tuple[Finished, ...]]) -> list[list[tuple[Finished, ...]]]:
    parts: dict[tuple[int | None, int | None], list[tuple[Finished, ...]]] = {}
    for runs in family:
        training = runs[0].recipe.training
        parts.setdefault((training.steps, training.epochs), []).append(runs)
    return list(parts.values())


def _by_cost(family: Sequence[tuple[Finished, ...]]) -> list[list[tuple[Finished, ...]]]:
    """Put together what took about as long, beginning with the shortest."""
    timed = [(measured.mean, runs) for runs in family if (measured := measure(runs, "seconds")) is not None]
    parts: list[list[tuple[Finished, ...]]] = []
    shortest = 0.0
    for seconds, runs in sorted(timed, key=lambda item: item[0]):
        if not parts or seconds > ALIKE * shortest:
            parts.append([])
            shortest = seconds
        parts[-1].append(runs)
    return parts


def _without_network(recipe: Recipe) -> Recipe:
    return recipe.changed(seed=0, model={"name": "any", "arguments": {}}, training=dict.fromkeys(_LENGTHS))


def _differing(runs: Sequence[Finished], among: Sequence[Sequence[Finished]]) -> str:
    """Name those arguments of a network that are not the same for all that are compared."""
    arguments = [each[0].recipe.model.arguments for each in among]
    own = runs[0].recipe.model.arguments
    differing = [f"{key}={own[key]}" for key in sorted(own) if any(each.get(key) != own[key] for each in arguments)]
    return f" ({', '.join(differing)})" if differing else ""


def _row(runs: Sequence[Finished], differing: str) -> tuple[str, ...]:
    # Reports of earlier versions do not say it.
    multiply_adds = next((known for each in runs if (known := each.report.get("multiply_adds")) is not None), None)
    steps = dict.fromkeys(f"{each.report['training']['steps']:,}" for each in runs)
    return (
        runs[0].recipe.model.name + differing,
        f"{_parameters(runs):,}",
        "-" if multiply_adds is None else f"{multiply_adds:,}",
        ", ".join(steps),
        first_measured(runs, "step_seconds"),
        first_measured(runs, "seconds"),
        first_measured(runs, "accuracy"),
    )


def _parameters(runs: Sequence[Finished]) -> int:
    number: int = runs[0].report["parameters"]
    return number
