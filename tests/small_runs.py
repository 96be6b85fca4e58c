"""What the files of a run hold, made up: whole, but for what a test says otherwise."""

from typing import Any, cast

from retinula.runs.files import EpochRow, StepRow

SURROUNDINGS: dict[str, Any] = {"data": {}, "machine": {}, "versions": {}}


def epoch_row(epoch: int, step: int | None = None, **values: Any) -> EpochRow:
    """An epoch of one step, unless told otherwise."""
    row: dict[str, Any] = {
        "epoch": epoch,
        "step": epoch if step is None else step,
        "loss": 0.5,
        "accuracy": None,
        "val_loss": None,
        "val_accuracy": None,
        "learning_rate": 0.1,
        "seconds": 2.0,
        "images_per_second": None,
    }
    return cast("EpochRow", row | values)


def step_row(step: int, *, epoch: int = 1, loss: float = 0.5, rate: float = 0.1, seconds: float = 0.01) -> StepRow:
    """A step of the first epoch, unless told otherwise."""
    return {"step": step, "epoch": epoch, "loss": loss, "learning_rate": rate, "seconds": seconds}


def whole_report(
    *,
    data: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    evaluations: dict[str, Any] | None = None,
    **values: Any,
) -> dict[str, Any]:
    """A report of a training on digits; what is given replaces what it says of the same."""
    return {
        "run": "made-up",
        "network": "residual",
        "parameters": 7,
        "data": {"name": "digits/train", "num_images": 60, "num_classes": 10, **(data or {})},
        "training": {"epochs": 2, "steps": 2, "kept": "last", "kept_step": 2, **(training or {})},
        "evaluations": evaluations or {},
        **values,
    }
