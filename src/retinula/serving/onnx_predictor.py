"""A `Predictor` that runs an exported model with ONNX Runtime, without torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError
from retinula.images import Images
from retinula.serving.predictor import Maps, Similar
from retinula.trained.answers import Probabilities
from retinula.trained.onnx_model import OnnxModel


class OnnxPredictor:
    """An exported classifier. What it found where, and what is similar, needs the network itself."""

    offers = frozenset({"seen"})

    def __init__(self, model: OnnxModel, name: str):
        """Take a model.

        Raises:
            InputError: it knows no classes.
        """
        if not model.classes:
            raise InputError(f"{name} gives pictures back and knows no classes: nothing to serve")
        self._model = model
        self.name = name
        self.classes = model.classes
        self.about: dict[str, Any] = {**model.about, "runs_with": "ONNX Runtime"}

    def shrink(self, picture: Image.Image) -> Images:
        """Make it small as the model was trained."""
        return self._model.shrink(picture)

    def look_at(self, picture: Image.Image) -> Images:
        """Take all the views that its answers are the mean of."""
        return self._model.look_at(picture)

    def seen(self, small: Images) -> Images:
        """Cut out the centre, where the network looks at only that."""
        return self._model.form.centre(small)

    def probs(self, images: Images) -> Probabilities:
        """Run the graph."""
        return self._model.probs(images)

    def judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_] | None]:
        """Run the graph, which says what is unfamiliar, where the model could tell."""
        return self._model.judge(images)

    def heatmaps(self, images: Images, targets: NDArray[np.int64]) -> Maps:
        """Never asked for."""
        raise NotImplementedError

    def similar(self, images: Images) -> list[list[Similar]]:
        """Never asked for."""
        raise NotImplementedError
