"""The idx files of MNIST and of the sets that took over its format, packed by gzip or not.

A file begins with two zero bytes, the type of its values (8: uint8) and the number of its dimensions; their lengths
follow as big-endian 32-bit numbers, then the values. Knows nothing of where the files came from.
"""

import gzip
import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Final

import numpy as np

from retinula.datasets.copies import file_in
from retinula.datasets.entry import Entry
from retinula.datasets.exactly import check_end, damage_explained, exactly
from retinula.datasets.reading import Chunk, Reading, SplitName
from retinula.errors import InputError
from retinula.images import CHUNK, Labels

_File = IO[bytes] | gzip.GzipFile

_UINT8: Final = 8
_GZIP: Final = b"\x1f\x8b"
_PREFIXES: Final[dict[SplitName, str]] = {"train": "train", "test": "t10k"}


def read(folder: Path, entry: Entry) -> Reading:
    """Read a set of idx files: pictures and labels to train on, and pictures and labels to test on.

    Args:
        folder: where the files lie.
        entry: of the catalog; says how many pictures there are, of which size and classes.

    Raises:
        InputError: while streaming: a file is missing, damaged, or not as published.
    """
    return Reading(
        classes=entry.classes,
        splits={split: partial(_stream, folder, entry, split) for split in entry.counts},
    )


def _stream(folder: Path, entry: Entry, split: SplitName) -> Iterator[Chunk]:
    count = entry.counts[split]
    labels = _labels(file_in(folder, f"{_PREFIXES[split]}-labels-idx1-ubyte.gz"), count, len(entry.classes))
    path = file_in(folder, f"{_PREFIXES[split]}-images-idx3-ubyte.gz")
    picture_bytes = math.prod(entry.size)
    with _opened(path) as file:
        _check_header(path, file, (count, *entry.size))
        for start in range(0, count, CHUNK):
            number = min(CHUNK, count - start)
            data = exactly(file, number * picture_bytes)
            images = np.frombuffer(data, np.uint8).reshape(number, 1, *entry.size)
            yield Chunk(images, labels[start : start + number])
        check_end(path, file)


def _labels(path: Path, count: int, num_classes: int) -> Labels:
    with _opened(path) as file:
        _check_header(path, file, (count,))
        labels = np.frombuffer(exactly(file, count), np.uint8)
        check_end(path, file)
    if labels.max() >= num_classes:
        raise InputError(f"{path} is not as published: labels run up to {labels.max()}, expected {num_classes - 1}")
    return labels.astype(np.int64)


@contextmanager
def _opened(path: Path) -> Iterator[_File]:
    with damage_explained(path), path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked


def _check_header(path: Path, file: _File, expected: Sequence[int]) -> None:
    zeros, kind, num_lengths = struct.unpack(">HBB", exactly(file, 4))
    if zeros or kind != _UINT8 or num_lengths != len(expected):
        raise InputError(f"{path} is not as published: it is no idx file of bytes in {len(expected)} dimensions")
    found = struct.unpack(f">{num_lengths}I", exactly(file, 4 * num_lengths))
    if found != tuple(expected):
        raise InputError(f"{path} is not as published: it holds {list(found)} values, expected {list(expected)}")
