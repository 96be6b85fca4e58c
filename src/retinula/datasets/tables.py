"""Data sets that a table names: pictures, their classes and, if it says so, their splits. Knows nothing of models."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from unicodedata import normalize

from retinula.datasets.folder import read_arranged
from retinula.datasets.layout import SPLIT_NAMES, Layout, check_splits, labelled, natural_order
from retinula.datasets.listing import EACH_TOLD, Files, find_in_folder
from retinula.datasets.not_classes import is_quantity, several_labels
from retinula.datasets.options import Options
from retinula.datasets.reading import NONE_LEFT, Progress, Reading, Skipped, SplitName, silent
from retinula.datasets.recognition import past_splits, remembered
from retinula.datasets.rows import Columns, label_columns, read_rows
from retinula.datasets.split_record import TEST_FRACTION
from retinula.errors import InputError, nearest
from retinula.pictures.formats import is_picture_name
from retinula.text.names import composed, printable
from retinula.text.pairing import meant, parts_of
from retinula.text.words import first_few

# What columns of these names say beside, or instead of, the names of splits.
_SPLITS_OF: Final[Mapping[str, Mapping[str, SplitName]]] = {
    "partition": {**SPLIT_NAMES, "0": "train", "1": "validation", "2": "test"},
    "is_valid": {
        **dict.fromkeys(("0", "false", "no"), "train"),
        **dict.fromkeys(("1", "true", "yes"), "validation"),
    },
}
_MISSING: Final = "there is no such file"
_UNLABELLED: Final = "the table gives it no label"
_OUTSIDE: Final = "the path leads out of the table's folder; name the one that all pictures lie in: data.root=FOLDER"
_MOST_MISSED: Final = 0.1  # of the rows; above it, the table is meant for other pictures, or read otherwise
_FEWEST_PIXELS: Final = 32  # numbers in a row that names no picture: the table is one of pixels
_FEWEST_JUDGED: Final = 20  # with fewer rows, as many labels may well be meant, and as many pictures missing
_LOST_NAMED: Final = 5  # classes
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

    Paths begin at the table's folder, or the root that the options name, and stay in it. Where there is no such file,
    the one picture below that folder is meant whose path ends so, in any case, with or without its suffix; if there is
    none or several, it is named and left out, but of a table called `train.csv` or the like, one below `train/` comes
    before others. Without a split, or where nothing is for testing, a share of each class is set apart as for class
    folders.

    Args:
        path: the table.
        options: how the pictures are wanted.
        record: a file that remembers which pictures those are.
        listed: what `find` has found, if it has.

    Raises:
        InputError: it is no such table, names a picture twice, an unknown split or fewer than two classes.
    """
    files, layout = arranged(path, listed or find(path, options.progress), options.seed, record)
    return read_arranged(path, remembered(files, record), layout, options, [(record, layout)])


def arranged(path: Path, listed: Listed, seed: int, record: Path | None) -> tuple[Files, Layout]:
    """Return the pictures that a table names, and what they are for as `read` would say; nothing is written."""
    files, found, _ = listed
    if not files.names:
        reason = f"; {files.skipped[0].source}: {files.skipped[0].reason}" if files.skipped else ""
        raise InputError(f"{path} names no pictures that are there{reason}")
    return files, labelled(found, str(path), TEST_FRACTION, seed, [], past_splits(files, record))


def find(
    path: Path,
    progress: Progress | None = None,
    root: Path | None = None,
    rows: Sequence[list[str]] | None = None,
    on_doubt: Callable[[str], None] | None = None,
) -> Listed:
    """Find the pictures that a table names.

    Args:
        path: the table.
        progress: told how many rows were read, and where all pictures below its folder have to be looked through,
            how many of them were found.
        root: the folder that paths begin at, resolved; the table's own where None.
        rows: of a table that is no file, its rows, with its header.
        on_doubt: told instead of an error where the labels look like no classes.

    Raises:
        InputError: it is no such table, names a picture twice, or an unknown split, or has no column of classes.
    """
    # Of a file, absolute paths are names as they are written: which pictures are to test on depends on their names.
    keeps_absolute = root is None and rows is None
    root = root or path.resolve().parent
    table = read_rows(path) if rows is None else [*rows]
    if _is_of_pixels(table[-1]):
        raise InputError(
            f"{path} has the values of pixels, not the names of pictures; write them as arrays: "
            'np.savez_compressed("mine.npz", images=..., labels=...)'
        )
    columns = label_columns(table, path)
    told = list(_rows(path, root, table, columns, progress or silent))
    missing = [row.written for row in told if row.reason == _MISSING]
    elsewhere = _elsewhere(root, missing, _split_called(path.stem), progress)
    found: dict[SplitName, dict[str, tuple[str, str]]] = {}
    paths: dict[str, Path] = {}
    skipped: list[Skipped] = []
    number_of: dict[Path, int] = {}
    for number, written, label, split, place, reason in told:
        name = printable(written)
        is_spelled = reason != _MISSING and (keeps_absolute or not Path(written).is_absolute())
        if reason == _MISSING:
            place, reason = elsewhere.get(parts_of(written), (place, reason))
        if reason:
            skipped.append(Skipped(name, reason))
            continue
        if not is_spelled:
            name = printable(place.relative_to(root).as_posix())
        first = number_of.setdefault(place, number)
        if first != number:
            raise InputError(f"{path}: row {number} names {name} for the second time, after row {first}")
        paths[name] = place
        found.setdefault(split, {})[name] = (label, name)

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        return ((name, paths[name]) for name in wanted)

    labels = [label for pictures in found.values() for label, _ in pictures.values()]
    _check_labels(path, columns, labels, on_doubt)
    left = {*map(composed, labels)}
    lost = dict.fromkeys(row.label for row in told if row.label and composed(row.label) not in left)
    skipped += [Skipped(label, NONE_LEFT) for label in lost]
    return Listed(Files(sorted(paths, key=natural_order), contents, skipped, paths), found, columns)


