"""WrittenElsewhere: what a process that helps in a training has instead of its run."""

from collections.abc import Iterable
from pathlib import Path

from retinula.runs.files import EpochRow, StepRow
from retinula.runs.run import Run


class WrittenElsewhere(Run):
    """A run that another process writes: nothing that this one logs reaches the folder, which may be elsewhere too."""

    def _holds(self, file: Path) -> bool:
        return file.exists()

    def note(self, message: str) -> None:
        """Do nothing."""

    def add_metrics(self, row: EpochRow) -> None:
        """Do nothing."""

    def add_steps(self, rows: Iterable[StepRow]) -> None:
        """Do nothing."""

    def cut_logs(self, step: int, *, in_epoch: bool) -> None:
        """Do nothing."""
