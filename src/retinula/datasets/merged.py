"""Several folders or archives of pictures as one data set: classes of the same name become one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from retinula.datasets.folder import arranged, find, read_arranged
from retinula.datasets.layout import Layout, natural_order
from retinula.datasets.listing import Files
from retinula.datasets.options import Options
from retinula.datasets.reading import SPLITS, Reading, Skipped
from retinula.errors import InputError


def read(
    paths: Sequence[Path], options: Options, records: Sequence[Path], listed: Mapping[Path, Files] | None = None
) -> Reading:
    """Read several sets of class folders as one; each is split as it would be alone.

    Args:
        paths: folders or archives.
        options: how the pictures are wanted.
        records: for each set a file that remembers which pictures those are.
        listed: what `folder.find` has found in some of them, if it has.

    Raises:
        InputError: one of them is no set of class folders, or is named twice.
    """
    if len(set(paths)) != len(paths):
        raise InputError(f"name each folder once: {', '.join(map(str, paths))}")
    parts = []
    for path, record in zip(paths, records, strict=True):
        files = (listed or {}).get(path) or find(path, options.progress)
        parts.append((files, arranged(path, files, options.seed, record)))
    names = _different([path.name for path in paths])
    files = _joined(names, [files for files, _ in parts])
    layouts = [layout for _, layout in parts]
    return read_arranged(paths[0], files, _united(names, layouts), options, list(zip(records, layouts, strict=True)))


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


def _joined(names: Sequence[str], parts: Sequence[Files]) -> Files:
    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        for name, files in zip(names, parts, strict=True):
            inside = {one.removeprefix(f"{name}/") for one in wanted if one.startswith(f"{name}/")}
            for one, content in files.open(inside):
                yield f"{name}/{one}", content

    return Files(
        [f"{name}/{one}" for name, files in zip(names, parts, strict=True) for one in files.names],
        contents,
        [Skipped(f"{name}/{one}", why) for name, files in zip(names, parts, strict=True) for one, why in files.skipped],
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
