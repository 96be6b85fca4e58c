"""Figures of a training's epochs: the learning curves, and between which losses their batches lie.

Takes the rows of a run's logs; knows nothing of files.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retinula.plots.figure import BLUE, GREY, SKY, VERMILLION, legend_above, new_figure, styled
from retinula.plots.series import Values, column, count_axis, course, short
from retinula.text.words import percent, plural
from retinula.training.loss_words import compared, in_training
from retinula.training.ranking import best_epoch

SEVERAL = 4  # an epoch of fewer batches than this has no quartiles worth drawing


class Measure(NamedTuple):
    """A measured value of the epochs: its keys while training and on the pictures set apart, and its words."""

    key: str
    held_out_key: str
    words: str
    best: Literal["lowest", "highest"]


LOSS = Measure("loss", "val_loss", "loss", "lowest")
ACCURACY = Measure("accuracy", "val_accuracy", "accuracy", "highest")


@styled
def learning_curves(
    metrics: Sequence[Mapping[str, Any]],
    *,
    against: Literal["epoch", "step"] = "epoch",
    held_out: str = "validation",
    only_in_training: str = "",
) -> Figure:
    """Draw loss, and accuracy where there is one, after every epoch: in training, and on the pictures set apart.

    Args:
        metrics: rows with `epoch`, `step`, `loss`, `accuracy`, `val_loss`, `val_accuracy`, each of the last four
            possibly None.
        against: what runs along the horizontal axis.
        held_out: what the pictures set apart are.
        only_in_training: what the training loss counts and the other does not; empty where they are one measure.
    """
    measures = [
        measure
        for measure in (LOSS, ACCURACY)
        if any(row.get(key) is not None for row in metrics for key in (measure.key, measure.held_out_key))
    ]
    if not measures:
        raise ValueError("there is no loss or accuracy to draw")
    title, remark = _finding(metrics, measures[-1], against, held_out)
    if np.isfinite(column(metrics, LOSS.held_out_key)).any():
        remark = " ".join(filter(None, (remark, compared(held_out, only_in_training))))
    figure = new_figure(10 if len(measures) > 1 else 8, 4.0, title, remark)
    for axes, measure in zip(np.atleast_1d(figure.subplots(1, len(measures))), measures, strict=True):
        counted = only_in_training if measure is LOSS else ""
        _draw_curves(axes, metrics, measure, against, (in_training(counted), held_out))
    return figure


@styled
def loss_band(
    steps: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]] = (),
    *,
    held_out: str = "validation",
    only_in_training: str = "",
) -> Figure:
    """Draw between which losses half of each epoch's batches lie, around their median, and the held-out loss over it.

    Beside it the accuracies, where there are any: of these the logs have one of each epoch, and so no band.

    Args:
        steps: rows with `step`, `epoch` and `loss`: at least two epochs of four finite losses each.
        metrics: rows with `epoch`, `val_loss`, `accuracy` and `val_accuracy`, each of the last three possibly None.
        held_out: what the pictures set apart are.
        only_in_training: what the training loss counts and the other does not; empty where they are one measure.
    """
    parts = quartiles(steps)
    if len(parts) < 2:
        raise ValueError(f"a band needs two epochs of at least {SEVERAL} steps with a finite loss")
    places = np.array(list(parts), dtype=np.float64)
    low, median, high = np.array(list(parts.values())).T
    remark = f"In the last epoch half of the batches lie between {short(low[-1])} and {short(high[-1])}."
    apart = {row["epoch"]: row["val_loss"] for row in metrics if row.get("val_loss") is not None}
    if places[-1] in apart:
        value = apart[places[-1]]
        where = "above" if value > high[-1] else "below" if value < low[-1] else "inside"
        beside = "" if only_in_training else f", {where} that band"
        remark += f" The {held_out} loss is {short(value)}{beside}."
    if apart and only_in_training:
        remark += f" {compared(held_out, only_in_training)}"
    title = f"The median loss of a batch {course(median[0], median[-1])} in {places[-1]:,.0f} epochs"
    known = [column(metrics, key) for key in (ACCURACY.key, ACCURACY.held_out_key)]
    with_accuracy = any(np.isfinite(values).any() for values in known)
    if with_accuracy:
        remark += " Of accuracies one is kept of each epoch: they have no band."
    figure = new_figure(12 if with_accuracy else 8, 4.0, title, remark)
    widths = [1.6, 1] if with_accuracy else [1]  # the words beside the band may be long
    axes, *beside_it = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for other in beside_it:
        _draw_curves(other, metrics, ACCURACY, "epoch", ("training", held_out))
    axes.fill_between(places, low, high, color=SKY, alpha=0.5, linewidth=0, label="half of the batches")
    marker = "o" if len(places) <= 40 else None
    words = f"median batch in {in_training(only_in_training)}" if only_in_training else "median batch"
    axes.plot(places, median, "--", color=GREY, marker=marker, markersize=5, label=words)
    if apart:
        axes.plot(list(apart), list(apart.values()), color=BLUE, marker=marker and "s", markersize=5, label=held_out)
    axes.set(xlabel="epoch", ylabel="loss")
    count_axis(axes, places)
    legend_above(axes)
    return figure


def quartiles(steps: Sequence[Mapping[str, Any]]) -> dict[int, Values]:
    """Return the 25th, 50th and 75th percentile of the losses of each epoch that has several, by its number."""
    losses: dict[int, list[float]] = {}
    for row in steps:
        if math.isfinite(row["loss"]):
            losses.setdefault(int(row["epoch"]), []).append(row["loss"])
    return {epoch: np.percentile(own, [25, 50, 75]) for epoch, own in losses.items() if len(own) >= SEVERAL}


def _finding(metrics: Sequence[Mapping[str, Any]], measure: Measure, against: str, held_out: str) -> tuple[str, str]:
    """Return title and remark: the best value, where it was, and how far training is ahead of it."""
    values = column(metrics, measure.held_out_key)
    whose = f"{held_out.capitalize()} {measure.words}"
    if not np.isfinite(values).any():
        values, whose = column(metrics, measure.key), f"Training {measure.words}"
        if not np.isfinite(values).any():
            return f"Nothing finite was measured in {plural(len(metrics), 'epoch')}", ""
        remark = f"No {held_out} pictures were set apart: nothing here says how well it does on new ones."
    else:
        remark = ""
    best = _best(metrics, measure)
    place = column(metrics, against)[best]
    last = values[np.isfinite(values)][-1]
    title = f"{whose} is {measure.best}, {_shown(values[best], measure)}, after {against} {place:,.0f}"
    if len(metrics) == 1:
        title = f"{whose} is {_shown(last, measure)} after {against} {place:,.0f}"
    elif last != values[best]:
        title += f"; {_shown(last, measure)} at the end"
    training = column(metrics, measure.key)[best]
    if not remark and np.isfinite(training):
        remark = f"In training it was {_shown(training, measure)} over that epoch."
    return title, remark


def _draw_curves(
    axes: Axes, metrics: Sequence[Mapping[str, Any]], measure: Measure, against: str, named: tuple[str, str]
) -> None:
    """Draw both lines of a measure, that of training first; whole, since the best is often the last, on the edge."""
    places = column(metrics, against)
    scale = 100.0 if measure is ACCURACY else 1.0
    marked = len(places) <= 40
    for key, words, colour, line, marker in (
        (measure.key, named[0], GREY, "--", "o"),
        (measure.held_out_key, named[1], BLUE, "-", "s"),
    ):
        values = column(metrics, key) * scale
        if not np.isfinite(values).any():
            continue
        mark = marker if marked else None
        axes.plot(places, values, line, color=colour, label=words, marker=mark, markersize=5, clip_on=False)
        if key == measure.held_out_key:
            best = _best(metrics, measure)
            axes.plot(
                places[best],
                values[best],
                "o",
                markersize=13,
                markerfacecolor="none",
                markeredgecolor=VERMILLION,
                markeredgewidth=2,
                clip_on=False,
                label=measure.best,
            )
    axes.set(xlabel=against, ylabel="loss" if measure is LOSS else "accuracy (%)")
    count_axis(axes, places)
    if measure is ACCURACY and axes.lines:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0), min(high, 100))  # there are no shares beyond
    legend_above(axes)


def _best(metrics: Sequence[Mapping[str, Any]], measure: Measure) -> int:
    """Return the position of the best epoch by the pictures set apart, in training where nothing was measured there."""
    if measure is ACCURACY and np.isfinite(column(metrics, measure.held_out_key)).any():
        return best_epoch(metrics, "val_accuracy")
    sign = 1 if measure.best == "highest" else -1
    held_out, training = (sign * column(metrics, key) for key in (measure.held_out_key, measure.key))
    values = held_out if np.isfinite(held_out).any() else training
    return int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))


def _shown(value: float, measure: Measure) -> str:
    return percent(value) if measure is ACCURACY else short(value)
