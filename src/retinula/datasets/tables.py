"""Data sets that a table names: pictures, their classes and, if it says so, their splits. Knows nothing of models."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from unicodedata import normalize

from retinula.datasets.folder import TEST_FRACTION, read_arranged, recorded, write_record
from retinula.datasets.layout import SPLIT_NAMES, Layout, labelled, natural_order
from retinula.datasets.listing import EACH_TOLD, Files, find_in_folder
from retinula.datasets.options import Options
from retinula.datasets.reading import Progress, Reading, Skipped, SplitName, silent
from retinula.datasets.rows import header_of, label_columns, read_rows
from retinula.errors import InputError, nearest
from retinula.names import printable
from retinula.pairing import meant, parts_of
from retinula.pictures import is_picture_name

ENDINGS: Final = (".csv", ".tsv")

_SPLIT_COLUMNS: Final = ("split", "set", "subset", "part")
_MISSING: Final = "there is no such file"
_FEWEST_PIXELS: Final = 32  # numbers in a row that names no picture: the table is one of pixels


class Listed(NamedTuple):
    """The pictures that a table names and that are there, and for each split their names with class and path."""

    files: Files
    found: dict[SplitName, dict[str, tuple[str, str]]]


class _Row(NamedTuple):
    number: int
    written: str
    label: str
    split: SplitName
    place: Path
    reason: str


def read(path: Path, options: Options, record: Path | None = None, listed: Listed | None = None) -> Reading:
    """Read the pictures that a table names: columns `file`, `label` and, if there is one, `split`.

    Paths begin at the table's folder and stay in it. Where there is no such file, the one picture below that folder is
    meant whose path ends so, in any case, with or without its suffix; if there is none or several, it is named and left
    out. Without a split, or where nothing is for testing, a share of each class is set apart as for class folders.

    Args:
        path: the table.
        options: how the pictures are wanted.
        record: a file that remembers which pictures those are.
        listed: what `find` has found, if it has.

    Raises:
        InputError: it is no such table, names a picture twice, an unknown split or fewer than two classes.
    """
    files, layout = arranged(path, listed or find(path, options.progress), options.seed, record)
    if layout.carved:
        write_record(record, layout.splits)
    return read_arranged(path, files, layout, options)


def arranged(path: Path, listed: Listed, seed: int, record: Path | None) -> tuple[Files, Layout]:
    """Return the pictures that a table names, and what they are for as `read` would say; nothing is written."""
    files, found = listed
    if not files.names:
        reason = f"; {files.skipped[0].source}: {files.skipped[0].reason}" if files.skipped else ""
        raise InputError(f"{path} names no pictures that are there{reason}")
    return files, labelled(found, str(path), TEST_FRACTION, seed, [], recorded(record))


def listing_digest(listed: Listed) -> str:
    """Return 16 hexadecimal digits that change when a table does, or a picture that it names."""
    words = [f"{one.reason} {one.source}" for one in listed.files.skipped]
    for split, pictures in listed.found.items():
        for name, (label, _) in pictures.items():
            try:
                state = listed.files.paths[name].stat()
            except OSError:
                continue  # it went while we looked: as if it had gone before
            words.append(f"{state.st_size} {state.st_mtime_ns} {split} {label} {name}")
    return hashlib.sha256("\n".join(words).encode(errors="surrogateescape")).hexdigest()[:16]


def find(path: Path, progress: Progress | None = None) -> Listed:
    """Find the pictures that a table names.

    Args:
        path: the table.
        progress: told how many rows were read, and where all pictures below its folder have to be looked through,
            how many of them were found.

    Raises:
        InputError: it is no such table, names a picture twice, or an unknown split.
    """
    root = path.resolve().parent
    rows = list(_rows(path, root, progress or silent))
    elsewhere = _elsewhere(root, [row.written for row in rows if row.reason == _MISSING], progress)
    found: dict[SplitName, dict[str, tuple[str, str]]] = {}
    paths: dict[str, Path] = {}
    skipped: list[Skipped] = []
    number_of: dict[Path, int] = {}
    for number, written, label, split, place, reason in rows:
        name = printable(written)
        if reason == _MISSING:
            place, reason = elsewhere.get(parts_of(written), (place, reason))
            name = name if reason else printable(place.relative_to(root).as_posix())
        if reason:
            skipped.append(Skipped(name, reason))
            continue
        first = number_of.setdefault(place, number)
        if first != number:
            raise InputError(f"{path}: row {number} names {name} for the second time, after row {first}")
        paths[name] = place
        found.setdefault(split, {})[name] = (label, name)

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        return ((name, paths[name]) for name in wanted)

    return Listed(Files(sorted(paths, key=natural_order), contents, skipped, paths), found)


def _rows(path: Path, root: Path, told: Progress) -> Iterator[_Row]:
    """Give the rows of a table, each with where the file lies that it names, or why that is none."""
    table = read_rows(path)
    if _is_of_pixels(table[-1]):
        raise InputError(
            f"{path} has the values of pixels, not the names of pictures; write them as arrays: "
            'np.savez_compressed("mine.npz", images=..., labels=...)'
        )
    file_column, label_column, has_header = label_columns(table)
    header = header_of(table)
    split_column = next((header.index(name) for name in _SPLIT_COLUMNS if has_header and name in header), None)
    for number, row in enumerate(table[has_header:], start=1 + has_header):
        if number % EACH_TOLD == 0:
            told(f"looking for the pictures of {path.name}", number, len(table))
        if len(row) <= max(file_column, label_column):
            raise InputError(f"{path}: row {number} has {len(row)} columns, too few for file and label")
        written, label = row[file_column].strip(), printable(row[label_column].strip())
        word = row[split_column] if split_column is not None and split_column < len(row) else ""
        if label:
            yield _Row(number, written, label, _split(path, number, word), *_place(root, written))
        else:
            yield _Row(number, written, label, "train", root, "the table gives it no label")


def _elsewhere(
    root: Path, written: Sequence[str], progress: Progress | None
) -> dict[tuple[str, ...], tuple[Path, str]]:
    """Return by the parts of names, none of which is a path to a picture, which picture is meant, or why none is.

    Tables often have no suffixes, or not the folder that all pictures lie in, and on Windows case says nothing.
    """
    if not written:
        return {}
    paths = find_in_folder(root, progress).paths
    found: dict[tuple[str, ...], tuple[Path, str]] = {}
    # A pipe may be called like a picture, and a link to a picture means the same one.
    for parts, names in meant(paths, written, lambda name: paths[name].is_file()).items():
        places = list(dict.fromkeys(paths[name] for name in names))
        reason = ""
        if len(places) > 1:
            one, other = (printable(place.relative_to(root).as_posix()) for place in places[:2])
            reason = f"it could be {one} or {other}; write its whole path"
        found[parts] = places[0], reason
    return found


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
