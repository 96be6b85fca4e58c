"""Which pictures are equal in every pixel, told by digests: a model that learned one knows the others."""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinula.images import CHUNK, Images, copied
from retinula.portions import portions

_BYTES = 8  # of a digest: of a million pictures and a million others, a pair is taken for equal once in 18 million


class Digests(NamedTuple):
    """What stands for pictures of one form.

    Attributes:
        form: their channels, height and width, as `3x32x32`; of another form none is equal.
        values: of each a number, int64 `[N]`, which only equal ones share.
    """

    form: str
    values: NDArray[np.int64]


def digests_of(images: Images) -> Digests:
    """Return what stands for pictures uint8 `[N, C, H, W]`, in their order.

    >>> digests_of(np.zeros((2, 1, 3, 4), np.uint8)).form
    '1x3x4'
    """
    values = np.empty(len(images), np.int64)
    for part in portions(len(images), images.shape[1:], most=CHUNK):
        chunk = copied(images, part)
        joined = b"".join(pixel_digest(picture)[:_BYTES] for picture in chunk)
        values[part] = np.frombuffer(joined, "<i8")
    return Digests("x".join(map(str, images.shape[1:])), values)


def equal_pairs(images: Images, others: Images) -> list[tuple[int, int]]:
    """Return which pictures are equal to others of the same size: the position of each, and of the first such other.

    >>> equal_pairs(np.zeros((2, 1, 1, 1), np.uint8), np.array([7, 0, 0], np.uint8).reshape(3, 1, 1, 1))
    [(0, 1), (1, 1)]
    """
    first: dict[int, int] = {}
    for place, value in enumerate(digests_of(others).values.tolist()):
        first.setdefault(value, place)
    return [(place, first[value]) for place, value in enumerate(digests_of(images).values.tolist()) if value in first]


def pixel_digest(picture: NDArray[np.uint8]) -> bytes:
    """Return 16 bytes that two pictures of one size share where they are equal in every pixel."""
    return hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
