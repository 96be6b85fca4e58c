"""Figures of a measurement: which classes are mistaken for which, and how far probabilities can be believed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from retinula.evaluation.denoising import EXAMPLE_LEVEL
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.text import error_by_chance, verdict
from retinula.images import ImageSet
from retinula.metrics import Calibration
from retinula.plots.examination import surest_mistakes
from retinula.plots.figure import (
    BLUE,
    GREY,
    INK,
    POINTS,
    SKY,
    TEXT,
    VERMILLION,
    by_class_name,
    class_names,
    legend_above,
    new_figure,
    of_boxes,
    save,
    styled,
    widest,
    wrap,
)
from retinula.plots.pictures import answered_examples, reconstructions
from retinula.text.words import listed, percent, plural

Counts = NDArray[np.int64]

NUMBERED = 20  # up to this many classes, every cell shows its number
NAMED = 120  # up to this many classes, all of them are shown; of more, the most confused
RARE = 5.0  # percent of a class: where no mistake is commoner than this, none is drawn in the darkest colour
CONFUSED = 30  # how many are shown of more
FEW = 10  # a bin of fewer pictures than this says little and is drawn pale

_RIGHT_COLOURS = LinearSegmentedColormap.from_list("right", ["#FFFFFF", SKY, BLUE, "#00304D"])
_WRONG_COLOURS = LinearSegmentedColormap.from_list("wrong", ["#FFFFFF", "#F5C453", VERMILLION, "#6B2A00"])


def draw_evaluation(result: Evaluation, image_set: ImageSet, folder: Path) -> list[Path]:
    """Write every figure of a measurement into `folder`, each as PNG and SVG; return the files.

    Args:
        result: what was measured.
        image_set: on which pictures.
        folder: made where it is missing.

    Raises:
        RetinulaError: the folder cannot be written to.
    """
    paths = []
    for name, figure in _figures(result, image_set).items():
        paths += save(figure, folder, f"{result.split}-{name}")
    return paths


@styled
def confusion_matrix(confusion: Counts, classes: Sequence[str], superclasses: Sequence[str] | None = None) -> Figure:
    """Draw how often a picture of each class (row) was taken for each (column).

    Up to 20 classes with numbers in the cells; up to 120 with all names; of more, the 30 most confused.

    Args:
        confusion: int64 `[K, K]`, rows are true classes.
        classes: K names.
        superclasses: for each class the name of its group, which puts the groups' classes side by side.
    """
    shown = _order(confusion, superclasses)
    names = _picked(class_names(classes), shown)
    groups = None
    if superclasses is not None:
        named = by_class_name(sorted(set(superclasses)))
        groups = [named[each] for each in _picked(superclasses, shown)]
    part = confusion[np.ix_(shown, shown)]
    shares = 100 * part / np.maximum(confusion.sum(axis=1), 1)[shown, np.newaxis]
    numbered = len(shown) <= NUMBERED
    cell = max(0.62, 3 / len(shown)) if numbered else 0.3 if len(shown) <= CONFUSED else 0.175
    size = TEXT if cell > 0.2 else 9.5
    labels = [_fitted(name, cell, size) for name in names]
    beside, group_width = widest(labels, size), widest(groups or [""], size)
    body = cell * len(shown)
    rotation, below = 90, beside
    if beside < cell - 0.08:
        rotation, below = 0, 0.2 * max(1 + label.count("\n") for label in labels)
    elif numbered and not any("\n" in label for label in labels):
        rotation, below = 40, 0.75 * beside
    figure = new_figure(
        body + beside + group_width + 2.0,
        body + below + 0.6,
        *_confusion_words(confusion, classes, superclasses, shown),
    )
    bar = min(2.2, 0.46 * body)
    grid = figure.add_gridspec(3, 2, width_ratios=[body, 0.2], height_ratios=[bar, bar, max(0.01, body - 2 * bar)])
    axes = figure.add_subplot(grid[:, 0])
    bars = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    _draw_cells(axes, figure, bars, shares, 1 if numbered else 0.5)
    ticks = range(len(shown))
    axes.set_xticks(ticks, labels, size=size)
    axes.set_yticks(ticks, labels, size=size)
    axes.tick_params(axis="x", rotation=rotation)
    if rotation == 40:
        for label in axes.get_xticklabels():
            label.set(horizontalalignment="right", rotation_mode="anchor")
    if numbered:
        _number_cells(axes, part, shares)
    axes.tick_params(length=0)
    axes.set(xlabel="answer", ylabel="true class")
    if groups is not None:
        _mark_groups(axes, groups, size)
    return figure


@styled
def reliability(calibration: Calibration) -> Figure:
    """Draw how often answers are right against how sure they are, and how many there are of each.

    Args:
        calibration: as `metrics.calibration` gives it.
    """
    number = sum(row.count for row in calibration.bins)
    figure = new_figure(
        8.5,
        6.2,
        f"On average {percent(calibration.confidence)} sure, right for {percent(calibration.accuracy)}: "
        f"{verdict(calibration)}",
        f"Calibration error {percent(calibration.error)}: the mean distance of the bars from the red marks over "
        f"{plural(number, 'picture')}{error_by_chance(calibration)}. Above its mark it could be surer, below it is too "
        "sure.",
    )
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1])
    width = 100 / len(calibration.bins)
    upper.plot([0, 100], [0, 100], "--", color=GREY, label="as sure as right")
    for row in calibration.bins:
        if row.accuracy is None or row.confidence is None:
            continue
        middle, right, sure = 50 * (row.low + row.high), 100 * row.accuracy, 100 * row.confidence
        colour = SKY if row.count < FEW else BLUE
        upper.bar(middle, right, width * 0.92, color=colour, edgecolor="white", linewidth=0.8)
        upper.plot([middle - width * 0.46, middle + width * 0.46], [sure, sure], color=VERMILLION, linewidth=3)
    handles = [
        Patch(facecolor=BLUE, label="right (%)"),
        *([Patch(facecolor=SKY, label=f"fewer than {FEW} pictures")] if _has_few(calibration) else []),
        *upper.plot([], [], color=VERMILLION, linewidth=3, label="mean of how sure (%)"),
        upper.lines[0],
    ]
    legend_above(upper, handles)
    upper.set(ylabel="right answers (%)", ylim=(0, 103), xlim=(0, 100))
    lower.bar(
        [50 * (row.low + row.high) for row in calibration.bins],
        [100 * row.count / number for row in calibration.bins],
        width * 0.92,
        color=GREY,
    )
    lower.set(xlabel="how sure the answer is (%)", ylabel="pictures (%)")
    return figure


def _figures(result: Evaluation, image_set: ImageSet) -> dict[str, Figure]:
    match result:
        case ClassificationResult():
            figures = {
                "confusion": confusion_matrix(result.confusion.numpy(), result.classes, result.superclasses),
                "reliability": reliability(result.calibration),
                "examples": answered_examples(_as_model_names(image_set, result), result.probabilities),
            }
            surest = result.surest_mistakes()
            if surest:
                figures["mistakes"] = surest_mistakes(
                    image_set, surest, result.num_images - result.num_correct, result.classes
                )
            return figures
        case ReconstructionResult():
            return {
                "reconstructions": reconstructions(
                    {
                        "original": result.originals,
                        "result": result.results,
                        f"noise of {EXAMPLE_LEVEL}": result.noised,
                        "result from the noise": result.denoised,
                    },
                    title=f"Reconstructed with PSNR {result.psnr:.1f} dB and SSIM {result.ssim:.3f}",
                    remark=_reconstruction_remark(result),
                )
            }
        case _:
            raise TypeError(f"no figures for a {type(result).__name__}")


def _reconstruction_remark(result: ReconstructionResult) -> str:
    remark = f"Means over {plural(result.num_images, 'picture')}; a perfect copy has SSIM 1."
    for each in result.denoising:
        if each.noise == EXAMPLE_LEVEL:
            before, after = (f"{value:.1f} dB" for value in (each.psnr_noised, each.psnr))
            remark += f" Noise of deviation {each.noise} added to {each.num_images:,} of them: PSNR {before}, "
            remark += f"after the network {after}."
    return remark


def _as_model_names(image_set: ImageSet, result: ClassificationResult) -> ImageSet:
    """Return the set with the model's classes, of which it may have some only, in another order or in other case."""
    if image_set.classes == result.classes:
        return image_set
    return replace(image_set, classes=result.classes, superclasses=result.superclasses, labels=result.labels.numpy())


