"""The best epoch by the logs is the one whose weights are kept."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from retinula.recipe.sections import ValidationMetric
from retinula.training.ranking import best_epoch, score
from retinula.training.state import Best

FEW = st.sampled_from([0.25, 0.5, 0.75])  # so few values that many epochs are the same


@given(
    epochs=st.lists(st.tuples(FEW, FEW), min_size=1, max_size=6),
    metric=st.sampled_from(["val_loss", "val_accuracy"]),
)
def test_the_best_epoch_is_the_one_that_is_kept(epochs: list[tuple[float, float]], metric: ValidationMetric) -> None:
    rows = [{"val_accuracy": accuracy, "val_loss": loss} for accuracy, loss in epochs]
    best, network = Best(), nn.Identity()
    for step, row in enumerate(rows):
        best.offer(score(row, metric), step, network)
    assert best.step == best_epoch(rows, metric)


def test_of_equal_accuracies_the_lower_loss_counts_then_the_earlier_epoch() -> None:
    rows = [{"val_accuracy": 0.9, "val_loss": loss} for loss in (None, 0.3, 0.2, 0.2)]
    assert best_epoch(rows, "val_accuracy") == 2
    assert best_epoch([{"val_accuracy": 0.8, "val_loss": 0.1}, *rows], "val_accuracy") == 3
    assert best_epoch([{"val_accuracy": 0.8, "val_loss": 0.1}, *rows], "val_loss") == 0


@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
def test_what_is_not_known_is_worse_than_anything(metric: ValidationMetric) -> None:
    assert score({"val_accuracy": None, "val_loss": None}, metric) == (-math.inf, -math.inf)
    assert score({}, metric) < score({"val_accuracy": 0.0, "val_loss": 1e9}, metric)
