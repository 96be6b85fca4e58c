"""The official CIFAR-10 and CIFAR-100 archives for Python, as they are or unpacked.

Each file is checked as it is read: what fields there are, how many pictures and labels, their type, shape and
range, the names of the classes. Knows nothing of where the files came from.
"""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from retinula.datasets import pickles
from retinula.datasets.archives import files_named
from retinula.datasets.entry import Entry
from retinula.datasets.reading import Chunk, Reading, SplitName, apart
from retinula.errors import InputError
from retinula.forms import LabelKind
from retinula.images import CHUNK, Images, Labels


class _Batch(NamedTuple):
    """A file of pictures: its split, and which part of how many equal ones it is."""

    split: SplitName
    part: int = 0
    num_parts: int = 1


@dataclass(frozen=True)
class _Layout:
    """How a data set is laid out in files, and what the fields in them are called."""

    meta: str
    classes: str
    labels: str
    batches: Mapping[str, _Batch]
    groups: str = ""
    group_labels: str = ""


_LAYOUTS: Final = {
    "cifar10": _Layout(
        meta="batches.meta",
        classes="label_names",
        labels="labels",
        batches={
            **{f"data_batch_{number}": _Batch("train", number - 1, 5) for number in range(1, 6)},
            "test_batch": _Batch("test"),
        },
    ),
    "cifar100": _Layout(
        meta="meta",
        classes="fine_label_names",
        labels="fine_labels",
        batches={"train": _Batch("train"), "test": _Batch("test")},
        groups="coarse_label_names",
        group_labels="coarse_labels",
    ),
}


def read(source: Path, entry: Entry, labels: LabelKind = "fine") -> Reading:
    """Read CIFAR-10 or CIFAR-100, pictures in the official order.

    Args:
        source: the archive, or the folder it unpacks to.
        entry: of the catalog; says what has to be in it.
        labels: `coarse` gives the twenty groups of CIFAR-100 as classes.

    Raises:
        InputError: coarse labels of a set that has none; while streaming: a file is missing, damaged, unsafe, or
            not as published.
    """
    groups = None if entry.superclasses is None else tuple(sorted(set(entry.superclasses)))
    if labels == "coarse" and groups is None:
        raise InputError(f'{entry.name} has no coarse labels; leave out labels="coarse"')
    classes = entry.classes if groups is None or labels == "fine" else groups
    joint = partial(_stream, source, entry, labels, groups or ())
    return Reading(
        classes=classes,
        splits=apart(joint, entry.counts),
        superclasses=entry.superclasses if labels == "fine" else None,
        joint=joint,
    )


def _stream(
    source: Path, entry: Entry, labels: LabelKind, groups: tuple[str, ...]
) -> Iterator[tuple[SplitName, Chunk]]:
    layout = _LAYOUTS[entry.name]
    missing = {layout.meta, *layout.batches}
    for file, content in _ahead(_contents(source, frozenset(missing))):
        where = f"{source}: {file}"
        missing.remove(file)
        fields = _Fields(where, pickles.load(content, where))
        if file == layout.meta:
            _check_names(fields, layout.classes, entry.classes)
            if groups:
                _check_names(fields, layout.groups, groups)
            continue
        split, part, num_parts = layout.batches[file]
        count = entry.counts[split] // num_parts
        images = fields.images(count, (entry.channels, *entry.size))
        found = fields.labels(layout.labels, count, len(entry.classes))
        if groups:
            coarse = fields.labels(layout.group_labels, count, len(groups))
            _check_groups(where, found, coarse, entry, groups)
            found = coarse if labels == "coarse" else found
        names = fields.names(count)
        for start in range(0, count, CHUNK):
            end = min(start + CHUNK, count)
            sources = None if names is None else names[start:end]
            yield split, Chunk(images[start:end], found[start:end], sources, part * count + start)
    if missing:
        raise InputError(f"{source} is not {entry.name}: it lacks {', '.join(sorted(missing))}")


