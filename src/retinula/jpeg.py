"""How JPEGs are decoded: in how many passes, and how much smaller where they have more pixels than are unpacked.

One in a single pass is decoded line by line, at its size or at a half, a quarter or an eighth of it, in memory for
what comes out alone. One in several, as progressive ones are, keeps all its coefficients however small it is made, and
each pass goes over all of it, be there anything in it or not.
"""

import re
from typing import Final

from PIL import JpegImagePlugin

_SCALES: Final = (1, 2, 4, 8)
_MOST_PIXELS_A_BYTE: Final = 1000  # the densest code there is for one colour all over has 256

_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})  # beginnings of frames of the only kinds that can be in one pass
_START_OF_SCAN: Final = 0xDA
_END: Final = 0xD9
# Tables, comments and what applications add: no harm in any number. Every other mark has a meaning to the decoder.
_BESIDE: Final = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_FILLED: Final = re.compile(rb"\xff+")  # before a mark there may be any number
# But for those without a length: they stand among the pixels, or a decoder that looks for such goes past them.
_MARK: Final = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")


class JpegFile(JpegImagePlugin.JpegImageFile):
    """A JPEG whose EXIF block Pillow does not look into for the resolution: many are damaged, and it would warn.

    Attributes:
        full_size: width and height that its header states, where it is decoded smaller; None otherwise.
    """

    full_size: tuple[int, int] | None = None

    def _read_dpi_from_exif(self) -> None:
        pass


def is_in_one_pass(content: bytes) -> bool:
    """Tell whether all of a JPEG is decoded in its first pass; where that cannot be told for sure, it is not."""
    place, num_components = 2, 0  # behind the mark that all begin with
    while (filled := _FILLED.match(content, place)) and filled.end() < len(content):
        place = filled.end() + 1
        mark, length = content[place - 1], int.from_bytes(content[place : place + 2], "big")
        body = content[place + 2 : place + length]
        if mark == _START_OF_SCAN:
            return bool(body) and body[0] == num_components
        if mark in _SEQUENTIAL and not num_components and len(body) > 5:
            num_components = body[5]
        elif mark not in _BESIDE:
            return False
        place += length
    return False


def is_in_more_passes(content: bytes, most: int) -> bool:
    """Tell whether a JPEG has more than so many passes, as a decoder finds them; what lies behind its end is none."""
    place, passes = 2, 0
    while passes <= most and (found := _MARK.search(content, place)):
        mark = found[0][1]
        if mark == _END:
            break
        passes += mark == _START_OF_SCAN
        place = found.end() + max(2, int.from_bytes(content[found.end() : found.end() + 2], "big"))
    return passes > most


def is_cut_short(content: bytes, num_pixels: int) -> bool:
    """Tell whether a JPEG in one pass has too few bytes for its pixels, whatever is on it."""
    return num_pixels > _MOST_PIXELS_A_BYTE * len(content)


def scale_down(picture: JpegFile, most: int) -> None:
    """Have a picture that is not loaded yet decoded at the largest scale that gives no more pixels, or at the smallest.

    Args:
        picture: whose `size` is then what it will have.
        most: pixels.
    """
    width, height = picture.size
    scale = next((each for each in _SCALES if -(-width // each) * -(-height // each) <= most), _SCALES[-1])
    if scale > 1:
        picture.full_size = picture.size
        picture.draft(None, (max(1, width // scale), max(1, height // scale)))