def _order(confusion: Counts, superclasses: Sequence[str] | None) -> list[int]:
    """Return which classes to show, in which order: by superclass, else as they are numbered."""
    number = len(confusion)
    shown = list(range(number)) if number <= NAMED else _most_confused(confusion)
    if superclasses is None:
        return shown
    return sorted(shown, key=lambda each: (superclasses[each], each))


def _picked(names: Sequence[str], shown: Sequence[int]) -> list[str]:
    return [names[number] for number in shown]


def _most_confused(confusion: Counts) -> list[int]:
    both = np.triu(confusion + confusion.T, 1)
    pairs = np.argsort(-both, axis=None, kind="stable")
    chosen: dict[int, None] = {}
    for pair in pairs[: CONFUSED * CONFUSED].tolist():
        for number in divmod(pair, len(confusion)):
            if len(chosen) < CONFUSED:
                chosen.setdefault(number)
    return sorted(chosen)


def _confusion_words(
    confusion: Counts, classes: Sequence[str], superclasses: Sequence[str] | None, shown: Sequence[int]
) -> tuple[str, str]:
    number, right = int(confusion.sum()), int(confusion.trace())
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    title = f"{percent(right / max(number, 1))} of {plural(number, 'picture')} right"
    remark = "Each row is a true class: blue is the share of its pictures that is right, orange what is mistaken."
    names = class_names(classes)
    if wrong.any():
        title += f"; {_most_common(wrong, confusion.sum(axis=1), names)}"
        if superclasses is not None:
            groups = np.unique(np.array(superclasses), return_inverse=True)[1]
            inside = wrong[groups[:, np.newaxis] == groups].sum() / wrong.sum()
            remark += f" {percent(inside)} of the mistakes stay within the superclass (framed)."
    if len(shown) < len(classes):
        remark += f" Shown are the {len(shown)} of {len(classes):,} classes most often confused."
    return title, remark + of_boxes([*_picked(classes, shown), *_picked(superclasses or classes, shown)])


