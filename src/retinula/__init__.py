"""Retinula: from any collection of small pictures to a trained, examined model, on an ordinary computer.

The twelve names below, and the version, are loaded when they are first used, so that `import retinula` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retinula.datasets.load import load
    from retinula.errors import RetinulaError
    from retinula.evaluation.measuring import evaluate
    from retinula.evaluation.run_data import load_run_pictures
    from retinula.experiment import finish, resume, train
    from retinula.images import ImageSet
    from retinula.recipe.recipe import Recipe
    from retinula.runs.run import Run
    from retinula.trained.model_file import Model
    from retinula.tuning.tune import tune
    from retinula.version import __version__

_HOMES = {
    "ImageSet": "retinula.images",
    "Model": "retinula.trained.model_file",
    "Recipe": "retinula.recipe.recipe",
    "RetinulaError": "retinula.errors",
    "Run": "retinula.runs.run",
    "__version__": "retinula.version",
    "evaluate": "retinula.evaluation.measuring",
    "finish": "retinula.experiment",
    "load": "retinula.datasets.load",
    "load_run_pictures": "retinula.evaluation.run_data",
    "resume": "retinula.experiment",
    "train": "retinula.experiment",
    "tune": "retinula.tuning.tune",
}

__all__ = [
    "ImageSet",
    "Model",
    "Recipe",
    "RetinulaError",
    "Run",
    "__version__",
    "evaluate",
    "finish",
    "load",
    "load_run_pictures",
    "resume",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'retinula' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
