"""What pictures' files are cut into, bounded before Pillow goes through it, piece by piece, in Python.

A file of 32 MB can hold 8 million marks of a JPEG, chunks of a PNG or blocks of a GIF without a single pixel. Pillow
takes a microsecond and a hundred bytes for each, and for some much more, holding up everything else meanwhile.
"""

import io
from collections.abc import Callable
from typing import Final

from PIL import ImageFile

from retinula.pictures.jpeg import is_laden
from retinula.pictures.tiff import num_values

# Reads for all of a file. A PNG takes three for each of the 32,768 chunks of 8 KB that 256 MB have.
MOST_READS: Final = 300_000
# For others, of what Pillow decodes number by number in Python, at one to two million a second.
MOST_SLOW_VALUES: Final = 8_000_000
_SLOW: Final = frozenset({"ppm", "ppm_plain", "bmp_rle"})
_READS_A_VALUE: Final = 4  # at most: runs of a BMP have two for their length, and lines two for their end
_MOST_COMMENTS: Final = 1000  # of a plain PPM; what is left of a block of 1 MB is copied at each
_MOST_PROFILES: Final = 100  # of a PNG; each is unpacked, to 1 MB at most


class TooManyPieces(Exception):
    """A file is cut into more pieces than are gone through."""


class CountedFile(io.BytesIO):
    """The content of a file that can be read from only so often."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; raises `TooManyPieces` once too often."""
        self._left -= 1
        if self._left < 0:
            raise TooManyPieces
        return super().read(size)

    def allow(self, num_values: int) -> None:
        """Let a decoder in Python read what it needs for so many values."""
        self._left += _READS_A_VALUE * num_values


def check_pieces(kind: str, content: bytes) -> None:
    """Look through a file for what costs more than the reads that it takes.

    Args:
        kind: its format, as `decoding` calls it.
        content: all of it.

    Raises:
        TooManyPieces: there is too much of that.
    """
    if kind in _CHECKS and _CHECKS[kind](content):
        raise TooManyPieces


def num_slow_values(picture: ImageFile.ImageFile) -> int:
    """Return how many values of an opened picture would be decoded in Python; 0 where that is done in C."""
    if not any(tile.codec_name in _SLOW for tile in picture.tile):
        return 0
    return picture.width * picture.height * len(picture.getbands())


def _png(content: bytes) -> bool:
    return content.count(b"iCCP") > _MOST_PROFILES


def _ppm(content: bytes) -> bool:
    return content[1:2] in b"123" and content.count(b"#") > _MOST_COMMENTS


def _webp(content: bytes) -> bool:
    # Its chunks are gone through in C, but each has a place in memory.
    place, num_chunks = 12, 0
    while place + 8 <= len(content) and num_chunks <= MOST_READS:
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
        num_chunks += 1
    return num_chunks > MOST_READS


def _tiff(content: bytes) -> bool:
    return num_values(content, MOST_READS) > MOST_READS


_CHECKS: Final[dict[str, Callable[[bytes], bool]]] = {
    "JPEG": is_laden,
    "PNG": _png,
    "PPM": _ppm,
    "TIFF": _tiff,
    "WebP": _webp,
}
