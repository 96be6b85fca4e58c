"""What training makes small, as functions of the network's outputs and the targets."""

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F

from retinula.images import ImageSet
from retinula.recipe.sections import Objective
from retinula.training.parts import settled

LEAST_ERROR = 1e-6  # 60 dB: below half a grey value, where a logarithm would still chase the last pixel
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def loss_function(objective: Objective, train_set: ImageSet) -> Loss:
    """Return the function from outputs and targets to a loss, a float32 scalar.

    Cross entropy takes logits `[n, K]` and labels int64 `[n]` or probabilities `[n, K]` (mixed pictures);
    the others take a picture's logits and the picture, float in 0..1, of the same shape. `log_mse` is the mean of
    every picture's own logarithm: what the mean PSNR measures, so that smooth pictures count as much as busy ones.
    """
    return settled(OBJECTIVES[objective.name], objective)(train_set)


def mean_weights(objective: Objective, train_set: ImageSet, *, mixes: bool) -> torch.Tensor | None:
    """Return float32 `[K]`: what torch's mean over a batch divides by the sum of; None where it is the number.

    Where targets are probabilities (`mixes`), torch divides by the number whatever the weights are.
    """
    if objective.reconstructs or objective.class_weights != "balanced" or mixes:
        return None
    return balanced_weights(train_set)


def balanced_weights(train_set: ImageSet) -> torch.Tensor:
    """Return float32 `[K]`: the weight of each class, so that all classes count the same whatever their numbers.

    A class without pictures gets 1: it never occurs.
    """
    counts = torch.bincount(torch.from_numpy(train_set.known_labels()), minlength=len(train_set.classes))
    present = counts > 0
    weights = torch.ones(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def _cross_entropy(train_set: ImageSet, *, label_smoothing: float, class_weights: str) -> Loss:
    weights = balanced_weights(train_set) if class_weights == "balanced" else None

    def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        weight = None if weights is None else weights.to(logits.device)
        return F.cross_entropy(logits.float(), targets, weight=weight, label_smoothing=label_smoothing)

    return cross_entropy


def _bce(train_set: ImageSet) -> Loss:
    return lambda outputs, images: F.binary_cross_entropy_with_logits(outputs.float(), images)


def _mse(train_set: ImageSet) -> Loss:
    return lambda outputs, images: F.mse_loss(torch.sigmoid(outputs.float()), images)


def _log_mse(train_set: ImageSet) -> Loss:
    def log_mse(outputs: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        errors = (torch.sigmoid(outputs.float()) - images).square().flatten(1).mean(dim=1)
        return (errors + LEAST_ERROR).log().mean()

    return log_mse


OBJECTIVES: Final[dict[str, Callable[..., Loss]]] = {
    "cross_entropy": _cross_entropy,
    "bce": _bce,
    "mse": _mse,
    "log_mse": _log_mse,
}
