"""The rows of tables that name pictures and their classes, as CSV: for training, and to compare predictions with.

Separated by commas, semicolons or tabs, in UTF-8. Knows nothing of data sets, so that an answer need not load them.
"""

import csv
import io
from pathlib import Path
from typing import Final

from retinula.errors import InputError
from retinula.pictures import is_picture_name

# The first of them that a table has.
_FILE_COLUMNS: Final = (
    *("file", "src", "filename", "path", "picture", "image"),
    *("image_name", "image_id", "img", "fname", "id", "name"),
)
_LABEL_COLUMNS: Final = ("label", "correct", "class")
_MAX_BYTES: Final = 64 * 1024 * 1024


def read_rows(path: Path) -> list[list[str]]:
    """Return the rows of a table that are not empty, the header among them, if there is one.

    Raises:
        InputError: it cannot be read, is no table, or has fewer than two columns.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a table of labels; values of pixels are read from .npz files")
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


def label_columns(table: list[list[str]]) -> tuple[int, int, bool]:
    """Return where file and label stand, and whether the first row is a header."""
    header = header_of(table)
    # A column without a name numbers the rows (pandas writes it so); such a number is no picture's name.
    named = [place for place, name in enumerate(header) if name and not name.startswith("unnamed:")]
    file_column = next((header.index(name) for name in _FILE_COLUMNS if name in header), None)
    label_column = next((header.index(name) for name in _LABEL_COLUMNS if name in header), None)
    if file_column is None and label_column is None:
        if not header[0] and len(named) > 1:
            return named[0], named[1], True
        # What other rows have for a label is no name of a column, even where files are written without suffixes.
        labels = {row[1].strip() for row in table[1:] if len(row) > 1}
        return 0, 1, not is_picture_name(table[0][0].strip()) and table[0][1].strip() not in labels
    # Where one is called by its name, the other is the first of the rest.
    if file_column is None:
        file_column = next((place for place in named if place != label_column), 1 if label_column == 0 else 0)
    if label_column is None:
        label_column = next((place for place in named if place != file_column), 1 if file_column == 0 else 0)
    return file_column, label_column, True


def header_of(table: list[list[str]]) -> list[str]:
    """Return the first row as names of columns are compared."""
    return [cell.strip().lower() for cell in table[0]]
