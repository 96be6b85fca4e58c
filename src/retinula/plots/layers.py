"""Figures of the inside of a network: the filters of a convolution, and what convolutions make of a picture.

Takes plain arrays; knows nothing of networks.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from retinula.images import Images
from retinula.plots.figure import LINE, POINTS, TEXT, bare, new_figure, plural, styled, widest, wrap
from retinula.plots.tiles import RED_BLUE, Values, enlarged, signed_colours, symmetric, tiled, upright

MOST = 64  # filters or maps in one figure; of more, the first
ACROSS = 8  # in a row, of an overview the maps that are shown at all
MOST_ROWS = 24  # convolutions in an overview; of more, so many evenly spread ones
TILE = 48  # pixels of a tile's longer side, at least
GAP = 6  # pixels between tiles
CELL = 0.75  # inches of a tile's longer side in an overview
LABEL = 130  # points that a layer's name may take beside a row of an overview; it is wrapped then
_ROWS_COUNTED = "The numbers on the left are of each row's first one, counted from 0."


@styled
def filter_sheet(filters: Values, *, layer: str, source: str) -> Figure:
    """Draw the weights of a convolution's filters for one of its input channels, on one red and blue scale.

    Args:
        filters: float `[n, h, w]`, at least one.
        layer: what the convolution is called.
        source: what the input channel is called.
    """
    shown = filters[:MOST]
    scale = symmetric(filters)
    columns = _columns(len(shown))
    low, high = f"{filters.min():.3g}".replace("-", "\u2212"), f"{filters.max():.3g}".replace("-", "\u2212")
    figure = new_figure(
        7.5,
        _height(shown, columns, 5.6),
        f"{layer} weighs {source} by {low} to {high}",
        f"{_of(len(shown), len(filters), 'filter')} of {_size(filters)}: red adds to the output, blue takes away. "
        f"{_ROWS_COUNTED}",
    )
    axes = figure.subplots()
    _draw_sheet(axes, shown, scale, columns)
    _draw_scale(figure, axes, scale, "weight")
    return figure


@styled
def map_sheet(maps: Values, *, layer: str, seen: Images, name: str) -> Figure:
    """Draw what one convolution makes of a picture, on one red and blue scale, and the picture beside it.

    Args:
        maps: float `[n, h, w]`, at least one.
        layer: what the convolution is called.
        seen: uint8 `[C, H, W]`, what the network saw.
        name: of the picture.
    """
    shown = maps[:MOST]
    scale = symmetric(maps)
    columns = _columns(len(shown))
    above = int((maps > 0).any(axis=(1, 2)).sum())
    figure = new_figure(
        9.5,
        _height(shown, columns, 5.6),
        f"{name}: {above:,} of {plural(len(maps), 'map')} of {layer} rise above 0 somewhere",
        f"{_of(len(shown), len(maps), 'map')} of {_size(maps)}, before the activation: red above 0, blue below. "
        f"{_ROWS_COUNTED} Beside them what the network saw, {_size(seen)}.",
    )
    small, axes = figure.subplots(1, 2, width_ratios=[1.5, 5.6])
    _draw_seen(small, seen)
    _draw_sheet(axes, shown, scale, columns)
    _draw_scale(figure, axes, scale, "output")
    return figure


@styled
def map_overview(maps: Mapping[str, Values], *, seen: Images, name: str) -> Figure:
    """Draw what every convolution makes of a picture: a row each, with the maps that vary most over the picture.

    Args:
        maps: by the convolution's name, float `[n, h, w]` each, at least one.
        seen: uint8 `[C, H, W]`, what the network saw.
        name: of the picture.
    """
    names = list(maps)
    rows = [names[place] for place in np.linspace(0, len(names) - 1, min(len(names), MOST_ROWS)).round().astype(int)]
    height, width = np.max([maps[row].shape[1:] for row in rows], axis=0)
    size = _tile_size((height, width))
    tiles: list[Images | None] = []
    labels = []
    for row in rows:
        varied = np.argsort(-maps[row].std(axis=(1, 2)), kind="stable")[:ACROSS]
        shown = maps[row][np.sort(varied)]
        scale = symmetric(shown)
        tiles += [enlarged(tile, size) for tile in signed_colours(shown, scale)]
        tiles += [None] * (ACROSS - len(shown))
        words = f"{len(shown)} of {len(maps[row]):,}, {_size(shown)}"
        labels.append("\n".join([*wrap(row, LABEL, TEXT), words, f"\u00b1 {scale.vmax:.3g}"]))
    title = f"{name} through {plural(len(maps), 'convolution')}, to {_size(maps[names[-1]])}"
    remark = (
        "The maps of each that vary most over the picture, before the activation: red above 0, blue below, up to the "
        "number beside the row. On the left what the network saw."
    )
    if len(rows) < len(maps):
        remark += f" {len(rows)} of {len(maps)} convolutions are shown."
    high = CELL * size[0] / max(size)
    line = LINE * TEXT / POINTS
    cell = max(high, line * max(1 + label.count("\n") for label in labels))
    wide = ACROSS * cell * size[1] / size[0]
    figure = new_figure(wide + widest(labels, TEXT) + 2.2, len(rows) * cell + 0.2, title, remark)
    small, axes = figure.subplots(1, 2, width_ratios=[1.5, wide])
    _draw_seen(small, seen)
    step = _draw_tiles(axes, tiles, ACROSS)
    axes.set_yticks([(row + 0.5) * step for row in range(len(rows))], labels)
    return figure


def _draw_tiles(axes: Axes, tiles: Sequence[Images | None], columns: int) -> float:
    """Draw tiles in rows; return the height of a row in pixels."""
    bare(axes)
    sheet = tiled(tiles, columns, gap=GAP, framed=True)
    axes.imshow(sheet, interpolation="nearest")
    axes.set_anchor("NW")
    axes.tick_params(axis="y", length=0)
    step: float = (len(sheet) - GAP) / math.ceil(len(tiles) / columns)
    return step


def _draw_sheet(axes: Axes, values: Values, scale: Normalize, columns: int) -> None:
    """Draw filters or maps with the number of each row's first one, and the scale."""
    size = _tile_size(values.shape[1:])
    step = _draw_tiles(axes, [enlarged(tile, size) for tile in signed_colours(values, scale)], columns)
    firsts = range(0, len(values), columns)
    axes.set_yticks([(row + 0.5) * step for row in range(len(firsts))], [f"{first}" for first in firsts])


