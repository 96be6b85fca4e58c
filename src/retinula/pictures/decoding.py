"""Decoding pictures of any kind safely.

What is decoded is hostile until proven otherwise: the format is told by the first bytes and must be on a
short list, sizes are checked before pixels are unpacked, and whatever goes wrong is an `UnreadablePicture`
with a reason in plain words. Knows nothing of labels, networks or arrays larger than one picture.
"""

import logging
import stat
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    PpmImagePlugin,
    WebPImagePlugin,
)

from retinula.errors import InputError
from retinula.machine import available_cores
from retinula.pictures.formats import format_of
from retinula.pictures.jpeg import JpegFile, is_cut_short, is_in_more_passes, is_in_one_pass, scale_down
from retinula.pictures.levels import to_bytes
from retinula.pictures.pieces import CountedFile, TooManyPieces, check_pieces, num_slow_values
from retinula.pictures.tiff import TiffFile, is_swollen

Finished = TypeVar("Finished")

# What Pillow has to say of broken files is in its errors, too; without this its log goes to the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# What is unpacked at most: a 60-megapixel camera passes. It is below Pillow's own limit, which therefore never has
# occasion to warn.
MAX_PIXELS: Final = 64_000_000
MAX_REDUCED_PIXELS: Final = 500_000_000  # of a JPEG that is decoded smaller; phones make some of 200 million
_MAX_PASSES: Final = 500  # of a JPEG; photos have about ten, and each empty one of a crafted file costs 7 ms
MAX_BYTES: Final = 256 * 1024 * 1024
MAX_SIDE: Final = 65_535  # the most that JPEG has; filters keep a table for each pixel of a side

# Naming the classes keeps Pillow from loading plugins by file name or guessing among forty of them.
_READERS: Final[dict[str, type[ImageFile.ImageFile]]] = {
    "JPEG": JpegFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffFile,
    "PPM": PpmImagePlugin.PpmImageFile,
}

# EXIF orientation, from which way the camera was held to what puts it upright.
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_QUARTER_TURN: Final = 5
_ORIENTATION_TAG: Final = 0x0112
_MAX_EXIF_ENTRIES: Final = 1000
_FULL_SIZE: Final = (0, 0)  # a key among what is known of a picture; texts in a PNG, which are there too, have words
_IS_FAINT: Final = (0, 1)
_FAINT: Final = 65536 // 16  # 12-bit cameras stay below it in 16-bit files
_MAX_THREADS: Final = 16
_CUT_SHORT: Final = "the %s file is cut short"
_SMALL_FILE: Final = 16 * 1024


class UnreadablePicture(InputError):
    """A picture that cannot be used; `reason` says why, and the message which one it is.

    `too_large` sets those apart that may be sound, but have more bytes or pixels than are taken.
    """

    def __init__(self, reason: str, name: str = "the picture", *, too_large: bool = False):
        super().__init__(f"cannot read {name}: {reason}")
        self.reason = reason
        self.name = name
        self.too_large = too_large


def too_many_bytes(most: int) -> UnreadablePicture:
    """Return why a file of more bytes than that is not read."""
    return UnreadablePicture(f"it is larger than {most:,} bytes", too_large=True)


def decode(
    source: Path | bytes, *, max_pixels: int | None = None, max_bytes: int = MAX_BYTES, max_slow: int | None = None
) -> Image.Image:
    """Decode the first frame of a picture, upright, as 8 bits of grey (mode `L`) or colour (mode `RGB`).

    JPEG, PNG, WebP, GIF, BMP, TIFF and PPM, told by content and not by name. EXIF rotation is applied, what
    is transparent is laid over white, 16 bits are scaled to 8, CMYK and palettes become RGB. Colour profiles
    are not applied.

    Args:
        source: a file, or the bytes of one.
        max_pixels: refuse more, as the header states them, before anything is unpacked. Unless given, more than
            `MAX_PIXELS` are refused, but for JPEGs in a single pass: up to `MAX_REDUCED_PIXELS` they come at a half, a
            quarter or an eighth of their size (`full_size` tells which that was).
        max_bytes: refuse larger files before they are read.
        max_slow: refuse more values than these of what is decoded in Python; it may take its time where None.

    Raises:
        UnreadablePicture: the file is missing, empty, too large, not a picture, cut short or broken.
    """
    with _opened(source, max_pixels, max_bytes, max_slow) as picture:
        picture.load()
        flat = flatten(upright(picture))
        if isinstance(picture, JpegFile) and picture.full_size is not None:
            flat.info[_FULL_SIZE] = picture.full_size[::-1] if _is_turned(picture) else picture.full_size
        return flat


def full_size(picture: Image.Image) -> tuple[int, int]:
    """Return height and width of a picture of `decode` before that made it smaller, if it did."""
    width, height = picture.info.get(_FULL_SIZE, picture.size)
    return height, width


def is_faint(picture: Image.Image) -> bool:
    """Tell whether a grey picture of `decode` had 16 bits and used less than a sixteenth of what they can say."""
    return bool(picture.info.get(_IS_FAINT, False))


