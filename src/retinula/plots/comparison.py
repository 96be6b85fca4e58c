"""Figure of several trainings: one measure of each after every epoch. Takes plain rows; knows nothing of runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from retinula.plots.figure import (
    GREY,
    METRIC_NAMES,
    SERIES,
    TEXT,
    drawable,
    new_figure,
    styled,
    wrap,
)
from retinula.text.words import listed, percent

MOST = 12  # trainings in one figure: more lines cannot be told apart
NAME = 220  # points that a training's name may take in a line
_LINES = ("-", "--")


@styled
def compared_curves(
    trainings: Mapping[str, Sequence[Mapping[str, Any]]], metric: str, best: Collection[str], undecided: str = ""
) -> Figure:
    """Draw what trainings reached on their validation pictures after each epoch.

    Args:
        trainings: rows with `epoch` and the metric, possibly None, by the training's name; at most twelve.
        metric: `val_accuracy` or `val_loss`.
        best: the names of those to be named in the title as the best; none where none can be told.
        undecided: why none can, as in "they cannot be told apart by 144 pictures"; of a best one, that it may be so by
            chance; or nothing.
    """
    words = METRIC_NAMES[metric]
    title = f"{words.capitalize()} of {len(trainings)} trainings"
    if best:
        title = f"{listed(list(best))} {'has' if len(best) == 1 else 'have'} the best {words}"
    if undecided:
        title += f"{',' if best else ':'} {undecided}"
    figure = new_figure(9, 4.4, title, "After each epoch, on pictures that were set apart from those trained on.")
    axes = figure.subplots()
    for number, (name, rows) in enumerate(trainings.items()):
        points = [(row["epoch"], row[metric]) for row in rows if row.get(metric) is not None]
        axes.plot(
            [epoch for epoch, _ in points],
            [value for _, value in points],
            _LINES[number // len(SERIES) % len(_LINES)],
            color=SERIES[number % len(SERIES)],
            marker="o" if len(points) <= 40 else None,
            markersize=4,
            linewidth=2.4 if name in best else 1.4,
            label="\n".join(wrap(drawable(name if points else f"{name} (no validation)"), NAME, TEXT)),
        )
    axes.set(xlabel="epoch", ylabel=words)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if metric == "val_accuracy":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), labelcolor=GREY)
    return figure
