"""Many small pictures in one JPEG, each known by its place: a page with thousands of them stays small.

Knows nothing of pages; where a picture lies is given in plain numbers.
"""

import base64
import io
import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from retinula.images import Images
from retinula.plots.tiles import upright

BLOCK = 8  # pixels; a JPEG is coded in such blocks, and a picture that fills whole ones does not run into its neighbour
COLUMNS = 48
QUALITIES = (90, 80, 68, 52, 35)  # the first at which the sheet is small enough is taken


@dataclass(frozen=True)
class SheetPage:
    """A finished sheet.

    Attributes:
        uri: the whole sheet, as a `data:` address.
        columns: pictures in a row; number `n` lies in column `n % columns` of row `n // columns`.
        rows: how many rows there are.
        height: of a picture, over its width.
        pitch_x: from a picture to the next on its right, over a picture's width.
        pitch_y: from a picture to the next below, over a picture's width.
    """

    uri: str
    columns: int
    rows: int
    height: float
    pitch_x: float
    pitch_y: float


class Sheet:
    """Collects pictures of one size; ones of longer sides than `longest` are made smaller."""

    def __init__(self, size: tuple[int, int], longest: int = 64) -> None:
        """Begin an empty sheet.

        Args:
            size: height and width of every picture.
            longest: pixels of the longer side that are kept.
        """
        scale = min(1.0, longest / max(size))
        self.size = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
        self._given = size
        self._tiles: list[Images] = []
        self._places: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._tiles)

    def add(self, picture: Images, key: Hashable = None) -> int:
        """Take a picture, uint8 `[C, H, W]`, and return its number; one of the same key is on the sheet once."""
        if key is not None and key in self._places:
            return self._places[key]
        if picture.shape[1:] != self._given:
            raise ValueError(f"the pictures of this sheet are {self._given}, not {picture.shape[1:]}")
        tile = upright(picture)
        if self.size != self._given:
            tile = np.asarray(Image.fromarray(tile).resize(self.size[::-1], Image.Resampling.LANCZOS))
        self._tiles.append(tile)
        if key is not None:
            self._places[key] = len(self._tiles) - 1
        return len(self._tiles) - 1

    def finish(self, most_bytes: int) -> SheetPage:
        """Code all pictures, as well as `most_bytes` allow."""
        height, width = (math.ceil(side / BLOCK) * BLOCK for side in self.size)
        columns = min(COLUMNS, max(1, len(self._tiles)))
        rows = max(1, math.ceil(len(self._tiles) / columns))
        pixels = np.full((rows * height, columns * width, 3), 127, dtype=np.uint8)
        edge = ((0, height - self.size[0]), (0, width - self.size[1]), (0, 0))
        for number, tile in enumerate(self._tiles):
            down, right = divmod(number, columns)
            place = slice(down * height, (down + 1) * height), slice(right * width, (right + 1) * width)
            pixels[place] = np.pad(tile, edge, mode="edge")
        picture = Image.fromarray(pixels)
        content = b""
        for quality in QUALITIES:
            file = io.BytesIO()
            # Not optimised: Pillow does that in a buffer of a byte a pixel, which noise does not fit.
            picture.save(file, "JPEG", quality=quality, subsampling=0)
            content = file.getvalue()
            if len(content) <= most_bytes:
                break
        return SheetPage(
            uri=f"data:image/jpeg;base64,{base64.b64encode(content).decode()}",
            columns=columns,
            rows=rows,
            height=self.size[0] / self.size[1],
            pitch_x=width / self.size[1],
            pitch_y=height / self.size[1],
        )