def decode_numbers(source: Path | bytes) -> NDArray[np.int64]:
    """Decode a picture whose grey values are numbers, such as a map of labels: int64 `[H, W]`, as they are stored.

    Raises:
        UnreadablePicture: as `decode`, or it is coloured.
    """
    with _opened(source, MAX_PIXELS, MAX_BYTES) as picture:
        picture.load()
        if picture.mode not in ("L", "I", "I;16", "I;16B"):
            raise UnreadablePicture("it is a picture in colour, not a map of numbers")
        return np.asarray(picture).astype(np.int64)


def measure(
    source: Path | bytes, *, max_pixels: int | None = None, max_bytes: int = MAX_BYTES, max_slow: int | None = None
) -> tuple[int, int]:
    """Return height and width of a picture as `decode` would give it, from its header alone.

    Raises:
        UnreadablePicture: as `decode`, as far as the header shows it.
    """
    with _opened(source, max_pixels, max_bytes, max_slow) as picture:
        return (picture.width, picture.height) if _is_turned(picture) else (picture.height, picture.width)


def decode_all(
    sources: Iterable[tuple[str, Path | bytes]], finish: Callable[[Image.Image], Finished]
) -> Iterator[tuple[str, Finished | UnreadablePicture]]:
    """Decode many pictures in threads and finish each one there, in the order given.

    Args:
        sources: names, and files or bytes; read only a little ahead of what is taken.
        finish: what becomes of a decoded picture, such as `Form.shrink`; called in a thread.

    Yields:
        The name, and the finished picture or why there is none.
    """

    def work(source: Path | bytes) -> Finished | UnreadablePicture:
        try:
            return finish(decode(source))
        except UnreadablePicture as error:
            return error

    # Pillow lets go of the interpreter while it decodes and resizes, so threads are enough; for a small file
    # handing it over costs more than is gained, and it is decoded here when its turn comes.
    threads = min(available_cores(), _MAX_THREADS)
    waiting: deque[tuple[str, Callable[[], Finished | UnreadablePicture]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
    try:
        for name, source in sources:
            worth_a_thread = _size(source) > _SMALL_FILE
            waiting.append((name, pool.submit(work, source).result if worth_a_thread else partial(work, source)))
            if len(waiting) > 2 * threads:
                first, result = waiting.popleft()
                yield first, result()
        for name, result in waiting:
            yield name, result()
    finally:
        pool.shutdown(cancel_futures=True)


def as_picture(image: NDArray[np.uint8]) -> Image.Image:
    """Turn uint8 `[1, H, W]` into a grey picture, `[3, H, W]` into one in colour."""
    return Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def flatten(picture: Image.Image) -> Image.Image:
    """Turn a loaded picture of any mode into mode `L` or `RGB`: transparency over white, 8 bits a value.

    Raises:
        UnreadablePicture: the values of a 32-bit picture have no defined range.
    """
    mode = picture.mode
    if mode in ("L", "RGB") and "transparency" not in picture.info:
        return picture
    if mode in ("F", "I") or mode.startswith("I;16"):
        return _eight_bits(picture)
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        return _over_white(picture)
    return picture.convert("L" if mode == "1" else "RGB")


@contextmanager
def _opened(
    source: Path | bytes, max_pixels: int | None, max_bytes: int, max_slow: int | None = None
) -> Iterator[ImageFile.ImageFile]:
    """Open a picture, its header checked; every failure, also in the block, becomes an `UnreadablePicture`."""
    name = "the picture" if isinstance(source, bytes) else str(source)
    kind = ""
    try:
        content = source if isinstance(source, bytes) else _read(source, max_bytes)
        if len(content) > max_bytes:
            raise too_many_bytes(max_bytes)
        kind, reader = _reader(content)
        check_pieces(kind, content)
        file = CountedFile(content)
        with reader(file) as picture:
            _check_size(picture, content, max_pixels)
            num_values = num_slow_values(picture)
            if max_slow is not None and num_values > max_slow:
                size = f"{picture.width} x {picture.height}"
                slow = f"this kind of {picture.format} with {size} pixels takes too long to decode; save it as PNG"
                raise UnreadablePicture(slow, too_large=True)
            file.allow(num_values)
            yield picture
    except UnreadablePicture as error:
        raise UnreadablePicture(error.reason, name, too_large=error.too_large) from error.__cause__
    except TooManyPieces as error:
        raise UnreadablePicture(f"the {kind} file is cut into too many pieces", name, too_large=True) from error
    except MemoryError as error:
        raise UnreadablePicture("there is not enough memory to unpack it", name) from error
    except Exception as error:
        # Broken files make decoders fail in every way there is.
        raise UnreadablePicture(_plain_words(kind, error), name) from error


def _check_size(picture: ImageFile.ImageFile, content: bytes, max_pixels: int | None) -> None:
    """Refuse what would be too much to unpack; without a limit a JPEG is set to be decoded so small that it is not."""
    width, height = picture.size
    size, most, kind = f"{width} x {height}", MAX_PIXELS if max_pixels is None else max_pixels, ""
    if isinstance(picture, JpegFile):
        in_one_pass = is_in_one_pass(content)
        if not in_one_pass and is_in_more_passes(content, _MAX_PASSES):
            raise UnreadablePicture(f"it is decoded in more than {_MAX_PASSES} passes", too_large=True)
        if max_pixels is None and in_one_pass:
            most = MAX_REDUCED_PIXELS
            if MAX_PIXELS < width * height <= most and is_cut_short(content, width * height):
                raise UnreadablePicture(_CUT_SHORT % "JPEG")
            scale_down(picture, MAX_PIXELS)
        elif max_pixels is None:
            kind = ", too many for a JPEG in several passes"
    if width * height > most:
        raise UnreadablePicture(f"{size} is more than {most:,} pixels{kind}", too_large=True)
    if max(width, height) > MAX_SIDE:
        raise UnreadablePicture(f"a side of {size} is above {MAX_SIDE:,} pixels", too_large=True)
    if isinstance(picture, TiffFile) and is_swollen(content, width * height):
        raise UnreadablePicture(f"the TIFF file names tiles or samples that {size} pixels do not need", too_large=True)


def _size(source: Path | bytes) -> int:
    if isinstance(source, bytes):
        return len(source)
    try:
        return source.stat().st_size
    except (OSError, ValueError):
        return 0


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= max_bytes:
            with path.open("rb") as file:
                return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UnreadablePicture(reason[:1].lower() + reason[1:]) from error
    if stat.S_ISDIR(found.st_mode):
        raise UnreadablePicture("it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise UnreadablePicture("it is not an ordinary file")
    raise too_many_bytes(max_bytes)


def _reader(content: bytes) -> tuple[str, type[ImageFile.ImageFile]]:
    if not content:
        raise UnreadablePicture("the file is empty")
    kind = format_of(content)
    if kind is not None:
        return kind, _READERS[kind]
    if content[4:8] == b"ftyp":
        raise UnreadablePicture("HEIC and AVIF are not supported; convert it to JPEG or PNG")
    raise UnreadablePicture(f"it is not a picture ({', '.join(_READERS)})")


def _plain_words(kind: str, error: Exception) -> str:
    detail = " ".join(str(error).split())
    if "truncated" in detail.lower() or isinstance(error, EOFError):
        return _CUT_SHORT % kind
    return f"the {kind} file is broken ({detail or type(error).__name__})"


def upright(picture: Image.Image) -> Image.Image:
    """Turn a loaded picture as its EXIF says."""
    method = _UPRIGHT.get(_orientation_of(picture))
    return picture if method is None else picture.transpose(method)


def _is_turned(picture: ImageFile.ImageFile) -> bool:
    """Tell whether height and width change places when a picture is put upright."""
    return _orientation_of(picture) >= _FIRST_QUARTER_TURN


def _orientation_of(picture: Image.Image) -> int:
    # Pillow turns TIFFs itself. For the rest the one tag is read here, because Pillow's reader of EXIF
    # fails or warns on the many photos whose other tags are damaged.
    exif = picture.info.get("exif")
    return _orientation(exif) if isinstance(exif, bytes) and picture.format != "TIFF" else 1


def _orientation(exif: bytes) -> int:
    """Read the orientation, 1 to 8, from an EXIF block; 1 where there is none or it cannot be read."""
    body = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(body[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", body, 4)
        (count,) = struct.unpack_from(f"{order}H", body, start)
        for entry in range(min(count, _MAX_EXIF_ENTRIES)):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", body, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return int(value)
    except struct.error:
        pass
    return 1


def _eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    faint = False
    if picture.mode == "F":
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise UnreadablePicture("its 32-bit values lie outside 0..1; save it with 8 or 16 bits")
        grey = to_bytes(values)
    else:
        if values.min() < 0 or values.max() > 65535:
            raise UnreadablePicture("its 32-bit values lie outside 0..65535; save it with 8 or 16 bits")
        # 8-bit values in a 32-bit TIFF are common; a PPM is scaled to 16 bits by its header.
        wide = values.max() > 255 or picture.mode != "I" or picture.format == "PPM"
        grey = np.rint(values / np.float32(257 if wide else 1)).astype(np.uint8)
        faint = wide and 0 < values.max() < _FAINT
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    flat = Image.fromarray(grey)
    flat.info[_IS_FAINT] = faint
    return flat


def _over_white(picture: Image.Image) -> Image.Image:
    key = picture.info.get("transparency")
    if picture.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        # The key of a PNG of 16 bits a value, of which Pillow keeps the higher eight.
        picture = picture.copy()
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    grey = picture.mode in ("1", "L", "LA", "La")
    if picture.mode == "La":
        picture = picture.convert("LA")
    clear = picture.convert("RGBA")
    result = Image.new("RGB", picture.size, "white")
    result.paste(clear, mask=clear.getchannel("A"))
    # All three channels are equal: taking one is exact, where computing the luminance would round.
    return result.getchannel("R") if grey else result
