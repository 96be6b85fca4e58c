"""How many pictures are worked on together, by their size: what bounds memory. Knows only numbers."""

import math
from collections.abc import Iterator, Sequence

# Of pictures together: 13 of 224x224 in colour, whose maps take 65 MB in `residual`, but 800 MB in `mobilenetv2`.
VALUES = 2**21
IMAGES = 500  # at most, however small they are


def portions(number: int, shape: Sequence[int], together: int | None = None, *, most: int = IMAGES) -> Iterator[slice]:
    """Yield slices that go through pictures from the first to the last.

    Args:
        number: of all pictures.
        shape: of each.
        together: in each slice; where None at most `most`, and fewer where they are large.
        most: pictures in a slice.

    >>> list(portions(1000, (3, 32, 32))), len(list(portions(1000, (3, 224, 224))))
    ([slice(0, 500, None), slice(500, 1000, None)], 77)
    """
    step = together or max(1, min(most, VALUES // max(1, math.prod(shape))))
    return (slice(start, min(start + step, number)) for start in range(0, number, step))