def _most_common(wrong: Counts, pictures: Counts, names: Sequence[str]) -> str:
    """Say which mistake is made most often, or both where two are, or of how many kinds such mistakes are."""
    most = int(wrong.max())
    pairs = np.argwhere(wrong == most).tolist()
    if len(pairs) > 2:
        return f"the most common mistakes are of {len(pairs):,} kinds, {plural(most, 'picture')} each"
    told = [f"{names[true]} taken for {names[named]}" for true, named in pairs]
    of = list(dict.fromkeys(f"{most:,} of {pictures[true]:,}" for true, _ in pairs))
    each = " each" if len(of) < len(pairs) else ""
    return f"most common {'mistake' if len(pairs) == 1 else 'mistakes'}: {listed(told)} ({listed(of)}{each})"


def _fitted(name: str, cell: float, size: float) -> str:
    """Break a name into as many lines as a row of `cell` inches has room for, and no line longer than it must be."""
    allowed = max(1, int(cell * POINTS / (size * 1.3)))
    room = 110.0
    while len(lines := wrap(name, room, size)) > allowed:
        room *= 1.2
    return "\n".join(lines)


def _draw_cells(axes: Axes, figure: Figure, bars: tuple[Axes, Axes], shares: NDArray[np.float64], gamma: float) -> None:
    diagonal = np.eye(len(shares), dtype=bool)
    worst = float(shares[~diagonal].max(initial=0))
    layers = (
        (np.ma.masked_where(~diagonal, shares), _RIGHT_COLOURS, PowerNorm(1, 0, 100), "right (%)"),
        # Among many classes the root (gamma 0.5) makes a single mistake visible beside the commonest ones.
        (
            np.ma.masked_where(diagonal, shares),
            _WRONG_COLOURS,
            PowerNorm(gamma, 0, max(worst, RARE)),
            "mistaken (%)",
        ),
    )
    for (values, colours, norm, words), bar in zip(layers, bars, strict=True):
        image = axes.imshow(values, cmap=colours, norm=norm, interpolation="nearest", aspect="auto")
        if worst or values is layers[0][0]:
            scale = figure.colorbar(image, cax=bar, label=words)
            scale.outline.set_visible(False)
            bar.grid(visible=False)
        else:
            bar.set_visible(False)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=GREY)


def _number_cells(axes: Axes, counts: Counts, shares: NDArray[np.float64]) -> None:
    worst = max(float(shares[~np.eye(len(shares), dtype=bool)].max(initial=0)), RARE)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            dark = shares[row, column] > 55 if row == column else shares[row, column] > 0.6 * worst
            size = TEXT if count < 10_000 else TEXT - 2.5
            axes.text(column, row, f"{count:,}", ha="center", va="center", size=size, color="white" if dark else INK)


def _mark_groups(axes: Axes, groups: Sequence[str], size: float) -> None:
    """Frame every group's own square and write its name on the right."""
    bounds = [0, *(place for place, (one, two) in enumerate(pairwise(groups), 1) if one != two), len(groups)]
    for first, last in pairwise(bounds):
        corners = [first - 0.5, last - 0.5]
        axes.plot(
            [corners[0], corners[1], corners[1], corners[0], corners[0]],
            [corners[0], corners[0], corners[1], corners[1], corners[0]],
            color=GREY,
            linewidth=1,
        )
    right = axes.secondary_yaxis("right")
    right.set_yticks(
        [(first + last - 1) / 2 for first, last in pairwise(bounds)], [groups[first] for first in bounds[:-1]]
    )
    right.tick_params(length=0, labelsize=size)
    right.spines[:].set_visible(False)


def _has_few(calibration: Calibration) -> bool:
    return any(0 < row.count < FEW for row in calibration.bins)