def check_found(path: Path, listed: Listed, on_doubt: Callable[[str], None] | None = None) -> None:
    """See that a table does not lack so many of its pictures that it is hardly meant so.

    Args:
        path: the table.
        listed: what `find` found.
        on_doubt: told instead of an error.

    Raises:
        InputError: more than a tenth of its rows name no picture, or none for sure.
    """
    files = listed.files
    missed = [one for one in files.skipped if one.reason not in (_UNLABELLED, NONE_LEFT)]
    num_rows = len(missed) + len(files.names)
    if not files.names or num_rows < _FEWEST_JUDGED or len(missed) <= _MOST_MISSED * num_rows:
        return
    lost = [one.source for one in files.skipped if one.reason == NONE_LEFT]
    classes = f", and no picture is left of {first_few(lost, _LOST_NAMED)}" if lost else ""
    _doubt(
        f"{path}: of {num_rows:,} rows, {len(missed):,} name no picture that can be used{classes}; the first is "
        f"{missed[0].source}: {missed[0].reason}; mend the paths, name the folder that they begin at "
        "(data.root=FOLDER), or take those rows out",
        on_doubt,
    )


def _doubt(reason: str, told: Callable[[str], None] | None) -> None:
    if told is None:
        raise InputError(reason)
    told(reason)


def _check_labels(path: Path, columns: Columns, labels: Sequence[str], on_doubt: Callable[[str], None] | None) -> None:
    if columns.says_classes:
        return
    different = dict.fromkeys(labels)
    num_classes = len(different)
    if len(labels) >= _FEWEST_JUDGED and num_classes > _MOST_CLASSES * len(labels):
        column = columns.called(columns.label)
        raise InputError(
            f"{path}: {column} says {num_classes:,} different things of {len(labels):,} pictures, and so names no "
            "classes; call the column of classes label, or write ranges (under 20, 20 to 40) instead of numbers"
        )
    column = columns.called(columns.label)
    if label := several_labels(different):
        _doubt(
            f"{path}: {column} looks like several labels a picture ({label!r}); Retinula tells classes only, one a "
            "picture; if each combination is meant as a class, call the column label",
            on_doubt,
        )
    if is_quantity(different, column):
        _doubt(
            f"{path}: {column} looks like a quantity, of {num_classes:,} different values; Retinula tells classes "
            "only: write ranges (under 20, 20 to 40), or, if the numbers name classes, call the column label",
            on_doubt,
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
            yield _Row(number, written, label, "train", root, _UNLABELLED)
    check_splits(words, str(path))


def _split_called(stem: str) -> SplitName | None:
    """Return the split that a table is called by, such as `train_labels`; None where it names none, or several."""
    splits = {SPLIT_NAMES[word] for word in re.split(r"[\W_]+", stem.lower()) if word in SPLIT_NAMES}
    return splits.pop() if len(splits) == 1 else None


def _elsewhere(
    root: Path, written: Sequence[str], split: SplitName | None, progress: Progress | None
) -> dict[tuple[str, ...], tuple[Path, str]]:
    """Return by the parts of names, none of which is a path to a picture, which picture is meant, or why none is.

    Tables often have no suffixes, or not the folder that all pictures lie in, and on Windows case says nothing. Of
    several pictures, those in the folder of a split are meant, if the table is one of it.
    """
    if not written or root == root.parent:  # what all files of a computer are below says nothing
        return {}
    paths = find_in_folder(root, progress).paths
    found: dict[tuple[str, ...], tuple[Path, str]] = {}
    # A pipe may be called like a picture, and a link to a picture means the same one.
    for parts, names in meant(paths, written, lambda name: paths[name].is_file()).items():
        inside = [name for name in names if split and _lies_in(name, split)]
        places = list(dict.fromkeys(paths[name] for name in inside or names))
        reason = ""
        if len(places) > 1:
            one, other = (printable(place.relative_to(root).as_posix()) for place in places[:2])
            reason = f"it could be {one} or {other}; write its whole path"
        found[parts] = places[0], reason
    return found


def _lies_in(name: str, split: SplitName) -> bool:
    """Tell whether a picture lies in a folder that is called like a split."""
    return any(SPLIT_NAMES.get(part) == split for part in name.lower().split("/")[:-1])


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
            return target, _OUTSIDE
        return target, "" if target.is_file() else _MISSING
    except (OSError, RuntimeError, ValueError):
        return place, _MISSING
