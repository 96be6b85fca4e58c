"""What a report says of a classifier's answers: by class, what is taken for what with the pictures, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retinula.evaluation.results import ClassificationResult
from retinula.images import Images
from retinula.plots.evaluation import FEW, RARE
from retinula.report.charts import Chart, share_bars
from retinula.report.sheet import Sheet
from retinula.text.words import percent

TABLED = 20  # up to this many classes the confusion matrix is a table with numbers
DRAWN = 120  # up to this many classes it is drawn at all; of more only the commonest mistakes are listed
LISTED = 40  # commonest mistakes
PIXELS = 3_600_000  # of all pictures behind the matrix
RIGHT_SHOWN = 24  # right answers shown of a class, at most
ALL_RIGHT = 400  # right answers shown of all classes


@dataclass(frozen=True)
class ClassRow:
    """A class: its name, its number of pictures, how well it is told from the others, 0..1, and what it is taken for.

    None stands for what cannot be said of a class without pictures that was never answered.
    """

    name: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    taken_for: str
    times: int


@dataclass(frozen=True)
class Cell:
    """How often one class is taken for another (or for itself).

    Attributes:
        true: number of the class.
        answer: number of what it is taken for.
        count: how often.
        strength: of the colour, 0..1: what is right by its share of the class, what is wrong by that beside the largest
            such share.
    """

    true: int
    answer: int
    count: int
    strength: float


@dataclass(frozen=True)
class Shown:
    """A picture behind a cell: its place on the sheet, its number in the set, how sure the answer is, 0..1."""

    place: int
    index: int
    sure: float


@dataclass(frozen=True)
class AnswersPart:
    """What was answered.

    Attributes:
        result: all of it.
        classes: names.
        rows: a class each.
        matrix: rows of cells for up to 20 classes, else empty.
        dots: the cells that are not empty, for 21 to 120 classes, else empty.
        worst: the share of a class, 0..1, that has the strongest colour of what is wrong.
        commonest: kinds of mistakes.
        pictures: by `true-answer`, the pictures behind a cell that the page can open, the surest first.
        per_cell: how many of a cell at most are shown.
        calibration: the chart.
    """

    result: ClassificationResult
    classes: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    matrix: tuple[tuple[Cell, ...], ...]
    dots: tuple[Cell, ...]
    worst: float
    commonest: tuple[Cell, ...]
    pictures: dict[str, tuple[Shown, ...]]
    per_cell: int
    calibration: Chart


def answers_part(result: ClassificationResult, images: Images, sheet: Sheet) -> AnswersPart:
    """Gather it, and put the pictures behind the matrix on the sheet.

    Args:
        result: measured on `images`.
        images: uint8 `[N, C, H, W]`.
        sheet: of their size.
    """
    counts = result.confusion.numpy()
    number = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # As in the figure: of a good model the few mistakes shall not look as if they were many.
    worst = max(float(shares[~np.eye(number, dtype=bool)].max(initial=0)), RARE / 100)
    strengths = np.where(np.eye(number, dtype=bool), shares, shares / worst)
    cells = [
        [Cell(true, answer, int(counts[true, answer]), float(strengths[true, answer])) for answer in range(number)]
        for true in range(number)
    ]
    wrong = [cells[true][answer] for true, answer, _ in result.mistakes()]
    commonest = wrong[:LISTED]
    if number > DRAWN:
        wrong, opened = commonest, commonest  # nothing else is on the page to open pictures by
    else:
        opened = [cell for row in cells for cell in row]
    limit = cell_limit([cell.count for cell in wrong], max(1, PIXELS // (sheet.size[0] * sheet.size[1])))
    shown = [cell for row in cells for cell in row if cell.count] if TABLED < number <= DRAWN else []
    return AnswersPart(
        result=result,
        classes=result.classes,
        rows=tuple(_class_rows(result)),
        matrix=tuple(map(tuple, cells)) if number <= TABLED else (),
        dots=tuple(shown),
        worst=worst,
        commonest=tuple(commonest),
        pictures=_pictures(result, images, sheet, limit, opened),
        per_cell=limit,
        calibration=_calibration(result),
    )


def cell_limit(counts: Sequence[int], total: int) -> int:
    """Return how many pictures a cell may show so that all cells together show no more than `total`; at least 1.

    >>> cell_limit([100, 3, 3], 20)
    14
    """
    low, high = 1, max(counts, default=1)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(count, middle) for count in counts) <= total:
            low = middle
        else:
            high = middle - 1
    return low


def _class_rows(result: ClassificationResult) -> list[ClassRow]:
    wrong = result.confusion.clone().fill_diagonal_(0)
    rows = []
    for number, (name, scores) in enumerate(result.per_class.items()):
        most = int(wrong[number].argmax())
        times = int(wrong[number, most])
        rows.append(ClassRow(name=name, **scores, taken_for=result.classes[most] if times else "", times=times))
    return rows


def _pictures(
    result: ClassificationResult, images: Images, sheet: Sheet, per_cell: int, opened: Sequence[Cell]
) -> dict[str, tuple[Shown, ...]]:
    sure, labels, answers = result.sure.numpy(), result.labels.numpy(), result.predicted.numpy()
    right = max(1, min(RIGHT_SHOWN, ALL_RIGHT // len(result.classes)))
    cells: dict[str, list[Shown]] = {f"{cell.true}-{cell.answer}": [] for cell in opened if cell.count}
    for index in np.argsort(-sure, kind="stable").tolist():
        true, answer = int(labels[index]), int(answers[index])
        cell = cells.get(f"{true}-{answer}")
        if cell is not None and len(cell) < (right if true == answer else per_cell):
            cell.append(Shown(sheet.add(images[index], ("asked", index)), index, float(sure[index])))
    return {key: tuple(cell) for key, cell in cells.items()}


def _calibration(result: ClassificationResult) -> Chart:
    bars = [
        (
            row.low,
            row.high,
            row.accuracy,
            f"{100 * row.low:.0f} to {100 * row.high:.0f} % sure, {percent(row.confidence)} on average: "
            f"{row.count:,} answers, {percent(row.accuracy)} right",
            row.count < FEW,
            row.confidence,
        )
        for row in result.calibration.bins
        if row.accuracy is not None and row.confidence is not None
    ]
    return share_bars(
        "How often it is right when it is so sure",
        "how sure (%)",
        "right (%)",
        bars,
        diagonal="as sure as right",
        marks="mean of how sure",
    )
