"""One number that makes probabilities as sure as they are right: the temperature that logits are divided by.

Fitted on pictures that were kept away from training (Guo et al. 2017, arXiv:1706.04599); which class is the
likeliest never changes. Knows nothing of models or files.
"""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor

from retinula.metrics import calibration

LOWEST, HIGHEST = 0.05, 20.0  # what no sound network needs more of; a fit that runs away ends here
FEWEST = 50  # pictures: with fewer, chance decides more than the network
_LEAST_GAIN = 1e-9  # nats; rounding alone brings as much where the temperature decides nothing
_AT_BOUND = 1e-3  # of a temperature's logarithm
_PRECISION = 1e-10  # of the inverse of a temperature: far below what the pictures can tell apart


@dataclass(frozen=True)
class TemperatureFit:
    """What was fitted, and what it changed on the pictures it was fitted on.

    Attributes:
        temperature: above 0; 1 changes nothing.
        num_images: how many pictures it was fitted on; 0 where there were none.
        error_before: expected calibration error at temperature 1, 0..1, or None where nothing was fitted.
        error_after: the same at this temperature.
        reason: why nothing was fitted; empty where it was.
    """

    temperature: float
    num_images: int
    error_before: float | None = None
    error_after: float | None = None
    reason: str = ""

    @property
    def ran_away(self) -> bool:
        """Whether the fit ended at one of its bounds: no temperature makes these answers fit."""
        return min(abs(math.log(self.temperature / bound)) for bound in (LOWEST, HIGHEST)) < _AT_BOUND


def fit_temperature(logits: Tensor, labels: Tensor) -> TemperatureFit:
    """Find the temperature at which the cross entropy of the probabilities is least.

    The targets are a little softer than the labels, by one answer in N + 2 as Platt (1999) has it: a network that is
    right every time is not called infinitely sure for it.

    Args:
        logits: float `[N, K]`, of pictures that were not trained on.
        labels: int64 `[N]`.

    Returns:
        A temperature from 0.05 to 20; 1, with the reason, where the pictures are fewer than 50, where there is one
        class, where logits are not finite, or where no temperature is better than 1, as of a network that says the
        same of all classes.
    """
    number = len(labels)
    if number < FEWEST:
        return TemperatureFit(1.0, number, reason=f"{number} validation pictures are too few (at least {FEWEST})")
    if logits.shape[1] < 2:
        return TemperatureFit(1.0, number, reason="there is only one class")
    logits = logits.double()
    if not logits.isfinite().all():
        return TemperatureFit(1.0, number, reason="answers are not finite numbers")

    def loss(inverse: float) -> float:
        return F.cross_entropy(logits * inverse, labels, label_smoothing=1 / (number + 2)).item()

    # The cross entropy is convex in the inverse: there is one valley.
    bounds = 1 / HIGHEST, 1 / LOWEST
    inverse = float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _PRECISION}).x)
    if loss(1.0) - loss(inverse) < _LEAST_GAIN:
        return TemperatureFit(1.0, number, reason="no other temperature makes its answers better")
    before, after = (calibration(F.softmax(logits * each, dim=1), labels).error for each in (1.0, inverse))
    return TemperatureFit(1 / inverse, number, before, after)
