"""A search in plain lines: one a trial."""

from retinula.recipe.files import brief
from retinula.recipe.sections import ValidationMetric
from retinula.runs.files import EpochRow
from retinula.text.words import number, reached
from retinula.training.lines import LineReporter
from retinula.tuning.search import TuningReporter
from retinula.tuning.space import Value
from retinula.tuning.study import Trial


class TrialLines(LineReporter, TuningReporter):
    """Tells a search in lines."""

    def trial_ends(self, trial: Trial, metric: ValidationMetric, *, best: bool) -> None:
        """Write a line."""
        parts = [f"trial {trial.number:>3}", *(f"{brief(key)} {shown(value)}" for key, value in trial.values.items())]
        if trial.value is not None:
            parts.append(f"{metric} {reached(metric, trial.value)}")
        if trial.state != "finished":
            parts.append(f"{trial.state}: {trial.reason}")
        elif trial.reason:
            parts.append(trial.reason)
        else:
            parts.append(f"{number(trial.seconds, 1)} s")
        self._line("  ".join([*parts, *(["best so far"] if best else [])]))

    def epoch(self, row: EpochRow) -> None:
        """Say nothing: a trial has one line."""


def shown(value: Value) -> str:
    """Write a setting's value as briefly as it can be told from its like.

    >>> shown(0.0123456), shown("sgd")
    ('0.01235', 'sgd')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)
