"""Tables that are given from Python: a data frame of pandas or polars, or paths and their labels.

Neither package is imported, so that whoever has none of them needs none.
"""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from retinula.errors import InputError
from retinula.images import kind_of

CALLED: Final = Path("the table given")  # in messages
_MISSING: Final = ("nan", "NaN", "NaT", "<NA>")  # how Python, NumPy and pandas write what is missing


class Frame(Protocol):
    """A table with named columns, as pandas and polars have it."""

    @property
    def columns(self) -> Any:
        """The names of its columns."""


Given = Frame | tuple[Iterable[Any], Iterable[Any]]


def rows_of(given: object) -> list[list[str]] | None:
    """Return the rows of a table, the names of its columns first; None of what is no table.

    Args:
        given: a data frame, or a tuple of paths and labels.

    Raises:
        InputError: there are not as many paths as labels, or fewer than two columns.
    """
    if isinstance(given, tuple):
        return [["file", "label"], *_pairs(given)]
    if not hasattr(given, "columns") or not (hasattr(given, "itertuples") or hasattr(given, "iter_rows")):
        return None
    frame: Any = given
    named = [str(name) for name in frame.columns]
    if len(named) < 2:
        raise InputError(f"{CALLED} needs at least two columns, file and label")
    rows = frame.itertuples(index=False, name=None) if hasattr(frame, "itertuples") else frame.iter_rows()
    return [named, *map(list, zip(*map(_words, zip(*rows, strict=True)), strict=True))]


def root_of(rows: Sequence[Sequence[str]], file_column: int) -> Path:
    """Return the folder that the pictures of a table lie in: the nearest that all do, or where we are.

    Args:
        rows: of the table, without the names of its columns.
        file_column: where the paths stand.
    """
    paths = [row[file_column].strip() for row in rows]
    if not paths or not all(map(os.path.isabs, paths)):
        return Path.cwd()
    try:
        return Path(os.path.commonpath([Path(path).parent for path in paths]))
    except ValueError:  # on several drives
        return Path.cwd()


def _pairs(given: tuple[Any, ...]) -> Iterator[list[str]]:
    whole = len(given) == 2 and not any(isinstance(part, str | bytes | os.PathLike) for part in given)
    if not whole or not all(isinstance(part, Iterable) for part in given):
        raise InputError(
            f"a tuple is taken for paths and their labels, (paths, labels), not for {len(given)} of "
            f"{', '.join(map(kind_of, given)) or 'nothing'}; further folders and files are given as more"
        )
    paths, labels = map(list, given)
    if len(paths) != len(labels):
        raise InputError(f"there are {len(paths):,} paths, but {len(labels):,} labels; give a label for each path")
    return map(list, zip(_words(paths), _words(labels), strict=True))


def _words(column: Iterable[Any]) -> list[str]:
    """Return what stands in the cells of a column, as a file of the table would have it; what is missing is nothing.

    Whole numbers are written as such: where one is missing, pandas makes all of them floats.
    """
    cells = list(map(_plain, column))
    whole = all(cell.is_integer() or math.isnan(cell) for cell in cells if isinstance(cell, float))
    return [_word(int(cell) if whole and isinstance(cell, float) and not math.isnan(cell) else cell) for cell in cells]


def _plain(cell: Any) -> Any:
    is_number = hasattr(cell, "item") and math.prod(getattr(cell, "shape", ())) == 1  # of NumPy or PyTorch
    return cell.item() if is_number else cell


def _word(cell: Any) -> str:
    word: str = os.fspath(cell) if isinstance(cell, os.PathLike) else str(cell)
    return "" if cell is None or word in _MISSING else word
