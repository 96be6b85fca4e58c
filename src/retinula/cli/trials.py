"""What `retinula tune` shows while it runs: a bar for the trial on a terminal, and a line a trial everywhere."""

from collections.abc import Sequence

from retinula.cli.terminal import TrainingReporter
from retinula.runs.files import EpochRow
from retinula.training.reporting import StepProgress
from retinula.tuning.lines import TrialLines


class TrialsReporter(TrainingReporter, TrialLines):
    """Shows a search."""

    def __init__(self) -> None:
        super().__init__()
        self._trial = ""

    def trial_begins(self, number: int, wanted: int, settings: Sequence[str]) -> None:
        """Name the trial on the bar."""
        self._trial = f"trial {number}, {wanted} in all"

    def _described(self, progress: StepProgress) -> str:
        return f"{self._trial}: {super()._described(progress)}"

    def epoch(self, row: EpochRow) -> None:
        """Say nothing: a trial has one line."""
