"""Which trained model a command's RUN means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.errors import InputError

if TYPE_CHECKING:
    from retinula.model_file import Model

RunOrModel = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder or name, 'last', or a model file.")]


def trained_model(run: str) -> "Model":
    """Load the model of a run, or of a model file."""
    from retinula.model_file import Model
    from retinula.run import find_run

    path = Path(run)
    if is_onnx(run):
        raise InputError(f"{run} only answers (retinula predict, retinula serve); name the run that it came from")
    if not path.is_file():
        path = find_run(run).path
        if not (path / "model.safetensors").exists():
            raise InputError(f"{path} has no model yet; go on with: retinula train --resume {path}")
    return Model.load(path)


def is_onnx(run: str) -> bool:
    """Say whether RUN is a file that `retinula export` writes, which answers without torch."""
    return Path(run).suffix.lower() == ".onnx"
