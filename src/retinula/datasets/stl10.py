"""STL-10 in its binary form: bytes of pictures column by column, labels from 1, and the ten folds to train on.

A. Coates, H. Lee and A. Y. Ng, An Analysis of Single Layer Networks in Unsupervised Feature Learning, 2011.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from retinula.datasets.archives import MIB, Limits, files_named
from retinula.datasets.entry import Entry
from retinula.datasets.reading import Chunk, Reading, Skipped, SplitName, apart
from retinula.errors import InputError
from retinula.images import Labels

_CLASSES: Final = "class_names.txt"
_FOLDS: Final = "fold_indices.txt"
_MAX_SMALL: Final = MIB
_PICTURES: Final = 256
# The pictures without labels are one file of 2,764,800,000 bytes.
_LIMITS: Final = Limits(member_bytes=8192 * MIB)


def read(source: Path, entry: Entry, fold: int = 0) -> Reading:
    """Read the labelled pictures; a fold has a thousand of those to train on, and the same ones to test on.

    A copy that holds only a part of the pictures is read, and the number of those it lacks is named in `skipped`.

    Args:
        source: the archive, or the folder that it unpacks to.
        entry: of the catalog.
        fold: 1 to 10, or 0 for all 5,000 pictures to train on.

    Raises:
        InputError: while streaming: a file is missing, damaged, or not as published.
    """
    skipped: list[Skipped] = []
    joint = partial(_stream, source, entry, fold, skipped)
    return Reading(
        classes=entry.classes,
        splits=apart(joint, entry.counts),
        skipped=skipped,
        joint=joint,
    )


def _stream(source: Path, entry: Entry, fold: int, skipped: list[Skipped]) -> Iterator[tuple[SplitName, Chunk]]:
    files = {f"{split}_y.bin": split for split in entry.counts}
    small: dict[str, bytes] = {}
    for member in files_named(source, {*files, _CLASSES, _FOLDS}, _LIMITS):
        if member.size > _MAX_SMALL:
            raise InputError(f"{source}: {member.name} is not as published: it has {member.size:,} bytes")
        small[member.name] = member.read()
    lacking = sorted({*files, _CLASSES, *([_FOLDS] if fold else [])} - small.keys())
    if lacking:
        raise InputError(f"{source} is not {entry.name}: it lacks {', '.join(lacking)}")
    if tuple(small[_CLASSES].decode("utf-8", "replace").split()) != entry.classes:
        raise InputError(f"{source}: {_CLASSES} is not as published")
    labels = {split: _labels(source, name, small[name], len(entry.classes)) for name, split in files.items()}
    number, published = sum(map(len, labels.values())), sum(entry.counts.values())
    if number != published:
        skipped[:] = [Skipped(source.name, f"it holds {number:,} labelled pictures; published are {published:,}")]
    kept = {split: np.ones(len(found), dtype=bool) for split, found in labels.items()}
    if fold:
        kept["train"] = _fold(source, small[_FOLDS], fold, len(labels["train"]))
    pictures: dict[str, SplitName] = {f"{split}_X.bin": split for split in entry.counts}
    for member in files_named(source, list(pictures), _LIMITS):
        split = pictures.pop(member.name)
        count = len(labels[split])
        if member.size != count * math.prod((entry.channels, *entry.size)):
            what = f"{member.size:,} bytes for {count:,} labels"
            raise InputError(f"{source}: {member.name} is not as published: {what}")
        with member.open() as file:
            for chunk in _pictures(file, entry, labels[split], kept[split]):
                yield split, chunk
    if pictures:
        raise InputError(f"{source} is not {entry.name}: it lacks {', '.join(sorted(pictures))}")


def _pictures(file: IO[bytes], entry: Entry, labels: Labels, kept: NDArray[np.bool_]) -> Iterator[Chunk]:
    height, width = entry.size
    picture_bytes = entry.channels * height * width
    for start in range(0, len(labels), _PICTURES):
        number = min(_PICTURES, len(labels) - start)
        data = file.read(number * picture_bytes)
        if len(data) != number * picture_bytes:
            raise InputError(f"a file of pictures of {entry.name} became shorter while it was read; try again")
        columns = np.frombuffer(data, np.uint8).reshape(number, entry.channels, width, height)
        chosen = kept[start : start + number]
        if chosen.any():
            images = np.ascontiguousarray(columns[chosen].transpose(0, 1, 3, 2))
            yield Chunk(images, labels[start : start + number][chosen])


def _labels(source: Path, name: str, content: bytes, num_classes: int) -> Labels:
    labels = np.frombuffer(content, np.uint8)
    if not len(labels) or not 1 <= labels.min() <= labels.max() <= num_classes:
        raise InputError(f"{source}: {name} is not as published: labels are 1 to {num_classes}")
    return labels.astype(np.int64) - 1


def _fold(source: Path, content: bytes, fold: int, count: int) -> NDArray[np.bool_]:
    lines = content.decode("ascii", "replace").splitlines()
    words = lines[fold - 1].split() if len(lines) >= fold else []
    if not words or not all(word.isdecimal() and len(word) < 8 and int(word) < count for word in words):
        raise InputError(f"{source}: {_FOLDS} is not as published: fold {fold} does not name pictures")
    kept = np.zeros(count, dtype=bool)
    kept[[int(word) for word in words]] = True
    return kept
