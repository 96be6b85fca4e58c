"""What storing pictures as JPEG does to them, for whole batches: the pixels that come back, to the byte.

The steps that lose something, in the whole numbers that the usual library (libjpeg-turbo, by its defaults) computes
them in: colours to luminance and two chrominances, which are halved; 8x8 cosine transforms (C. Loeffler,
A. Ligtenberg, G. Moschytz, Practical fast 1-D DCT algorithms with 11 multiplications, ICASSP 1989), rounded to
multiples of the quality's tables (ITU-T T.81, annex K); and all of it back. Packing bits loses nothing and is left
out. Knows nothing of chance: the qualities are arguments.
"""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from retinula.pictures.decoding import as_picture

PIXELS_AT_ONCE: Final = 2**17  # of pictures, whose numbers then stay in the cache
LARGEST: Final = 64 * 64  # pixels; larger pictures are quicker one by one
_BLOCK: Final = 8  # side of what is transformed
_COLOUR_BITS: Final = 16  # of fractions of the colours' factors
_FACTOR_BITS: Final = 13  # of those of the transform's
_BETWEEN_BITS: Final = 2  # of what is kept of fractions between rows and columns
# Of luminance, and of both chrominances.
_TABLES: Final = np.array(
    (
        (
            (16, 11, 10, 16, 24, 40, 51, 61),
            (12, 12, 14, 19, 26, 58, 60, 55),
            (14, 13, 16, 24, 40, 57, 69, 56),
            (14, 17, 22, 29, 51, 87, 80, 62),
            (18, 22, 37, 56, 68, 109, 103, 77),
            (24, 35, 55, 64, 81, 104, 113, 92),
            (49, 64, 78, 87, 103, 121, 120, 101),
            (72, 92, 95, 98, 112, 100, 103, 99),
        ),
        (
            (17, 18, 24, 47, 99, 99, 99, 99),
            (18, 21, 26, 66, 99, 99, 99, 99),
            (24, 26, 56, 99, 99, 99, 99, 99),
            (47, 66, 99, 99, 99, 99, 99, 99),
            (99, 99, 99, 99, 99, 99, 99, 99),
            (99, 99, 99, 99, 99, 99, 99, 99),
            (99, 99, 99, 99, 99, 99, 99, 99),
            (99, 99, 99, 99, 99, 99, 99, 99),
        ),
    ),
    dtype=np.int32,
)
Numbers = NDArray[np.int32]


def stored_as_jpeg(images: torch.Tensor, qualities: Sequence[int]) -> torch.Tensor:
    """Store each picture as JPEG, and read it again: uint8 `[N, C, H, W]`, new memory.

    Args:
        images: uint8 `[N, C, H, W]` with one channel or three.
        qualities: of each picture, 1 to 100.

    Raises:
        ValueError: a quality out of its range, or not one for each picture.
    """
    asked = np.array(qualities, dtype=np.int32)
    if asked.shape != (len(images),) or not ((asked >= 1) & (asked <= 100)).all():
        raise ValueError(f"{len(images)} pictures need as many qualities from 1 to 100")
    stored = torch.empty_like(images, memory_format=torch.contiguous_format)
    given, back = images.numpy(), stored.numpy()
    pixels = images.shape[2] * images.shape[3]
    if pixels > LARGEST:
        for number, quality in enumerate(qualities):
            back[number] = _by_the_library(given[number], quality)
        return stored
    at_once = PIXELS_AT_ONCE // max(1, pixels)
    for begin in range(0, len(images), at_once):
        part = slice(begin, begin + at_once)
        back[part] = _stored(given[part].astype(np.int32), _tables(asked[part]))
    return stored


