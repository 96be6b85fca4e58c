"""What a model may be asked: which pictures, how many at a time, averaged how, and where it is to compute."""

from typing import get_args

import numpy as np
import torch

from retinula.errors import InputError, first_line, nearest
from retinula.forms import Averaging
from retinula.images import Images, ImageSet, kind_of


def in_order(images: object, shape: tuple[int, ...]) -> Images:
    """Return pictures as an array uint8 `[N, *shape]`: of such an array or tensor, or one with channels last.

    Args:
        images: what was given.
        shape: channels, height and width. Where both orders fit them, channels come first.

    Raises:
        InputError: they are something else; says what.
    """
    given = images.numpy(force=True) if isinstance(images, torch.Tensor) and images.dtype == torch.uint8 else images
    if isinstance(given, np.ndarray) and given.dtype == np.uint8:
        if given.shape[1:] == shape:
            return given
        if given.shape[1:] == (*shape[1:], shape[0]):
            return given.transpose(0, 3, 1, 2)
    kind = kind_of(images)
    if isinstance(images, list | tuple):
        kind += "; predict takes a list of pictures of any size"
    elif isinstance(images, np.ndarray | torch.Tensor):
        kind = f"{type(images).__name__} of {images.dtype} {list(images.shape)}"
    elif isinstance(images, ImageSet):
        kind = "an ImageSet: give its images, image_set.images"
    sizes = ", ".join(map(str, shape))
    raise InputError(f"this model takes uint8 pictures [N, {sizes}] in a NumPy array or a tensor, not {kind}")


def check_batches_and_averaging(batch_size: object, tta: object) -> None:
    """Refuse a number of pictures at a time, or a way of averaging, that `Model.outputs` does not know.

    Raises:
        InputError: `batch_size` is neither None nor a whole number of at least one, or `tta` is none of `Averaging`.
    """
    if batch_size is not None and (not isinstance(batch_size, int | np.integer) or batch_size < 1):
        raise InputError(f"a batch holds at least one picture, not {batch_size!r}")
    if tta not in get_args(Averaging):
        raise InputError(f"there is no averaging tta={tta!r}{nearest(str(tta), get_args(Averaging))}")


def usable_device(named: torch.device | str) -> torch.device:
    """Return a device by its name.

    Raises:
        InputError: there is none on this computer, or torch cannot use it, or it holds no values.
    """
    try:
        device = torch.device(named)
        torch.empty(0, device=device)
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        why = first_line(error).split(". ")[0]  # torch goes on about how it is built
        raise InputError(f"device {str(named)!r} cannot be computed on: {why}") from error
    if device.type == "meta":
        raise InputError(f"device {str(named)!r} cannot be computed on: it holds shapes without values")
    return device
