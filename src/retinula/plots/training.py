"""Figures of a training's steps, their loss and their time; `draw_training` writes these and those of `epochs`.

Takes the rows of a run's logs; knows nothing of files or of training itself.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from retinula.images import evenly_spread
from retinula.plots.epochs import learning_curves, loss_band, quartiles
from retinula.plots.figure import BLUE, SKY, VERMILLION, legend_above, new_figure, save, styled
from retinula.plots.series import Values, column, count_axis, course, short
from retinula.text.words import percent, plural

Range = tuple[int, int]

SLOW = 2  # a step that takes more than twice the median is called slow
POINTS = 600  # more steps than this are drawn as the band from the smallest to the largest of each stretch
AVERAGED = 100  # fewer steps than this have no running mean: each of them can be seen
STEEP = 50.0  # a loss that falls by more than this factor is drawn on a logarithmic axis


def draw_training(
    metrics: Sequence[Mapping[str, Any]],
    steps: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    ranges: Sequence[Range] = (),
    held_out: str = "validation",
    only_in_training: str = "",
) -> list[Path]:
    """Write every figure that a training's logs have something for, each as PNG and SVG; return the files.

    Args:
        metrics: the rows of `metrics.jsonl`.
        steps: the rows of `steps.csv`.
        folder: made where it is missing.
        ranges: first and last step of each stretch to show apart; the whole where none is given.
        held_out: what the pictures are that were measured after each epoch.
        only_in_training: what the training loss counts and the other does not, as `loss_words.only_in_training`.

    Raises:
        RetinulaError: the folder cannot be written to.
    """
    paths: list[Path] = []
    if np.isfinite(column(steps, "loss")).any():
        paths += save(loss_of_steps(steps, ranges=ranges), folder, "loss")
    if steps:
        paths += save(time_of_steps(steps, ranges=ranges), folder, "step-time")
    if len(quartiles(steps)) > 1:
        band = loss_band(steps, metrics, held_out=held_out, only_in_training=only_in_training)
        paths += save(band, folder, "loss-band")
    for against in ("epoch", "step") if metrics else ():
        curves = learning_curves(metrics, against=against, held_out=held_out, only_in_training=only_in_training)
        paths += save(curves, folder, f"curves-by-{against}")
    return paths


@styled
def loss_of_steps(steps: Sequence[Mapping[str, Any]], *, ranges: Sequence[Range] = ()) -> Figure:
    """Draw the loss of every step and its running mean.

    Args:
        steps: rows with `step` and `loss`, at least one.
        ranges: first and last step of each stretch, drawn one below the other; the whole where none is given.
    """
    numbers, losses = column(steps, "step"), column(steps, "loss")
    smooth = _running_mean(losses)
    finite = np.isfinite(losses)
    if not finite.any():
        raise ValueError("there is no step with a finite loss to draw")
    lowest = int(np.nanargmin(np.where(finite, losses, np.nan)))
    known = smooth[np.isfinite(smooth)]
    spans = _spans(ranges, numbers)
    averaged = len(losses) >= AVERAGED
    figure = new_figure(
        8,
        3.6 * len(spans),
        f"The loss {course(known[0], known[-1])} in {plural(len(losses), 'step')}",
        f"The smallest loss of a single batch, {short(losses[lowest])}, came at step {numbers[lowest]:,.0f}. "
        f"One batch says little{': the thick line is the mean over neighbouring steps' if averaged else ''}.",
    )
    for axes, span in zip(figure.subplots(len(spans), 1, squeeze=False)[:, 0], spans, strict=True):
        inside = _within(span, numbers)
        axes.set_title(_stretch("", span, len(spans) > 1))
        _draw_series(axes, numbers[inside], losses[inside], "each step")
        if averaged:
            axes.plot(*_thinned(numbers[inside], smooth[inside]), color=BLUE, label="running mean")
        if inside[lowest]:
            axes.plot(
                numbers[lowest], losses[lowest], "v", color=VERMILLION, markersize=8, label="smallest of one batch"
            )
        _scale_loss(axes, losses[inside])
        axes.set(xlabel="step", ylabel="training loss")
        count_axis(axes, numbers[inside])
        legend_above(axes)
    return figure


@styled
def time_of_steps(steps: Sequence[Mapping[str, Any]], *, ranges: Sequence[Range] = ()) -> Figure:
    """Draw the time of every step; where some are slow, all on the left and without the slow ones on the right.

    Args:
        steps: rows with `step` and `seconds`, at least one.
        ranges: first and last step of each stretch, drawn one below the other; the whole where none is given.
    """
    numbers, seconds = column(steps, "step"), column(steps, "seconds")
    median = float(np.median(seconds))
    unit, scale = ("ms", 1000.0) if median < 1 else ("s", 1.0)
    times = seconds * scale
    slow = seconds > SLOW * median
    said = f"{short(median * scale)} {unit} is the median"
    panels = [("all steps", np.ones_like(slow))]
    if slow.any():
        share = percent(float(seconds[slow].sum() / seconds.sum()))
        count = plural(int(slow.sum()), "step")
        said += f". {count} took more than twice as long: {share} of all time."
        panels.append(("without the slow ones", ~slow))
    else:
        said += "; none took more than twice as long."
    spans = _spans(ranges, numbers)
    figure = new_figure(
        10,
        3.4 * len(spans),
        f"A step takes {short(median * scale)} {unit}; {seconds.sum():,.0f} s for all {len(steps):,}",
        said,
    )
    grid = figure.subplots(len(spans), len(panels), squeeze=False)
    for row, span in zip(grid, spans, strict=True):
        inside = _within(span, numbers)
        for axes, (words, kept) in zip(row, panels, strict=True):
            shown = inside & kept
            _draw_series(axes, numbers[shown], times[shown], "each step")
            axes.axhline(median * scale, color=BLUE, linestyle="--", label="median")
            axes.set_title(_stretch(words, span, len(spans) > 1))
            axes.set(xlabel="step", ylabel=f"time of a step ({unit})")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            count_axis(axes, numbers[shown])
            legend_above(axes)
        row[0].set_ylim(bottom=0)
    return figure


def _draw_series(axes: Axes, places: Values, values: Values, words: str) -> None:
    """Draw every value as a thin line; very many as the band that they fill."""
    if len(places) <= POINTS:
        marker = "." if len(places) < 3 else None
        axes.plot(places, values, color=SKY, linewidth=1, marker=marker, label=words)
        return
    bounds = np.linspace(0, len(places), POINTS + 1).astype(int)
    stretches = [values[a:b] for a, b in pairwise(bounds)]
    low = np.array([_extreme(stretch, np.nanmin) for stretch in stretches])
    high = np.array([_extreme(stretch, np.nanmax) for stretch in stretches])
    axes.fill_between(places[bounds[:-1]], low, high, color=SKY, linewidth=0.7, label=words)


def _extreme(values: Values, pick: Any) -> float:
    return float(pick(values)) if np.isfinite(values).any() else math.nan


def _thinned(places: Values, values: Values) -> tuple[Values, Values]:
    kept = evenly_spread(len(places), POINTS)
    return places[kept], values[kept]


def _running_mean(values: Values) -> Values:
    """Return the mean over a fiftieth of the series around each value; what is not finite is left out."""
    reach = len(values) // AVERAGED
    known = np.isfinite(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    index = np.arange(len(values))
    # Shorter at the beginning, where the loss falls steeply, but not at the end, where one batch would decide.
    near = np.minimum(reach, index)
    stop = np.minimum(index + near, len(values) - 1) + 1
    total = sums[stop] - sums[index - near]
    number = counts[stop] - counts[index - near]
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _spans(ranges: Sequence[Range], numbers: Values) -> list[Range]:
    """Return the stretches that hold a step; the whole where none does, or none is asked for."""
    held = [span for span in ranges if _within(span, numbers).any()]
    return held or [(int(numbers[0]), int(numbers[-1]))]


def _within(span: Range, numbers: Values) -> NDArray[np.bool_]:
    return (numbers >= span[0]) & (numbers <= span[1])


def _stretch(words: str, span: Range, named: bool) -> str:
    parts = [words, f"steps {span[0]:,} to {span[1]:,}" if named else ""]
    return ", ".join(part for part in parts if part)


def _scale_loss(axes: Axes, losses: Values) -> None:
    finite = losses[np.isfinite(losses)]
    if len(finite) and finite.min() > 0 and finite.max() > STEEP * np.median(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
