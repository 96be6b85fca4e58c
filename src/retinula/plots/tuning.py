"""Figure of a search for better settings: what its trials reached, one after the other and against each setting.

Takes plain values; knows nothing of studies.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from retinula.plots.figure import BLUE, GREY, METRIC_NAMES, ORANGE, TEXT, VERMILLION, new_figure, styled, wrap
from retinula.text.words import percent, plural, rounded
from retinula.training.ranking import higher_is_better

COLUMNS = 3  # of the panels, one a setting
NAME = 190  # points that a setting's name may take in a line below its panel
CHOICE = 90  # points that a choice may take in a line
WIDE = 50  # a setting whose values lie further apart than by this factor has a tick at each power of ten alone
WIDTH, HISTORY, PANEL = 9.0, 3.2, 2.7  # inches


class Drawn(NamedTuple):
    """A trial to be drawn.

    Attributes:
        number: counted from 0.
        state: what became of it.
        value: in the end, or the last one measured; None where there is none.
        values: of its settings, by their names.
    """

    number: int
    state: Literal["finished", "pruned", "failed", "running"]
    value: float | None
    values: Mapping[str, Any]


@styled
def tuning_figure(trials: Sequence[Drawn], settings: Mapping[str, bool], metric: str, best: int) -> Figure:
    """Draw what trials reached, and what with which settings.

    Args:
        trials: in their order.
        settings: by name, whether its values are drawn by their logarithm.
        metric: `val_accuracy` or `val_loss`.
        best: the number of the best trial, which is finished.
    """
    measured = [trial for trial in trials if trial.value is not None and trial.state in ("finished", "pruned")]
    value = next(trial.value for trial in measured if trial.number == best)
    words = METRIC_NAMES[metric]
    reached = percent(value or 0.0) if metric == "val_accuracy" else rounded(value or 0.0, 4)
    rows = -(-len(settings) // COLUMNS)
    figure = new_figure(
        WIDTH,
        HISTORY + PANEL * rows,
        f"Trial {best} of {len(trials)} has the best {words}, {reached}",
        f"{_counted(trials)} The value is the best of so many, so it flatters: other pictures tell what it is worth.",
    )
    grid = figure.add_gridspec(1 + rows, COLUMNS, height_ratios=[HISTORY, *[PANEL] * rows])
    history = figure.add_subplot(grid[0, :])
    _draw_history(history, measured, metric, best)
    for place, (name, log) in enumerate(settings.items()):
        row, column = divmod(place, COLUMNS)
        panel = figure.add_subplot(grid[1 + row, column], sharey=history)
        _draw_setting(panel, name, [trial for trial in measured if name in trial.values], best, log=log)
        panel.tick_params(labelleft=column == 0)
        if column == 0:
            panel.set_ylabel(words)
    if metric == "val_accuracy":
        history.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    return figure


def _counted(trials: Sequence[Drawn]) -> str:
    states = [trial.state for trial in trials]
    kinds = (("pruned", "given up early"), ("failed", "failed"), ("running", "not at their end"))
    counts = [f"{states.count(state)} {words}" for state, words in kinds if state in states]
    return f"{', '.join([plural(len(trials), 'trial'), *counts])}."


def _draw_history(axes: Axes, trials: Sequence[Drawn], metric: str, best: int) -> None:
    finished = [trial for trial in trials if trial.state == "finished"]
    better = max if higher_is_better(metric) else min
    so_far = list(accumulate((trial.value or 0.0 for trial in finished), better))
    axes.step([trial.number for trial in finished], so_far, where="post", color=ORANGE, label="best so far")
    _draw_points(axes, trials, [trial.number for trial in trials], best)
    axes.set(xlabel="trial", ylabel=METRIC_NAMES[metric], xlim=(-0.5, max(trial.number for trial in trials) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, labelcolor=GREY, borderaxespad=0.1)


def _draw_setting(axes: Axes, name: str, trials: Sequence[Drawn], best: int, *, log: bool) -> None:
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


def _draw_points(axes: Axes, trials: Sequence[Drawn], places: Sequence[float], best: int) -> None:
    points = [(place, trial) for place, trial in zip(places, trials, strict=True)]
    for label, state, marker, colour in (("given up early", "pruned", "x", GREY), ("finished", "finished", "o", BLUE)):
        some = [(place, trial.value or 0.0) for place, trial in points if trial.state == state]
        if some:
            across, up = zip(*some, strict=True)
            axes.plot(across, up, marker, color=colour, markersize=6, alpha=0.8, label=label)
    chosen = [(place, trial.value or 0.0) for place, trial in points if trial.number == best]
    for place, value in chosen:
        axes.plot(
            [place],
            [value],
            "o",
            color=VERMILLION,
            markersize=12,
            fillstyle="none",
            mew=2,
            clip_on=False,
            label="the best",
        )
