"""Several folders, archives, tables or `.npz` files as one data set: classes of the same name become one."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from retinula.datasets.converting import converted
from retinula.datasets.folder import LARGEST_KEPT, read_arranged, shared_size
from retinula.datasets.layout import Layout, natural_order
from retinula.datasets.listing import Files
from retinula.datasets.options import Options
from retinula.datasets.own import Own
from retinula.datasets.reading import NONE_LEFT, SPLITS, Chunk, Reading, Skipped, SplitName, apart
from retinula.datasets.recognition import remembered
from retinula.errors import InputError
from retinula.images import Labels
from retinula.text.names import composed


def read(parts: Sequence[Own], options: Options) -> Reading:
    """Read several sets as one; each is split as it would be alone.

    Without a size, pictures keep the one that all share, if no other than arrays have it or it is up to 64 x 64, and
    become 64 x 64 otherwise; without channels, they are in colour, or as the arrays are if there is nothing else.

    Args:
        parts: what was found at their places.
        options: how the pictures are wanted.

    Raises:
        InputError: one of them is not as it must be alone, or a table names a picture that another has as well.
    """
    names = _different([part.path.name for part in parts])
    arrays = [(name, part.read()) for name, part in zip(names, parts, strict=True) if part.kind == "arrays"]
    others = [(name, part) for name, part in zip(names, parts, strict=True) if part.kind != "arrays"]
    if not others:
        return _in_turn(arrays, _shared_form([], arrays, options))
    arranged = [part.arranged() for _, part in others]
    _check_once([part for _, part in others], [files for files, _ in arranged])
    records = [part.record for _, part in others]
    layouts = [layout for _, layout in arranged]
    named = [name for name, _ in others]
    known = [remembered(files, record) for (files, _), record in zip(arranged, records, strict=True)]
    layout = _united(named, layouts)
    files = _joined(named, known, {*layout.classes, *(one for _, reading in arrays for one in reading.classes)})
    if arrays and options.size is None:
        options = _shared_form([shared_size(files, layout)], arrays, options)
    pictures = read_arranged(others[0][1].path, files, layout, options, list(zip(records, layouts, strict=True)))
    if not arrays:
        return pictures
    return _in_turn([("", pictures), *arrays], replace(options, channels=options.channels or 3))


def _shared_form(sizes: Sequence[tuple[int, int]], arrays: Sequence[tuple[str, Reading]], options: Options) -> Options:
    """Return how pictures are wanted that the options leave a choice: as all have them, if they do."""
    shapes = set()
    for name, reading in arrays:
        first = next(reading.chunks(), None)
        if first is None:
            raise InputError(f"{name} has no pictures that can be used")
        shapes.add(first[1].images.shape[1:])
    found = {*sizes, *((height, width) for _, height, width in shapes)}
    channels = {number for number, _, _ in shapes}
    size = found.pop() if len(found) == 1 else (LARGEST_KEPT, LARGEST_KEPT)
    alike = channels.pop() if len(channels) == 1 and not sizes else 3
    return replace(options, size=options.size or size, channels=options.channels or alike)


def _check_once(parts: Sequence[Own], found: Sequence[Files]) -> None:
    """Refuse pictures that a table names and that another part has as well: they might be to train and to test on."""
    if not any(part.kind == "table" for part in parts):
        return
    first: dict[Path, Path] = {}
    for part, files in zip(parts, found, strict=True):
        for place in map(files.paths.__getitem__, files.names if files.paths else ()):
            other = first.setdefault(place, part.path)
            if other != part.path:
                raise InputError(f"{place} is in {other} and in {part.path} as well; name each picture once")


def _in_turn(parts: Sequence[tuple[str, Reading]], options: Options) -> Reading:
    """Return the pictures of several readings, one after the other, those of arrays called by their places."""
    classes = tuple(sorted({name for _, reading in parts for name in reading.classes}, key=natural_order))

    def joint() -> Iterator[tuple[SplitName, Chunk]]:
        for name, reading in parts:
            numbers = np.array([classes.index(one) for one in reading.classes], dtype=np.int64)
            places = dict.fromkeys(SPLITS, 0)
            for split, chunk in converted(reading, options).chunks():
                first = places[split]
                places[split] += len(chunk.labels)
                called = [f"{name}/{split}/{place}" for place in range(first, places[split])]
                labels: Labels = numbers[chunk.labels]
                yield split, Chunk(chunk.images, labels, chunk.sources or called)

    splits = [split for split in SPLITS if any(split in reading.splits for _, reading in parts)]
    skipped = parts[0][1].skipped  # arrays have none, and it grows while the others are read
    return Reading(classes, apart(joint, splits), skipped=skipped, joint=joint)


def _different(names: Sequence[str]) -> list[str]:
    """Return names with their number where two are the same, all of which differ."""
    taken = set(names)
    different = []
    for number, name in enumerate(names, start=1):
        unique = name
        while names.count(name) > 1 and unique in taken:
            unique, number = f"{name} {number}", number + 1  # counted on from its place
        taken.add(unique)
        different.append(unique)
    return different


def _joined(names: Sequence[str], parts: Sequence[Files], classes: Collection[str]) -> Files:
    """Return the pictures of all parts, and of the classes that have lost theirs those that no part has."""

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        for name, files in zip(names, parts, strict=True):
            inside = {one.removeprefix(f"{name}/") for one in wanted if one.startswith(f"{name}/")}
            for one, content in files.open(inside):
                yield f"{name}/{one}", content

    skipped = [
        one if one.reason == NONE_LEFT else Skipped(f"{name}/{one.source}", one.reason)
        for name, files in zip(names, parts, strict=True)
        for one in files.skipped
        if one.reason != NONE_LEFT or composed(one.source) not in classes
    ]
    return Files(
        [f"{name}/{one}" for name, files in zip(names, parts, strict=True) for one in files.names],
        contents,
        list(dict.fromkeys(skipped)),  # a class may be lost in several
    )


def _united(names: Sequence[str], parts: Sequence[Layout]) -> Layout:
    classes = tuple(sorted({name for layout in parts for name in layout.classes}, key=natural_order))
    splits = {
        split: {
            f"{name}/{picture}": classes.index(layout.classes[label])
            for name, layout in zip(names, parts, strict=True)
            for picture, label in layout.splits.get(split, {}).items()
        }
        for split in SPLITS
    }
    strays = [
        Skipped(f"{name}/{one}", why) for name, part in zip(names, parts, strict=True) for one, why in part.strays
    ]
    return Layout(classes, {split: found for split, found in splits.items() if found}, strays)
