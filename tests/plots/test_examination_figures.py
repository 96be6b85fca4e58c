"""The figures of what a closer look has found."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from figure_checks import assert_whole, words
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.label_errors import LabelError
from retinula.evaluation.results import Mistake
from retinula.images import ImageSet
from retinula.plots.examination import label_errors, near_duplicates, surest_mistakes

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
SET = ImageSet(PIXELS, np.zeros(40, dtype=np.int64), ("a",), "made/test")


@pytest.mark.parametrize(("number", "told"), [(24, "Each pair side by side"), (30, "Of them 24, each side by side")])
def test_pairs_that_are_not_drawn_are_owned_to(number: int, told: str) -> None:
    pairs = [NearDuplicate(n, n + 1, n == 0, 0.99, (0, 0)) for n in range(number)]
    figure = near_duplicates(SET, SET, pairs)
    assert words(figure) == (
        f"{number} pairs nearly the same within made/test {told}, the closest first; in all, 1 equal in every pixel. "
        "Above each the name of the left one, below it that of the right one."
    )
    assert captions(figure)[0] == ("picture 0", "picture 1")
    assert_whole(figure)


def test_what_is_to_be_corrected_is_drawn_with_its_file() -> None:
    path = "photos/of/birds/in/the/year/2024/wren/1.png"
    pairs = [NearDuplicate(0, 1, False, 0.99, (0, 0), path, "wren/2.png")]
    assert captions(near_duplicates(SET, SET, pairs)) == [(f"…{path[-27:]}", "wren/2.png")]
    errors = [LabelError(n, f"wren/{n}.png", "wren", "robin", 0.1, 0.9) for n in range(3)]
    figure = label_errors(SET, errors)
    assert captions(figure)[2] == ("wren: wren/2.png", "robin (90.0 %)")
    assert "Above each picture its label and file" in words(figure)
    mistakes = [Mistake(n, None, "wren", "robin", 0.9, 0.1) for n in range(2)]
    figure = surest_mistakes(SET, mistakes, 2)
    assert captions(figure)[1] == ("wren", "robin (90.0 %)")
    assert "Above each picture its label, which may be wrong itself" in words(figure)


def captions(figure: Figure) -> list[tuple[str, str]]:
    """Return what stands above and below each picture, as it was before it was broken into lines."""
    return [
        (axes.get_title().replace("/\n", "/").replace("\n", " "), axes.get_xlabel().replace("\n", " "))
        for axes in figure.axes
    ]
