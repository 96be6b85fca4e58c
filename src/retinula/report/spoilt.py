"""What a report shows of robustness: how often a model is right on spoilt pictures, with one picture so spoilt.

Knows what was measured; measures nothing itself.
"""

from dataclasses import dataclass

import numpy as np
import torch

from retinula.evaluation.caution import is_near_chance
from retinula.evaluation.results import ClassificationResult
from retinula.evaluation.robustness import Robustness
from retinula.images import Images
from retinula.report.charts import Chart, line_chart
from retinula.report.sheet import Sheet
from retinula.transforms.batches import generator_for
from retinula.transforms.corruption import CORRUPTIONS, STRENGTHS, corrupt


@dataclass(frozen=True)
class SpoiltCell:
    """One corruption at one strength: the share of right answers, 0..1, and the place of a picture so spoilt."""

    share: float
    place: int


@dataclass(frozen=True)
class SpoiltRow:
    """A corruption: its name as it is written, its mean over all strengths, 0..1, and a cell a strength."""

    kind: str
    mean: float
    cells: tuple[SpoiltCell, ...]


@dataclass(frozen=True)
class SpoiltPart:
    """How a model does under corruptions.

    Attributes:
        measured: all of it.
        rows: what costs most first; by name where answers are hardly better than guesses.
        chart: right answers against strength.
        place: of the picture as it is.
        label: what is on it.
    """

    measured: Robustness
    rows: tuple[SpoiltRow, ...]
    chart: Chart
    place: int
    label: str


def spoilt_part(measured: Robustness, result: ClassificationResult, images: Images, sheet: Sheet) -> SpoiltPart:
    """Spoil one picture in all ways, and put it on the sheet; near chance what costs most is nothing to go by.

    Args:
        measured: under corruptions that this version knows; others are left without pictures.
        result: of the pictures as they are; the picture is one answered rightly, as sure as half of those are.
        images: uint8 `[N, C, H, W]`, that it was measured on.
        sheet: of their size.
    """
    index = _middling(result)
    picture = torch.from_numpy(np.array(images[index : index + 1]))
    rows, by_chance = [], is_near_chance(result)
    for kind in measured.kinds(worst_first=not by_chance):
        shares, cells = measured.accuracy[kind], []
        for strength, share in zip(STRENGTHS, shares, strict=True):
            place = -1
            if kind in CORRUPTIONS:
                spoilt = corrupt(picture, kind, strength, generator_for(0, f"{kind} {strength}", index))
                place = sheet.add(spoilt[0].numpy())
            cells.append(SpoiltCell(share, place))
        rows.append(SpoiltRow("JPEG" if kind == "jpeg" else kind, sum(shares) / len(shares), tuple(cells)))
    return SpoiltPart(
        measured,
        tuple(rows),
        _chart(measured, rows, names_worst=not by_chance),
        sheet.add(images[index], ("asked", index)),
        result.classes[int(result.labels[index])],
    )


def _middling(result: ClassificationResult) -> int:
    sure = result.sure.numpy()
    right = np.flatnonzero(result.right.numpy())
    chosen = right if len(right) else np.arange(len(sure))
    return int(chosen[np.argsort(sure[chosen], kind="stable")[len(chosen) // 2]])


def _chart(measured: Robustness, rows: list[SpoiltRow], *, names_worst: bool) -> Chart:
    means = [sum(row.cells[place].share for row in rows) / len(rows) for place in range(len(STRENGTHS))]
    lines = [("mean over all", means)]
    if len(rows) > 1 and names_worst:
        ends = ((f"{rows[0].kind}, which costs most", rows[0]), (f"{rows[-1].kind}, which costs least", rows[-1]))
        lines += [(words, [cell.share for cell in row.cells]) for words, row in ends]
    series = [
        (
            words,
            [
                (strength, 100 * share)
                for strength, share in zip((0, *STRENGTHS), (measured.clean, *shares), strict=True)
            ],
        )
        for words, shares in lines
    ]
    return line_chart(
        "Right answers on spoilt pictures", "strength, 0 is unspoilt", "right (%)", series, whole=(0, 100)
    )
