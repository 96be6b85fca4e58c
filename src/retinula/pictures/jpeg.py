"""How JPEGs are decoded: in how many passes, and how much smaller where they have more pixels than are unpacked.

What stands before the pixels Pillow takes mark by mark, in Python: of that there may be only so much.

One in a single pass is decoded line by line, at its size or at a half, a quarter or an eighth of it, in memory for
what comes out alone. One in several, as progressive ones are, keeps all its coefficients however small it is made, and
each pass goes over all of it, be there anything in it or not.
"""

import re
from collections.abc import Iterator
from itertools import islice
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

# What Pillow looks for, and those marks of it that it takes to have a length.
_SOUGHT: Final = re.compile(rb"\xff[\xc0-\xfe]")
_MEASURED: Final = frozenset(mark & 0xFF for mark, (_, _, handler) in JpegImagePlugin.MARKER.items() if handler)
_SMALL: Final = _BESIDE - {0xDB} | {_START_OF_SCAN}  # taken at once, whatever their length
_EXIF, _PHOTOSHOP, _RESOURCE = (0xE1, b"Exif\0\0"), 0xED, b"8BIM"
_MOST_MARKS: Final = 10_000  # photos have some tens, and one for each 64 KB of what phones and editors add
_MOST_EXIF: Final = 100  # each is put behind the others anew
_BYTES_A_MARK: Final = 16  # of tables, or of no meaning, that cost Pillow as much


class JpegFile(JpegImagePlugin.JpegImageFile):
    """A JPEG whose EXIF block Pillow does not look into for the resolution: many are damaged, and it would warn.

    Attributes:
        full_size: width and height that its header states, where it is decoded smaller; None otherwise.
    """

    full_size: tuple[int, int] | None = None

    def _read_dpi_from_exif(self) -> None:
        pass


def is_laden(content: bytes) -> bool:
    """Tell whether a JPEG has more marks, or more in them, than are gone through one by one."""
    return _is_laden_before_pixels(content) or (
        not is_in_one_pass(content) and next(islice(_marks(content), _MOST_MARKS, None), None) is not None
    )


def _is_laden_before_pixels(content: bytes) -> bool:
    place, cost, num_exif = 2, 0, 0
    while cost <= _MOST_MARKS and num_exif <= _MOST_EXIF:
        found = _SOUGHT.search(content, place)
        cost += 1 + ((found.start() if found else len(content)) - place) // _BYTES_A_MARK
        if not found:
            break
        mark, place = found[0][1], found.end()
        if mark not in _MEASURED:
            continue
        length = max(2, int.from_bytes(content[place : place + 2], "big"))
        num_exif += mark == _EXIF[0] and content.startswith(_EXIF[1], place + 2)
        if mark == _PHOTOSHOP:
            cost += content.count(_RESOURCE, place, place + length)
        elif mark not in _SMALL:
            cost += length // _BYTES_A_MARK
        if mark == _START_OF_SCAN:
            break
        place += length
    return cost > _MOST_MARKS or num_exif > _MOST_EXIF


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
    passes = (mark for mark in _marks(content) if mark == _START_OF_SCAN)
    return next(islice(passes, most, None), None) is not None


def _marks(content: bytes) -> Iterator[int]:
    """Give the marks of a JPEG up to its end, as a decoder finds them."""
    place = 2
    while (found := _MARK.search(content, place)) and found[0][1] != _END:
        yield found[0][1]
        place = found.end() + max(2, int.from_bytes(content[found.end() : found.end() + 2], "big"))


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
