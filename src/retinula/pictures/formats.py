"""What files of pictures are called, and how they begin. Opens none of them.

Apart from decoding, because most of what only lists pictures needs no more.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

_EXTENSIONS: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}
)
# Pictures by name that are not read: worth a word when they are left out.
_FOREIGN: Final = frozenset({".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng"})
START: Final = 16  # the first bytes of a file, which tell its format
# Formats outside this list are never tried: every decoder that is not needed is one that cannot be attacked.
_BEGINNINGS: Final = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WebP": (b"RIFF",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"),
}


def is_picture_name(path: str | Path) -> bool:
    """Say whether a file's extension, in any case, is that of a format `pictures.decode` reads.

    >>> is_picture_name("cat.JPG"), is_picture_name("labels.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in _EXTENSIONS


def is_foreign_name(path: str | Path) -> bool:
    """Say whether a file's extension, in any case, is that of a format that is not read.

    >>> is_foreign_name("cat.HEIC"), is_foreign_name("cat.jpg")
    (True, False)
    """
    return Path(path).suffix.lower() in _FOREIGN


def format_of(content: bytes) -> str | None:
    """Return the format that a file is in, by its first bytes; None where it is none of those read."""
    for kind, beginnings in _BEGINNINGS.items():
        if content.startswith(beginnings) and (kind != "WebP" or content[8:12] == b"WEBP"):
            return kind
    return None


def is_misnamed(path: str | Path, start: Callable[[], bytes]) -> bool:
    """Say whether a file that is called like a format that is not read is in one that is.

    Phones and messengers leave JPEGs called .HEIC. A raw photo (.dng) begins as a TIFF does, and is none.

    Args:
        path: of the file.
        start: gives its first bytes; called only where the name makes it worth while.
    """
    return is_foreign_name(path) and Path(path).suffix.lower() != ".dng" and format_of(start()) is not None
