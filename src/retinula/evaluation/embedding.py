"""Where pictures lie in the space of a network's features, flattened to a map: alike lies near alike.

Distances between far groups on the map mean nothing. Knows nothing of files or figures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from retinula.errors import InputError
from retinula.text.words import plural

MAPPED = 2000  # pictures on a map: more cannot be told apart
COMPONENTS = 50  # that t-SNE starts from
_FEWEST = 12  # pictures that t-SNE makes sense of
_ROUNDING = 1e-6  # of a number: what differs by less is equal but for how it was computed
_EQUAL = "all features equal"


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """Coordinates of pictures.

    Attributes:
        indices: int64 `[n]`, which pictures of the set.
        points: float32 `[n, 2]`, each coordinate in 0..1.
        method: `PCA, then t-SNE`; `PCA` of few pictures, or of features that differ in one way only; `all features
            equal` where they do not differ at all.
    """

    indices: NDArray[np.int64]
    points: NDArray[np.float32]
    method: str

    @property
    def all_equal(self) -> bool:
        """Whether all pictures have the same features, and so the same place: the middle."""
        return self.method == _EQUAL

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

    Raises:
        InputError: a feature is not finite.
    """
    number = len(features)
    not_finite = number - int(np.isfinite(features).all(axis=1).sum())
    if not_finite:
        raise InputError(
            f"of {plural(number, 'picture')}, {not_finite:,} have features that are no finite numbers: there is no map"
        )
    middle = np.full((number, 2), 0.5, dtype=np.float32)
    if number < 2:
        return EmbeddingMap(indices, middle, "PCA")
    exact = features.astype(np.float64)
    exact = exact[:, np.ptp(exact, axis=0) > _ROUNDING * np.abs(exact).max(axis=0)]
    if not exact.shape[1]:
        return EmbeddingMap(indices, middle, _EQUAL)
    flat = _principal(exact, seed)
    if number < _FEWEST or flat.shape[1] < 2:
        points, method = np.pad(flat[:, :2], ((0, 0), (0, max(0, 2 - flat.shape[1])))), "PCA"
    else:
        tsne = TSNE(perplexity=min(30.0, (number - 1) / 3), init="pca", random_state=seed)
        points, method = tsne.fit_transform(flat), "PCA, then t-SNE"
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1)
    return EmbeddingMap(indices, scaled.astype(np.float32), method)


def _principal(features: NDArray[np.float64], seed: int) -> NDArray[np.float32]:
    """Return the principal components along which pictures differ, in deviations of the first.

    t-SNE kills the process where the first has no deviation, and leaves no form to a second one that has none.
    """
    features = features / np.abs(features).max()  # the largest numbers have no squares
    components = PCA(min(COMPONENTS, *features.shape), random_state=seed).fit_transform(features)
    deviations = components.std(axis=0)
    components = components[:, deviations > _ROUNDING * deviations[0]]
    return np.asarray(components / deviations[0], dtype=np.float32)
