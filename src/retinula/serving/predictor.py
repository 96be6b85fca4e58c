"""What a server needs of a model, whatever runs it. Knows neither torch nor ONNX Runtime."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retinula.answers import Classifier
from retinula.images import Images

Maps = NDArray[np.float32]


class Predictor(Classifier, Protocol):
    """A classifier that is served. `shrink` is called in several threads at once, all else in one."""

    @property
    def name(self) -> str:
        """What the model is called."""

    @property
    def about(self) -> dict[str, Any]:
        """What `GET /v1/model` tells of it beside name and classes: values that JSON can hold."""

    @property
    def explains(self) -> bool:
        """Whether `heatmaps` can be asked for."""

    def seen(self, small: Images) -> Images:
        """Cut out of what `shrink` gave, `[C, H, W]`, what the network looks at: uint8 `[C, h, w]`."""

    def heatmaps(self, images: Images, targets: NDArray[np.int64]) -> Maps:
        """Say where in each picture `[N, C, H, W]` a class was found: float32 `[N, h, w]`, 0 to 1, of what is seen."""
