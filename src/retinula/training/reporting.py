"""What a training tells the outside while it runs; by itself it is silent."""

from typing import NamedTuple

from retinula.runs.files import EpochRow


class StepProgress(NamedTuple):
    """Where a training stands after a step."""

    step: int
    num_steps: int
    epoch: int
    num_epochs: int
    loss: float
    images_per_second: float
    seconds_left: float


class Reporter:
    """Told what happens; made to be overridden by whoever owns a terminal or a page."""

    def message(self, text: str) -> None:
        """Take in a decision or an event, in words."""

    def loading(self, what: str, done: int, total: int | None) -> None:
        """Take in how far a download or the preparation of the pictures is, in bytes or pictures."""

    def step(self, progress: StepProgress) -> None:
        """Take in that a step was made."""

    def epoch(self, row: EpochRow) -> None:
        """Take in that an epoch ended, with its row of `metrics.jsonl`."""
