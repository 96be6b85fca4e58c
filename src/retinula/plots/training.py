"""Figures of a training: loss and time of every step, loss and accuracy of every epoch.

Takes the rows of a run's logs; knows nothing of files or of training itself.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from retinula.plots.figure import (
    BLUE,
    GREY,
    SKY,
    VERMILLION,
    new_figure,
    plural,
    save,
    styled,
)
from retinula.shares import percent

Values = NDArray[np.float64]
Range = tuple[int, int]

SLOW = 2  # a step that takes more than twice the median is called slow
POINTS = 600  # more steps than this are drawn as the band from the smallest to the largest of each stretch
AVERAGED = 100  # fewer steps than this have no running mean: each of them can be seen
SEVERAL = 4  # an epoch of fewer batches than this has no quartiles worth drawing
STEEP = 50.0  # a loss that falls by more than this factor is drawn on a logarithmic axis


class Measure(NamedTuple):
    """A measured value of the epochs: its keys while training and on the pictures set apart, and its words."""

    key: str
    held_out_key: str
    words: str
    best: Literal["lowest", "highest"]


LOSS = Measure("loss", "val_loss", "loss", "lowest")
ACCURACY = Measure("accuracy", "val_accuracy", "accuracy", "highest")


def draw_training(
    metrics: Sequence[Mapping[str, Any]],
    steps: Sequence[Mapping[str, float]],
    folder: Path,
    *,
    ranges: Sequence[Range] = (),
    held_out: str = "validation",
) -> list[Path]:
    """Write every figure that a training's logs have something for, each as PNG and SVG; return the files.

    Args:
        metrics: the rows of `metrics.jsonl`.
        steps: the rows of `steps.csv`.
        folder: made where it is missing.
        ranges: first and last step of each stretch to show apart; the whole where none is given.
        held_out: what the pictures are that were measured after each epoch.

    Raises:
        RetinulaError: the folder cannot be written to.
    """
    paths: list[Path] = []
    if np.isfinite(_column(steps, "loss")).any():
        paths += save(loss_of_steps(steps, ranges=ranges), folder, "loss")
    if steps:
        paths += save(time_of_steps(steps, ranges=ranges), folder, "step-time")
    if len(_quartiles(steps)) > 1:
        paths += save(loss_band(steps, metrics, held_out=held_out), folder, "loss-band")
    if metrics:
        paths += save(learning_curves(metrics, against="epoch", held_out=held_out), folder, "curves-by-epoch")
        paths += save(learning_curves(metrics, against="step", held_out=held_out), folder, "curves-by-step")
    return paths


@styled
def loss_of_steps(steps: Sequence[Mapping[str, float]], *, ranges: Sequence[Range] = ()) -> Figure:
    """Draw the loss of every step and its running mean.

    Args:
        steps: rows with `step` and `loss`, at least one.
        ranges: first and last step of each stretch, drawn one below the other; the whole where none is given.
    """
    numbers, losses = _column(steps, "step"), _column(steps, "loss")
    smooth = _running_mean(losses)
    finite = np.isfinite(losses)
    if not finite.any():
        raise ValueError("there is no step with a finite loss to draw")
    lowest = int(np.nanargmin(np.where(finite, losses, np.nan)))
    known = smooth[np.isfinite(smooth)]
    verb = "fell" if known[-1] < known[0] else "rose"
    spans = _spans(ranges, numbers)
    averaged = len(losses) >= AVERAGED
    figure = new_figure(
        8,
        3.6 * len(spans),
        f"The loss {verb} from {_number(known[0])} to {_number(known[-1])} in {plural(len(losses), 'step')}",
        f"The smallest loss of a single batch, {_number(losses[lowest])}, came at step {numbers[lowest]:,.0f}. "
        f"One batch says little{': the thick line is the mean over neighbouring steps' if averaged else ''}.",
    )
    for axes, (first, last) in zip(figure.subplots(len(spans), 1, squeeze=False)[:, 0], spans, strict=True):
        inside = (numbers >= first) & (numbers <= last)
        axes.set_title(_stretch("", first, last, len(spans) > 1))
        _draw_series(axes, numbers[inside], losses[inside], "each step")
        if averaged:
            axes.plot(*_thinned(numbers[inside], smooth[inside]), color=BLUE, label="running mean")
        if inside[lowest]:
            axes.plot(
                numbers[lowest], losses[lowest], "v", color=VERMILLION, markersize=8, label="smallest of one batch"
            )
        _scale_loss(axes, losses[inside])
        axes.set(xlabel="step", ylabel="training loss")
        _count_axis(axes, numbers[inside])
        axes.legend(loc="upper right" if verb == "fell" else "best")
    return figure


@styled
def time_of_steps(steps: Sequence[Mapping[str, float]], *, ranges: Sequence[Range] = ()) -> Figure:
    """Draw the time of every step; where some are slow, all on the left and without the slow ones on the right.

    Args:
        steps: rows with `step` and `seconds`, at least one.
        ranges: first and last step of each stretch, drawn one below the other; the whole where none is given.
    """
    numbers, seconds = _column(steps, "step"), _column(steps, "seconds")
    median = float(np.median(seconds))
    unit, scale = ("ms", 1000.0) if median < 1 else ("s", 1.0)
    times = seconds * scale
    slow = seconds > SLOW * median
    said = f"{_number(median * scale)} {unit} is the median"
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
        f"A step takes {_number(median * scale)} {unit}; {seconds.sum():,.0f} s for all {len(steps):,}",
        said,
    )
    grid = figure.subplots(len(spans), len(panels), squeeze=False)
    for row, (first, last) in zip(grid, spans, strict=True):
        inside = (numbers >= first) & (numbers <= last)
        for axes, (words, kept) in zip(row, panels, strict=True):
            shown = inside & kept
            _draw_series(axes, numbers[shown], times[shown], "each step")
            axes.axhline(median * scale, color=BLUE, linestyle="--", label="median")
            axes.set_title(_stretch(words, first, last, len(spans) > 1))
            axes.set(xlabel="step", ylabel=f"time of a step ({unit})")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            _count_axis(axes, numbers[shown])
        row[0].set_ylim(bottom=0)
    grid[0, 0].legend(loc="lower right")  # below what the steps take there is room, since time begins at zero
    return figure


@styled
def learning_curves(
    metrics: Sequence[Mapping[str, Any]],
    *,
    against: Literal["epoch", "step"] = "epoch",
    held_out: str = "validation",
) -> Figure:
    """Draw loss, and accuracy where there is one, after every epoch: in training, and on the pictures set apart.

    Args:
        metrics: rows with `epoch`, `step`, `loss`, `accuracy`, `val_loss`, `val_accuracy`, each of the last four
            possibly None.
        against: what runs along the horizontal axis.
        held_out: what the pictures set apart are.
    """
    measures = [
        measure
        for measure in (LOSS, ACCURACY)
        if any(row.get(key) is not None for row in metrics for key in (measure.key, measure.held_out_key))
    ]
    if not measures:
        raise ValueError("there is no loss or accuracy to draw")
    figure = new_figure(10 if len(measures) > 1 else 8, 4.0, *_finding(metrics, measures[-1], against, held_out))
    for axes, measure in zip(np.atleast_1d(figure.subplots(1, len(measures))), measures, strict=True):
        _draw_curves(axes, metrics, measure, against, held_out)
    return figure


@styled
def loss_band(
    steps: Sequence[Mapping[str, float]], metrics: Sequence[Mapping[str, Any]] = (), *, held_out: str = "validation"
) -> Figure:
    """Draw between which losses half of each epoch's batches lie, around their median, and the held-out loss over it.

    Args:
        steps: rows with `step`, `epoch` and `loss`: at least two epochs of four finite losses each.
        metrics: rows with `epoch` and `val_loss`, possibly None.
        held_out: what the pictures set apart are.
    """
    quartiles = _quartiles(steps)
    if len(quartiles) < 2:
        raise ValueError(f"a band needs two epochs of at least {SEVERAL} steps with a finite loss")
    places = np.array(list(quartiles), dtype=np.float64)
    low, median, high = np.array(list(quartiles.values())).T
    verb = "fell" if median[-1] < median[0] else "rose"
    ends = f"{_number(median[0])} to {_number(median[-1])}"
    remark = f"In the last epoch half of the batches lie between {_number(low[-1])} and {_number(high[-1])}."
    apart = {row["epoch"]: row["val_loss"] for row in metrics if row.get("val_loss") is not None}
    if places[-1] in apart:
        value = apart[places[-1]]
        where = "above" if value > high[-1] else "below" if value < low[-1] else "inside"
        remark += f" The {held_out} loss, {_number(value)}, is {where} that band."
    figure = new_figure(8, 4.0, f"The median loss of a batch {verb} from {ends} in {places[-1]:,.0f} epochs", remark)
    axes = figure.subplots()
    axes.fill_between(places, low, high, color=SKY, alpha=0.5, linewidth=0, label="half of the batches")
    marker = "o" if len(places) <= 40 else None
    axes.plot(places, median, "--", color=GREY, marker=marker, markersize=5, label="median batch")
    if apart:
        axes.plot(list(apart), list(apart.values()), color=BLUE, marker=marker and "s", markersize=5, label=held_out)
    axes.set(xlabel="epoch", ylabel="loss")
    _count_axis(axes, places)
    axes.legend()
    return figure


def _quartiles(steps: Sequence[Mapping[str, float]]) -> dict[int, Values]:
    """Return the 25th, 50th and 75th percentile of the losses of each epoch that has several, by its number."""
    losses: dict[int, list[float]] = {}
    for row in steps:
        if math.isfinite(row["loss"]):
            losses.setdefault(int(row["epoch"]), []).append(row["loss"])
    return {epoch: np.percentile(own, [25, 50, 75]) for epoch, own in losses.items() if len(own) >= SEVERAL}


def _finding(metrics: Sequence[Mapping[str, Any]], measure: Measure, against: str, held_out: str) -> tuple[str, str]:
    """Return title and remark: the best value, where it was, and how far training is ahead of it."""
    values = _column(metrics, measure.held_out_key)
    whose = f"{held_out.capitalize()} {measure.words}"
    if not np.isfinite(values).any():
        values, whose = _column(metrics, measure.key), f"Training {measure.words}"
        if not np.isfinite(values).any():
            return f"Nothing finite was measured in {plural(len(metrics), 'epoch')}", ""
        remark = f"No {held_out} pictures were set apart: nothing here says how well it does on new ones."
    else:
        remark = ""
    best = _best(values, measure)
    place = _column(metrics, against)[best]
    last = values[np.isfinite(values)][-1]
    title = f"{whose} is {measure.best}, {_shown(values[best], measure)}, after {against} {place:,.0f}"
    if len(metrics) == 1:
        title = f"{whose} is {_shown(last, measure)} after {against} {place:,.0f}"
    elif last != values[best]:
        title += f"; {_shown(last, measure)} at the end"
    training = _column(metrics, measure.key)[best]
    if not remark and np.isfinite(training):
        remark = f"In training it was {_shown(training, measure)} at that {against}."
    return title, remark


def _draw_curves(
    axes: Axes, metrics: Sequence[Mapping[str, Any]], measure: Measure, against: str, held_out: str
) -> None:
    places = _column(metrics, against)
    scale = 100.0 if measure is ACCURACY else 1.0
    marked = len(places) <= 40
    for key, words, colour, line, marker in (
        (measure.key, "training", GREY, "--", "o"),
        (measure.held_out_key, held_out, BLUE, "-", "s"),
    ):
        values = _column(metrics, key) * scale
        if not np.isfinite(values).any():
            continue
        axes.plot(places, values, line, color=colour, label=words, marker=marker if marked else None, markersize=5)
        if key == measure.held_out_key:
            best = _best(values, measure)
            axes.plot(
                places[best],
                values[best],
                "o",
                markersize=13,
                markerfacecolor="none",
                markeredgecolor=VERMILLION,
                markeredgewidth=2,
                clip_on=False,  # the best is often the last, on the edge
                label=measure.best,
            )
    axes.set(xlabel=against, ylabel="loss" if measure is LOSS else "accuracy (%)")
    _count_axis(axes, places)
    if axes.lines:
        axes.legend()


def _best(values: Values, measure: Measure) -> int:
    finite = np.isfinite(values)
    if measure.best == "lowest":
        return int(np.argmin(np.where(finite, values, np.inf)))
    return int(np.argmax(np.where(finite, values, -np.inf)))


def _shown(value: float, measure: Measure) -> str:
    return percent(value) if measure is ACCURACY else _number(value)


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
    if len(places) <= POINTS:
        return places, values
    kept = np.linspace(0, len(places) - 1, POINTS).round().astype(int)
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
    held = [(first, last) for first, last in ranges if ((numbers >= first) & (numbers <= last)).any()]
    return held or [(int(numbers[0]), int(numbers[-1]))]


def _stretch(words: str, first: int, last: int, named: bool) -> str:
    parts = [words, f"steps {first:,} to {last:,}" if named else ""]
    return ", ".join(part for part in parts if part)


def _scale_loss(axes: Axes, losses: Values) -> None:
    finite = losses[np.isfinite(losses)]
    if len(finite) and finite.min() > 0 and finite.max() > STEEP * np.median(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _count_axis(axes: Axes, places: Values) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.margins(x=0.02)
    if len(places) == 1:
        axes.set_xticks(places)


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> Values:
    values = [math.nan if row.get(key) is None else float(row[key]) for row in rows]
    return np.array(values, dtype=np.float64)


def _number(value: float) -> str:
    """Write three significant digits, without exponent where it can be read."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2e}"
    digits = 3 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}"
