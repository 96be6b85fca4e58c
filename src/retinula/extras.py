"""What can be installed besides: by extra the modules that it brings, and what it is for.

Imports none of them but one that is asked for by `load`.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from retinula.errors import InputError, first_line
from retinula.text.words import listed


class Extra(NamedTuple):
    """The modules of an extra, by the names that they are imported by, and what it is for."""

    modules: tuple[str, ...]
    purpose: str


EXTRAS: Final = {
    "explain": Extra(("captum",), "what speaks for a class, and where"),
    "labels": Extra(("cleanlab",), "wrong labels"),
    "models": Extra(("timm",), "networks of timm, and their published weights"),
    "export": Extra(("onnx", "onnxruntime", "onnxscript"), "ONNX files"),
    "serve": Extra(("starlette", "uvicorn", "python_multipart", "onnxruntime"), "the server and its page"),
    "track": Extra(("tensorboard",), "logs for TensorBoard"),
    "tune": Extra(("optuna",), "settings chosen by trials"),
}


def missing_modules(extra: str) -> list[str]:
    """Return those modules of an extra that are not installed."""
    return [module for module in EXTRAS[extra].modules if find_spec(module) is None]


def is_here(extra: str, module: str = "") -> bool:
    """Say whether all modules of an extra, or the one that is named, can be imported."""
    missing = missing_modules(extra)
    return module not in missing if module else not missing


def need(extra: str, what: str, module: str = "") -> None:
    """See that all modules of an extra are installed, or the one that is named.

    Args:
        extra: that brings them.
        what: needs them: the beginning of the message.
        module: the only one that is needed; all of the extra's unless given.

    Raises:
        InputError: one is missing; says which, and how to install it.
    """
    if not is_here(extra, module):
        names = module or listed(missing_modules(extra))
        raise InputError(f"{what} needs {names}, not installed: {how_to_install(extra)}")


def load(extra: str, what: str, module: str) -> Any:
    """Import a module of an extra, such as `onnxruntime.quantization`, and return it.

    Args:
        extra: that brings it.
        what: needs it: the beginning of the message where it is not installed.
        module: its full name.

    Raises:
        InputError: it is not installed, or installed but broken, be it by what it needs; says why, and what to do.
    """
    package = module.partition(".")[0]
    need(extra, what, package)
    try:
        return import_module(module)
    except Exception as error:  # a torn or outdated package fails in every way there is while it is loaded
        raise InputError(f"{package} cannot be loaded ({first_line(error)}): install it anew") from error


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'retinula[{extra}]'"
