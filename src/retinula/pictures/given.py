"""One picture as a caller has it: a file, its bytes, a Pillow image, an array or a tensor; always the same picture."""

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError, first_line
from retinula.images import from_floats, kind_of
from retinula.pictures.decoding import MAX_BYTES, UnreadablePicture, decode, flatten, upright
from retinula.text.names import is_address


class OpenFile(Protocol):
    """A file that was opened to be read in bytes, such as an upload."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes."""


class ArrayLike(Protocol):
    """What NumPy makes an array of, such as a tensor."""

    def __array__(self) -> NDArray[Any]: ...


GivenPicture = str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | OpenFile | ArrayLike


def opened(picture: GivenPicture) -> Image.Image:
    """Return a given picture upright, in mode `L` or `RGB`: the same of a file, its bytes and what Pillow opens of it.

    A Pillow image is turned as its EXIF says, which `convert` and `resize` keep. `rotate` keeps it as well: turn a
    picture upright with `PIL.ImageOps.exif_transpose`, which leaves nothing to turn.

    Args:
        picture: a file, one that is open, its bytes, a Pillow image, or an array or tensor of bool, uint8 or uint16:
            `[H, W]`, `[H, W, C]` or `[C, H, W]` of 1, 3 or, with opacity, 4 channels. Where both orders are possible,
            channels come last; a fourth is opacity only where no other order is possible.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    match picture:
        case Image.Image():
            return _unpacked(picture)
        case bytes() | bytearray() | memoryview():
            return decode(bytes(picture))
        case str() | os.PathLike():
            if os.path.isdir(picture):  # noqa: PTH112 - Path.is_dir fails where it may not look
                files = f"Path({str(picture)!r}).iterdir()"
                raise InputError(f"{picture} is a folder{_at_once(files)}")
            if is_address(str(picture)):
                raise InputError(
                    f"{picture} is an address on the web: fetch it first, and give its bytes, such as "
                    "urllib.request.urlopen(address).read()"
                )
            return decode(Path(picture))
        case list() | tuple():
            raise InputError("pictures are given in one list, not in lists of lists")
    if hasattr(picture, "__array__"):
        return _from_array(_as_array(picture))
    if hasattr(picture, "read"):  # it may have it of the file that it stands for, as temporary files and uploads do
        return decode(_content(picture))
    raise InputError(
        f"a picture is a file, open or not, its bytes, a Pillow image, an array or a tensor, not {kind_of(picture)}"
    )


def _as_array(picture: Any) -> NDArray[Any]:
    try:
        return np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor on a GPU, or one that gradients are kept of
        raise InputError(f"NumPy makes no array of {kind_of(picture)} ({first_line(error)})") from error


def _content(file: Any) -> bytes:
    """Return what an open file has from its beginning, as Pillow does; but for the name, `decode` checks it."""
    try:
        if hasattr(file, "seekable") and file.seekable():
            file.seek(0)
        content = file.read(MAX_BYTES + 1)
    except (OSError, TypeError, ValueError) as error:  # the last: it is closed; before: `read` takes no size
        raise InputError(f"cannot read {kind_of(file)}: {first_line(error)}") from error
    if isinstance(content, bytes):
        return content
    if hasattr(content, "close"):
        content.close()  # a coroutine, which would complain later of not having been awaited
    raise InputError(f"{kind_of(file)} reads as {kind_of(content)}, not as bytes: open the file with mode 'rb'")


def _at_once(pictures: str) -> str:
    return f"; for several at once: predict(list({pictures}))"


def _unpacked(picture: Image.Image) -> Image.Image:
    """Do with what Pillow opened what `decode` does with a file."""
    try:
        picture.load()
        if 0 in picture.size:
            raise UnreadablePicture("it has no pixels")
        return flatten(upright(picture))
    except UnreadablePicture:
        raise
    except Exception as error:
        # As in `decode`: broken files make decoders fail in every way there is, and Pillow may not have read this yet.
        raise UnreadablePicture(first_line(error), f"the picture {getattr(picture, 'filename', '')}".strip()) from error


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        array = array.astype(np.uint16)  # in the byte order of this machine
    picture = _channels_last(array)
    if not picture.size:
        raise InputError(f"a picture of {kind_of(array)} has no pixels")
    if picture.dtype == np.bool_:
        picture = picture * np.uint8(255)
    elif picture.dtype == np.uint16 and picture.ndim == 3:
        # As files of 16 bits a value come: grey is rounded, and of colours Pillow keeps the higher eight bits.
        picture = (picture >> 8).astype(np.uint8)
    return flatten(Image.fromarray(picture))


def _channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """Bring an array to `[H, W]`, `[H, W, 3]` or `[H, W, 4]`, as Pillow takes it."""
    match array.shape if array.dtype in (np.bool_, np.uint8, np.uint16) else ():
        case (_, _) | (_, _, 3):
            return array
        case (_, _, 1):
            return array.squeeze(2)
        case (1, _, _):
            return array.squeeze(0)
        case (3, _, _):
            return array.transpose(1, 2, 0)
        case (_, _, 4):
            return array
        case (4, _, _):
            return array.transpose(1, 2, 0)
    several = _at_once("pictures") if array.ndim == 4 else ""
    raise InputError(
        f"a picture is bool, uint8 or uint16 [H, W], [H, W, C] or [C, H, W] of 1, 3 or 4 channels, "
        f"not {kind_of(array)}{from_floats(array, 'picture')}{several}"
    )
