"""Coloured shapes on noisy grounds, drawn by formula: any number, any size, no file and no network.

A picture depends on the seed, the split and its own number only, so that a longer or shorter reading of the
same split agrees picture by picture.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from retinula.datasets.reading import SPLITS, Chunk, Reading, SplitName
from retinula.errors import InputError
from retinula.images import Images, Labels

# Single precision throughout; the type checker does not follow that through ufuncs with Python numbers.
Field = NDArray[np.floating[Any]]

MIN_SIDE: Final = 8
MAX_SIDE: Final = 1024

# Pictures are drawn in blocks with one generator each. Changing this number changes every picture.
_BLOCK: Final = 256
_CONTRAST: Final = (96, 160)  # between shape and ground in every channel, of 256 steps
_RADIUS: Final = (0.28, 0.42)  # of the shorter side
_NOISE: Final = (8.0, 40.0)  # the largest deviation of a pixel, in steps
_TILT: Final = np.pi / 15  # less than what would make a square a diamond


def read(
    num_train: int = 4000,
    num_test: int = 1000,
    size: tuple[int, int] = (32, 32),
    channels: int = 3,
    seed: int = 0,
) -> Reading:
    """Give eight classes of shapes; every eight pictures in a row hold one of each class.

    Args:
        num_train: pictures to train on.
        num_test: pictures to test on, drawn independently.
        size: height and width, each from 8 to 1,024.
        channels: 3 for colour, 1 for grey.
        seed: other seeds give other pictures.
    """
    if num_train < 1 or num_test < 0:
        raise InputError(f"shapes needs at least one picture to train on, not {num_train} and {num_test}")
    if not MIN_SIDE <= min(size) <= max(size) <= MAX_SIDE:
        raise InputError(f"shapes are drawn from 8 x 8 to 1024 x 1024 pixels, not {size[0]} x {size[1]}")
    if channels not in (1, 3):
        raise InputError(f"pictures have 1 or 3 channels, not {channels}")
    if seed < 0:
        raise InputError(f"a seed is 0 or more, not {seed}")
    counts: dict[SplitName, int] = {"train": num_train, "test": num_test}
    return Reading(
        classes=CLASSES,
        splits={
            split: partial(_stream, seed, split, count, size, channels) for split, count in counts.items() if count
        },
    )


def _stream(seed: int, split: SplitName, count: int, size: tuple[int, int], channels: int) -> Iterator[Chunk]:
    for start in range(0, count, _BLOCK):
        images, labels = _block(seed, split, start // _BLOCK, size, channels)
        length = min(_BLOCK, count - start)
        sources = [f"{split}/{number}" for number in range(start, start + length)]
        yield Chunk(images[:length], labels[:length], sources)


def _block(seed: int, split: SplitName, block: int, size: tuple[int, int], channels: int) -> tuple[Images, Labels]:
    height, width = size
    generator = np.random.default_rng([seed, SPLITS.index(split), block])
    rounds = np.tile(np.arange(len(CLASSES)), (_BLOCK // len(CLASSES), 1))
    labels = generator.permuted(rounds, axis=1).ravel()
    radius = generator.uniform(*_RADIUS, _BLOCK) * min(size)
    across = generator.uniform(radius, width - radius)
    down = generator.uniform(radius, height - radius)
    tilt = generator.uniform(-_TILT, _TILT, _BLOCK)
    ground = generator.uniform(0, 256, (_BLOCK, 3))
    # The channels are circles of 256 steps: whatever the ground, the shape is far from it in each of them.
    colour = (ground + generator.uniform(*_CONTRAST, (_BLOCK, 3))) % 256
    strength = generator.uniform(*_NOISE, _BLOCK)
    noise = np.frombuffer(generator.bytes(_BLOCK * channels * height * width), np.uint8)

    coverage = np.empty((_BLOCK, height, width), np.float32)
    for label, outline in enumerate(_OUTLINES.values()):
        chosen = np.flatnonzero(labels == label)
        right, up = _turned_grid(across[chosen], down[chosen], radius[chosen], tilt[chosen], size)
        # Distances come in radii; an edge is one pixel wide.
        pixels = outline(right, up) * _column(radius[chosen])
        coverage[chosen] = np.clip(0.5 - pixels, 0, 1)

    values = noise.reshape(_BLOCK, channels, height, width).astype(np.float32)
    values -= 127.5
    values *= _column(strength / 127.5)[..., np.newaxis]
    for channel in range(channels):
        step = _column(colour[:, channel] - ground[:, channel])
        values[:, channel] += coverage * step + _column(ground[:, channel])
    np.clip(values, 0, 255, out=values)
    return np.rint(values, out=values).astype(np.uint8), labels.astype(np.int64)


def _column(values: NDArray[np.float64]) -> Field:
    return values.astype(np.float32)[:, np.newaxis, np.newaxis]


def _turned_grid(
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    radius: NDArray[np.float64],
    tilt: NDArray[np.float64],
    size: tuple[int, int],
) -> tuple[Field, Field]:
    """Return where each pixel's centre lies seen from the shape: to its right and above it, in radii."""
    height, width = size
    right = (np.arange(width, dtype=np.float32) + 0.5 - _column(across)) / _column(radius)
    up = (_column(down) - (np.arange(height, dtype=np.float32)[:, np.newaxis] + 0.5)) / _column(radius)
    cosine, sine = _column(np.cos(tilt)), _column(np.sin(tilt))
    return right * cosine + up * sine, up * cosine - right * sine


# Each outline gives the distance from the edge in radii, negative inside, exact near the edge on its flanks.


def _inside_both(one: Field, other: Field) -> Field:
    farther: Field = np.maximum(one, other)
    return farther


def _from_centre(right: Field, up: Field) -> Field:
    reach: Field = np.sqrt(right * right + up * up)
    return reach


def _bar(right: Field, up: Field) -> Field:
    return _inside_both(np.abs(right) - 1, np.abs(up) - 0.35)


def _circle(right: Field, up: Field) -> Field:
    return _from_centre(right, up) - 0.85


def _cross(right: Field, up: Field) -> Field:
    wide, high = np.abs(right), np.abs(up)
    nearer: Field = np.minimum(wide, high)
    return _inside_both(nearer - 0.3, _inside_both(wide, high) - 1)


def _diamond(right: Field, up: Field) -> Field:
    return (np.abs(right) + np.abs(up) - 1.1) * float(np.sqrt(0.5))


def _ring(right: Field, up: Field) -> Field:
    reach = _from_centre(right, up)
    return _inside_both(reach - 0.92, 0.48 - reach)


def _square(right: Field, up: Field) -> Field:
    return _inside_both(np.abs(right), np.abs(up)) - 0.78


def _star(right: Field, up: Field) -> Field:
    # Five points, one upward: the radius swings between 0.4 and 1 with the angle. On the slanted flanks the
    # distance is about half of the difference along the radius.
    swing: Field = np.cos(5 * np.arctan2(right, up))
    return (_from_centre(right, up) - 0.7 - 0.3 * swing) * 0.5


def _triangle(right: Field, up: Field) -> Field:
    flank = np.abs(right) * float(np.sqrt(0.75)) + up * 0.5
    return _inside_both(flank, -up) - 0.5


_OUTLINES: Final[dict[str, Callable[[Field, Field], Field]]] = {
    "bar": _bar,
    "circle": _circle,
    "cross": _cross,
    "diamond": _diamond,
    "ring": _ring,
    "square": _square,
    "star": _star,
    "triangle": _triangle,
}
CLASSES: Final[tuple[str, ...]] = tuple(_OUTLINES)
