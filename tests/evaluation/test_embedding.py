"""The map keeps alike near alike, is the same every time, and bears few pictures and few features."""

import numpy as np
import pytest

from retinula.evaluation.embedding import map_embedding


def test_groups_stay_together_and_the_map_is_the_same_every_time() -> None:
    generator = np.random.default_rng(0)
    groups = np.arange(120) % 3
    features = (generator.normal(0, 1, (120, 20)) + 8 * np.eye(3, 20)[groups]).astype(np.float32)
    placed = map_embedding(features, np.arange(120))
    distances = np.linalg.norm(placed.points[:, None] - placed.points[None], axis=2) + 9 * np.eye(120)
    assert (groups[distances.argmin(axis=1)] == groups).mean() > 0.95
    assert placed.points.min() == 0
    assert placed.points.max() == 1
    assert np.array_equal(map_embedding(features, np.arange(120)).points, placed.points)
    assert placed.to_dict()["method"] == "PCA, then t-SNE"


@pytest.mark.parametrize("shape", [(1, 5), (2, 1), (5, 8), (30, 1)])
def test_few_pictures_or_features(shape: tuple[int, int]) -> None:
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    placed = map_embedding(features, np.arange(shape[0]))
    assert placed.points.shape == (shape[0], 2)
    assert np.isfinite(placed.points).all()
    assert placed.method == "PCA"