def _draw_scale(figure: Figure, axes: Axes, scale: Normalize, words: str) -> None:
    bar = figure.colorbar(ScalarMappable(scale, RED_BLUE), ax=axes, label=words, shrink=0.8, aspect=30, anchor=(0, 1))
    bar.outline.set_visible(False)


def _draw_seen(axes: Axes, seen: Images) -> None:
    bare(axes)
    axes.imshow(upright(seen), interpolation="nearest")
    axes.set_anchor("N")


def _columns(number: int) -> int:
    return min(ACROSS, math.ceil(math.sqrt(number)))


def _tile_size(size: Sequence[int]) -> tuple[int, int]:
    """Return a multiple of a tile's size with room for a line between tiles."""
    times = math.ceil(TILE / max(size))
    return size[0] * times, size[1] * times


def _height(values: Values, columns: int, width: float) -> float:
    """Return the inches that rows of tiles take at this width."""
    high, wide = values.shape[1:]
    rows = math.ceil(len(values) / columns)
    return max(2.0, width * rows * int(high) / (columns * int(wide)))


def _size(values: Values | Images) -> str:
    return f"{values.shape[2]} x {values.shape[1]}"


def _of(shown: int, number: int, thing: str) -> str:
    """Write how many are shown of how many.

    >>> _of(64, 64, "map"), _of(64, 256, "map")
    ('All 64 maps', 'The first 64 of 256 maps')
    """
    if shown < number:
        return f"The first {shown} of {plural(number, thing)}"
    return f"All {plural(number, thing)}" if number > 1 else f"The only {thing}"
