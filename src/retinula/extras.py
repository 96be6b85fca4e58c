"""What can be installed besides: by extra the modules that it brings, and what it is for. Imports none of them."""

from importlib.util import find_spec
from typing import Final, NamedTuple


class Extra(NamedTuple):
    """The modules of an extra, by the names that they are imported by, and what it is for."""

    modules: tuple[str, ...]
    purpose: str


EXTRAS: Final = {
    "explain": Extra(("captum",), "what speaks for a class, and where"),
    "labels": Extra(("cleanlab",), "wrong labels"),
    "export": Extra(("onnx", "onnxruntime", "onnxscript"), "ONNX files"),
    "serve": Extra(("starlette", "uvicorn", "python_multipart", "onnxruntime"), "the server and its page"),
    "track": Extra(("tensorboard",), "logs for TensorBoard"),
    "tune": Extra(("optuna",), "settings chosen by trials"),
}


def missing_modules(extra: str) -> list[str]:
    """Return those modules of an extra that are not installed."""
    return [module for module in EXTRAS[extra].modules if find_spec(module) is None]
