"""Data sets that a table names: pictures, their classes and, if it says so, their splits. Knows nothing of models."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final
from unicodedata import normalize

from retinula.datasets.folder import TEST_FRACTION, read_arranged, recorded, write_record
from retinula.datasets.layout import SPLIT_NAMES, Layout, labelled, natural_order
from retinula.datasets.listing import Files, find_in_folder
from retinula.datasets.options import Options
from retinula.datasets.reading import Reading, Skipped, SplitName
from retinula.datasets.rows import header_of, label_columns, read_rows
from retinula.errors import InputError, nearest
from retinula.names import composed, printable
from retinula.pairing import parts_of
from retinula.pictures import is_picture_name

ENDINGS: Final = (".csv", ".tsv")

_SPLIT_COLUMNS: Final = ("split", "set", "subset", "part")
_MISSING: Final = "there is no such file"
_FEWEST_PIXELS: Final = 32  # numbers in a row that names no picture: the table is one of pixels


def read(path: Path, options: Options, record: Path | None = None) -> Reading:
    """Read the pictures that a table names: columns `file`, `label` and, if there is one, `split`.

    Paths begin at the table's folder and stay in it. Where there is no such file, the one picture below that folder is
    meant whose path ends so, with or without its suffix; if there is none or several, it is named and left out.
    Without a split, or where nothing is for testing, a share of each class is set apart as for class folders.

    Args:
        path: the table.
        options: how the pictures are wanted.
        record: a file that remembers which pictures those are.

    Raises:
        InputError: it is no such table, names a picture twice, an unknown split or fewer than two classes.
    """
    files, layout = arranged(path, options.seed, record)
    write_record(record, layout)
    return read_arranged(path, files, layout, options)


def arranged(path: Path, seed: int, record: Path | None) -> tuple[Files, Layout]:
    """Return the pictures that a table names, and what they are for as `read` would say; nothing is written."""
    files, found = _listed(path)
    if not files.names:
        reason = f"; {files.skipped[0].source}: {files.skipped[0].reason}" if files.skipped else ""
        raise InputError(f"{path} names no pictures that are there{reason}")
    return files, labelled(found, str(path), TEST_FRACTION, seed, [], recorded(record))


def listing_digest(path: Path) -> str:
    """Return 16 hexadecimal digits that change when the table does, or a picture that it names."""
    files, found = _listed(path)
    words = [f"{one.reason} {one.source}" for one in files.skipped]
    for split, pictures in found.items():
        for name, (label, _) in pictures.items():
            try:
                state = files.paths[name].stat()
            except OSError:
                continue  # it went while we looked: as if it had gone before
            words.append(f"{state.st_size} {state.st_mtime_ns} {split} {label} {name}")
    return hashlib.sha256("\n".join(words).encode(errors="surrogateescape")).hexdigest()[:16]


def _listed(path: Path) -> tuple[Files, dict[SplitName, dict[str, tuple[str, str]]]]:
    """Return the pictures that are there, and for each split their names with class and path."""
    table = read_rows(path)
    if _is_of_pixels(table[-1]):
        raise InputError(
            f"{path} has the values of pixels, not the names of pictures; write them as arrays: "
            'np.savez_compressed("mine.npz", images=..., labels=...)'
        )
    file_column, label_column, has_header = label_columns(table)
    header = header_of(table)
    split_column = next((header.index(name) for name in _SPLIT_COLUMNS if has_header and name in header), None)
    root = path.resolve().parent
    pictures = _Pictures(root)
    found: dict[SplitName, dict[str, tuple[str, str]]] = {}
    paths: dict[str, Path] = {}
    skipped: list[Skipped] = []
    rows: dict[Path, int] = {}
    for number, row in enumerate(table[has_header:], start=1 + has_header):
        if len(row) <= max(file_column, label_column):
            raise InputError(f"{path}: row {number} has {len(row)} columns, too few for file and label")
        name, label = printable(row[file_column].strip()), printable(row[label_column].strip())
        if not label:
            skipped.append(Skipped(name, "the table gives it no label"))
            continue
        split = _split(path, number, row[split_column] if split_column is not None and split_column < len(row) else "")
        place, reason = _place(root, row[file_column].strip())
        if reason == _MISSING:
            place, reason = pictures.meant_by(row[file_column].strip())
            name = name if reason else printable(place.relative_to(root).as_posix())
        if reason:
            skipped.append(Skipped(name, reason))
            continue
        first = rows.setdefault(place, number)
        if first != number:
            raise InputError(f"{path}: row {number} names {name} for the second time, after row {first}")
        paths[name] = place
        found.setdefault(split, {})[name] = (label, name)

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        return ((name, paths[name]) for name in wanted)

    return Files(sorted(paths, key=natural_order), contents, skipped, paths), found


@dataclass(frozen=True)
class _Pictures:
    """The pictures below a table's folder, by how their paths end; looked for when one is first asked for.

    Tables often have no suffixes, or not the folder that all pictures lie in, and on Windows case says nothing.
    """

    root: Path

    @cached_property
    def _by_ending(self) -> Mapping[tuple[str, ...], list[tuple[tuple[str, ...], bool, Path]]]:
        """By every ending of a path, in small letters: its parts as written, whether its suffix is there, the file."""
        found: dict[tuple[str, ...], list[tuple[tuple[str, ...], bool, Path]]] = {}
        for name, place in find_in_folder(self.root).paths.items():
            *above, last = _composed_parts(name)
            for written in dict.fromkeys((last, PurePosixPath(last).stem)):
                parts = (*above, written)
                folded = _folded(parts)
                for first in range(len(parts)):
                    found.setdefault(folded[first:], []).append((parts, written == last, place))
        return found

    def meant_by(self, name: str) -> tuple[Path, str]:
        """Return the picture whose path ends so, and why there is none or nothing.

        A whole path comes first, then one with its suffix, then one in the very case.
        """
        asked = _composed_parts(name)
        by_nearness: dict[tuple[bool, bool, bool], dict[Path, None]] = {}
        for parts, suffixed, place in self._by_ending.get(_folded(asked), ()):
            if place.is_file():
                nearness = (len(parts) == len(asked), suffixed, parts[-len(asked) :] == asked)
                by_nearness.setdefault(nearness, {})[place] = None
        if not by_nearness:
            return self.root / name, _MISSING
        nearest_ones = list(by_nearness[max(by_nearness)])
        if len(nearest_ones) == 1:
            return nearest_ones[0], ""
        one, other = (printable(place.relative_to(self.root).as_posix()) for place in nearest_ones[:2])
        return nearest_ones[0], f"it could be {one} or {other}; write its whole path"


def _is_of_pixels(row: list[str]) -> bool:
    """Tell a row of pixels, in columns of their own or all in one, from one that names a picture."""
    numbers = sum(_is_number(word) for cell in row for word in cell.split())
    return numbers > _FEWEST_PIXELS and not any(map(is_picture_name, row))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _composed_parts(name: str) -> tuple[str, ...]:
    return tuple(map(composed, parts_of(name)))


def _folded(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts)


def _split(path: Path, number: int, word: str) -> SplitName:
    if not word.strip():
        return "train"
    known: Mapping[str, SplitName] = SPLIT_NAMES
    split = known.get(word.strip().lower())
    if split is None:
        raise InputError(f"{path}: row {number} has the unknown split {word.strip()!r}{nearest(word, known)}")
    return split


def _spelled(root: Path, name: str) -> Path:
    """Return a path below a folder as it is spelled there.

    macOS stores an accent apart from its letter, others store both as one.
    """
    place = root
    for part in PurePosixPath(name).parts:
        spellings = [place / each for each in (part, *(normalize(form, part) for form in ("NFC", "NFD")))]
        place = next((spelling for spelling in spellings if spelling.exists()), spellings[0])
    return place


def _place(root: Path, name: str) -> tuple[Path, str]:
    """Return where a picture lies in the end, however its path is written, and why it cannot be used or nothing."""
    place = root / name
    try:
        if not place.exists():
            # Written on Windows.
            place = _spelled(root, name.replace("\\", "/"))
        target = place.resolve()
        if not target.is_relative_to(root) or not name:
            return target, "the path leads out of the table's folder"
        return target, "" if target.is_file() else _MISSING
    except (OSError, RuntimeError, ValueError):
        return place, _MISSING
