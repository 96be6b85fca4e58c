"""A finished run with what its files say of it, read once: pages of results ask for it dozens of times."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from retinula.recipe.recipe import Recipe
from retinula.runs.files import ended_early, own_evaluation
from retinula.runs.run import Run


@dataclass(frozen=True)
class Finished:
    """A finished run as it was when it was read; what is written into its report later is not in it.

    Attributes:
        run: whose files it is read from.
        recipe: as it ran.
        report: its results.
    """

    run: Run
    recipe: Recipe
    report: dict[str, Any]

    @classmethod
    def read(cls, run: Run) -> "Finished":
        """Read recipe and report of a run.

        Raises:
            InputError: it is not finished, or one of them cannot be read.
        """
        return cls(run, run.recipe(), run.report())

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Machine, versions, data and command, read when first asked for; `InputError` where they cannot be."""
        return self.run.environment()

    @property
    def ended_early(self) -> str:
        """Where somebody ended it before its last step, in words; nothing of a training that came to its end."""
        return ended_early(self.report)

    def evaluation(self, split: str = "test") -> dict[str, Any]:
        """Return the measurement on its own pictures of a split, as its recipe averages; empty without."""
        return own_evaluation(self.report, self.recipe.evaluation.tta, split)
