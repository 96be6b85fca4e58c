"""Data sets that are published as class folders of pictures, packed or not: Caltech-101 and -256, Linnaeus 5, CORe50.

Each has its own way to tell split and class from the path of a picture.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from retinula.datasets import folder
from retinula.datasets.archives import MIB, Member, members
from retinula.datasets.entries.photos import CALTECH101_CLUTTER, CALTECH256_CLUTTER, CORE50
from retinula.datasets.entry import Entry
from retinula.datasets.layout import Layout, natural_order, with_test_share
from retinula.datasets.listing import Files
from retinula.datasets.options import Options
from retinula.datasets.reading import SPLITS, Chunk, Reading, Skipped, SplitName, apart
from retinula.datasets.split_record import TEST_FRACTION
from retinula.errors import InputError
from retinula.files.durable import explained

_CLUTTER: Final = (CALTECH101_CLUTTER, CALTECH256_CLUTTER)
_CORE50_TEST: Final = ("s3", "s7", "s10")  # the sessions that the authors keep for testing

# From the folders above a picture, the nearest last, to its split and class; None for what is no part of the set.
Places = Callable[[Sequence[str]], tuple[SplitName, str] | None]


def read(source: Path, entry: Entry, options: Options) -> Reading:
    """Read a data set of class folders, its pictures brought to the size wanted.

    A copy that holds only a part of the pictures is read, and the number of those it lacks is named in `skipped`.

    Args:
        source: the archive, or the folder that it unpacks to.
        entry: of the catalog; says what has to be in it.
        options: how the pictures are wanted.

    Raises:
        InputError: a class that the set does not have; while streaming: no readable picture.
    """
    with _unwrapped(source) as path:
        files = folder.find(path, options.progress)
    layout = _arrange(source, entry, files.names, options.seed)
    superclasses = _groups(entry, layout.classes)
    if options.labels == "coarse" and superclasses is not None:
        layout, superclasses = _coarse(layout, superclasses), None
    skipped = missing(source, entry, layout)
    joint = partial(_stream, _Tree(source, files, layout, entry, options, skipped))
    return Reading(
        classes=layout.classes,
        splits=apart(joint, layout.splits),
        superclasses=superclasses,
        skipped=skipped,
        joint=joint,
    )


def missing(source: Path, entry: Entry, layout: Layout) -> list[Skipped]:
    """Say in words how many of the published pictures a copy holds, if it is not all of them."""
    published, found = sum(entry.counts.values()), sum(map(len, layout.splits.values()))
    if found == published:
        return []
    classes = f" of {len(layout.classes)} of the {entry.num_classes} classes"
    part = classes if len(layout.classes) < entry.num_classes else ""
    return [Skipped(source.name, f"it holds {found:,} pictures{part}; published are {published:,}")]


@dataclass(frozen=True)
class _Tree:
    source: Path
    files: Files
    layout: Layout
    entry: Entry
    options: Options
    skipped: list[Skipped]


def _stream(tree: _Tree) -> Iterator[tuple[SplitName, Chunk]]:
    with _unwrapped(tree.source) as path:
        reading = folder.read_arranged(
            path,
            tree.files if path == tree.source else folder.find(path),
            tree.layout,
            tree.options.or_as(tree.entry.size, tree.entry.channels),
        )
        yield from reading.chunks()
        tree.skipped.extend(reading.skipped)


@contextmanager
def _unwrapped(source: Path) -> Iterator[Path]:
    """Give the archive that lies in the one given, as Caltech publishes its own, or the one given."""
    if source.suffix.lower() != ".zip":
        yield source
        return
    for member in members(source):
        if PurePosixPath(member.name).name == "101_ObjectCategories.tar.gz":
            with tempfile.TemporaryDirectory(prefix="retinula-") as place:
                path = Path(place, "101_ObjectCategories.tar.gz")
                copy_member(member, path)
                yield path
            return
    yield source


def copy_member(member: Member, path: Path) -> None:
    """Write a member to a file; what the disk refuses is no fault of the archive."""
    with explained(path):
        copy = path.open("wb")
    with copy, member.open() as packed:
        while piece := packed.read(MIB):
            with explained(path):
                copy.write(piece)
                copy.flush()


def _arrange(source: Path, entry: Entry, names: Sequence[str], seed: int) -> Layout:
    place = _PLACES[entry.family]
    found: dict[SplitName, dict[str, tuple[str, str]]] = {}
    for name in sorted(names, key=natural_order):
        parts = PurePosixPath(name).parts
        placed = place(parts[:-1])
        if placed is None:
            continue
        split, class_name = placed
        if class_name in _CLUTTER and class_name not in entry.classes:
            continue
        if class_name not in entry.classes:
            raise InputError(f"{source} is not {entry.name}: {name} is of a class that it does not have")
        found.setdefault(split, {})[name] = (class_name, parts[-1])
    if not found:
        raise InputError(f"{source} is not {entry.name}: it has no pictures where that has them")
    if entry.carved:
        found = {**with_test_share(found["train"], TEST_FRACTION, seed)}
    present = {class_name for pictures in found.values() for class_name, _ in pictures.values()}
    classes = tuple(name for name in entry.classes if name in present)
    numbers = {name: number for number, name in enumerate(classes)}
    splits: dict[SplitName, dict[str, int]] = {
        split: {name: numbers[class_name] for name, (class_name, _) in found[split].items()}
        for split in SPLITS
        if split in found
    }
    return Layout(classes, splits, [], entry.carved)


def _groups(entry: Entry, classes: Sequence[str]) -> tuple[str, ...] | None:
    if entry.superclasses is None:
        return None
    group_of = dict(zip(entry.classes, entry.superclasses, strict=True))
    return tuple(group_of[name] for name in classes)


def _coarse(layout: Layout, groups: Sequence[str]) -> Layout:
    names = tuple(dict.fromkeys(groups))
    numbers = [names.index(group) for group in groups]
    splits = {split: {name: numbers[label] for name, label in layout.splits[split].items()} for split in layout.splits}
    return Layout(names, splits, layout.strays, layout.carved)


def _caltech101(parts: Sequence[str]) -> tuple[SplitName, str] | None:
    return ("train", parts[-1]) if parts else None


def _caltech256(parts: Sequence[str]) -> tuple[SplitName, str] | None:
    found = re.fullmatch(r"\d{3}\.(.+)", parts[-1]) if parts else None
    return None if found is None else ("train", found[1])


def _linnaeus5(parts: Sequence[str]) -> tuple[SplitName, str] | None:
    splits: Mapping[str, SplitName] = {"train": "train", "test": "test"}
    return (splits[parts[-2]], parts[-1]) if len(parts) > 1 and parts[-2] in splits else None


def _core50(parts: Sequence[str]) -> tuple[SplitName, str] | None:
    found = re.fullmatch(r"s\d{1,2}/o(\d{1,2})", "/".join(parts[-2:]))
    if found is None or not 1 <= int(found[1]) <= len(CORE50.classes):
        return None
    return "test" if parts[-2] in _CORE50_TEST else "train", CORE50.classes[int(found[1]) - 1]


_PLACES: Final[Mapping[str, Places]] = {
    "caltech101": _caltech101,
    "caltech256": _caltech256,
    "linnaeus5": _linnaeus5,
    "core50": _core50,
}
