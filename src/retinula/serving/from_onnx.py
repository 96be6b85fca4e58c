"""An exported model as it is served: run with ONNX Runtime, without torch."""

from retinula.errors import InputError
from retinula.serving.served import Served
from retinula.trained.onnx_model import OnnxModel


def served_onnx(model: OnnxModel, name: str) -> Served:
    """Return an exported model as it is served. What it found where, and what is similar, needs the network itself.

    Args:
        model: a classifier.
        name: what it is called.

    Raises:
        InputError: it knows no classes.
    """
    if not model.classes:
        raise InputError(f"{name} gives pictures back and knows no classes: nothing to serve")
    return Served(name, model, {**model.about, "runs_with": "ONNX Runtime"})
