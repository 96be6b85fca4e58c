"""HASYv2: tables of paths and symbols, ten of them to train on and ten to test on, and the pictures they name.

M. Thoma, The HASYv2 Dataset, arXiv:1701.08380, 2017.
"""

import csv
import io
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from retinula.datasets import folder
from retinula.datasets.archives import MIB, members
from retinula.datasets.entry import Entry
from retinula.datasets.layout import Layout
from retinula.datasets.options import Options
from retinula.datasets.reading import Reading, SplitName
from retinula.datasets.trees import missing
from retinula.errors import InputError
from retinula.files.durable import reading

_SYMBOLS: Final = "symbols.csv"
_MAX_TABLE: Final = 64 * MIB


def read(source: Path, entry: Entry, options: Options) -> Reading:
    """Read one of the ten folds, the first unless told otherwise; the classes are the symbols as LaTeX writes them.

    Args:
        source: the archive, or the folder that it unpacks to.
        entry: of the catalog.
        options: how the pictures are wanted.

    Raises:
        InputError: a table is missing or not as published; while streaming: no readable picture.
    """
    task = f"classification-task/fold-{options.fold or 1}"
    tables: Mapping[SplitName, str] = {"train": f"{task}/train.csv", "test": f"{task}/test.csv"}
    texts = _texts(source, {_SYMBOLS, *tables.values()})
    rows = _rows(source, _SYMBOLS, texts[_SYMBOLS], ("symbol_id", "latex"))
    numbers = {symbol: number for number, (symbol, _) in enumerate(rows)}
    if len(numbers) != len(rows) or len(rows) != entry.num_classes:
        raise InputError(f"{source}: {_SYMBOLS} is not as published: it has {len(numbers)} symbols")
    files = folder.find(source, options.progress)
    by_path = {_inside(name): name for name in files.names}
    splits: dict[SplitName, dict[str, int]] = {}
    for split, table in tables.items():
        splits[split] = {}
        for path, symbol in _rows(source, table, texts[table], ("path", "symbol_id")):
            if symbol not in numbers:
                raise InputError(f"{source}: {table} is not as published: there is no symbol {symbol!r}")
            name = by_path.get(path.removeprefix("../../"))
            if name is not None:
                splits[split][name] = numbers[symbol]
    if splits["train"].keys() & splits["test"].keys():
        raise InputError(f"{source}: fold {options.fold or 1} is not as published: it tests on what it trains on")
    layout = Layout(_names(rows), {split: found for split, found in splits.items() if found}, [])
    files.skipped.extend(missing(source, entry, layout))
    return folder.read_arranged(source, files, layout, options.or_as(entry.size, entry.channels))


def _names(rows: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """Return the symbols as LaTeX writes them; with their number where two are written alike."""
    written = [latex for _, latex in rows]
    return tuple(latex if written.count(latex) == 1 else f"{latex} ({symbol})" for symbol, latex in rows)


def _inside(name: str) -> str:
    """Return a path as seen from the set's own folder, whatever lies around it."""
    return "/".join(PurePosixPath(name).parts[-2:])


def _rows(source: Path, table: str, text: bytes, columns: tuple[str, str]) -> list[tuple[str, str]]:
    try:
        rows = csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""), strict=True)
        found = [(row[columns[0]], row[columns[1]]) for row in rows]
    except (csv.Error, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: {table} is not as published: no table with {' and '.join(columns)}") from error
    if not found or any(not one or not other for one, other in found):
        raise InputError(f"{source}: {table} is not as published: it lacks a value")
    return found


def _texts(source: Path, wanted: Collection[str]) -> dict[str, bytes]:
    """Return the tables wanted, by their paths below the set's own folder."""
    found = _texts_of_folder(source, wanted) if source.is_dir() else _texts_of_archive(source, wanted)
    lacking = sorted(set(wanted) - found.keys())
    if lacking:
        raise InputError(f"{source} is not HASYv2: it lacks {', '.join(lacking)}")
    return found


def _texts_of_folder(source: Path, wanted: Collection[str]) -> dict[str, bytes]:
    found = {}
    for name in wanted:
        path = source / name
        with reading(path):
            if path.is_file() and path.stat().st_size <= _MAX_TABLE:
                found[name] = path.read_bytes()
    return found


def _texts_of_archive(source: Path, wanted: Collection[str]) -> dict[str, bytes]:
    found = {}
    for member in members(source):
        name = next((one for one in wanted if f"/{member.name}".endswith(f"/{one}")), None)
        if name is not None and name not in found and member.size <= _MAX_TABLE:
            found[name] = member.read()
    return found