def _contents(source: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Give the wanted files; from an archive in the order they lie, which is not that of the pictures."""
    for member in files_named(source, wanted):
        if member.size > pickles.MAX_BYTES:
            raise InputError(f"{source}: {member.name} is not a file of the published size")
        yield member.name, member.read()


def _ahead(files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Unpack the next file while the last one is being looked at: unpacking takes most of the time."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, files, None)
        while (file := coming.result()) is not None:
            coming = pool.submit(next, files, None)
            yield file


class _Fields:
    """The fields of one pickle, whose names Python 2 wrote as bytes and Python 3 as text."""

    def __init__(self, where: str, value: Any):
        if not isinstance(value, dict):
            raise InputError(f"{where} is not as published: it holds no dictionary")
        self.where = where
        self.values = {str(key, "latin-1") if isinstance(key, bytes) else key: found for key, found in value.items()}

    def wrong(self, name: str, what: str) -> InputError:
        return InputError(f"{self.where} is not as published: {name!r} {what}")

    def get(self, name: str) -> Any:
        if name not in self.values:
            raise self.wrong(name, f"is missing; it has {', '.join(map(repr, sorted(self.values))) or 'nothing'}")
        return self.values[name]

    def images(self, count: int, shape: tuple[int, int, int]) -> Images:
        """Return the pictures, uint8 `[count, *shape]`."""
        data = self.get("data")
        expected = (count, int(np.prod(shape)))
        if not isinstance(data, np.ndarray):
            raise self.wrong("data", "is no array")
        if data.dtype != np.uint8 or data.shape != expected:
            raise self.wrong("data", f"is {data.dtype} {list(data.shape)}, expected uint8 {list(expected)}")
        return data.reshape(count, *shape)

    def labels(self, name: str, count: int, num_classes: int) -> Labels:
        """Return labels, int64 `[count]`, each from 0 up to `num_classes`."""
        values = self.get(name)
        if isinstance(values, np.ndarray):
            if values.ndim != 1 or values.dtype.kind not in "iu":
                raise self.wrong(name, f"is {values.dtype} {list(values.shape)}, expected a list of labels")
            values = values.tolist()
        if not isinstance(values, list) or not all(type(value) is int for value in values):
            raise self.wrong(name, "is no list of whole numbers")
        if len(values) != count:
            raise self.wrong(name, f"has {len(values):,} labels for {count:,} pictures")
        if not 0 <= min(values) <= max(values) < num_classes:
            raise self.wrong(name, f"runs from {min(values)} to {max(values)}, expected 0 to {num_classes - 1}")
        return np.array(values, dtype=np.int64)

    def names(self, count: int) -> list[str] | None:
        """Return the pictures' names, or None where the file does not tell them."""
        if "filenames" not in self.values:
            return None
        names = self.words("filenames")
        if len(names) != count:
            raise self.wrong("filenames", f"has {len(names):,} names for {count:,} pictures")
        return names

    def words(self, name: str) -> list[str]:
        """Return a list of strings."""
        values = self.get(name)
        if not isinstance(values, list) or not all(type(value) in (str, bytes) for value in values):
            raise self.wrong(name, "is no list of strings")
        words = [str(value, "utf-8", "replace") if isinstance(value, bytes) else value for value in values]
        if "".join(words).isprintable():
            return words
        return [word if word.isprintable() else ascii(word)[1:-1] for word in words]


def _check_names(fields: _Fields, name: str, expected: tuple[str, ...]) -> None:
    found = fields.words(name)
    if tuple(found) != expected:
        pairs = zip([*found, *[None] * len(expected)], expected, strict=False)
        wrong = next(((one, other) for one, other in pairs if one != other), (len(found), len(expected)))
        raise fields.wrong(name, f"has {wrong[0]!r} in place of {wrong[1]!r}")


def _check_groups(where: str, fine: Labels, coarse: Labels, entry: Entry, groups: tuple[str, ...]) -> None:
    group_of = np.array([groups.index(group) for group in entry.superclasses or ()])
    wrong = np.flatnonzero(group_of[fine] != coarse)
    if len(wrong):
        first = wrong[0]
        raise InputError(
            f"{where} is not as published: picture {first} is {entry.classes[fine[first]]!r} "
            f"of the group {groups[coarse[first]]!r}"
        )
