"""One picture as a caller has it: a file, its bytes, a Pillow image or an array. In any form it is the same picture."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError, first_line
from retinula.images import from_floats, kind_of
from retinula.pictures import UnreadablePicture, decode, flatten, upright

GivenPicture = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8] | NDArray[np.uint16]


def opened(picture: GivenPicture) -> Image.Image:
    """Return a given picture upright, in mode `L` or `RGB`: the same of a file, its bytes and what Pillow opens of it.

    A Pillow image is turned as its EXIF says, which `convert` and `resize` keep. `rotate` keeps it as well: turn a
    picture upright with `PIL.ImageOps.exif_transpose`, which leaves nothing to turn.

    Args:
        picture: a file, its bytes, a Pillow image, or uint8 or uint16 `[H, W]`, `[H, W, C]` or `[C, H, W]` of 1 or 3
            channels; where both orders are possible, channels come last.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    match picture:
        case Image.Image():
            return _unpacked(picture)
        case np.ndarray():
            return _from_array(picture)
        case bytes():
            return decode(picture)
        case str() | os.PathLike():
            if os.path.isdir(picture):  # noqa: PTH112 - Path.is_dir fails where it may not look
                files = f"Path({str(picture)!r}).iterdir()"
                raise InputError(f"{picture} is a folder: give one picture at a time{_one_by_one(files)}")
            return decode(Path(picture))
        case list() | tuple():
            raise InputError(f"give one picture at a time, not {kind_of(picture)}{_one_by_one('pictures')}")
    raise InputError(f"a picture is a file, its bytes, a Pillow image or an array, not {kind_of(picture)}")


def _one_by_one(pictures: str) -> str:
    return f": [model.predict(picture) for picture in {pictures}]"


def _unpacked(picture: Image.Image) -> Image.Image:
    """Do with what Pillow opened what `decode` does with a file."""
    try:
        picture.load()
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
    if picture.dtype == np.uint8:
        return Image.fromarray(picture)
    # As files of 16 bits a value come: grey is rounded, and of colours Pillow keeps the higher eight bits.
    return Image.fromarray((picture >> 8).astype(np.uint8)) if picture.ndim == 3 else flatten(Image.fromarray(picture))


def _channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """Bring an array to `[H, W]` or `[H, W, 3]`, as Pillow takes it."""
    match array.shape if array.dtype in (np.uint8, np.uint16) else ():
        case (_, _) | (_, _, 3):
            return array
        case (_, _, 1):
            return array.squeeze(2)
        case (1, _, _):
            return array.squeeze(0)
        case (3, _, _):
            return array.transpose(1, 2, 0)
    several = "; for several at once there is probabilities" if array.ndim == 4 else ""
    raise InputError(
        f"a picture is uint8 or uint16 [H, W], [H, W, C] or [C, H, W] of 1 or 3 channels, "
        f"not {kind_of(array)}{from_floats(array.dtype, 'picture')}{several}"
    )
