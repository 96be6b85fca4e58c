"""What `retinula tune` shows while it runs: a bar for the trial on a terminal, and a line a trial everywhere."""

from collections.abc import Sequence

from retinula.cli.terminal import TrainingReporter, number, reached
from retinula.recipe.files import brief
from retinula.recipe.sections import ValidationMetric
from retinula.runs.files import EpochRow
from retinula.training.reporting import StepProgress
from retinula.tuning.search import TuningReporter
from retinula.tuning.space import Value
from retinula.tuning.study import Trial


class TrialsReporter(TrainingReporter, TuningReporter):
    """Shows a search."""

    def __init__(self) -> None:
        super().__init__()
        self._trial = ""

    def trial_begins(self, number: int, wanted: int, settings: Sequence[str]) -> None:
        """Name the trial on the bar."""
        self._trial = f"trial {number}, {wanted} in all"

    def trial_ends(self, trial: Trial, metric: ValidationMetric, *, best: bool) -> None:
        """Print a line."""
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

    def step(self, progress: StepProgress) -> None:
        """Move the bar."""
        super().step(progress)
        if self._bar is not None:
            self._bar.update(self._task, description=f"{self._trial}: epoch {progress.epoch}/{progress.num_epochs}")

    def epoch(self, row: EpochRow) -> None:
        """Say nothing: a trial has one line."""


def shown(value: Value) -> str:
    """Write a setting's value as briefly as it can be told from its like.

    >>> shown(0.0123456), shown("sgd")
    ('0.01235', 'sgd')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)
