"""Pictures of floats, 0..1, as bytes: as `transforms.levels` does it, for whoever must not load torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_bytes(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Bring values in 0..1 to uint8, each to the nearest byte; what lies outside is clipped.

    >>> to_bytes(np.array([-0.1, 0.5, 1.0, 1.5])).tolist()
    [0, 128, 255, 255]
    """
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), dtype=np.uint8)
