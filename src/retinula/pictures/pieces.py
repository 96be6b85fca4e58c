"""What pictures' files are cut into, bounded before Pillow goes through it, piece by piece, in Python.

A file of 32 MB can hold 8 million marks of a JPEG, chunks of a PNG or blocks of a GIF without a single pixel. Pillow
takes a microsecond and a hundred bytes for each, and for some much more, holding up everything else meanwhile.
"""

import io
import struct
from collections.abc import Callable
from typing import Final

from PIL import ImageFile, ImageOps, TiffImagePlugin

from retinula.pictures.jpeg import is_laden

# Reads for all of a file. A PNG takes three for each of the 32,768 chunks of 8 KB that 256 MB have.
MOST_READS: Final = 300_000
# For others, of what Pillow decodes number by number in Python, at one to two million a second.
MOST_SLOW_VALUES: Final = 8_000_000
_SLOW: Final = frozenset({"ppm", "ppm_plain", "bmp_rle"})
_READS_A_VALUE: Final = 4  # at most: runs of a BMP have two for their length, and lines two for their end
_MOST_COMMENTS: Final = 1000  # of a plain PPM; what is left of a block of 1 MB is copied at each
_MOST_PROFILES: Final = 100  # of a PNG; each is unpacked, to 1 MB at most
_TIFF_SIZES: Final = {3: 2, 4: 4, 5: 8, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # of types of numbers


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


class TiffFile(TiffImagePlugin.TiffImageFile):
    """A TIFF in which directories inside directories, as those of EXIF, are not read: nobody asks for them."""

    def load_end(self) -> None:
        """Put it upright."""
        ImageOps.exif_transpose(self, in_place=True)


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
    """Count the numbers in the first directory: each becomes an object, and for each place of a strip there is more."""
    # Pillow tells a large one by the same byte, and so takes one with the highest byte first for a small one.
    order, large = "<" if content.startswith(b"II") else ">", content[2] == 43
    entry, number = struct.Struct(f"{order}HH{'Q' if large else 'L'}"), struct.Struct(f"{order}{'Q' if large else 'L'}")
    num_values, length = 0, 20 if large else 12
    try:
        (start,) = number.unpack_from(content, 8 if large else 4)
        (num_entries,) = struct.unpack_from(f"{order}{'Q' if large else 'H'}", content, start)
        start += 8 if large else 2
        for place in range(start, start + length * min(num_entries, MOST_READS), length):
            _, form, count = entry.unpack_from(content, place)
            if count * _TIFF_SIZES.get(form, len(content) + 1) <= len(content):
                num_values += count
    except (struct.error, OverflowError):
        pass  # it ends here, and Pillow says so
    return num_values > MOST_READS


_CHECKS: Final[dict[str, Callable[[bytes], bool]]] = {
    "JPEG": is_laden,
    "PNG": _png,
    "PPM": _ppm,
    "TIFF": _tiff,
    "WebP": _webp,
}
