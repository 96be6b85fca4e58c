"""The figures of a measurement show its numbers, with every class name whole."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figure_checks import assert_repeats, assert_whole, words
from retinula.evaluation.denoising import Denoising
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.text import error_by_chance
from retinula.images import ImageSet
from retinula.metrics import calibration
from retinula.metrics import confusion_matrix as count_confusion
from retinula.plots.evaluation import _figures, confusion_matrix, draw_evaluation, reliability
from retinula.plots.figure import BLUE, RIGHT, SKY, VERMILLION, WRONG

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def counts(number: int, each: int = 10) -> NDArray[np.int64]:
    """All right but one: one picture of the last class is taken for the first."""
    matrix = np.diag([each] * number)
    matrix[-1, -1] -= 1
    matrix[-1, 0] += 1
    return matrix


def cells(axes: Axes) -> list[NDArray[Any]]:
    """Return what is drawn of the right answers, and of the mistakes, in percent; NaN where nothing is."""
    return [np.ma.filled(np.ma.asarray(image.get_array()).astype(float), np.nan) for image in axes.images]


def ticks(axes: Axes) -> tuple[list[str], list[str]]:
    return (
        [label.get_text() for label in axes.get_xticklabels()],
        [label.get_text() for label in axes.get_yticklabels()],
    )


def test_ten_classes_with_their_numbers() -> None:
    matrix = counts(10, 100)
    matrix[3, 3], matrix[3, 5] = 80, 20
    figure = confusion_matrix(matrix, CIFAR10)
    axes, right_bar, wrong_bar = figure.axes
    assert words(figure).startswith(
        "97.9 % of 1,000 pictures right; most common mistake: cat taken for dog (20 of 100)"
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true class")
    assert (right_bar.get_ylabel(), wrong_bar.get_ylabel()) == ("right (%)", "mistaken (%)")
    assert ticks(axes) == (list(CIFAR10), list(CIFAR10))
    right, wrong = cells(axes)
    assert np.diagonal(right).tolist() == [100, 100, 100, 80, 100, 100, 100, 100, 100, 99]
    assert np.isnan(right[~np.eye(10, dtype=bool)]).all()
    assert (wrong[3, 5], wrong[9, 0], wrong[0, 1]) == (20, 1, 0)
    assert np.isnan(np.diagonal(wrong)).all()
    written = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert written == {(row, row): str(matrix[row, row]) for row in range(10)} | {(3, 5): "20", (9, 0): "1"}
    assert_whole(figure)


@pytest.mark.parametrize(
    ("mistaken", "told"),
    [
        ({(3, 5): 60, (5, 3): 60}, "most common mistakes: cat taken for dog and dog taken for cat (60 of 100 each)"),
        ({(3, 5): 60, (5, 3): 60, (3, 4): 5}, "cat taken for dog and dog taken for cat (60 of 105 and 60 of 100)"),
        ({(3, 5): 2, (5, 3): 2, (0, 8): 2}, "the most common mistakes are of 3 kinds, 2 pictures each"),
    ],
)
def test_of_mistakes_as_common_as_each_other_none_is_left_out(mistaken: dict[tuple[int, int], int], told: str) -> None:
    matrix = np.diag([100 - max(mistaken.values())] * 10)
    for place, number in mistaken.items():
        matrix[place] = number
    figure = confusion_matrix(matrix, CIFAR10)
    assert told in words(figure)
    assert_whole(figure)


def test_a_class_without_pictures_is_an_empty_row() -> None:
    figure = confusion_matrix(np.array([[3, 0], [0, 0]]), ("here", "nowhere"))
    right, wrong = cells(figure.axes[0])
    assert np.diagonal(right).tolist() == [100, 0]
    assert wrong[1, 0] == 0
    assert words(figure).startswith("100.0 % of 3 pictures right Each row")
    assert not figure.axes[2].get_visible()
    assert_whole(figure)


def test_many_thousand_pictures_fit_their_cells() -> None:
    figure = confusion_matrix(counts(10) * 12_345, CIFAR10)
    figure.canvas.draw()
    cell = figure.axes[0].get_window_extent().width / 10
    for text in figure.axes[0].texts:
        assert text.get_window_extent().width < cell
    assert figure.axes[0].texts[0].get_text() == "123,450"


def test_superclasses_bring_their_classes_together() -> None:
    classes = ("oak", "cat", "pine", "dog", "elm")
    groups = ("tree", "beast", "tree", "beast", "tree")
    matrix = counts(5)
    matrix[1, 3] = 4
    figure = confusion_matrix(matrix, classes, groups)
    axes = figure.axes[0]
    assert ticks(axes)[1] == ["cat", "dog", "oak", "pine", "elm"]
    # Four mistakes within the beasts, one (elm for oak) within the trees.
    assert "100.0 % of the mistakes stay within the superclass" in words(figure)
    right, wrong = cells(axes)
    assert wrong[0, 1] == pytest.approx(400 / 14)
    assert right[0, 0] == pytest.approx(1000 / 14)
    frames = [np.asarray(line.get_xydata()).tolist() for line in axes.lines]
    assert [(frame[0], frame[2]) for frame in frames] == [
        ([-0.5, -0.5], [1.5, 1.5]),
        ([1.5, 1.5], [4.5, 4.5]),
    ]
    (beside,) = axes.child_axes
    assert [label.get_text() for label in beside.get_yticklabels()] == ["beast", "tree"]
    assert beside.get_yticks().tolist() == [0.5, 3.0]
    assert_whole(figure)


def test_a_superclass_that_cannot_be_drawn_stays_whole() -> None:
    one, other = chr(0x1B170), chr(0x1B171)  # in no font of an ordinary system
    figure = confusion_matrix(counts(5), tuple("abcde"), (one, other, one, "beast", other))
    (beside,) = figure.axes[0].child_axes
    assert ticks(figure.axes[0])[1] == ["d", "a", "c", "b", "e"]
    named = [label.get_text() for label in beside.get_yticklabels()]
    assert named == ["beast", "\u25a1 (class 1)", "\u25a1 (class 2)"]
    assert len(figure.axes[0].lines) == 3


def test_a_hundred_classes_are_all_named_and_can_be_read() -> None:
    names = tuple(f"class_with_a_name_{number}" for number in range(100))
    groups = tuple(f"large_group_of_things_{number // 5}" for number in range(100))
    figure = confusion_matrix(counts(100), names, groups)
    axes = figure.axes[0]
    assert sorted(ticks(axes)[0]) == sorted(names)
    assert sorted(ticks(axes)[1]) == sorted(names)
    assert_whole(figure)
    row = axes.get_window_extent().height / 100
    letters = axes.get_yticklabels()[0].get_window_extent().height
    assert row > 0.8 * letters > 15  # pixels: half the size can still be read
    assert not axes.texts


def test_of_thousands_of_classes_the_most_confused_are_shown() -> None:
    matrix = np.diag([20] * 1000)
    matrix[700, 701], matrix[3, 999], matrix[5, 6] = 9, 8, 1
    figure = confusion_matrix(matrix, [f"c{number}" for number in range(1000)])
    shown = ticks(figure.axes[0])[0]
    assert len(shown) == 30
    assert {"c700", "c701", "c3", "c999", "c5", "c6"} <= set(shown)
    assert shown == sorted(shown, key=lambda name: int(name[1:]))
    assert "Shown are the 30 of 1,000 classes most often confused." in words(figure)
    assert "most common mistake: c700 taken for c701 (9 of 29)" in words(figure)
    row, column = shown.index("c700"), shown.index("c701")
    assert cells(figure.axes[0])[1][row, column] == pytest.approx(900 / 29)
    assert_whole(figure)


def test_boxes_are_explained_where_such_a_class_is_shown() -> None:
    nushu = chr(0x1B170)  # in no font of an ordinary system
    drawn = {
        confusion_matrix(counts(2), ("ant", nushu)): 1,
        confusion_matrix(counts(2), ("ant", "bee"), ("beast", nushu)): 1,
        confusion_matrix(counts(130), [*(f"c{number}" for number in range(129)), nushu]): 1,
        confusion_matrix(counts(130), [*(f"c{number}" for number in range(60)), nushu, *map(str, range(69))]): 0,
        confusion_matrix(counts(130), list(map(str, range(130))), [*["beast"] * 60, nushu, *["beast"] * 69]): 0,
    }
    for figure, times in drawn.items():
        assert words(figure).count("\u25a1 is a letter that no font here has") == times


@pytest.mark.parametrize("number", [3, 20, 25])
def test_long_and_strange_names_are_never_cut(number: int) -> None:
    names = [
        "a very long name that someone has given to a folder, with many words in it",
        "\u043e\u0447\u0435\u043d\u044c_\u0434\u043b\u0438\u043d\u043d\u043e\u0435_\u0438\u043c\u044f",
        "\u732b $x$",
        *(f"plain_{index}" for index in range(17)),
        "Donaudampfschiff" * 5,
        *("x" for _ in range(9)),
    ][:number]
    figure = confusion_matrix(counts(number), names)
    shown = ["".join(label.split()) for label in ticks(figure.axes[0])[1]]
    assert shown[0] == "".join(names[0].split())
    assert_whole(figure)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    if figure.axes[0].get_xticklabels()[0].get_rotation() == 90:
        assert all(one.x1 <= other.x0 + 2 for one, other in pairwise(boxes))


def test_reliability_shows_the_bins() -> None:
    probabilities = torch.tensor([[0.9, 0.1]] * 20 + [[0.45, 0.55]] * 4)
    measured = calibration(probabilities, torch.tensor([0] * 10 + [1] * 14), bins=5)
    figure = reliability(measured)
    upper, lower = figure.axes
    assert words(figure).startswith("On average 84.2 % sure, right for 58.3 %: it is surer than it should be")
    assert words(figure).endswith(
        "Calibration error 40.8 %: the mean distance of the bars from the red marks over 24 pictures. Above its mark "
        "it could be surer, below it is too sure."
    )
    few = calibration(probabilities[:1], torch.tensor([0]), bins=5)
    assert f"red marks over 1 picture{error_by_chance(few)}. Above its mark" in words(reliability(few))
    assert "chance alone" in error_by_chance(few)
    assert (20 * abs(90 - 50) + 4 * abs(55 - 100)) / 24 == pytest.approx(100 * measured.error, abs=1e-4)
    patches: list[Any] = list(upper.patches)
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_height(), to_hex(bar.get_facecolor())) for bar in patches]
    assert bars == [
        (pytest.approx(50), 100, SKY.lower()),  # above 0.4 and up to 0.6: few pictures, so pale
        (pytest.approx(90), 50, BLUE.lower()),
    ]
    means = [
        line for line in upper.lines if to_hex(line.get_color()) == VERMILLION.lower() and np.size(line.get_xdata())
    ]
    assert [np.asarray(line.get_ydata())[0] for line in means] == pytest.approx([55, 90], abs=1e-4)
    below: list[Any] = list(lower.patches)
    heights = [bar.get_height() for bar in below]
    assert heights == pytest.approx([0, 0, 100 / 6, 0, 500 / 6])
    assert (upper.get_ylabel(), lower.get_xlabel(), lower.get_ylabel()) == (
        "right answers (%)",
        "how sure the answer is (%)",
        "pictures (%)",
    )
    assert_whole(figure)


def test_the_same_numbers_give_the_same_files(tmp_path: Path) -> None:
    groups = ("tree", "beast", "tree", "beast", "tree")
    assert_repeats(lambda: confusion_matrix(counts(5), ("oak", "cat", "pine", "dog", "elm"), groups), tmp_path)


COMMON: dict[str, Any] = {
    "dataset": "zoo",
    "split": "test",
    "num_images": 6,
    "model": "x",
    "tta": "none",
    "seconds": 1.0,
    "unverified_copy": False,
    "provenance": {},
}


def classification(classes: tuple[str, ...]) -> ClassificationResult:
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    probabilities = torch.eye(3)[[0, 1, 1, 1, 2, 2]] * 0.7 + 0.1
    return ClassificationResult(
        **COMMON,
        task="classification",
        classes=classes,
        superclasses=None,
        labels=labels,
        logits=probabilities.log(),
        probabilities=probabilities,
        confusion=count_confusion(probabilities.argmax(1), labels, 3),
        top5=None,
        loss=0.5,
        calibration=calibration(probabilities, labels),
    )


def pictures(classes: tuple[str, ...], labels: list[int]) -> ImageSet:
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    return ImageSet(images, np.array(labels, dtype=np.int64), classes, "zoo/test")


def test_draw_evaluation_of_a_classifier(tmp_path: Path) -> None:
    names = ("ant", "bee", "cat")
    paths = draw_evaluation(classification(names), pictures(names, [0, 0, 1, 1, 2, 2]), tmp_path / "figures")
    assert [path.name for path in paths] == [
        f"test-{name}.{kind}"
        for name in ("confusion", "reliability", "examples", "mistakes")
        for kind in ("png", "svg")
    ]
    assert all(path.stat().st_size > 1000 for path in paths)


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (("cat", "ant", "bee"), [1, 1, 2, 2, 0, 0]),
        (("cat", "bee", "ant"), [2, 2, 1, 1, 0, 0]),
        (("CAT", "Ant", "bee"), [1, 1, 2, 2, 0, 0]),
    ],
)
def test_examples_are_named_rightly_where_the_set_has_another_order_or_case(
    classes: tuple[str, ...], labels: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Figure] = {}

    def keep(figure: Figure, folder: Path, name: str) -> list[Path]:
        drawn[name] = figure
        return [folder / name]

    monkeypatch.setattr("retinula.plots.evaluation.save", keep)
    # True are ant, ant, bee, bee, cat, cat; answered is bee for the second.
    draw_evaluation(classification(("ant", "bee", "cat")), pictures(classes, labels), tmp_path)
    said = sorted((axes.get_title(), axes.get_xlabel()) for axes in drawn["test-examples"].axes)
    assert said == [
        ("ant", f"{RIGHT} ant (80.0 %)"),
        ("ant", f"{WRONG} bee (80.0 %)"),
        ("bee", f"{RIGHT} bee (80.0 %)"),
        ("bee", f"{RIGHT} bee (80.0 %)"),
        ("cat", f"{RIGHT} cat (80.0 %)"),
        ("cat", f"{RIGHT} cat (80.0 %)"),
    ]


def test_draw_evaluation_of_an_autoencoder(tmp_path: Path) -> None:
    originals = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    result = ReconstructionResult(
        **COMMON,
        task="reconstruction",
        loss=0.6,
        loss_floor=0.5,
        mse=0.01,
        psnr=20.0,
        ssim=0.8,
        originals=originals,
        results=originals,
        noised=originals,
        denoised=originals,
        denoising=(Denoising(0.1, 4, 20.2, 0.7, 24.5, 0.8),),
    )
    drawn = _figures(result, pictures(("x",), [0] * 6))["reconstructions"]
    assert "Noise of deviation 0.1 added to 4 of them: PSNR 20.2 dB, after the network 24.5 dB." in words(drawn)
    rows = [label.get_text().replace("\n", " ") for label in drawn.axes[0].get_yticklabels()]
    assert rows == ["original", "result", "noise of 0.1", "result from the noise"]
    assert_whole(drawn)
    paths = draw_evaluation(result, pictures(("x",), [0] * 6), tmp_path)
    assert [path.name for path in paths] == ["test-reconstructions.png", "test-reconstructions.svg"]


def test_a_kind_without_figures_is_our_mistake(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no figures for a Evaluation"):
        draw_evaluation(Evaluation(**COMMON, task="else"), pictures(("x",), [0] * 6), tmp_path)
