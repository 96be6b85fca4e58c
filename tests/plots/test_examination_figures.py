"""The figures of what a closer look has found."""

import numpy as np
import pytest

from figure_checks import assert_whole, words
from retinula.evaluation.duplicates import NearDuplicate
from retinula.images import ImageSet
from retinula.plots.examination import near_duplicates

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
SET = ImageSet(PIXELS, np.zeros(40, dtype=np.int64), ("a",), "made/test")


@pytest.mark.parametrize(("number", "told"), [(24, "Each pair side by side"), (30, "Of them 24, each side by side")])
def test_pairs_that_are_not_drawn_are_owned_to(number: int, told: str) -> None:
    pairs = [NearDuplicate(n, n + 1, n == 0, 0.99, (0, 0)) for n in range(number)]
    figure = near_duplicates(SET, SET, pairs)
    assert words(figure) == (
        f"{number} pairs nearly the same within made/test {told}, the closest first; in all, 1 equal in every pixel."
    )
    assert_whole(figure)
