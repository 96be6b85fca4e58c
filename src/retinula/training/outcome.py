"""What came of a training, as the report of its run holds it.

Knows nothing of how it was trained.
"""

from datetime import UTC, datetime
from typing import Any

from retinula.models.summary import summarize
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run
from retinula.trained.model_file import Model
from retinula.training.memory import peak_memory_mib
from retinula.version import __version__


def training_report(
    run: Run, recipe: Recipe, data: dict[str, Any], model: Model, started: datetime, earlier: float = 0.0
) -> dict[str, Any]:
    """Return the report of a run that has just been trained; evaluations are added to it later.

    Args:
        run: with the logs of all its epochs.
        recipe: that it was trained by.
        data: the pictures, from `run_data.Sets.described`.
        model: that came of it.
        started: when this process began, with its time zone.
        earlier: the seconds of the steps that processes before it have made; what they did besides is not known.
    """
    metrics = run.metrics()
    kept = next((row for row in metrics if row["step"] == model.provenance["kept_step"]), metrics[-1])
    seconds = sum(row["seconds"] for row in metrics)
    images = sum((row["images_per_second"] or 0.0) * row["seconds"] for row in metrics)
    environment = run.environment()
    summary = summarize(model.network, model.preprocess.input_shape)
    return {
        "retinula": __version__,
        "run": run.name,
        "recipe": recipe.name,
        "digest": recipe.digest(),
        "seed": recipe.seed,
        "task": model.task,
        "network": model.network_name,
        "parameters": summary.parameters,
        "multiply_adds": summary.multiply_adds,
        "data": data,
        "source": model.provenance.get("source"),
        "training": {
            "epochs": metrics[-1]["epoch"],
            "steps": metrics[-1]["step"],
            "of_steps": model.provenance.get("of_steps"),
            "kept": model.provenance["kept"],
            "kept_step": kept["step"],
            "loss": kept["loss"],
            "accuracy": kept["accuracy"],
            "val_loss": kept["val_loss"],
            "val_accuracy": kept["val_accuracy"],
            "hardware": model.provenance["hardware"],
            "seconds": round(seconds, 3),
            "seconds_in_all": round(earlier + (datetime.now(UTC) - started).total_seconds(), 3),
            "images_per_second": round(images / seconds, 1) if seconds else None,
            "peak_memory_mib": peak_memory_mib(),
        },
        "calibration": model.provenance.get("calibration"),
        "machine": environment["machine"],
        "versions": environment["versions"],
        "went_on": environment.get("went_on") or [],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "evaluations": {},
    }
