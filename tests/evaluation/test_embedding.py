"""The map keeps alike near alike, is the same every time, and bears few pictures and few features."""

import numpy as np
import pytest

from retinula.errors import InputError
from retinula.evaluation.embedding import EmbeddingMap, map_embedding


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


@pytest.mark.parametrize("noise", [0, 1e-7])
@pytest.mark.parametrize("level", [0, 1, 1e30])
def test_pictures_that_the_network_does_not_tell_apart_lie_in_the_middle(level: float, noise: float) -> None:
    chance = np.random.default_rng(0).normal(size=(40, 3))
    placed = map_embedding((level * (1 + noise * chance)).astype(np.float32), np.arange(40))
    assert placed.all_equal
    assert (placed.points == 0.5).all()
    assert EmbeddingMap.from_dict(placed.to_dict()).all_equal


@pytest.mark.parametrize(("distinct", "scale"), [(2, 1e-30), (3, 1), (29, 1e30)])
def test_pictures_with_equal_features_lie_at_one_place(distinct: int, scale: float) -> None:
    features = np.random.default_rng(0).normal(size=(40, 60))
    features[distinct - 1 :] = features[-1]
    placed = map_embedding((scale * features).astype(np.float32), np.arange(40))
    assert not placed.all_equal
    assert np.ptp(placed.points[distinct - 1 :], axis=0).max() < 0.05
    assert np.ptp(placed.points[:distinct], axis=0).max() == 1
    assert placed.method == ("PCA" if distinct == 2 else "PCA, then t-SNE")


def test_features_that_are_no_numbers_are_refused() -> None:
    features = np.zeros((40, 3), dtype=np.float32)
    features[3, 1], features[7] = np.nan, np.inf
    with pytest.raises(InputError, match="of 40 pictures, 2 have features that are no finite numbers"):
        map_embedding(features, np.arange(40))
