"""A model file as it is served: run with torch."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from retinula.errors import InputError
from retinula.explanation.attribution import USUAL, attribute, check_explainable, gradcam_layer
from retinula.images import Images
from retinula.serving.neighbours import Neighbours
from retinula.serving.served import Maps, Served
from retinula.trained.model_file import Model


def served_model(model: Model, name: str, neighbours: Neighbours | None = None) -> Served:
    """Return a model as it is served.

    Args:
        model: a classifier.
        name: what it is called.
        neighbours: pictures from its training, where there are some to be found.

    Raises:
        InputError: it knows no classes.
    """
    if not model.classifies:
        raise InputError(f"{model.network_name} gives pictures back and knows no classes: nothing to serve")
    about = {
        "network": model.network_name,
        "runs_with": f"torch {torch.__version__}",
        "input": model.preprocess.to_dict(),
        "superclasses": None if model.superclasses is None else list(model.superclasses),
        "temperature": model.temperature,
        "tells_unfamiliar": model.familiarity is not None,
        "provenance": model.provenance,
    }
    return Served(
        name,
        model,
        about,
        heatmaps=partial(_heatmaps, model) if _explains(model) else None,
        similar=neighbours.of if neighbours else None,
    )


def _heatmaps(model: Model, images: Images, targets: NDArray[np.int64]) -> Maps:
    """Compute what `retinula explain` shows unless told otherwise; the most that was found in a picture is 1."""
    maps = attribute(model, model.preprocess.centre(images), targets, USUAL)
    most = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(most > 0, most, 1), dtype=np.float32)


def _explains(model: Model) -> bool:
    try:
        check_explainable(model)
        gradcam_layer(model)
    except InputError:
        return False
    return True
