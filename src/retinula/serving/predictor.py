"""What a server needs of a model, whatever runs it. Knows neither torch nor ONNX Runtime."""

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.images import Images

Insight = Literal["seen", "heatmap"]


class Predictor(Protocol):
    """A classifier. Its methods are called in threads: `shrink` in several at once, the others in one."""

    @property
    def name(self) -> str:
        """What the model is called."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""

    @property
    def about(self) -> dict[str, Any]:
        """What `GET /v1/model` tells of it beside name and classes: values that JSON can hold."""

    @property
    def explains(self) -> bool:
        """Whether `heatmaps` can be asked for."""

    def shrink(self, picture: Image.Image) -> Images:
        """Bring a decoded picture of any size to uint8 `[C, h, w]`, as the model was trained."""

    def seen(self, small: Images) -> Images:
        """Cut out what the network looks at: uint8 `[C, h, w]`."""

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Answer for pictures as `shrink` gives them, uint8 `[N, C, h, w]`: float32 `[N, K]`, rows summing to 1."""

    def heatmaps(self, images: Images, targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Say where in each picture a class was found: float32 `[N, h, w]`, 0 to 1, of what `seen` gives."""
