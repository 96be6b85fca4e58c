"""SVHN in format 2: cropped digits as arrays in MATLAB files, `X` `[32, 32, 3, N]` and `y` `[N, 1]` from 1 to 10.

Y. Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from retinula.datasets.entry import Entry
from retinula.datasets.matlab import Variable, variables
from retinula.datasets.reading import Chunk, Reading
from retinula.errors import InputError
from retinula.images import CHUNK, Labels


def read(folder: Path, entry: Entry) -> Reading:
    """Read the file to train on (`train` or `extra`) and the one to test on; the label 10 is the digit 0.

    Args:
        folder: where the files lie.
        entry: of the catalog; says which files, and how many pictures each has.

    Raises:
        InputError: while streaming: a file is missing, damaged, or not as published.
    """
    files = () if entry.archive is None else tuple(part.name for part in entry.archive.parts)
    return Reading(
        classes=entry.classes,
        splits={
            split: partial(_stream, folder / file, entry, entry.counts[split])
            for split, file in zip(entry.counts, files, strict=True)
        },
    )


def _stream(path: Path, entry: Entry, count: int) -> Iterator[Chunk]:
    labels = _labels(path, count)
    shape = (entry.channels, *entry.size)
    for variable in variables(path):
        if variable.name != "X":
            continue
        if variable.shape != (*entry.size, entry.channels, count) or variable.dtype != np.uint8:
            raise _wrong(path, variable)
        for start in range(0, count, CHUNK):
            number = min(CHUNK, count - start)
            # The first dimension runs fastest: rows, columns, channels, pictures.
            columns = variable.read(number * math.prod(shape)).reshape(number, shape[0], shape[2], shape[1])
            images = np.ascontiguousarray(columns.transpose(0, 1, 3, 2))
            yield Chunk(images, labels[start : start + number])
        return
    raise InputError(f"{path} is not as published: it has no array X")


def _labels(path: Path, count: int) -> Labels:
    for variable in variables(path):
        if variable.name != "y":
            continue
        if variable.shape not in ((count, 1), (1, count)):
            raise _wrong(path, variable)
        values = variable.read(count)
        if not np.isin(values, np.arange(1, 11)).all():
            raise InputError(f"{path} is not as published: labels from {values.min()} to {values.max()}")
        return values.astype(np.int64) % 10
    raise InputError(f"{path} is not as published: it has no array y")


def _wrong(path: Path, variable: Variable) -> InputError:
    return InputError(f"{path} is not as published: {variable.name} is {variable.dtype} {list(variable.shape)}")