def _by_the_library(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return the pixels of `[C, H, W]` that come back."""
    stored = io.BytesIO()
    as_picture(image).save(stored, "JPEG", quality=quality)
    return np.asarray(Image.open(stored)).reshape(*image.shape[1:], len(image)).transpose(2, 0, 1)


def _stored(images: Numbers, tables: Numbers) -> Numbers:
    """Return the pixels that come back, `[N, C, H, W]` of 0 to 255; tables `[2, 8, 8, N]`."""
    height, width = images.shape[2:]
    if images.shape[1] == 1:
        return _compressed(images[:, 0], tables[0])[:, None]
    luminance, *colours = _from_rgb(images)
    both = np.concatenate([_halved(colour) for colour in colours])
    both = _compressed(both, np.concatenate((tables[1], tables[1]), axis=2))[..., : -(-width // 2)]
    # Two columns or fewer are only repeated.
    double = _smoothly_doubled if both.shape[2] > 2 else _doubled
    doubled = double(both)[:, :height, :width]
    return _to_rgb(_compressed(luminance, tables[0]), *np.split(doubled, 2))


def _tables(qualities: Numbers) -> Numbers:
    """Return what the transformed values are rounded to multiples of, `[2, 8, 8, N]`."""
    percent = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    scaled: Numbers = (_TABLES[..., None] * percent + 50) // 100
    return scaled.clip(1, 255)


def _from_rgb(images: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return luminance and the two chrominances (blue, red), each `[N, H, W]` of 0 to 255."""
    red, green, blue = images[:, 0], images[:, 1], images[:, 2]
    half = 1 << _COLOUR_BITS - 1
    offset = (128 << _COLOUR_BITS) + half - 1
    luminance = 19595 * red + 38470 * green + 7471 * blue + half
    bluish = half * blue - 11059 * red - 21709 * green + offset
    reddish = half * red - 27439 * green - 5329 * blue + offset
    return luminance >> _COLOUR_BITS, bluish >> _COLOUR_BITS, reddish >> _COLOUR_BITS


def _to_rgb(luminance: Numbers, bluish: Numbers, reddish: Numbers) -> Numbers:
    """Return `[N, 3, H, W]` of 0 to 255."""
    bluish, reddish = bluish - 128, reddish - 128
    half = 1 << _COLOUR_BITS - 1
    red = luminance + (91881 * reddish + half >> _COLOUR_BITS)
    green = luminance + (half - 22554 * bluish - 46802 * reddish >> _COLOUR_BITS)
    blue = luminance + (116130 * bluish + half >> _COLOUR_BITS)
    return np.stack((red, green, blue), axis=1).clip(0, 255)


def _halved(plane: Numbers) -> Numbers:
    """Return the means of 2x2 values of `[N, H, W]`, rounded down in even columns and up in odd ones."""
    plane = _padded(plane, 2, 2 * _BLOCK)  # columns that nobody will see are rounded by the same rule
    rows = plane[:, ::2] + plane[:, 1::2]
    sums = rows[..., ::2] + rows[..., 1::2]
    sums[..., ::2] += 1
    sums[..., 1::2] += 2
    return sums >> 2


def _doubled(plane: Numbers) -> Numbers:
    return plane.repeat(2, axis=1).repeat(2, axis=2)


def _smoothly_doubled(plane: Numbers) -> Numbers:
    """Return `[N, 2 H, 2 W]`: each value three parts its nearest and one part the next, down and across."""
    count, height, width = plane.shape
    around = np.pad(plane, ((0, 0), (1, 1), (0, 0)), mode="edge")
    rows = np.stack((3 * plane + around[:, :-2], 3 * plane + around[:, 2:]), axis=2).reshape(count, 2 * height, width)
    around = np.pad(rows, ((0, 0), (0, 0), (1, 1)), mode="edge")
    left, right = 3 * rows + around[..., :-2] + 8 >> 4, 3 * rows + around[..., 2:] + 7 >> 4
    return np.stack((left, right), axis=3).reshape(count, 2 * height, 2 * width)


def _compressed(plane: Numbers, table: Numbers) -> Numbers:
    """Return `[N, H, W]` of 0 to 255 as it is after rounding its transform to multiples of a table `[8, 8, N]`."""
    count, height, width = plane.shape
    padded = _padded(plane, _BLOCK, _BLOCK)
    down, across = padded.shape[1] // _BLOCK, padded.shape[2] // _BLOCK
    apart = padded.reshape(count, down, _BLOCK, across, _BLOCK).transpose(2, 4, 1, 3, 0)
    blocks = np.ascontiguousarray(apart).reshape(_BLOCK, _BLOCK, -1)
    values = _transformed_back(_rounded(_transformed(blocks - 128), np.tile(table, down * across)))
    whole = (values + 128).clip(0, 255).reshape(_BLOCK, _BLOCK, down, across, count).transpose(4, 2, 0, 3, 1)
    return whole.reshape(padded.shape)[:, :height, :width]


def _rounded(values: Numbers, steps: Numbers) -> Numbers:
    """Round values eight times too large to multiples of the steps in their true size."""
    # The quotient of whole numbers as small as these is right to its whole part in single precision.
    single = np.float32
    multiples = ((np.abs(values) + 4 * steps).astype(single) / (8 * steps).astype(single)).astype(np.int32) * steps
    np.negative(multiples, out=multiples, where=values < 0)
    return multiples


def _transformed(blocks: Numbers) -> Numbers:
    """Return the cosine transform of blocks `[8, 8, M]`, eight times as large as the true one."""
    rows = _forward(blocks.swapaxes(0, 1), _FACTOR_BITS - _BETWEEN_BITS)
    return _forward(rows.swapaxes(0, 1), _FACTOR_BITS + _BETWEEN_BITS)


def _transformed_back(values: Numbers) -> Numbers:
    """Return the blocks `[8, 8, M]` that have a transform."""
    columns = _backward(values, _FACTOR_BITS - _BETWEEN_BITS)
    return _backward(columns.swapaxes(0, 1), _FACTOR_BITS + _BETWEEN_BITS + 3).swapaxes(0, 1)


def _forward(given: Numbers, bits: int) -> Numbers:
    """Transform `[8, ...]` along its first axis, and drop so many bits."""
    sums, differences = given[:4] + given[:3:-1], given[:4] - given[:3:-1]
    outer, inner = sums[0] + sums[3], sums[1] + sums[2]
    far, near = sums[0] - sums[3], sums[1] - sums[2]
    shared = 4433 * (near + far)
    result = np.empty_like(given, order="C")
    result[0], result[4] = outer + inner << _FACTOR_BITS, outer - inner << _FACTOR_BITS
    result[2], result[6] = shared + 6270 * far, shared - 15137 * near
    result[7], result[5], result[3], result[1] = _odd(*differences[::-1])
    return _dropped(result, bits)


def _backward(given: Numbers, bits: int) -> Numbers:
    """Undo `_forward`, and drop so many bits."""
    shared = 4433 * (given[2] + given[6])
    low, high = shared + 6270 * given[2], shared - 15137 * given[6]
    total, difference = given[0] + given[4] << _FACTOR_BITS, given[0] - given[4] << _FACTOR_BITS
    even = (total + low, difference + high, difference - high, total - low)
    result = np.empty_like(given, order="C")
    for place, (one, other) in enumerate(zip(even, _odd(*given[:0:-2])[::-1], strict=True)):
        np.add(one, other, out=result[place])
        np.subtract(one, other, out=result[7 - place])
    return _dropped(result, bits)


def _odd(d3: Numbers, d2: Numbers, d1: Numbers, d0: Numbers) -> tuple[Numbers, ...]:
    """Turn four values as both directions do with their odd half; factors are cosines times 2^13."""
    one, other = d3 + d1, d2 + d0
    shared = 9633 * (one + other)
    one, other = shared - 16069 * one, shared - 3196 * other
    outer, inner = 7373 * (d3 + d0), 20995 * (d2 + d1)
    return (
        2446 * d3 + one - outer,
        16819 * d2 + other - inner,
        25172 * d1 + one - inner,
        12299 * d0 + other - outer,
    )


def _dropped(values: Numbers, bits: int) -> Numbers:
    values += 1 << bits - 1
    values >>= bits
    return values


def _padded(plane: Numbers, down: int, across: int) -> Numbers:
    """Repeat the last row and column of `[N, H, W]` until its sides are multiples."""
    below, right = -plane.shape[1] % down, -plane.shape[2] % across
    return np.pad(plane, ((0, 0), (0, below), (0, right)), mode="edge") if below or right else plane
