"""Of what kind a file or folder of one's own is, which decides how it is read; nothing is opened for that."""

from pathlib import Path
from typing import Literal

from retinula.datasets.archives import is_archive_name

# What is none of these is given to the reader of archives, which says what is wrong with it.
SourceKind = Literal["folder", "archive", "table", "arrays", "unknown"]


def kind_of_source(path: Path) -> SourceKind:
    """Return what a path leads to, of files by their ending; `unknown` also where there is nothing."""
    if path.is_dir():
        return "folder"
    if not path.is_file():
        return "unknown"
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        return "table"
    if ending == ".npz":
        return "arrays"
    return "archive" if is_archive_name(path) else "unknown"
