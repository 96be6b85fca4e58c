"""The figure of the pictures that training begins with: each as it is and as it is fed, with what chance did to it."""

from matplotlib.figure import Figure

from retinula.plots.figure import BLUE, LINE, MARGIN, POINTS, TEXT, bare, new_figure, of_boxes, styled, wrap
from retinula.plots.tiles import upright
from retinula.text.words import plural
from retinula.training.shown import FedBatch

COLUMNS = 4
SIDE = 1.05  # inches of a picture
SHOWN = 12


@styled
def batch(fed: FedBatch, *, name: str, recipe: str) -> Figure:
    """Draw the first pictures of a batch in pairs: left as the set has it, right as the network gets it.

    Args:
        fed: the batch, with at least one picture.
        name: of the set.
        recipe: what the recipe is called.
    """
    shown = fed.pictures[:SHOWN]
    room = 2 * SIDE * POINTS
    called = [each.label or f"picture {each.index}" for each in shown]
    heads = [wrap(words, room, TEXT) for words in called]
    feet = [[line for words in each.words or ("as it is",) for line in wrap(words, room, TEXT)] for each in shown]
    starts = range(0, len(shown), COLUMNS)
    line = TEXT * LINE / POINTS
    above = [line * max(map(len, heads[start : start + COLUMNS])) + 0.06 for start in starts]
    below = [line * max(map(len, feet[start : start + COLUMNS])) + 0.06 for start in starts]
    step = 2 * SIDE + 2.5 * MARGIN
    columns = min(COLUMNS, len(shown))
    figure = new_figure(
        max(5.0, columns * step + MARGIN),
        sum(above) + sum(below) + len(starts) * (SIDE + 0.22) + MARGIN,
        f"The first {plural(len(shown), 'picture')} that training with {recipe} is fed of {name}",
        f"Batch {fed.step + 1}, {plural(fed.size, 'picture')}. Left of each pair the picture as it is, right as the "
        f"network gets it; below, what chance did to it.{of_boxes([name, recipe, *called])}",
    )
    figure.set_layout_engine("none")
    width, whole = figure.get_size_inches()
    top = sum(above) + sum(below) + len(starts) * (SIDE + 0.22)
    for row, start in enumerate(starts):
        bottom = top - above[row] - SIDE
        for column, each in enumerate(shown[start : start + COLUMNS]):
            left = MARGIN + column * step
            for place, picture in enumerate((each.original, each.fed)):
                axes = figure.add_axes(
                    ((left + place * (SIDE + 0.06)) / width, bottom / whole, SIDE / width, SIDE / whole)
                )
                bare(axes)
                axes.imshow(upright(picture), interpolation="nearest")
            head, foot = heads[start + column], feet[start + column]
            figure.text(left / width, (bottom + SIDE + 0.05) / whole, "\n".join(head), va="bottom", linespacing=LINE)
            figure.text(
                left / width, (bottom - 0.06) / whole, "\n".join(foot), va="top", color=BLUE, linespacing=LINE - 0.1
            )
        top = bottom - below[row] - 0.22
    return figure
