"""Tables that name pictures and their classes, as CSV: for training, and to compare predictions with.

Separated by commas, semicolons or tabs, in UTF-8. Knows nothing of models.
"""

import csv
import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from retinula.datasets.folder import Files, printable, read_arranged, recorded, write_record
from retinula.datasets.layout import SPLIT_NAMES, labelled, natural_order
from retinula.datasets.options import Options
from retinula.datasets.reading import Reading, Skipped, SplitName
from retinula.errors import InputError, nearest
from retinula.pictures import is_picture_name

ENDINGS: Final = (".csv", ".tsv")

_FILE_COLUMNS: Final = ("file", "src", "filename", "path", "picture", "image")
_LABEL_COLUMNS: Final = ("label", "correct", "class")
_SPLIT_COLUMNS: Final = ("split", "set", "subset", "part")
_MAX_BYTES: Final = 64 * 1024 * 1024


def read(path: Path, options: Options, test_fraction: float, record: Path | None = None) -> Reading:
    """Read the pictures that a table names: columns `file`, `label` and, if there is one, `split`.

    Paths begin at the table's folder and stay in it. A picture that is not there is named and left out. Without a
    split, or where nothing is for testing, a share of each class is set apart as for class folders.

    Args:
        path: the table.
        options: how the pictures are wanted.
        test_fraction: the share of each class that is for testing where the table does not say.
        record: a file that remembers which pictures those are.

    Raises:
        InputError: it is no such table, names a picture twice, an unknown split or fewer than two classes.
    """
    files, found = _listed(path)
    if not files.names:
        reason = f"; {files.skipped[0].source}: {files.skipped[0].reason}" if files.skipped else ""
        raise InputError(f"{path} names no pictures that are there{reason}")
    layout = labelled(found, str(path), test_fraction, options.seed, [], recorded(record))
    write_record(record, layout)
    size, channels = options.size, options.channels or 3
    return read_arranged(
        path, files, layout, size=size, channels=channels, resize=options.resize, resample=options.resample
    )


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


def rows(path: Path) -> list[list[str]]:
    """Return the rows of a table that are not empty, the header among them, if there is one.

    Raises:
        InputError: it cannot be read, is no table, or has fewer than two columns.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a table of labels")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the table {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a table in UTF-8; save it as CSV (UTF-8)") from error
    first = text.lstrip().partition("\n")[0]
    separator = max((",", ";", "\t"), key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{path} is not a table of comma-separated values ({error})") from error
    found = [row for row in found if any(cell.strip() for cell in row)]
    if not found or len(found[0]) < 2:
        raise InputError(f"{path} needs at least two columns, file and label")
    return found


def columns(table: list[list[str]]) -> tuple[int, int, bool]:
    """Return where file and label stand, and whether the first row is a header."""
    header = _header(table)
    file_column = next((header.index(name) for name in _FILE_COLUMNS if name in header), None)
    label_column = next((header.index(name) for name in _LABEL_COLUMNS if name in header), None)
    if file_column is None and label_column is None:
        return 0, 1, not is_picture_name(table[0][0].strip())
    # Where one is called by its name, the other is the first of the rest.
    if file_column is None:
        file_column = 1 if label_column == 0 else 0
    if label_column is None:
        label_column = 1 if file_column == 0 else 0
    return file_column, label_column, True


def _header(table: list[list[str]]) -> list[str]:
    return [cell.strip().lower() for cell in table[0]]


def _listed(path: Path) -> tuple[Files, dict[SplitName, dict[str, tuple[str, str]]]]:
    """Return the pictures that are there, and for each split their names with class and path."""
    table = rows(path)
    file_column, label_column, has_header = columns(table)
    header = _header(table)
    split_column = next((header.index(name) for name in _SPLIT_COLUMNS if has_header and name in header), None)
    root = path.resolve().parent
    found: dict[SplitName, dict[str, tuple[str, str]]] = {}
    paths: dict[str, Path] = {}
    skipped: list[Skipped] = []
    seen: set[str] = set()
    for number, row in enumerate(table[has_header:], start=1 + has_header):
        if len(row) <= max(file_column, label_column):
            raise InputError(f"{path}: row {number} has {len(row)} columns, too few for file and label")
        name, label = printable(row[file_column].strip()), row[label_column].strip()
        if not label:
            skipped.append(Skipped(name, "the table gives it no label"))
            continue
        if name in seen:
            raise InputError(f"{path}: row {number} names {name} for the second time")
        seen.add(name)
        split = _split(path, number, row[split_column] if split_column is not None and split_column < len(row) else "")
        place, reason = _place(root, row[file_column].strip())
        if reason:
            skipped.append(Skipped(name, reason))
            continue
        paths[name] = place
        found.setdefault(split, {})[name] = (label, name)

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        return ((name, paths[name]) for name in wanted)

    return Files(sorted(paths, key=natural_order), contents, skipped, paths), found


def _split(path: Path, number: int, word: str) -> SplitName:
    if not word.strip():
        return "train"
    known: Mapping[str, SplitName] = SPLIT_NAMES
    split = known.get(word.strip().lower())
    if split is None:
        raise InputError(f"{path}: row {number} has the unknown split {word.strip()!r}{nearest(word, known)}")
    return split


def _place(root: Path, name: str) -> tuple[Path, str]:
    """Return where a picture lies, and why it cannot be used or nothing."""
    place = root / name
    try:
        if "\\" in name and not place.exists():
            place = root / name.replace("\\", "/")  # written on Windows
        target = place.resolve()
        if not target.is_relative_to(root) or not name:
            return place, "the path leads out of the table's folder"
        if not target.is_file():
            return place, "there is no such file"
    except (OSError, RuntimeError, ValueError):
        return place, "there is no such file"
    return place, ""
