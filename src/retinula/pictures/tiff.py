"""What the first directory of a TIFF says, before Pillow and libtiff unpack it by that.

These may read the same directory differently, as where it says something twice: then the most that it says counts.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from PIL import ImageOps, TiffImagePlugin

_SIZES: Final = {3: 2, 4: 4, 5: 8, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # of types of numbers
_WHOLE: Final = {3: "H", 4: "L", 16: "Q"}  # the types that a width may have
_SAMPLES, _TILE_WIDTH, _TILE_HEIGHT = 277, 322, 323
# A tile is unpacked whole, however little of it is in the picture. In most files it has sides of 256 or 512 pixels.
_LARGE_TILE: Final = 2048**2
_MOST_SAMPLES: Final = 8  # of a pixel; Pillow reads six at most


class TiffFile(TiffImagePlugin.TiffImageFile):
    """A TIFF in which directories inside directories, as those of EXIF, are not read: nobody asks for them."""

    def load_end(self) -> None:
        """Put it upright."""
        ImageOps.exif_transpose(self, in_place=True)


class _Entry(NamedTuple):
    tag: int
    form: int  # the type of its numbers
    length: int  # how many they are
    value: int | None  # of a single whole number


def num_values(content: bytes, most: int) -> int:
    """Count the numbers in the first directory: each becomes an object, and for each place of a strip there is more.

    Args:
        content: all of a file.
        most: of entries of the directory that are looked at.
    """
    fits = (each for each in islice(_entries(content), most) if each.form in _SIZES)
    return sum(each.length for each in fits if each.length * _SIZES[each.form] <= len(content))


def is_swollen(content: bytes, num_pixels: int) -> bool:
    """Tell whether a file that Pillow has opened has tiles far larger than the picture, or of sizes that none can read.

    Args:
        content: all of it.
        num_pixels: of the picture.
    """
    most = {_TILE_WIDTH: 0, _TILE_HEIGHT: 0, _SAMPLES: 1}
    for tag, _, _, value in _entries(content):
        if tag in most:
            if value is None:
                return True  # who can tell what libtiff makes of it?
            most[tag] = max(most[tag], value)
    width, height, samples = most.values()
    return width * height > max(_LARGE_TILE, 2 * num_pixels) or samples > _MOST_SAMPLES


def _entries(content: bytes) -> Iterator[_Entry]:
    """Give the entries of the first directory, as far as there are any."""
    # Pillow tells a large one by the same byte, and so takes one with the highest byte first for a small one.
    order, large = "<" if content.startswith(b"II") else ">", content[2] == 43
    entry, number = struct.Struct(f"{order}HH{'Q' if large else 'L'}"), struct.Struct(f"{order}{'Q' if large else 'L'}")
    length = 20 if large else 12
    try:
        (start,) = number.unpack_from(content, 8 if large else 4)
        (num_entries,) = struct.unpack_from(f"{order}{'Q' if large else 'H'}", content, start)
        start += 8 if large else 2
        for place in range(start, start + length * num_entries, length):
            tag, form, count = entry.unpack_from(content, place)
            value = None
            if count == 1 and form in _WHOLE and (large or form != 16):
                (value,) = struct.unpack_from(f"{order}{_WHOLE[form]}", content, place + entry.size)
            yield _Entry(tag, form, count, value)
    except (struct.error, OverflowError):
        pass  # it ends here, and Pillow says so
