"""The 1,797 handwritten digits that come with scikit-learn: real pictures without a network.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998
(its test part), https://doi.org/10.24432/C50P49, CC BY 4.0.
"""

import gzip
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retinula.datasets.reading import Chunk, Reading
from retinula.errors import RetinulaError

CLASSES: Final = tuple("0123456789")
NUM_IMAGES: Final = 1797
_SIDE: Final = 8
_DARKEST: Final = 16

# One picture in five is for testing: within each class every fifth, so that the writers, whose digits lie one
# after the other, are spread over both parts, and no generator can ever change the split.
_TEST_EVERY: Final = 5


def read() -> Reading:
    """Give 8 x 8 grey pictures (ink is bright) of the classes "0" to "9": 1,442 to train on and 355 to test.

    The split is the same for ever and stratified. The same writers are in both parts.

    Raises:
        RetinulaError: scikit-learn is not installed with its data.
    """
    return Reading(classes=CLASSES, splits={"train": partial(_stream, False), "test": partial(_stream, True)})


def _stream(for_test: bool) -> Iterator[Chunk]:
    table = _table()
    labels = table[:, -1].astype(np.int64)
    rank = np.zeros(len(labels), dtype=np.int64)
    for label in range(len(CLASSES)):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    chosen = np.flatnonzero((rank % _TEST_EVERY == _TEST_EVERY - 1) == for_test)
    ink = table[chosen, :-1].astype(np.float64) * (255 / _DARKEST)
    images = np.rint(ink).astype(np.uint8).reshape(-1, 1, _SIDE, _SIDE)
    yield Chunk(images, labels[chosen], [f"digits/{number}" for number in chosen.tolist()])


def _table() -> NDArray[np.int64]:
    """Read the file itself: importing scikit-learn takes longer than everything else that `digits` needs."""
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise RetinulaError("the digits come with scikit-learn; install it: pip install scikit-learn")
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.float64).astype(np.int64)
    except (OSError, EOFError, ValueError) as error:
        raise RetinulaError(f"cannot read {path}: {error}; reinstall scikit-learn") from error
    if table.shape != (NUM_IMAGES, _SIDE * _SIDE + 1) or table.min() < 0 or table.max() > _DARKEST:
        raise RetinulaError(f"{path} is not the table of digits; reinstall scikit-learn")
    return table
