"""Where pictures lie in the space of a network's features, flattened to a map: alike lies near alike.

Distances between far groups on the map mean nothing. Knows nothing of files or figures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

MAPPED = 2000  # pictures on a map: more cannot be told apart
COMPONENTS = 50  # that t-SNE starts from
_FEWEST = 12  # pictures that t-SNE makes sense of


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """Coordinates of pictures.

    Attributes:
        indices: int64 `[n]`, which pictures of the set.
        points: float32 `[n, 2]`, each coordinate in 0..1.
        method: `PCA, then t-SNE`, or `PCA` of few pictures.
    """

    indices: NDArray[np.int64]
    points: NDArray[np.float32]
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as values that JSON can hold."""
        return {
            "method": self.method,
            "indices": self.indices.tolist(),
            "points": [[round(x, 4), round(y, 4)] for x, y in self.points.tolist()],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "EmbeddingMap":
        """Build from the value of `to_dict`; others raise `LookupError`, `TypeError`, `ValueError`, `OverflowError`."""
        indices = np.array(values["indices"], dtype=np.int64)
        points = np.array(values["points"], dtype=np.float32).reshape(-1, 2)
        if indices.shape != (len(points),) or (indices < 0).any() or not ((points >= 0) & (points <= 1)).all():
            raise ValueError("a map has a point in 0..1 for every picture")
        return cls(indices, points, str(values["method"]))


def map_embedding(features: NDArray[np.float32], indices: NDArray[np.int64], seed: int = 0) -> EmbeddingMap:
    """Flatten features by principal components, then t-SNE (van der Maaten & Hinton 2008).

    Args:
        features: `[n, D]`.
        indices: int64 `[n]`, which pictures they belong to.
        seed: the same seed gives the same map.
    """
    number = len(features)
    components = min(COMPONENTS, number, features.shape[1])
    if number < 2:
        return EmbeddingMap(indices, np.full((number, 2), 0.5, dtype=np.float32), "PCA")
    flat = PCA(components, random_state=seed).fit_transform(features)
    if number < _FEWEST or components < 2:
        points, method = np.pad(flat[:, :2], ((0, 0), (0, max(0, 2 - components)))), "PCA"
    else:
        tsne = TSNE(perplexity=min(30.0, (number - 1) / 3), init="pca", random_state=seed)
        points, method = tsne.fit_transform(flat), "PCA, then t-SNE"
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1)
    return EmbeddingMap(indices, scaled.astype(np.float32), method)
