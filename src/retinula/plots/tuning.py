"""Figure of a search for better settings: what its trials reached, one after the other and against each setting.

Takes plain values; knows nothing of studies.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from retinula.plots.figure import (
    BLUE,
    GREY,
    METRIC_NAMES,
    ORANGE,
    TEXT,
    VERMILLION,
    legend_above,
    new_figure,
    styled,
    wrap,
)
from retinula.text.words import first_few, percent, plural, rounded
from retinula.training.ranking import higher_is_better

COLUMNS = 3  # of the panels, one a setting
NAME = 190  # points that a setting's name may take in a line below its panel
CHOICE = 90  # points that a choice may take in a line
WIDE = 50  # a setting whose values lie further apart than by this factor has a tick at each power of ten alone
FAR = 3  # times as far from the best trial as the last of the better three quarters is, the axis ends
WIDTH, HISTORY, PANEL = 9.0, 3.2, 2.7  # inches


class Drawn(NamedTuple):
    """A trial to be drawn.

    Attributes:
        number: as the study counts it.
        state: what became of it.
        value: in the end, or the last one measured; None where there is none.
        values: of its settings, by their names.
    """

    number: int
    state: Literal["finished", "given up", "failed", "running"]
    value: float | None
    values: Mapping[str, Any]


@styled
def tuning_figure(trials: Sequence[Drawn], settings: Mapping[str, bool], metric: str, best: Sequence[int]) -> Figure:
    """Draw what trials reached, and what with which settings.

    Args:
        trials: in their order.
        settings: by name, whether its values are drawn by their logarithm.
        metric: `val_accuracy` or `val_loss`.
        best: the number of the best trial, which is finished, or of several as good.
    """
    measured = [trial for trial in trials if trial.value is not None and trial.state in ("finished", "given up")]
    value = next(trial.value for trial in measured if trial.number in best)
    words = METRIC_NAMES[metric]
    reached = _written(value, metric)
    edge = _edge([trial.value or 0.0 for trial in measured], metric)
    beyond = [trial for trial in measured if edge is not None and _is_beyond(trial, edge, metric)]
    rows = -(-len(settings) // COLUMNS)
    title = f"Trial {best[0]} of {len(trials)} has the best {words}, {reached}"
    if len(best) > 1:
        title = f"{len(best)} of {len(trials)} trials, as good as each other, have the best {words}, {reached}"
    figure = new_figure(
        WIDTH,
        HISTORY + PANEL * rows,
        title,
        f"{_counted(trials)} The value is the best of so many, so it flatters: other pictures tell what it is worth."
        + _told_beyond(beyond, metric),
    )
    grid = figure.add_gridspec(1 + rows, COLUMNS, height_ratios=[HISTORY, *[PANEL] * rows])
    history = figure.add_subplot(grid[0, :])
    inside = [trial._replace(value=edge) if trial in beyond else trial for trial in measured]
    _draw_history(history, inside, metric, best)
    for place, (name, log) in enumerate(settings.items()):
        row, column = divmod(place, COLUMNS)
        panel = figure.add_subplot(grid[1 + row, column], sharey=history)
        _draw_setting(panel, name, [trial for trial in inside if name in trial.values], best, log=log)
        panel.tick_params(labelleft=column == 0)
        if column == 0:
            panel.set_ylabel(words)
    if metric == "val_accuracy":
        history.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    if beyond and higher_is_better(metric):
        history.set_ylim(bottom=edge)
    elif beyond:
        history.set_ylim(top=edge)
    return figure


def _counted(trials: Sequence[Drawn]) -> str:
    states = [trial.state for trial in trials]
    kinds = (("given up", "given up"), ("failed", "failed"), ("running", "not at their end"))
    counts = [f"{states.count(state)} {words}" for state, words in kinds if state in states]
    return f"{', '.join([plural(len(trials), 'trial'), *counts])}."


def _written(value: float | None, metric: str) -> str:
    return percent(value or 0.0) if metric == "val_accuracy" else rounded(value or 0.0, 4)


def _edge(values: Sequence[float], metric: str) -> float | None:
    """Return the worst value to be drawn at its place, lest a few bad trials press all others together."""
    sign = 1 if higher_is_better(metric) else -1
    made = np.array(values) * sign
    best, quarter = float(made.max()), float(np.quantile(made, 0.25, method="higher"))
    return sign * (best - FAR * (best - quarter)) if quarter < best else None


def _is_beyond(trial: Drawn, edge: float, metric: str) -> bool:
    value = trial.value or 0.0
    return value < edge if higher_is_better(metric) else value > edge


def _told_beyond(trials: Sequence[Drawn], metric: str) -> str:
    if not trials:
        return ""
    named = first_few([f"{trial.number} ({_written(trial.value, metric)})" for trial in trials], 4)
    which = "trial" if len(trials) == 1 else "trials"
    return f" Worse than the axis shows, and drawn at its edge: {which} {named}."


def _draw_history(axes: Axes, trials: Sequence[Drawn], metric: str, best: Sequence[int]) -> None:
    finished = [trial for trial in trials if trial.state == "finished"]
    better = max if higher_is_better(metric) else min
    so_far = list(accumulate((trial.value or 0.0 for trial in finished), better))
    axes.step([trial.number for trial in finished], so_far, where="post", color=ORANGE, label="best so far")
    numbers = [trial.number for trial in trials]
    _draw_points(axes, trials, numbers, best)
    axes.set(xlabel="trial", ylabel=METRIC_NAMES[metric], xlim=(min(numbers) - 0.5, max(numbers) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes)


def _draw_setting(axes: Axes, name: str, trials: Sequence[Drawn], best: Sequence[int], *, log: bool) -> None:
    values = [trial.values[name] for trial in trials]
    if any(isinstance(value, str) for value in values):
        choices = sorted(set(map(str, values)))
        _draw_points(axes, trials, [choices.index(str(value)) for value in values], best)
        labels = ["\n".join(wrap(choice, CHOICE / max(1, len(choices) / 2), TEXT)) for choice in choices]
        axes.set_xticks(range(len(choices)), labels)
        axes.set_xlim(-0.5, len(choices) - 0.5)
    else:
        _draw_points(axes, trials, values, best)
        if log:
            wide = max(values, default=1.0) > WIDE * min(values, default=1.0)
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=6))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif all(isinstance(value, int) for value in values):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.set_xlabel("\n".join(wrap(name, NAME, TEXT)))


def _draw_points(axes: Axes, trials: Sequence[Drawn], places: Sequence[float], best: Sequence[int]) -> None:
    points = [(place, trial) for place, trial in zip(places, trials, strict=True)]
    for state, marker, colour in (("given up", "x", GREY), ("finished", "o", BLUE)):
        some = [(place, trial.value or 0.0) for place, trial in points if trial.state == state]
        if some:
            across, up = zip(*some, strict=True)
            axes.plot(across, up, marker, color=colour, markersize=6, alpha=0.8, clip_on=False, label=state)
    chosen = [(place, trial.value or 0.0) for place, trial in points if trial.number in best]
    if chosen:
        across, up = zip(*chosen, strict=True)
        axes.plot(
            across,
            up,
            "o",
            color=VERMILLION,
            markersize=12,
            fillstyle="none",
            mew=2,
            clip_on=False,
            label="the best",
        )
