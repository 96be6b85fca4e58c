"""Data sets that a table names: pictures, their classes and, if it says so, their splits. Knows nothing of models."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from unicodedata import normalize

from retinula.datasets.folder import read_arranged
from retinula.datasets.layout import SPLIT_NAMES, Layout, check_splits, labelled, natural_order
from retinula.datasets.listing import EACH_TOLD, Files, find_in_folder
from retinula.datasets.options import Options
from retinula.datasets.reading import Progress, Reading, Skipped, SplitName, silent
from retinula.datasets.rows import Columns, label_columns, read_rows
from retinula.datasets.split_record import TEST_FRACTION, read_record
from retinula.errors import InputError, nearest
from retinula.pictures.formats import is_picture_name
from retinula.text.names import printable
from retinula.text.pairing import meant, parts_of

# What columns of these names say beside, or instead of, the names of splits.
_SPLITS_OF: Final[Mapping[str, Mapping[str, SplitName]]] = {
    "partition": {**SPLIT_NAMES, "0": "train", "1": "validation", "2": "test"},
    "is_valid": {
        **dict.fromkeys(("0", "false", "no"), "train"),
        **dict.fromkeys(("1", "true", "yes"), "validation"),
    },
}
_MISSING: Final = "there is no such file"
_FEWEST_PIXELS: Final = 32  # numbers in a row that names no picture: the table is one of pixels
_FEWEST_JUDGED: Final = 20  # with fewer pictures, as many labels may well be meant
_MOST_CLASSES: Final = 0.75  # of the pictures; above it, labels are numbers or names of each, not classes


class Listed(NamedTuple):
    """The pictures that a table names and that are there, and for each split their names with class and path.

    Also which columns say so.
    """

    files: Files
    found: dict[SplitName, dict[str, tuple[str, str]]]
    columns: Columns

    @property
    def said(self) -> dict[str, str]:
        """What the table says of each picture, in its order."""
        return {
            name: f"{split} {label}" for split, pictures in self.found.items() for name, (label, _) in pictures.items()
        }


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
    return read_arranged(path, files, layout, options, [(record, layout)])


def arranged(path: Path, listed: Listed, seed: int, record: Path | None) -> tuple[Files, Layout]:
    """Return the pictures that a table names, and what they are for as `read` would say; nothing is written."""
    files, found, _ = listed
    if not files.names:
        reason = f"; {files.skipped[0].source}: {files.skipped[0].reason}" if files.skipped else ""
        raise InputError(f"{path} names no pictures that are there{reason}")
    return files, labelled(found, str(path), TEST_FRACTION, seed, [], read_record(record))


def find(path: Path, progress: Progress | None = None) -> Listed:
    """Find the pictures that a table names.

    Args:
        path: the table.
        progress: told how many rows were read, and where all pictures below its folder have to be looked through,
            how many of them were found.

    Raises:
        InputError: it is no such table, names a picture twice, or an unknown split, or has no column of classes.
    """
    root = path.resolve().parent
    table = read_rows(path)
    if _is_of_pixels(table[-1]):
        raise InputError(
            f"{path} has the values of pixels, not the names of pictures; write them as arrays: "
            'np.savez_compressed("mine.npz", images=..., labels=...)'
        )
    columns = label_columns(table, path)
    rows = list(_rows(path, root, table, columns, progress or silent))
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

    _check_labels(path, columns, [label for pictures in found.values() for label, _ in pictures.values()])
    return Listed(Files(sorted(paths, key=natural_order), contents, skipped, paths), found, columns)


def _check_labels(path: Path, columns: Columns, labels: Sequence[str]) -> None:
    if columns.says_classes:
        return
    num_classes = len(set(labels))
    if len(labels) >= _FEWEST_JUDGED and num_classes > _MOST_CLASSES * len(labels):
        column = columns.called(columns.label)
        raise InputError(
            f"{path}: {column} says {num_classes:,} different things of {len(labels):,} pictures, and so names no "
            "classes; call the column of classes label, or write ranges (under 20, 20 to 40) instead of numbers"
        )


def _rows(path: Path, root: Path, table: list[list[str]], columns: Columns, told: Progress) -> Iterator[_Row]:
    """Give the rows of a table, each with where the file lies that it names, or why that is none."""
    file_column, label_column, split_column, header = columns
    heading = "split" if split_column is None else header[split_column]
    words: set[str] = set()
    first = 1 if header else 0
    for number, row in enumerate(table[first:], start=1 + first):
        if number % EACH_TOLD == 0:
            told(f"looking for the pictures of {path.name}", number, len(table))
        if len(row) <= max(file_column, label_column):
            raise InputError(f"{path}: row {number} has {len(row)} columns, too few for file and label")
        written, label = row[file_column].strip(), printable(row[label_column].strip())
        word = row[split_column] if split_column is not None and split_column < len(row) else ""
        words.add(word.strip())
        if label:
            yield _Row(number, written, label, _split(path, number, heading, word), *_place(root, written))
        else:
            yield _Row(number, written, label, "train", root, "the table gives it no label")
    check_splits(words, str(path))


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


def _split(path: Path, number: int, heading: str, word: str) -> SplitName:
    if not word.strip():
        return "train"
    known = _SPLITS_OF.get(heading.lower(), SPLIT_NAMES)
    split = known.get(word.strip().lower().removesuffix(".0"))
    if split is None:
        column = f" in {heading}" if heading.lower() in _SPLITS_OF else ""
        raise InputError(f"{path}: row {number} has the unknown split {word.strip()!r}{column}{nearest(word, known)}")
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
