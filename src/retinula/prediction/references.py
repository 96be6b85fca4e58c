"""Finding the pictures that a user names: files, folders, patterns, standard input. Opens none of them."""

import glob
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from retinula.datasets.layout import natural_order
from retinula.datasets.listing import find_in_folder
from retinula.datasets.reading import Progress
from retinula.errors import InputError
from retinula.pictures.decoding import MAX_BYTES
from retinula.pictures.formats import is_foreign_name, is_picture_name
from retinula.text.names import is_address, printable

STANDARD_INPUT: Final = "-"


class Reference(NamedTuple):
    """A picture to be looked at.

    Attributes:
        src: how it is called in answers: its path, beginning as the user wrote it.
        content: the file, or the bytes from standard input; none of one that is refused.
        refused: why it is not even opened, or nothing.
    """

    src: str
    content: Path | bytes
    refused: str = ""


def find_pictures(
    sources: Sequence[str], standard_input: BinaryIO | None = None, progress: Progress | None = None
) -> list[Reference]:
    """Find the pictures that files, folders (with all below them), patterns (`new/*.jpg`) and `-` stand for.

    Each picture comes once, sources in the order given, what lies in a folder or fits a pattern in natural order.

    Args:
        sources: as a user writes them; `-` is one picture from standard input.
        standard_input: what `-` reads; the process's own where none is given.
        progress: told how many were found in a folder.

    Raises:
        InputError: a source that does not exist, a folder or pattern without pictures, `-` twice or where it is closed.
    """
    found: dict[str, Reference] = {}
    for source in sources:
        if source == STANDARD_INPUT:
            if STANDARD_INPUT in found:
                raise InputError("standard input (-) holds one picture and can be named once")
            if standard_input is None and sys.stdin is None:
                raise InputError("standard input is closed: there is no picture to read from it")
            stream = standard_input or sys.stdin.buffer
            found[STANDARD_INPUT] = Reference(STANDARD_INPUT, stream.read(MAX_BYTES + 1))
            continue
        for reference in _below(source, progress):
            found.setdefault(str(Path(reference.src).absolute()), reference)
    if not found:
        raise InputError("name at least one picture, folder or pattern")
    return list(found.values())


def _below(source: str, progress: Progress | None) -> list[Reference]:
    path = Path(source)
    try:
        kind = "folder" if path.is_dir() else "file" if path.exists() else ""
    except OSError:
        kind = "file"  # it cannot be looked at, and decoding will say why
    if kind == "file":
        return [Reference(printable(source), path)]
    if kind == "folder":
        found = _in_folder(path, progress)
        if not found:
            raise InputError(f"there are no pictures in {source}")
        return found
    if is_address(source):
        raise InputError(
            f"{source} is an address on the web: fetch it first, and give the file; or for one picture: "
            "curl -sL ADDRESS | retinula predict RUN -"
        )
    if not glob.has_magic(source):
        raise InputError(f"there is no file or folder {source}")
    matches = sorted(glob.glob(_pattern(source), recursive=True), key=natural_order)  # noqa: PTH207 - Path.glob takes no full path
    found = []
    for match in map(Path, matches):
        if match.is_dir():
            found += _in_folder(match, progress)
        elif is_picture_name(match) or is_foreign_name(match):  # its content says what it is
            found.append(Reference(printable(str(match)), match))
    if not found:
        raise InputError(f"no picture fits {source}")
    return found


def _pattern(source: str) -> str:
    """Return a pattern of which the leading folders, as far as they are there as written, are no part."""
    there = (each for each in Path(source).parents if os.path.exists(each))  # noqa: PTH110 - Path.exists may fail
    folder = next(there, Path())
    if not glob.has_magic(str(folder)):
        return source
    return str(Path(glob.escape(str(folder)), Path(source).relative_to(folder)))


def _in_folder(path: Path, progress: Progress | None) -> list[Reference]:
    files = find_in_folder(path, progress)
    folder = Path(printable(str(path)))  # as the names below it are already
    found = [Reference(str(folder / name), files.paths[name]) for name in files.names]
    found += [Reference(str(folder / name), b"", reason) for name, reason in files.skipped]
    return sorted(found, key=lambda reference: natural_order(reference.src))
