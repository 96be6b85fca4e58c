"""The figures of what a closer look has found."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from figure_checks import assert_whole, words
from retinula.evaluation.caution import CountedAnswers, caution
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.embedding import EmbeddingMap, map_embedding
from retinula.evaluation.label_errors import LabelError
from retinula.evaluation.results import Mistake
from retinula.evaluation.robustness import Robustness
from retinula.images import ImageSet
from retinula.plots.examination import embedding, label_errors, near_duplicates, robustness, surest_mistakes
from retinula.plots.figure import GREY, SERIES

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
SET = ImageSet(PIXELS, np.zeros(40, dtype=np.int64), ("a",), "made/test")
BIRDS = ("wren", "robin")
ABLE, GUESSING = CountedAnswers(100, 90, 50), CountedAnswers(100, 52, 50)


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
    figure = label_errors(SET, errors, ABLE, BIRDS)
    assert captions(figure)[2] == ("wren: wren/2.png", "robin (90.0 %)")
    assert "Above each picture its label and file" in words(figure)
    mistakes = [Mistake(n, None, "wren", "robin", 0.9, 0.1) for n in range(2)]
    figure = surest_mistakes(SET, mistakes, 2, BIRDS)
    assert captions(figure)[1] == ("wren", "robin (90.0 %)")
    assert "Above each picture its label, which may be wrong itself" in words(figure)


def test_labels_are_called_likely_wrong_only_by_answers_that_mean_something() -> None:
    errors = [LabelError(n, None, "wren", "robin", 0.1, 0.9) for n in range(30)]
    able, guessing = CountedAnswers(360, 300, 180), CountedAnswers(360, 15, 6)
    figure = label_errors(SET, errors, able, BIRDS)
    assert words(figure) == (
        "30 labels likely wrong; the 24 likeliest Above each picture its label, below it what it likely is. "
        + caution(able)
    )
    figure = label_errors(SET, errors, guessing, BIRDS)
    assert words(figure) == (
        f"Answers hardly better than guesses speak against 30 labels; 24 of them {caution(guessing)} "
        "Above each picture its label, below it the answer."
    )
    assert_whole(figure)
    few = CountedAnswers(15, 12, 8)
    figure = label_errors(SET, errors[:3], few, BIRDS)
    assert words(figure) == (
        f"Answers that may be hardly better than guesses speak against 3 labels; 3 of them {caution(few)} "
        "Above each picture its label, below it the answer."
    )
    assert_whole(figure)


def test_boxes_in_what_is_found_are_explained_where_they_are_drawn() -> None:
    nushu = chr(0x1B170)  # in no font of an ordinary system
    explained = "\u25a1 is a letter that no font here has: install one, for example fonts-noto-core."
    far = f"{nushu}/of/birds/in/the/year/2024/wren/1.png"  # its beginning has no place in a caption
    found = [LabelError(0, far, "wren", "robin", 0.1, 0.9)]
    mistakes = [Mistake(0, f"{nushu}.png", "wren", "robin", 0.9, 0.1)]
    drawn = {
        label_errors(SET, found, ABLE, BIRDS): 0,
        label_errors(SET, [replace(found[0], suggestion=nushu)], ABLE, (*BIRDS, nushu)): 1,
        surest_mistakes(SET, mistakes, 1, BIRDS): 1,
        surest_mistakes(SET, [replace(mistakes[0], label=nushu)], 1, (*BIRDS, nushu)): 1,
        near_duplicates(SET, SET, [NearDuplicate(0, 1, False, 0.99, (0, 0), far, "wren/2.png")]): 0,
        near_duplicates(SET, SET, [NearDuplicate(0, 1, False, 0.99, (0, 0), far, f"{nushu}.png")]): 1,
    }
    for figure, times in drawn.items():
        assert words(figure).replace("- ", "-").count(explained) == times
    assert captions(list(drawn)[1])[0][1] == "\u25a1 (class 2) (90.0 %)"
    assert captions(list(drawn)[3])[0][0].startswith("\u25a1 (class 2): ")


def test_near_chance_no_corruption_is_said_to_cost_most() -> None:
    rows: dict[str, tuple[float, ...]] = {"noise": (0.1,) * 5, "fog": (0.3,) * 5, "blur": (0.2,) * 5}
    result = Robustness(9, 9, 0.3, rows)
    able, guessing = robustness(result, ABLE), robustness(result, GUESSING)
    assert words(able).endswith("at strengths from 1 (mild) to 5 (hard); what costs most at the top.")
    assert words(guessing).endswith(
        f"on average on spoilt ones {caution(GUESSING)} Right answers in %, single looks, on 9 pictures, at strengths "
        "from 1 (mild) to 5 (hard)."
    )
    for figure, names in (
        (able, ["noise (10)", "blur (20)", "fog (30)"]),
        (guessing, ["blur (20)", "fog (30)", "noise (10)"]),
    ):
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names
        assert_whole(figure)


def test_strengths_of_saturation_are_explained_where_it_was_measured() -> None:
    rows: dict[str, tuple[float, ...]] = {"fog": (0.9, 0.8, 0.7, 0.6, 0.5)}
    assert words(robustness(Robustness(9, 9, 0.9, rows), ABLE)).endswith("what costs most at the top.")
    figure = robustness(Robustness(9, 9, 0.9, rows | {"saturation": (0.8, 0.7, 0.6, 0.7, 0.5)}), ABLE)
    assert words(figure).endswith("exaggerates it at 4 and 5, which need not be harder than 3.")
    assert_whole(figure)


def test_a_map_of_equal_features_says_so() -> None:
    figure = embedding(map_embedding(np.ones((40, 3), dtype=np.float32), np.arange(40)), SET.labels, SET.classes)
    assert "Its features are the same for all of them, so that all lie at one place" in words(figure)
    assert_whole(figure)


def test_a_map_of_many_classes_is_coloured_by_superclass_or_says_why_it_is_grey() -> None:
    points = np.random.default_rng(0).random((400, 2)).astype(np.float32)
    placed, labels = EmbeddingMap(np.arange(400), points, "PCA"), np.arange(400) % 100
    classes = [f"class {n}" for n in range(100)]
    kinds = [f"kind {n % 20:02d}" for n in range(100)]
    figure = embedding(placed, labels, classes, kinds)
    assert words(figure).endswith("Colour and form tell the superclass.")
    assert_whole(figure)
    (legend,) = (axes.get_legend() for axes in figure.axes)
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == sorted(set(kinds))
    drawn = [np.asarray(each.get_offsets()) for each in figure.axes[0].collections]
    assert all(np.array_equal(each, points[labels % 20 == kind]) for kind, each in enumerate(drawn))
    for groups in (None, [f"kind {n % 60}" for n in range(100)]):
        figure = embedding(placed, labels, classes, groups)
        assert words(figure).endswith("So many classes (100) cannot be told apart by marks: all are grey.")
        assert_whole(figure)
    assert "superclass" not in words(embedding(placed, labels % 50, classes[:50], kinds[:50]))


def test_no_class_of_the_map_has_the_colour_of_the_words() -> None:
    placed = EmbeddingMap(np.arange(8), np.random.default_rng(0).random((8, 2)).astype(np.float32), "PCA")
    figure = embedding(placed, np.arange(8), [f"class {n}" for n in range(8)])
    colours = [to_hex(each.get_facecolor()[0]).upper() for each in figure.axes[0].collections]  # type: ignore[arg-type]
    assert colours == [*SERIES, GREY, SERIES[0]]


def captions(figure: Figure) -> list[tuple[str, str]]:
    """Return what stands above and below each picture, as it was before it was broken into lines."""
    return [
        (axes.get_title().replace("/\n", "/").replace("\n", " "), axes.get_xlabel().replace("\n", " "))
        for axes in figure.axes
    ]
