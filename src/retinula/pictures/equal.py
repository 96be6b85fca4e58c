"""Which pictures of one set are equal, in every pixel, to some of another: a model that learned these knows them."""

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retinula.images import CHUNK, Images, copied

LARGEST_COMPARED = 512 * 1024**2  # bytes of pictures to train on that others are compared with unasked: for a second


def among(images: Images, others: Images) -> NDArray[np.bool_]:
    """Say of each picture whether one of the others is equal to it: bool `[N]`.

    Args:
        images: uint8 `[N, C, H, W]`.
        others: uint8 `[M, C, H, W]`; of another size or with other channels none is equal.

    >>> among(np.zeros((2, 1, 3, 3), np.uint8), np.zeros((1, 1, 3, 3), np.uint8)).tolist()
    [True, True]
    """
    if images.shape[1:] != others.shape[1:]:
        return np.zeros(len(images), bool)
    known = set(_digests(others))
    return np.fromiter((digest in known for digest in _digests(images)), bool, len(images))


def pixel_digest(picture: NDArray[np.uint8]) -> bytes:
    """Return 16 bytes that two pictures of one size share where they are equal in every pixel."""
    return hashlib.blake2b(picture.tobytes(), digest_size=16).digest()


def _digests(images: Images) -> Iterator[bytes]:
    for start in range(0, len(images), CHUNK):
        yield from map(pixel_digest, copied(images, slice(start, start + CHUNK)))
