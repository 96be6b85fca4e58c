"""Figures of what a network goes by: maps over pictures, and the pictures that excite a channel most.

Takes plain arrays; knows nothing of networks.
"""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from retinula.images import Images
from retinula.plots.figure import LINE, MARGIN, POINTS, TEXT, bare, new_figure, of_boxes, styled, widest, wrap
from retinula.plots.tiles import RED_BLUE, Values, enlarged, tiled, upright
from retinula.text.words import plural, rounded

SIDE = 2.1  # inches of a picture's longer side
BAR = 0.15  # inches of the width of a scale
TALL = 0.9  # inches of the height of a scale, at least
SHARPEST = 99.5  # percentile of the values that gets the full colour: single pixels would leave all others pale
STRONGEST = 0.85  # of a colour over the picture, so that this shows through
PIXELS = 240  # of an enlarged picture's longer side, at least
MOST_CHANNELS = 24
EMPTY = "nothing found"
GAP = 6
TILE = 64
ROW = 0.55  # inches

WARM = mpl.colormaps["inferno"]


def overlay(seen: Images, values: Values, limit: float, *, signed: bool) -> Images:
    """Lay a map over a picture, which turns grey so that all colour is the map's.

    Args:
        seen: uint8 `[C, h, w]`.
        values: float `[h, w]`.
        limit: the value that gets the full colour; 0 where the map is empty.
        signed: whether values below 0 mean something.

    Returns:
        uint8 `[h, w, 3]`.
    """
    shade = upright(seen).astype(np.float32).mean(axis=2, keepdims=True)
    share = np.clip(values / (limit or 1.0), -1 if signed else 0, 1)
    colours = _colours(signed)((share + 1) / 2 if signed else share)[..., :3] * 255
    strength = STRONGEST * np.abs(share)[..., None]
    return np.asarray(np.rint(shade * (1 - strength) + colours * strength), dtype=np.uint8)


def full_colour(values: Values) -> float:
    """Return the value that gets the full colour where maps of any shape are drawn on one scale; 0 if all are empty."""
    found = np.abs(values[values != 0])
    return float(np.percentile(found, SHARPEST)) if found.size else 0.0


@styled
def attribution(
    seen: Images, maps: Values, captions: Sequence[str], *, name: str, signed: bool, unit: str, remark: str
) -> Figure:
    """Draw what the network saw, and beside it what speaks for each of several classes, on one scale.

    A map in which nothing is found says so; where all are like that, there is no scale.

    Args:
        seen: uint8 `[C, h, w]`.
        maps: float `[n, h, w]`, at least one.
        captions: what each map is about.
        name: of the picture.
        signed: whether values below 0 speak against.
        unit: of the values.
        remark: what one has to know to read it.
    """
    limit = full_colour(maps)
    times = -(-PIXELS // max(seen.shape[1:]))
    size = (seen.shape[1] * times, seen.shape[2] * times)
    shown = [upright(seen), *(overlay(seen, values, limit, signed=signed) for values in maps)]
    room = SIDE * POINTS
    said = [text if values.any() else f"{text}: {EMPTY}" for text, values in zip(captions, maps, strict=True)]
    words = [wrap(text, room, TEXT) for text in ("what the network saw", *said)]
    above = max(map(len, words)) * TEXT * LINE / POINTS + 0.1
    height = SIDE * seen.shape[1] / max(seen.shape[1:])
    width = SIDE * seen.shape[2] / max(seen.shape[1:])
    step = max(width, SIDE) + 2 * MARGIN
    tall = max(height, TALL) if limit else height
    beside = wrap(unit, tall * POINTS, TEXT)
    ends = _ends(limit, signed=signed)
    whole = len(shown) * step
    if limit:
        whole += BAR + 4 * MARGIN + widest(list(ends.values()), TEXT) + len(beside) * TEXT * LINE / POINTS
    below = 2 * MARGIN  # room for half of the words at the scale's lower end
    title = f"What speaks for a class in {name}"
    figure = new_figure(whole, tall + above + MARGIN + below, title, remark + of_boxes([name, *captions]))
    figure.set_layout_engine("none")
    _, high = figure.get_size_inches()
    for place, (picture, lines) in enumerate(zip(shown, words, strict=True)):
        left, bottom = MARGIN + place * step, below + tall - height
        axes = figure.add_axes((left / whole, bottom / high, width / whole, height / high))
        bare(axes)
        axes.imshow(enlarged(picture, size), interpolation="nearest")
        axes.set_title("\n".join(lines), linespacing=LINE - 0.1, size=TEXT)
    if limit:
        bar = figure.add_axes(((len(shown) * step + MARGIN) / whole, below / high, BAR / whole, tall / high))
        drawn = figure.colorbar(ScalarMappable(Normalize(min(ends), limit), _colours(signed)), cax=bar)
        drawn.set_label("\n".join(beside))
        drawn.outline.set_visible(False)
        drawn.set_ticks(list(ends), labels=list(ends.values()))
    return figure


@styled
def exciting_sheet(
    pictures: Sequence[Images], outputs: Values, captions: Sequence[str], *, layer: str, source: str, remark: str = ""
) -> Figure:
    """Draw for each channel of a convolution the pictures that excite it most, a row each.

    Args:
        pictures: for each channel uint8 `[k, C, H, W]`; of more than 24 channels the first are drawn.
        outputs: float `[channels, k]`, how far each picture excites it.
        captions: what the pictures of each channel have in common.
        layer: what the convolution is called.
        source: where the pictures are from.
        remark: what else one has to know to read it.
    """
    rows = list(pictures[:MOST_CHANNELS])
    across = len(rows[0])
    height, width = rows[0].shape[2:]
    times = -(-TILE // max(height, width))
    tiles = [enlarged(upright(each), (height * times, width * times)) for row in rows for each in row]
    sheet = tiled(list(tiles), across, gap=GAP)
    labels = [
        f"channel {number} (up to {rounded(outputs[number].max())})\n"
        + "\n".join(wrap(captions[number], 170, TEXT)[:2])
        for number in range(len(rows))
    ]
    drawn_height = len(rows) * max(ROW, 3 * LINE * TEXT / POINTS)
    drawn_width = drawn_height * sheet.shape[1] / sheet.shape[0]
    title = f"What excites {layer} most, of {source}"
    shown = "All" if len(rows) == len(pictures) else f"The first {len(rows)} of"
    told = (
        f"{shown} {plural(len(pictures), 'channel')}: the {plural(across, 'picture')} in which each rises highest "
        f"anywhere, the highest on the left.{remark}{of_boxes([layer, source, *captions[: len(rows)]])}"
    )
    figure = new_figure(max(6.0, drawn_width + 3.2), drawn_height + 2 * MARGIN, title, told)
    axes = figure.subplots()
    bare(axes)
    axes.imshow(sheet, interpolation="nearest")
    axes.set_anchor("NW")
    step = (len(sheet) - GAP) / len(rows)
    axes.set_yticks([GAP / 2 + (row + 0.5) * step for row in range(len(rows))], labels)
    axes.tick_params(axis="y", length=0)
    return figure


def _ends(limit: float, *, signed: bool) -> dict[float, str]:
    """Return what is written beside a scale, by the value that it stands at.

    >>> _ends(0.04, signed=False)
    {0: '0 (least)', 0.04: '0.04 (most)'}
    """
    if signed:
        return {-limit: f"{rounded(-limit)} (against)", 0: "0", limit: f"{rounded(limit)} (for)"}
    return {0: "0 (least)", limit: f"{rounded(limit)} (most)"}


def _colours(signed: bool) -> Colormap:
    return RED_BLUE if signed else WARM
