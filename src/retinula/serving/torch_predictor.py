"""A `Predictor` that runs a model file with torch."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError
from retinula.explanation.attribution import USUAL, attribute, check_explainable, gradcam_layer
from retinula.images import Images
from retinula.serving.neighbours import Neighbours
from retinula.serving.predictor import Maps, Similar
from retinula.trained.answers import Probabilities
from retinula.trained.model_file import Model


class TorchPredictor:
    """A model file's classifier."""

    def __init__(self, model: Model, name: str, neighbours: Neighbours | None = None):
        """Take a model.

        Args:
            model: a classifier.
            name: what it is called.
            neighbours: pictures from its training, where there are some to be found.

        Raises:
            InputError: it knows no classes.
        """
        if not model.classifies:
            raise InputError(f"{model.network_name} gives pictures back and knows no classes: nothing to serve")
        self._model = model
        self._neighbours = neighbours
        self.name = name
        self.classes = model.classes
        self.about: dict[str, Any] = {
            "network": model.network_name,
            "runs_with": f"torch {torch.__version__}",
            "input": model.preprocess.to_dict(),
            "superclasses": None if model.superclasses is None else list(model.superclasses),
            "temperature": model.temperature,
            "tells_unfamiliar": model.familiarity is not None,
            "provenance": model.provenance,
        }
        offers = {"seen": True, "heatmap": _explains(model), "similar": neighbours is not None}
        self.offers = frozenset(name for name, there in offers.items() if there)

    def shrink(self, picture: Image.Image) -> Images:
        """Make it small as the model was trained."""
        return self._model.shrink(picture)

    def look_at(self, picture: Image.Image) -> Images:
        """Take all the views that its answers are the mean of."""
        return self._model.look_at(picture)

    def seen(self, small: Images) -> Images:
        """Cut out the centre, where the network looks at only that."""
        return self._model.preprocess.centre(small)

    def probs(self, images: Images) -> Probabilities:
        """Run the network."""
        return self._model.probs(images)

    def judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_] | None]:
        """Run the network, and say what is unfamiliar, where the model can tell."""
        return self._model.judge(images)

    def heatmaps(self, images: Images, targets: NDArray[np.int64]) -> Maps:
        """Compute what `retinula explain` shows unless told otherwise; the most that was found in a picture is 1."""
        maps = attribute(self._model, self._model.preprocess.centre(images), targets, USUAL)
        most = maps.max(axis=(1, 2), keepdims=True)
        return np.asarray(maps / np.where(most > 0, most, 1), dtype=np.float32)

    def similar(self, images: Images) -> list[list[Similar]]:
        """Find the likest pictures from training."""
        return [[] for _ in images] if self._neighbours is None else self._neighbours.of(images)


def _explains(model: Model) -> bool:
    try:
        check_explainable(model)
        gradcam_layer(model)
    except InputError:
        return False
    return True
