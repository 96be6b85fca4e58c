"""Which trained model a command's RUN means."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retinula.cli.terminal import remark
from retinula.errors import InputError, RetinulaError

if TYPE_CHECKING:
    from retinula.runs.run import Run
    from retinula.trained.finding import Found
    from retinula.trained.model_file import Model

# Names of the files that training and export write: they say nothing of a model.
USUAL_NAMES = ("model", "model-int8")
# What of a measurement goes with a model: of classifiers the accuracy, of what gives pictures back the quality.
RESULT = (
    *("dataset", "split", "num_images", "tta", "accuracy", "accuracy_low", "accuracy_high", "plain_accuracy"),
    *("loss", "mse", "psnr", "ssim"),
)


RunOrModel = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder or name, 'last', or a model file.")]
RunOrAnyModel = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's folder or name, 'last', a model file, or a .onnx file of retinula export."
    ),
]
FinishedRun = Annotated[str, typer.Argument(metavar="RUN", help="A folder, a name under runs/, or 'last'.")]


def without_pictures(run: str | Path) -> InputError:
    """Return the refusal to ask a model file about pictures of its own."""
    return InputError(f"{run} is a model without pictures of its own: name some with --data")


def found_model(run: str) -> "Found":
    """Find the model that RUN means, which does not load torch, and say which run `last` is."""
    if is_onnx(run):
        raise InputError(f"{run} only answers (retinula predict, retinula serve); name the run that it came from")
    from retinula.trained.finding import find_trained

    return find_trained(run, tell=remark)


def trained_model(run: str) -> "Model":
    """Load the model that RUN means."""
    file = found_model(run).file
    from retinula.trained.model_file import Model

    return Model.load(file)


def is_onnx(run: str) -> bool:
    """Say whether RUN is a file that `retinula export` writes, which answers without torch."""
    return Path(run).suffix.lower() == ".onnx"


def called(path: Path, provenance: object) -> str:
    """Return what a model in a file is called: after its run where the file has the name that all have, else after it.

    Args:
        path: of the file.
        provenance: what the file says of itself, which may be anything.
    """
    run = provenance.get("run") if isinstance(provenance, Mapping) else None
    if path.stem in USUAL_NAMES and isinstance(run, str) and re.fullmatch(r"\w[\w.-]{0,99}", run):
        return path.stem.replace("model", run, 1)
    return path.stem


def with_result(model: "Model", run: "Run") -> "Model":
    """Add to the provenance of a run's model, as `result`, what was measured of it on test or validation pictures."""
    result: dict[str, Any] = {}
    try:
        if run.finished:
            result = run.evaluation("test") or run.evaluation("validation")
    except RetinulaError as error:
        remark(f"without the result of its run: {error}")
    told = {key: result[key] for key in RESULT if key in result}
    return replace(model, provenance=model.provenance | {"result": told}) if told else model
