"""The best linear code of pictures, to compare an autoencoder's with: principal components (Pearson 1901)."""

import math

import torch
from torch import Tensor

from retinula.errors import InputError
from retinula.images import ImageSet, copied
from retinula.metrics import psnr
from retinula.transforms.levels import unit
from retinula.transforms.preprocess import Preprocess

PICTURES_AT_ONCE = 2000


def linear_code_psnr(train_set: ImageSet, image_set: ImageSet, numbers: int, preprocess: Preprocess) -> float:
    """Return the mean PSNR, in decibels, of pictures kept as so many numbers by a linear code.

    The components are those of the training pictures; what comes back is clipped to 0..1, as a picture is.

    Args:
        train_set: pictures that the code is learnt from.
        image_set: pictures that it is measured on, of the same shape.
        numbers: how many a picture is kept as, at least 1 and at most as many as a picture has values.
        preprocess: what a network sees of a picture, all of it or its centre, is what is kept.

    Raises:
        InputError: other shapes, or too many numbers.
    """
    values = math.prod(preprocess.input_shape)
    if image_set.shape != train_set.shape:
        raise InputError(f"{image_set.name} has pictures of another size than {train_set.name}")
    if not 1 <= numbers <= values:
        raise InputError(f"a picture of {values} values is kept as 1 to {values} numbers, not {numbers}")
    mean, components = principal_components(train_set, numbers, preprocess)
    total = 0.0
    for start in range(0, len(image_set), PICTURES_AT_ONCE):
        flat = _flat(image_set, start, preprocess)
        back = ((flat - mean) @ components.T) @ components + mean
        shape = (len(flat), *preprocess.input_shape)
        total += float(psnr(flat.view(shape), back.clamp(0, 1).view(shape)).sum())
    return total / len(image_set)


def principal_components(image_set: ImageSet, numbers: int, preprocess: Preprocess) -> tuple[Tensor, Tensor]:
    """Return mean and first principal components of pictures in 0..1: float32 `[D]` and orthonormal `[numbers, D]`.

    D is the number of values of what a network sees of a picture, channels first. Each component points to where its
    sum is not negative, so that equal pictures give equal components.
    """
    mean = torch.zeros(math.prod(preprocess.input_shape), dtype=torch.float64)
    products = torch.zeros(len(mean), len(mean))
    starts = range(0, len(image_set), PICTURES_AT_ONCE)
    for start in starts:
        mean += _flat(image_set, start, preprocess).sum(dim=0, dtype=torch.float64) / len(image_set)
    for start in starts:
        centred = _flat(image_set, start, preprocess) - mean.float()
        products += centred.T @ centred
    _, vectors = torch.linalg.eigh(products)
    components = vectors.flip(1)[:, :numbers].T
    signs = torch.where(components.sum(dim=1) < 0, -1.0, 1.0)
    return mean.float(), (components * signs[:, None]).contiguous()


def _flat(image_set: ImageSet, start: int, preprocess: Preprocess) -> Tensor:
    images = torch.from_numpy(copied(image_set.images, slice(start, start + PICTURES_AT_ONCE)))
    return unit(preprocess.centre(images).flatten(1))
