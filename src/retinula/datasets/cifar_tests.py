"""What was made to test models of CIFAR on: new pictures (CIFAR-10.1), and spoilt ones (CIFAR-10-C and -100-C).

Both are arrays of numpy: pictures uint8 `[N, 32, 32, 3]` and labels `[N]`. Nothing in them is ever unpickled.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from retinula.datasets.archives import Member, files_named
from retinula.datasets.arrays import read_header
from retinula.datasets.entry import Entry
from retinula.datasets.exactly import check_end, damage_explained, exactly
from retinula.datasets.reading import Chunk, Reading
from retinula.errors import InputError
from retinula.images import CHUNK, Labels

_LABELS: Final = "labels.npy"


def read_new(folder: Path, entry: Entry) -> Reading:
    """Read CIFAR-10.1, which has test pictures only.

    Args:
        folder: where the two files lie.
        entry: of the catalog; says which files, and how many pictures they have.

    Raises:
        InputError: while streaming: a file is missing, damaged, or not as published.
    """
    return Reading(classes=entry.classes, splits={"test": partial(_stream_new, folder, entry)})


def _stream_new(folder: Path, entry: Entry) -> Iterator[Chunk]:
    pictures, labels = () if entry.archive is None else tuple(entry.archive.files)
    found = _labels(folder, labels, entry, entry.counts["test"])
    for member in files_named(folder, [pictures]):
        yield from _pictures(folder, member, entry, found)
        return
    raise _lacks(folder, entry, pictures)


def read_corrupted(source: Path, entry: Entry) -> Reading:
    """Read CIFAR-10-C or CIFAR-100-C: the test pictures once for each corruption and strength, in that order.

    Args:
        source: the archive, or the folder that it unpacks to.
        entry: of the catalog; its conditions say which corruptions.

    Raises:
        InputError: while streaming: a file is missing, damaged, or not as published.
    """
    return Reading(
        classes=entry.classes,
        splits={"test": partial(_stream_corrupted, source, entry)},
        superclasses=entry.superclasses,
    )


def _stream_corrupted(source: Path, entry: Entry) -> Iterator[Chunk]:
    names = list(dict.fromkeys(condition.split("/")[0] for condition in entry.conditions))
    count = entry.counts["test"] // len(names)
    labels = _labels(source, _LABELS, entry, count)
    wanted = {f"{name}.npy": number for number, name in enumerate(names)}
    for member in files_named(source, list(wanted)):
        number = wanted.pop(member.name)
        for chunk in _pictures(source, member, entry, labels):
            yield chunk._replace(start=number * count + (chunk.start or 0))
    if wanted:
        raise _lacks(source, entry, *sorted(wanted))


def _lacks(source: Path, entry: Entry, *names: str) -> InputError:
    return InputError(f"{source} is not {entry.name}: it lacks {', '.join(names)}")


def _pictures(source: Path, member: Member, entry: Entry, labels: Labels) -> Iterator[Chunk]:
    where, shape = f"{source}: {member.name}", (*entry.size, entry.channels)
    with member.open() as file, damage_explained(where):
        header = read_header(file, where)
        if header.dtype != np.uint8 or header.shape != (len(labels), *shape):
            raise InputError(f"{where} is not as published: it is {header.dtype} {list(header.shape)}")
        for start in range(0, len(labels), CHUNK):
            number = min(CHUNK, len(labels) - start)
            data = exactly(file, number * math.prod(shape))
            images = np.frombuffer(data, np.uint8).reshape(number, *shape).transpose(0, 3, 1, 2)
            yield Chunk(images, labels[start : start + number], start=start)
        check_end(where, file)


def _labels(source: Path, name: str, entry: Entry, count: int) -> Labels:
    for member in files_named(source, [name]):
        where = f"{source}: {name}"
        with member.open() as file, damage_explained(where):
            header = read_header(file, where)
            if header.dtype.kind not in "iu" or header.shape != (count,):
                raise InputError(f"{where} is not as published: it is {header.dtype} {list(header.shape)}")
            values = np.frombuffer(exactly(file, header.num_bytes), header.dtype)
            check_end(where, file)
        if not 0 <= values.min() <= values.max() < len(entry.classes):
            raise InputError(f"{where} is not as published: labels run from {values.min()} to {values.max()}")
        return values.astype(np.int64)
    raise _lacks(source, entry, name)
