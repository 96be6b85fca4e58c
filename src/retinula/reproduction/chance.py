"""Whether two measurements lie farther apart than chance puts them: that of the seeds, and that of the pictures."""

import math
from typing import Final

from scipy.special import stdtrit

from retinula.evaluation.intervals import interval_of_mean
from retinula.reproduction.measures import Measured

BY_ONE_SEED: Final = ", by one seed each"  # what is said of what was found where nothing tells of the chance of seeds
_CONFIDENCE: Final = 0.95


def share_interval(share: float | None, num_images: int | None) -> tuple[float, float] | None:
    """Return the bounds, 0..1, of a share of so many pictures, with 95 % confidence; None where nobody can tell."""
    if share is None or not num_images or not 0 <= share <= 1:
        return None
    return interval_of_mean(share, share * (1 - share), num_images, _CONFIDENCE)


def difference_interval(
    one: Measured, other: Measured, num_images: tuple[int | None, int | None] = (None, None)
) -> tuple[float, float] | None:
    """Return between which bounds one mean minus the other lies, with 95 % confidence; None where nobody can tell.

    What the seeds do is told by Student's t with the deviation of both sides together, so that a side of one run has
    that of the other; two of one run each tell nothing of it, and it is left out. What the pictures do to a share is
    told by the intervals of both shares (Newcombe 1998), as if each side had been asked about others: where they are
    the same, that is too cautious, if anything. Both are added as squares.

    Args:
        one: side.
        other: side.
        num_images: of how many pictures each is a share; None of what is none.
    """
    seeds = _reach_of_seeds(one, other)
    sides = [
        (each.mean, share_interval(each.mean, number)) for each, number in zip((one, other), num_images, strict=True)
    ]
    known = [(mean - bounds[0], bounds[1] - mean) for mean, bounds in sides if bounds is not None]
    difference = one.mean - other.mean
    if len(known) == len(sides):
        (below, above), (other_below, other_above) = known
        reach = seeds or 0.0
        return difference - math.hypot(below, other_above, reach), difference + math.hypot(above, other_below, reach)
    return None if seeds is None else (difference - seeds, difference + seeds)


def _reach_of_seeds(one: Measured, other: Measured) -> float | None:
    sides = [(len(each.values), each.deviation or 0.0) for each in (one, other)]
    freedom = sum(number - 1 for number, _ in sides)
    if not freedom:
        return None
    variance = sum((number - 1) * deviation**2 for number, deviation in sides) / freedom
    quantile = float(stdtrit(freedom, (1 + _CONFIDENCE) / 2))
    return quantile * math.sqrt(variance * sum(1 / number for number, _ in sides))
