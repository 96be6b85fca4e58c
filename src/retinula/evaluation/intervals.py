"""How sure a measured share is."""

import math
from statistics import NormalDist


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the bounds, 0..1, between which the true share lies with this confidence (Wilson 1927).

    >>> low, high = wilson_interval(7416, 10000)
    >>> f"{low:.4f} {high:.4f}"
    '0.7329 0.7501'
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"{correct} of {total} is no share")
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence must lie between 0 and 1, not {confidence}")
    share = correct / total
    low, high = interval_of_mean(share, share * (1 - share), total, confidence)
    # At the ends the bound is exact; the rounding of the formula must not move it.
    return 0.0 if correct == 0 else low, 1.0 if correct == total else high


def interval_of_mean(mean: float, variance: float, number: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the bounds, 0..1, between which the mean of all such values, 0..1, lies with this confidence.

    Wilson's interval with the variance of the values, which of zeros and ones is his: of a few values that are all
    the same it does not say that all others must be, too.

    Args:
        mean: of the values measured, 0..1.
        variance: of these, the mean square of their distance from the mean.
        number: how many they are.
        confidence: above 0 and below 1.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    scale = 1 + z * z / number
    centre = mean + z * z / (2 * number)
    reach = z * math.sqrt(variance / number + (z / (2 * number)) ** 2)
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)
