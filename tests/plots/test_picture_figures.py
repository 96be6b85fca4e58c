"""The figures that show pictures show the right ones, with the right words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from PIL import Image

from figure_checks import assert_repeats, assert_whole, words
from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.plots.figure import BLUE, RIGHT, SKY, VERMILLION, WRONG
from retinula.plots.pictures import answered_examples, contact_sheet, prediction, reconstructions
from retinula.trained.answers import Answer


def numbered(labels: list[int] | None, number: int, classes: tuple[str, ...], side: int = 4) -> ImageSet:
    """Return pictures of one colour each: picture `n` has the value `n` in all pixels."""
    images = np.broadcast_to(np.arange(number, dtype=np.uint8)[:, None, None, None], (number, 3, side, side)).copy()
    return ImageSet(images, None if labels is None else np.array(labels, dtype=np.int64), classes, "zoo/test")


def shown(axes: Axes) -> NDArray[Any]:
    (image,) = axes.images
    return np.asarray(image.get_array())


def is_framed(axes: Axes) -> bool:
    return all(
        spine.get_visible() and to_hex(spine.get_edgecolor()) == VERMILLION.lower() for spine in axes.spines.values()
    )


def test_examples_name_truth_and_answer_and_mark_what_is_wrong() -> None:
    labels = [number % 3 for number in range(30)]
    image_set = numbered(labels, 30, ("ant", "bee", "cat"))
    answers = torch.tensor(labels)
    answers[::2] = (answers[::2] + 1) % 3
    figure = answered_examples(image_set, torch.eye(3)[answers] * 0.7 + 0.1)
    assert len(figure.axes) == 16
    seen = []
    for axes in figure.axes:
        index = int(shown(axes)[0, 0, 0])
        seen.append(index)
        right = index % 2 == 1
        answer = image_set.classes[int(answers[index])]
        assert (shown(axes) == index).all()
        assert axes.get_title() == image_set.classes[labels[index]]
        assert axes.get_xlabel() == f"{RIGHT if right else WRONG} {answer} (80.0 %)"
        assert axes.xaxis.label.get_color() == (BLUE if right else VERMILLION)
        assert is_framed(axes) is not right
    assert len(set(seen)) == 16
    assert words(figure).startswith(f"{sum(index % 2 for index in seen)} of 16 pictures drawn at random are right")
    assert_whole(figure)


def test_examples_are_the_same_for_the_same_seed_only() -> None:
    image_set = numbered([0] * 100, 100, ("ant", "bee"))
    probabilities = torch.eye(2)[[0] * 100]

    def drawn(seed: int) -> list[int]:
        return [
            int(shown(axes)[0, 0, 0]) for axes in answered_examples(image_set, probabilities, number=4, seed=seed).axes
        ]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize(("number", "pictures"), [(1, 1), (3, 3), (5, 5), (16, 6)])
def test_few_examples_leave_no_empty_frames(number: int, pictures: int) -> None:
    image_set = numbered(None, 6, ("a class with a very long name " * 3, "bee"))
    figure = answered_examples(image_set, torch.eye(2)[[0] * 6], number=number)
    assert sum(bool(axes.images) for axes in figure.axes) == pictures
    assert not any(is_framed(axes) for axes in figure.axes)
    noun = "picture" if pictures == 1 else "pictures"
    assert words(figure).startswith(f"{pictures} {noun} drawn at random, with the answers")
    assert_whole(figure)


ANSWERS = [Answer(name, share) for name, share in zip("abcdefghijkl", (0.5, *[0.05] * 9, 0.03, 0.02), strict=True)]
SEEN = np.full((3, 4, 5), 7, dtype=np.uint8)
LETTERS = tuple("abcdefghijkl")
NUSHU = chr(0x1B170)  # in no font of an ordinary system
EXPLAINED = "\u25a1 is a letter that no font here has: install one, for example fonts-noto-core."


def bars(axes: Axes) -> list[tuple[str, float, str]]:
    names = [label.get_text() for label in axes.get_yticklabels()]
    drawn: list[Any] = list(axes.patches)
    return [
        (name, round(bar.get_width(), 6), to_hex(bar.get_facecolor())) for name, bar in zip(names, drawn, strict=True)
    ]


def test_prediction_shows_both_pictures_and_the_likeliest_classes() -> None:
    photo = Image.new("RGB", (1300, 650), (10, 20, 30))
    figure = prediction(photo, SEEN, ANSWERS, name="cat.jpg", classes=LETTERS, top=3)
    given, small, chart = figure.axes
    assert words(figure) == "cat.jpg: a, 50.0 % sure"
    assert shown(given).shape == (320, 640, 3)
    assert shown(given)[0, 0].tolist() == [10, 20, 30]
    assert given.get_title() == "as given, 1,300 x 650"
    assert shown(small).tolist() == np.full((4, 5, 3), 7).tolist()
    assert small.get_title() == "as the network saw it, 5 x 4"
    assert bars(chart) == [("a", 50, BLUE.lower()), ("b", 5, SKY.lower()), ("c", 5, SKY.lower())]
    assert [text.get_text() for text in chart.texts] == ["50.0", "5.0", "5.0"]
    assert chart.get_xlabel() == "probability (%)"
    assert_whole(figure)


def test_prediction_that_is_right_and_that_is_wrong() -> None:
    grey = np.full((30, 20), 100, dtype=np.uint8)
    right = prediction(grey, SEEN, ANSWERS, name="x", classes=LETTERS, correct="a", top=2)
    assert words(right) == f"x: {RIGHT} a, 50.0 % sure {RIGHT} marks the true class."
    assert right.axes[0].get_title() == "as given, 20 x 30"
    assert [name for name, _, _ in bars(right.axes[2])] == [f"{RIGHT} a", "b"]
    wrong = prediction(grey, SEEN, ANSWERS, name="x", classes=LETTERS, correct="l", top=2)
    assert words(wrong).startswith(f"x: {WRONG} a, 50.0 % sure; it is l")
    assert bars(wrong.axes[2])[-1] == (f"{RIGHT} l", 2, SKY.lower())
    stranger = prediction(grey, SEEN, ANSWERS, name="x", classes=LETTERS, correct="unheard of", top=2)
    assert words(stranger).startswith(f"x: {WRONG} a, 50.0 % sure; it is unheard of")
    assert len(bars(stranger.axes[2])) == 2


def test_prediction_with_long_names_and_a_tall_picture() -> None:
    answers = [Answer("a class whose name goes on and on, as folders' names do " * 2, 1.0), Answer("b" * 80, 0.0)]
    photo = Image.new("RGBA", (20, 400), (255, 0, 0, 0))
    classes = [answer.label for answer in answers]
    figure = prediction(photo, SEEN, answers, name="a_file_with_a_long_name_" * 8, classes=classes)
    assert_whole(figure)
    assert shown(figure.axes[0])[0, 0].tolist() == [255, 255, 255]  # what is transparent is seen over white
    chart = figure.axes[2]
    assert "".join(bars(chart)[1][0].split()) == "b" * 80
    number = chart.texts[0].get_window_extent()
    assert number.x1 <= chart.get_window_extent().x1  # the number beside a full bar has its place
    assert [text.get_text() for text in chart.texts] == ["over 99.9", "under 0.1"], "nothing is rounded to certainty"


@pytest.mark.parametrize(
    ("unfamiliar", "correct", "said"),
    [
        (True, None, "x: unlike anything it was trained on; if it must say: a, 50.0 % sure"),
        (True, "b", f"x: unlike anything it was trained on; if it must say: {WRONG} a, 50.0 % sure; it is b"),
        (False, None, "x: a, 50.0 % sure"),
        (None, None, "x: a, 50.0 % sure"),
    ],
)
def test_prediction_of_what_is_unlike_anything_learned_says_so(
    unfamiliar: bool | None, correct: str | None, said: str
) -> None:
    grey = np.full((30, 20), 100, dtype=np.uint8)
    figure = prediction(grey, SEEN, ANSWERS, name="x", classes=LETTERS, correct=correct, unfamiliar=unfamiliar, top=2)
    assert words(figure).removesuffix(f" {RIGHT} marks the true class.") == said
    assert_whole(figure)


def test_a_class_that_cannot_be_drawn_has_the_number_that_it_has_everywhere() -> None:
    answers = [Answer(NUSHU, 0.75), Answer("ant", 0.25)]
    grey = np.full((30, 20), 100, dtype=np.uint8)
    figure = prediction(grey, SEEN, answers, name="x", classes=("ant", NUSHU), correct=NUSHU)
    assert words(figure).startswith(f"x: {RIGHT} \u25a1 (class 1), 75.0 % sure")
    assert words(figure).replace("- ", "-").endswith(EXPLAINED)
    assert [name for name, _, _ in bars(figure.axes[2])] == [f"{RIGHT} \u25a1 (class 1)", "ant"]
    named = prediction(grey, SEEN, answers[1:], name="x", classes=("ant", NUSHU))
    assert "\u25a1" not in words(named), "what is not drawn is not explained"


def places(sheet: NDArray[Any], side: int, gap: int) -> list[list[int | None]]:
    """Return which picture lies in each place of a sheet of one-coloured pictures; None where it is white."""
    step = side + gap
    rows = range(0, sheet.shape[0], step)
    columns = range(0, sheet.shape[1], step)
    found: list[list[int | None]] = []
    for top in rows:
        found.append([])
        for left in columns:
            patch = sheet[top : top + side, left : left + side]
            assert (patch == patch[0, 0, 0]).all()
            found[-1].append(None if patch[0, 0, 0] == 255 else int(patch[0, 0, 0]))
    return found


def test_a_contact_sheet_has_a_row_for_every_class() -> None:
    labels = [0] * 9 + [1] * 2 + [3] * 5
    figure = contact_sheet(numbered(labels, 16, ("ant", "bee", "cat", "dog")), per_class=4)
    (axes,) = figure.axes
    assert words(figure).startswith("zoo/test: 16 pictures of 4 classes 4 x 4 pixels. Drawn at random")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ant (9)", "bee (2)", "cat (0)", "dog (5)"]
    rows = places(shown(axes), 4, 1)
    assert len(rows) == 4
    assert rows[1] == [9, 10, None, None]
    assert rows[2] == [None] * 4
    for row, members in ((rows[0], range(9)), (rows[3], range(11, 16))):
        assert set(row) <= set(members)
        assert len(set(row)) == 4
    again = contact_sheet(numbered(labels, 16, ("ant", "bee", "cat", "dog")), per_class=4)
    assert places(shown(again.axes[0]), 4, 1) == rows
    assert_whole(figure)


def test_boxes_in_names_are_explained() -> None:
    figures = [contact_sheet(numbered([0, 1, 1], 3, ("ant", name))) for name in ("bee", NUSHU)]
    of_some, certain = numbered([0, 1], 2, ("ant", "bee", NUSHU)), np.eye(3, dtype=np.float32)
    figures += [answered_examples(of_some, certain[answered]) for answered in ([0, 1], [0, 2])]
    said = [words(figure).replace("- ", "-") for figure in figures]
    assert [each.count(EXPLAINED) for each in said] == [0, 1, 0, 1]
    assert [label.get_text() for label in figures[1].axes[0].get_yticklabels()] == ["ant (1)", "\u25a1 (class 1) (2)"]


def test_a_contact_sheet_without_labels_shows_some() -> None:
    figure = contact_sheet(numbered(None, 30, ()), per_class=5)
    assert words(figure) == "zoo/test: 30 pictures 4 x 4 pixels. 25 pictures drawn at random."
    rows = places(shown(figure.axes[0]), 4, 1)
    flat = [picture for row in rows for picture in row]
    assert len(rows) == 5
    assert len(set(flat)) == 25
    assert flat == sorted(flat, key=lambda picture: picture or 0)
    assert_whole(figure)


def test_a_contact_sheet_of_many_classes_is_bounded_and_in_columns() -> None:
    names = tuple(f"class_{number}" for number in range(130))
    figure = contact_sheet(numbered(list(range(130)), 130, names), per_class=2)
    labels = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    assert labels == [f"class_{number} (1)" for number in range(120)]
    assert "Of 130 classes, the first 120 that have pictures are shown." in words(figure)
    assert len(figure.axes) > 1
    heights = {shown(axes).shape for axes in figure.axes}
    assert len(heights) == 1  # the last column's pictures are as large as the others'
    assert_whole(figure)


def test_of_many_classes_those_that_have_pictures_are_shown() -> None:
    names = tuple(f"class_{number}" for number in range(3000))
    figure = contact_sheet(numbered([2999, 500, 2999], 3, names))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["class_500 (1)", "class_2999 (2)"]
    assert [row[:2] for row in places(shown(axes), 4, 1)] == [[1, None], [0, 2]]
    assert "3 pictures of 3,000 classes" in words(figure)
    assert "Of 3,000 classes, the 2 that have pictures are shown." in words(figure)


def test_large_pictures_are_made_small_and_keep_their_proportions() -> None:
    images = np.full((2, 1, 100, 300), 90, dtype=np.uint8)
    figure = contact_sheet(ImageSet(images, np.array([0, 0]), ("a name that is long " * 5,), "wide"), per_class=2)
    sheet = shown(figure.axes[0])
    assert sheet.shape == (21, 2 * 64 + 4, 3)
    assert sheet[0, 0].tolist() == [90, 90, 90]
    assert words(figure).startswith("wide: 2 pictures of 1 class 300 x 100 pixels.")
    assert_whole(figure)


def test_an_empty_set_has_no_sheet() -> None:
    with pytest.raises(InputError, match="zoo/test has no pictures to show"):
        contact_sheet(numbered([], 0, ("ant",)))


def test_reconstructions_lie_below_their_originals() -> None:
    originals = torch.tensor([0.0, 0.2, 1.0]).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    results = numbered(None, 3, ()).images[:, :1]
    figure = reconstructions({"original": originals, "result": results}, title="A finding", remark="A remark")
    (axes,) = figure.axes
    assert words(figure) == "A finding A remark"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["original", "result"]
    assert places(shown(axes), 4, 1) == [[0, 51, None], [0, 1, 2]]  # 1.0 is white, as an empty place would be
    assert_whole(figure)
    with pytest.raises(ValueError, match="must have one shape"):
        reconstructions({"original": originals, "result": results[:2]}, title="")


def test_values_outside_the_range_are_cut_and_not_wrapped_around() -> None:
    wild = torch.tensor([-0.5, 1.5]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    figure = reconstructions({"wild": wild}, title="x")
    assert places(shown(figure.axes[0]), 4, 1) == [[0, None]]


def test_the_same_pictures_give_the_same_files(tmp_path: Path) -> None:
    image_set = numbered([number % 3 for number in range(20)], 20, ("ant", "bee", "cat"))
    assert_repeats(lambda: answered_examples(image_set, torch.eye(3)[[0] * 20], number=2), tmp_path)
    assert_repeats(lambda: contact_sheet(image_set, per_class=3), tmp_path)
    photo = Image.new("RGB", (40, 30), (10, 20, 30))
    assert_repeats(lambda: prediction(photo, SEEN, ANSWERS, name="x", classes=LETTERS), tmp_path)
