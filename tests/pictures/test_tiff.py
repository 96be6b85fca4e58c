"""A TIFF is unpacked by its tiles, however small it is itself: with far larger ones it is refused."""

import struct
import zlib

import pytest

from retinula.pictures.decoding import UnreadablePicture, decode, measure

SHORT, LONG, SIGNED = 3, 4, 9
FORMS = {SHORT: "H", LONG: "L", SIGNED: "l"}
GREY = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1}
Entry = tuple[int, int, int]  # tag, type, value


def tiff(*more: Entry, side: int = 8, pixels: bytes = b"", order: str = "<", large: bool = False) -> bytes:
    """A grey picture of one tile, whose directory has these entries, too."""
    known = {**GREY, 256: side, 257: side}
    content = zlib.compress(pixels)
    number, count, wide = ("Q", "Q", 8) if large else ("L", "H", 4)
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if large else struct.pack(f"{order}HL", 42, 8)
    num_entries = len(known) + len(more) + 2
    place = 2 + len(head) + struct.calcsize(f"={count}") + (4 + 2 * wide) * num_entries + wide
    entries = [
        *((tag, LONG, value) for tag, value in known.items()),
        *more,
        (324, LONG, place),
        (325, LONG, len(content)),
    ]
    body = b"".join(
        struct.pack(f"{order}HH{number}", tag, kind, 1) + struct.pack(f"{order}{FORMS[kind]}", value).ljust(wide, b"\0")
        for tag, kind, value in sorted(entries, key=lambda entry: entry[0])
    )
    directory = struct.pack(f"{order}{count}", num_entries) + body + bytes(wide)
    return (b"II" if order == "<" else b"MM") + head + directory + content


def tile(width: int, height: int, kind: int = LONG) -> tuple[Entry, Entry]:
    return (322, kind, width), (323, kind, height)


@pytest.mark.parametrize("side", [8, 2100])
def test_ordinary_tiles_are_unpacked(side: int) -> None:
    width = 2048 if side == 8 else 2112
    content = tiff(*tile(width, width), side=side, pixels=bytes([7]) * width**2)
    assert decode(content).getextrema() == (7, 7)
    assert measure(content) == (side, side)


ORDERS = [("<", False), (">", False), ("<", True)]


@pytest.mark.parametrize(("order", "large"), ORDERS)
@pytest.mark.parametrize("kind", [SHORT, LONG])
def test_tiles_far_larger_than_the_picture_are_refused(order: str, large: bool, kind: int) -> None:
    small = tiff(*tile(16, 16, kind), pixels=bytes(256), order=order, large=large)
    assert decode(small).size == (8, 8)
    for sides in (tile(2064, 2048, kind), tile(16, 65520, kind) + tile(4112, 16, kind)):
        content = tiff(*sides, order=order, large=large)
        for look in (decode, measure):
            with pytest.raises(UnreadablePicture, match="tiles or samples that 8 x 8 pixels do not need") as caught:
                look(content)
            assert caught.value.too_large


@pytest.mark.parametrize(
    "more",
    [
        tile(16, 16) + tile(30000, 30000),
        tile(30000, 30000) + tile(16, 16),
        tile(16, 16, SIGNED),
        (*tile(16, 16), (277, LONG, 4000)),
    ],
)
def test_what_can_be_read_in_two_ways_is_taken_at_its_worst(more: tuple[Entry, ...]) -> None:
    with pytest.raises(UnreadablePicture, match="tiles or samples"):
        decode(tiff(*more, pixels=bytes(256)))
