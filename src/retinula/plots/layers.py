"""Figures of the inside of a network: the filters of a convolution, and what convolutions make of a picture.

Takes plain arrays; knows nothing of networks. Placed by hand, as every size is known: the layout engine misjudges
what stands beside pictures that keep their shape.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from retinula.images import Images, evenly_spread
from retinula.plots.figure import LINE, MARGIN, POINTS, TEXT, bare, new_figure, of_boxes, styled, widest, wrap
from retinula.plots.tiles import RED_BLUE, Values, enlarged, signed_colours, symmetric, tiled, upright
from retinula.text.words import plural, rounded

MOST = 64  # filters or maps in one figure; of more, the first
ACROSS = 8  # in a row, of an overview the maps that are shown at all
MOST_ROWS = 24  # convolutions in an overview; of more, so many evenly spread ones
TILE = 96  # pixels of a tile's longer side, at least
GAP = 10  # pixels between tiles
SIDE = 1.3  # inches of a tile's longer side, at most
WIDE = 5.6  # inches of a full row
SEEN = 1.5  # inches of the longer side of the picture beside
BAR = 0.15  # inches of the width of a scale
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
    low, high = (rounded(value, 3) for value in (filters.min(), filters.max()))
    title = f"{layer} weighs {source} by {low} to {high}"
    remark = f"{_of(len(shown), len(filters), 'filter')} of {_size(filters)}: red adds to the output, blue takes away."
    return _sheet(shown, symmetric(filters), "weight", title, f"{remark} {_ROWS_COUNTED}")


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
    above = int((maps > 0).any(axis=(1, 2)).sum())
    title = f"{name}: {above:,} of {plural(len(maps), 'map')} of {layer} rise above 0 somewhere"
    remark = (
        f"{_of(len(shown), len(maps), 'map')} of {_size(maps)}, before any activation: red above 0, blue below. "
        f"{_ROWS_COUNTED} Beside them what the network saw, {_size(seen)}.{of_boxes([name])}"
    )
    return _sheet(shown, symmetric(maps), "output", title, remark, seen)


@styled
def map_overview(maps: Mapping[str, Values], *, seen: Images, name: str) -> Figure:
    """Draw what every convolution makes of a picture: a row each, with the maps that vary most over the picture.

    Args:
        maps: by the convolution's name, float `[n, h, w]` each, at least one.
        seen: uint8 `[C, H, W]`, what the network saw.
        name: of the picture.
    """
    names = list(maps)
    rows = [names[place] for place in evenly_spread(len(names), MOST_ROWS)]
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
        labels.append("\n".join([*wrap(row, LABEL, TEXT), words, f"\u00b1 {rounded(scale.vmax or 0.0, 3)}"]))
    title = f"{name} through {plural(len(maps), 'convolution')}, to {_size(maps[names[-1]])}"
    remark = (
        "The maps of each that vary most over the picture, before any activation: red above 0, blue below, up to the "
        "number beside the row. On the left what the network saw."
    )
    if len(rows) < len(maps):
        remark += f" {len(rows)} of {len(maps)} convolutions are shown."
    remark += of_boxes([name])
    sheet = tiled(tiles, ACROSS, gap=GAP, framed=True)
    needed = max(1 + label.count("\n") for label in labels) * LINE * TEXT / POINTS * len(rows)
    inches = max(WIDE / sheet.shape[1], needed / sheet.shape[0])
    return _composed(sheet, inches, labels, title, remark, seen=seen)


def _sheet(values: Values, scale: Normalize, words: str, title: str, remark: str, seen: Images | None = None) -> Figure:
    """Draw filters or maps with the number of each row's first one, and the scale."""
    columns = min(ACROSS, math.ceil(math.sqrt(len(values))))
    size = _tile_size(values.shape[1:])
    sheet = tiled([enlarged(tile, size) for tile in signed_colours(values, scale)], columns, gap=GAP, framed=True)
    inches = min(SIDE / max(size), WIDE / sheet.shape[1])
    firsts = [f"{first}" for first in range(0, len(values), columns)]
    return _composed(sheet, inches, firsts, title, remark, seen=seen, scale=scale, words=words)


def _composed(
    sheet: Images,
    inches: float,
    labels: Sequence[str],
    title: str,
    remark: str,
    *,
    seen: Images | None = None,
    scale: Normalize | None = None,
    words: str = "",
) -> Figure:
    """Put side by side the picture, the rows' labels, the sheet at so many inches a pixel, and the scale."""
    height, width = sheet.shape[0] * inches, sheet.shape[1] * inches
    small = (0.0, 0.0) if seen is None else tuple(SEEN * side / max(seen.shape[1:]) for side in seen.shape[1:])
    left = MARGIN + (small[1] + 2 * MARGIN if seen is not None else 0) + widest(labels, TEXT) + MARGIN
    ticks = [] if scale is None else _halves(scale.vmax or 0.0)
    numbers = [rounded(value, 3) for value in ticks]
    beside = 3 * MARGIN + BAR + widest(numbers, TEXT) + 2 * LINE * TEXT / POINTS if scale else MARGIN
    whole = left + width + beside
    tall = max(height, small[0], 1.5 if scale else 0) + MARGIN
    figure = new_figure(max(whole, 6.0), tall + MARGIN, title, remark)
    figure.set_layout_engine("none")
    if seen is not None:
        # Level with the first row of tiles, which has a gap above it.
        axes = _placed(figure, (MARGIN, tall - GAP * inches, small[1], small[0]))
        axes.imshow(upright(seen), interpolation="nearest")
    axes = _placed(figure, (left, tall, width, height))
    axes.imshow(sheet, interpolation="nearest")
    step = (len(sheet) - GAP) / len(labels)
    axes.set_yticks([GAP / 2 + (row + 0.5) * step for row in range(len(labels))], labels)
    axes.tick_params(axis="y", length=0)
    if scale is not None:
        bar = figure.add_axes(_box(figure, (left + width + 2 * MARGIN, tall, BAR, min(max(height, 1.4), 4.0))))
        drawn = figure.colorbar(ScalarMappable(scale, RED_BLUE), cax=bar, label=words)
        drawn.set_ticks(ticks, labels=numbers)
        drawn.outline.set_visible(False)
    return figure


def _halves(limit: float) -> list[float]:
    """Return ticks of two digits and their halves for a scale that reaches so far either way, above 0.

    >>> _halves(0.184)
    [-0.18, -0.09, 0.0, 0.09, 0.18]
    """
    unit = 10.0 ** (math.floor(math.log10(limit)) - 1)
    end = math.floor(limit / unit + 1e-6) * unit
    return [share * end for share in (-1, -0.5, 0.0, 0.5, 1)]


def _placed(figure: Figure, place: tuple[float, float, float, float]) -> Axes:
    axes = figure.add_axes(_box(figure, place))
    bare(axes)
    return axes


def _box(figure: Figure, place: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Turn left, top, width and height in inches, the top from below, into shares of the figure."""
    wide, high = figure.get_size_inches()
    left, top, width, height = place
    return left / wide, (top - height) / high, width / wide, height / high


def _tile_size(size: Sequence[int]) -> tuple[int, int]:
    """Return a multiple of a size, of at least so many pixels that lines between tiles are thin."""
    times = math.ceil(TILE / max(size))
    return size[0] * times, size[1] * times


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
