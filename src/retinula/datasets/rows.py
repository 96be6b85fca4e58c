"""The rows of tables that name pictures and their classes, as CSV: for training, and to compare predictions with.

Separated by commas, semicolons or tabs, in UTF-8. Knows nothing of data sets, so that an answer need not load them.
"""

import csv
import io
from pathlib import Path
from typing import Final, NamedTuple

from retinula.errors import InputError
from retinula.files.durable import reading
from retinula.pictures.formats import is_picture_name
from retinula.text.names import printable
from retinula.text.words import first_few

# The first of them that a table has.
_FILE_COLUMNS: Final = (
    *("file", "src", "filename", "path", "picture", "image"),
    *("image_name", "image_id", "img", "fname", "id", "name"),
)
_LABEL_COLUMNS: Final = (
    *("label", "correct", "class", "target", "category", "dx"),
    *("breed", "species", "class_name", "label_name", "diagnosis"),
)
_SPLIT_COLUMNS: Final = ("split", "set", "subset", "part", "partition", "is_valid")
_MAX_BYTES: Final = 64 * 1024 * 1024


class Columns(NamedTuple):
    """Which columns of a table say what, by their places.

    Attributes:
        file: the one that names the picture.
        label: the one that names its class.
        split: the one that says what it is for, if there is one.
        header: the names of all columns, as written; nothing where the first row is none of names.
    """

    file: int
    label: int
    split: int | None = None
    header: tuple[str, ...] = ()

    def called(self, place: int) -> str:
        """Return what a column is called, or where it stands if it has no name."""
        return (self.header[place] if self.header else "") or f"column {place + 1}"

    @property
    def says_classes(self) -> bool:
        """Whether the column of labels is called as only one of classes is."""
        return self.called(self.label).lower() in _LABEL_COLUMNS

    @property
    def described(self) -> str:
        """Which columns are read and which are not, on one line."""
        if not self.header:
            return f"file from {self.called(self.file)}, label from {self.called(self.label)}, which have no names"
        places = {"file": self.file, "label": self.label, "split": self.split}
        used = ", ".join(f"{what} from {self.called(place)}" for what, place in places.items() if place is not None)
        rest = [name for place, name in enumerate(self.header) if name and place not in places.values()]
        return f"{used}; not read: {first_few(rest)}" if rest else used


def read_rows(path: Path) -> list[list[str]]:
    """Return the rows of a table that are not empty, the header among them, if there is one.

    Raises:
        InputError: it cannot be read, is no table, or has fewer than two columns.
    """
    try:
        with reading(path):
            if path.stat().st_size > _MAX_BYTES:
                raise InputError(
                    f"{path} is too large for a table of labels; values of pixels are read from .npz files"
                )
            text = path.read_text(encoding="utf-8-sig")
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


def label_columns(table: list[list[str]], path: Path) -> Columns:
    """Return where file, label and split stand.

    Args:
        table: as `read_rows` gives it.
        path: what messages call it.

    Raises:
        InputError: none of several columns is known to name the class.
    """
    header = [cell.strip().lower() for cell in table[0]]
    names = tuple(printable(cell.strip()) for cell in table[0])
    file_column, label_column, split = (
        next((header.index(name) for name in known if name in header), None)
        for known in (_FILE_COLUMNS, _LABEL_COLUMNS, _SPLIT_COLUMNS)
    )
    # A column without a name numbers the rows (pandas writes it so); such a number is no picture's name.
    named = [place for place, name in enumerate(header) if name and not name.startswith("unnamed:") and place != split]
    if file_column is None and label_column is None:
        # What other rows have for a label is no name of a column, even where files are written without suffixes.
        labels = {row[1].strip() for row in table[1:] if len(row) > 1}
        if header[0] and (is_picture_name(table[0][0].strip()) or table[0][1].strip() in labels):
            return Columns(0, 1)
        file_column = named[0] if len(named) > 1 else 0
    # Where one is called by its name, the other is the only one of the rest; a file is found to be none if it is not.
    if file_column is None:
        file_column = next((place for place in named if place != label_column), 1 if label_column == 0 else 0)
    if label_column is None:
        rest = [place for place in named if place != file_column]
        if len(rest) > 1:
            raise InputError(_without_label(table, path, rest, names))
        label_column = rest[0] if rest else 1 if file_column == 0 else 0
    return Columns(file_column, label_column, None if split in (file_column, label_column) else split, names)


def _without_label(table: list[list[str]], path: Path, rest: list[int], names: tuple[str, ...]) -> str:
    """Say what to do about a table with several columns that could name the class."""
    cells = [[row[place].strip().removesuffix(".0") for place in rest if place < len(row)] for row in table[1:]]
    if cells and all(sorted(row) == [*"0" * (len(rest) - 1), "1"] for row in cells):
        return (
            f"{path} has a column for each class ({first_few([names[place] for place in rest])}); write instead one "
            "column, label, with the name of the column that is 1 (pandas: idxmax(axis=1) of these columns)"
        )
    return (
        f"{path} has the columns {first_few([name for name in names if name])}, and none of them is known to hold the "
        "class; rename the heading of the one that does to label; if the first row is no heading, write one: file,label"
    )
