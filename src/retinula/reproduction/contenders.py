"""Which of several recipes is the best by its validation pictures, and which chance alone may have put behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from retinula.recipe.sections import Metric, ValidationMetric
from retinula.reproduction.chance import difference_interval
from retinula.reproduction.measures import Measured
from retinula.reproduction.table import spread
from retinula.training.ranking import higher_is_better

_SHOWN_AS: dict[ValidationMetric, Metric] = {"val_accuracy": "accuracy", "val_loss": "val_loss"}


@dataclass(frozen=True)
class Contender:
    """Trainings that differ by their seed alone.

    Attributes:
        places: of them among all.
        values: what each seed reached on its validation pictures.
        num_images: how many validation pictures each has; None where that is not known.
    """

    places: tuple[int, ...]
    values: Measured
    num_images: int | None

    @property
    def num_seeds(self) -> int:
        """How many seeds there are; fewer than trainings where one was trained with twice."""
        return len(self.values.values)

    def told(self, metric: ValidationMetric) -> str:
        """Write mean and deviation."""
        return spread(_SHOWN_AS[metric], self.values)


@dataclass(frozen=True)
class Standing:
    """How contenders stand.

    Attributes:
        leader: with the best mean.
        rivals: those that chance may have put behind it.
        sure: whether chance could be told of all others.
    """

    leader: Contender
    rivals: tuple[Contender, ...]
    sure: bool

    def undecided(self, metric: ValidationMetric) -> str:
        """Say what leader and rivals do."""
        alike = (self.leader, *self.rivals)
        numbers = sorted(each.num_images for each in alike if each.num_images is not None)
        if metric == "val_accuracy" and len(numbers) == len(alike):
            few, many = numbers[0], numbers[-1]
            seeds = " and so few seeds" if any(each.num_seeds > 1 for each in alike) else ""
            return f"cannot be told apart by {few:,}{'' if few == many else f' to {many:,}'} pictures{seeds}"
        if len({each.values.mean for each in alike}) == 1:
            return f"have the same {metric}"
        return "cannot be told apart by so few seeds"


def standing(contenders: Sequence[Contender], metric: ValidationMetric) -> Standing:
    """Find the best of at least one contender, and those that cannot be told apart from it."""
    leader = (max if higher_is_better(metric) else min)(contenders, key=lambda each: each.values.mean)
    others = [each for each in contenders if each is not leader]
    bounds = [_lead(leader, other, metric) for other in others]
    rivals = [
        other
        for other, each in zip(others, bounds, strict=True)
        if (other.values.mean == leader.values.mean if each is None else each[0] <= 0)
    ]
    return Standing(leader, tuple(rivals), sure=None not in bounds)


def _lead(leader: Contender, other: Contender, metric: ValidationMetric) -> tuple[float, float] | None:
    if not higher_is_better(metric):
        return difference_interval(other.values, leader.values)
    return difference_interval(leader.values, other.values, (leader.num_images, other.num_images))
