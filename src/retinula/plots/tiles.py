"""Many small pictures laid out as one: axes of their own for each would take minutes to draw."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize, to_rgb
from numpy.typing import NDArray

from retinula.images import Images
from retinula.plots.figure import GREY

Values = NDArray[np.float32]

RED_BLUE = mpl.colormaps["RdBu_r"]  # red and blue are told apart with any kind of colour vision


def upright(image: Images) -> Images:
    """Turn `[C, H, W]` into `[H, W, 3]`."""
    return np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0))


def symmetric(values: Values) -> Normalize:
    """Return a scale with 0 in its middle, as far either way as the largest absolute value."""
    limit = float(np.abs(values).max()) or 1.0
    return Normalize(-limit, limit)


def signed_colours(values: Values, scale: Normalize) -> Images:
    """Return uint8 `[..., 3]`: red above 0, blue below, white at 0."""
    return np.asarray(RED_BLUE(scale(values), bytes=True)[..., :3])


def enlarged(picture: Images, size: tuple[int, int]) -> Images:
    """Bring `[h, w, 3]` to a size by repeating pixels."""
    rows = np.arange(size[0]) * picture.shape[0] // size[0]
    columns = np.arange(size[1]) * picture.shape[1] // size[1]
    larger: Images = picture[rows][:, columns]
    return larger


def tiled(tiles: Sequence[Images | None], columns: int, *, gap: int, framed: bool = False) -> Images:
    """Lay pictures out in rows, white between them and in places that are left.

    Args:
        tiles: uint8 `[h, w, 3]`, all of one size, at least one; where it is None the place stays white.
        columns: pictures in a row.
        gap: pixels between them, and around all of them.
        framed: draw a line around each, one pixel wide, for pictures that may be white themselves.
    """
    height, width, _ = next(tile.shape for tile in tiles if tile is not None)
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8)
    line = np.array([round(255 * value) for value in to_rgb(GREY)], dtype=np.uint8)
    for number, tile in enumerate(tiles):
        if tile is None:
            continue
        down, right = divmod(number, columns)
        top, left = gap + down * (height + gap), gap + right * (width + gap)
        if framed:
            sheet[top - 1 : top + height + 1, left - 1 : left + width + 1] = line
        sheet[top : top + height, left : left + width] = tile
    return sheet
