"""What a server needs of a model, whatever runs it. Knows neither torch nor ONNX Runtime."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retinula.images import Images
from retinula.trained.answers import Judge

Maps = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Similar:
    """A picture from training that is like another.

    Attributes:
        image: uint8 `[C, h, w]`, what the network sees of it.
        label: its class.
        likeness: the cosine of the angle between what the network makes of both, at most 1.
    """

    image: Images
    label: str
    likeness: float


class Predictor(Judge, Protocol):
    """A classifier that is served. `shrink` and `look_at` are called in several threads at once, all else in one."""

    @property
    def name(self) -> str:
        """What the model is called."""

    @property
    def about(self) -> dict[str, Any]:
        """What `GET /v1/model` tells of it beside name and classes: values that JSON can hold."""

    @property
    def offers(self) -> frozenset[str]:
        """What it can give beside answers: `seen`, and maybe `heatmap` and `similar`."""

    def seen(self, small: Images) -> Images:
        """Cut out of what `shrink` gave, `[C, H, W]`, what the network looks at: uint8 `[C, h, w]`."""

    def heatmaps(self, images: Images, targets: NDArray[np.int64]) -> Maps:
        """Say where in each picture `[N, C, H, W]` a class was found: float32 `[N, h, w]`, 0 to 1, of what is seen."""

    def similar(self, images: Images) -> list[list[Similar]]:
        """Find the pictures from training that are most like each of `images`, `[N, C, H, W]`, the likest first."""
