"""Learning-rate schedules: functions of the fraction of the training that is done.

A function of the fraction, not of the step, says the same for any batch size and length.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from retinula.recipe.sections import Schedule
from retinula.training.parts import settled

Multiplier = Callable[[float], float]
ONE_CYCLE_START, ONE_CYCLE_END = (
    1 / 25,
    1e-4 / 25,
)  # of the highest rate, as Smith & Topin 2018 are usually run


def multiplier(schedule: Schedule) -> Multiplier:
    """Return the function from the fraction done, 0..1, to the multiple of the learning rate.

    A warm-up rises from 0, so that the first step of a training changes nothing but running statistics and moments.

    >>> multiplier(Schedule(name="cosine"))(0.5)
    0.5
    """
    warmup = schedule.warmup
    shape = settled(SCHEDULES[schedule.name], schedule)(warmup)

    def rate(done: float) -> float:
        if done < warmup:
            return shape(warmup) * done / warmup
        return shape(done)

    return rate


def _constant(warmup: float) -> Multiplier:
    return lambda done: 1.0


def _step(warmup: float, *, milestones: tuple[float, ...], factor: float) -> Multiplier:
    ordered = sorted(milestones)
    return lambda done: factor ** bisect_right(ordered, done)


def _cosine(warmup: float) -> Multiplier:
    # Falls from the end of the warm-up, so that a warm-up ends at the full rate (Loshchilov & Hutter 2017).
    return lambda done: _between(1.0, 0.0, (done - warmup) / (1 - warmup))


def _one_cycle(warmup: float, *, peak: float) -> Multiplier:
    def rate(done: float) -> float:
        if done < peak:
            return _between(ONE_CYCLE_START, 1.0, done / peak)
        return _between(1.0, ONE_CYCLE_END, (done - peak) / (1 - peak))

    return rate


def _piecewise(warmup: float, *, points: tuple[tuple[float, float], ...]) -> Multiplier:
    fractions = [fraction for fraction, _ in points]
    values = [value for _, value in points]

    def rate(done: float) -> float:
        after = bisect_right(fractions, done)
        if after in (0, len(fractions)):
            return values[min(after, len(values) - 1)]
        left, right = fractions[after - 1], fractions[after]
        share = (done - left) / (right - left)
        return values[after - 1] * (1 - share) + values[after] * share

    return rate


def _between(start: float, end: float, share: float) -> float:
    """Go from `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


SCHEDULES: Final[dict[str, Callable[..., Multiplier]]] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
    "piecewise": _piecewise,
}
