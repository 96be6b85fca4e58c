"""A run in a line: how far it is, and what it has reached. Knows its files only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import ValidationMetric
from retinula.runs.files import EpochRow, ended_early, own_evaluation
from retinula.runs.run import Run
from retinula.training.ranking import best_epoch


@dataclass(frozen=True)
class Outline:
    """How far a run is, and what it has reached.

    Attributes:
        epochs: of its training so far.
        val_accuracy: on its validation pictures, of the weights that it keeps or has kept so far; None without them.
        val_loss: likewise.
        test_accuracy: of its own test pictures; None where it was not measured or is no classifier.
        test_plain_accuracy: the same by a single look at each picture; None where the recipe averages over no others.
        ended_early: whether somebody ended it before its last step.
    """

    epochs: int
    val_accuracy: float | None
    val_loss: float | None
    test_accuracy: float | None
    test_plain_accuracy: float | None = None
    ended_early: bool = False

    @classmethod
    def of(cls, run: Run, recipe: Recipe, rows: Sequence[EpochRow]) -> "Outline":
        """Put it together from a run's own recipe and epochs, and its report, which is read where it is finished.

        Raises:
            InputError: the report cannot be read or is not whole.
        """
        training = recipe.training
        report = run.report() if run.finished else None
        return cls.told_by(report, rows, training.keep, training.metric, recipe.evaluation.tta)

    @classmethod
    def told_by(
        cls, report: Mapping[str, Any] | None, rows: Sequence[EpochRow], keep: str, metric: ValidationMetric, tta: str
    ) -> "Outline":
        """Put it together from those files that there are.

        Args:
            report: None where the run is not finished.
            rows: its epochs.
            keep: which weights, as its recipe says: `best` or `last`.
            metric: by which `best` is told.
            tta: the averaging that its recipe asks for.
        """
        if report is None:
            kept = _kept(rows, keep, metric)
            values = (None, None) if kept is None else (kept["val_accuracy"], kept["val_loss"])
            return cls(rows[-1]["epoch"] if rows else 0, *values, test_accuracy=None)
        training = report["training"]
        own = own_evaluation(report, tta)
        return cls(
            epochs=training["epochs"],
            val_accuracy=training.get("val_accuracy"),
            val_loss=training.get("val_loss"),
            test_accuracy=own.get("accuracy"),
            test_plain_accuracy=None if tta == "none" else own.get("plain_accuracy"),
            ended_early=bool(ended_early(report)),
        )


def _kept(rows: Sequence[EpochRow], keep: str, metric: ValidationMetric) -> EpochRow | None:
    """Return the epoch whose weights a training would keep if it ended now."""
    validated = [row for row in rows if row["val_loss"] is not None]
    if keep == "best" and validated:
        return validated[best_epoch(validated, metric)]
    return rows[-1] if rows else None
