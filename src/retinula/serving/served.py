"""A model as it is served, whatever runs it. Knows neither torch nor ONNX Runtime."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinula.images import Images
from retinula.trained.answers import Classifier

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


@dataclass(frozen=True, eq=False)
class Served:
    """A classifier and what it can give beside answers.

    Attributes:
        name: what it is called.
        classifier: answers; pictures are made small in several threads at once, all else is asked of it in one.
        about: what `GET /v1/model` tells of it beside name and classes: values that JSON can hold.
        heatmaps: says where in each picture, `[N, C, H, W]`, its class of `[N]` was found: float32 `[N, h, w]`, 0 to 1,
            of what is seen. None where that cannot be said.
        similar: finds the pictures from training that are most like each of some, `[N, C, H, W]`, the likest first.
    """

    name: str
    classifier: Classifier
    about: dict[str, Any]
    heatmaps: Callable[[Images, NDArray[np.int64]], Maps] | None = None
    similar: Callable[[Images], Sequence[list[Similar]]] | None = None

    @property
    def offers(self) -> frozenset[str]:
        """What it can give beside answers: `seen`, and maybe `heatmap` and `similar`."""
        there = {"seen": True, "heatmap": self.heatmaps is not None, "similar": self.similar is not None}
        return frozenset(name for name, offered in there.items() if offered)
