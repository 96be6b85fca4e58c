"""Which of several epochs or trials is the best by the pictures set apart. Knows what they reached only."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from retinula.recipe.sections import ValidationMetric


def higher_is_better(metric: str) -> bool:
    """Tell of a metric of validation pictures whether more of it is better."""
    return metric == "val_accuracy"


def score(row: Mapping[str, Any], metric: ValidationMetric) -> tuple[float, float]:
    """Return how good an epoch was by the metric, and by its loss where that is the same; higher is better in both.

    Trials of settings are compared in the same way, by what the weights that they keep have reached.

    Accuracies are the same of many epochs where validation pictures are few. Minus infinity stands for what is not
    known of the epoch.
    """
    accuracy, loss = row.get("val_accuracy"), row.get("val_loss")
    by_loss = -math.inf if loss is None else -float(loss)
    if metric == "val_loss":
        return by_loss, by_loss
    return (-math.inf if accuracy is None else float(accuracy)), by_loss


def best_epoch(rows: Sequence[Mapping[str, Any]], metric: ValidationMetric) -> int:
    """Return the position of the best of at least one row, the first of equal ones.

    It is the one whose weights a training keeps, unless its loss is not finite: such weights are never kept.
    """
    return max(range(len(rows)), key=lambda place: score(rows[place], metric))
