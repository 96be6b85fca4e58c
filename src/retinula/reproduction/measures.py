"""What a finished run measured of each published figure. Knows runs and their logs; computes nothing anew."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from retinula.recipe.files import load_recipe, shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Metric
from retinula.reproduction.finished import Finished
from retinula.training.plan import batches_of

AVERAGED_STEPS = 100  # one batch says little, so the loss at a step is the mean over so many up to it
NOISE = 0.1  # the noise at which the gain of denoising is claimed


@dataclass(frozen=True)
class Measured:
    """The values that the runs of a recipe gave for one measure, by seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Their standard deviation, that of a sample; None of a single value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def measure(runs: Sequence[Finished], metric: Metric, at: int | None = None) -> Measured | None:
    """Return what finished runs measured; None where a run lacks it.

    Args:
        runs: finished ones.
        metric: what is asked for.
        at: the step, for `step_loss`; the epoch, for `epoch_val_loss`.
    """
    of_run = _FROM_RUN[metric] if at is None else partial(_AT[metric], at=at)
    values = [of_run(each) for each in runs]
    known = tuple(value for value in values if value is not None and math.isfinite(value))
    return Measured(known) if known and len(known) == len(values) else None


def result_metrics(recipe: Recipe) -> tuple[Metric, ...]:
    """Return the measures by which a recipe's result on test pictures is told, of which a run has one at most.

    What learned to take noise out is told by how much of it, not by what it makes of pictures without any.
    """
    return ("psnr_gain",) if recipe.objective.reconstructs and recipe.augment.noise else ("accuracy", "psnr")


def num_images(runs: Sequence[Finished]) -> tuple[int, ...]:
    """Return on how many test pictures finished runs were measured, each number once; empty where none says it."""
    return tuple(dict.fromkeys(number for each in runs if (number := each.evaluation().get("num_images")) is not None))


def photos_folder(recipe: Recipe) -> str:
    """Return by which folder of photos a recipe is measured: one that is shipped always by that of the shipped one."""
    usual = load_recipe(recipe.name) if recipe.name in shipped() else recipe
    return usual.figures.photos


def own_photos(finished: Finished) -> dict[str, Any]:
    """Return what a run's report says of the photos that its recipe is measured by; empty without.

    Earlier versions wrote there also what other photos had given.
    """
    folder = Path(photos_folder(finished.recipe)).name
    found: dict[str, Any] = finished.report.get("photos") or {}
    return found if found.get("folder", folder) == folder else {}


def _of_evaluation(key: str, split: str = "test") -> Callable[[Finished], float | None]:
    return lambda finished: finished.evaluation(split).get(key)


def _of_training(key: str) -> Callable[[Finished], float | None]:
    return lambda finished: finished.report["training"].get(key)


def _plain_accuracy(finished: Finished) -> float | None:
    measured = finished.evaluation()
    averages = finished.recipe.evaluation.tta != "none"
    return measured.get("plain_accuracy", None if averages else measured.get("accuracy"))


def _psnr_gain(finished: Finished) -> float | None:
    for level in finished.evaluation().get("denoising") or ():
        if math.isclose(level["noise"], NOISE):
            return float(level["psnr"] - level["psnr_noised"])
    return None


def _psnr_over_linear(finished: Finished) -> float | None:
    measured = finished.evaluation()
    psnr, linear = measured.get("psnr"), measured.get("linear_psnr")
    return None if psnr is None or linear is None else psnr - linear


def _step_loss(finished: Finished, at: int) -> float | None:
    losses = [row["loss"] for row in finished.run.steps() if at - AVERAGED_STEPS < row["step"] <= at]
    return statistics.fmean(losses) if len(losses) == min(AVERAGED_STEPS, at) else None


def _epoch_val_loss(finished: Finished, at: int) -> float | None:
    number: int = finished.report["data"]["num_images"]
    end = at * batches_of(finished.recipe, number).steps_per_epoch  # that nothing has cut short
    return next((row["val_loss"] for row in finished.run.metrics() if row["step"] == end), None)


def _lowest_step_loss(finished: Finished) -> float | None:
    return min((row["loss"] for row in finished.run.steps()), default=None)


def _step_seconds(finished: Finished) -> float | None:
    seconds = [row["seconds"] for row in finished.run.steps()]
    return statistics.median(seconds) if seconds else None


_FROM_RUN: dict[str, Callable[[Finished], float | None]] = {
    "accuracy": _of_evaluation("accuracy"),
    "plain_accuracy": _plain_accuracy,
    "train_accuracy": _of_evaluation("accuracy", "train"),
    "photos_accuracy": lambda finished: own_photos(finished).get("accuracy"),
    "loss": _of_evaluation("loss"),
    "psnr": _of_evaluation("psnr"),
    "psnr_gain": _psnr_gain,
    "psnr_over_linear": _psnr_over_linear,
    "lowest_step_loss": _lowest_step_loss,
    "val_loss": _of_training("val_loss"),
    "epochs": _of_training("epochs"),
    "seconds": _of_training("seconds"),
    "step_seconds": _step_seconds,
}
_AT: dict[str, Callable[..., float | None]] = {"step_loss": _step_loss, "epoch_val_loss": _epoch_val_loss}
