"""Pictures of one's own that were moved, renamed or copied, recognised by what is in their files.

So that who puts a picture into the folder of another class does not move it between training and test.
A name that was there before keeps its split, whatever is in the file now: where files are renumbered, nothing is seen.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from retinula.datasets.listing import Files
from retinula.datasets.reading import SplitName
from retinula.datasets.split_record import add_digests, read_with_digests

_END: Final = 32 * 1024  # bytes: of a larger file than two of these only the first and the last are looked at


def past_splits(files: Files, record: Path | None) -> dict[str, SplitName]:
    """Return the splits that pictures had before, also of those that had another name then.

    A name that was there before keeps its split, whatever is in the file now.
    Only files are opened that are new and as large as one that was there before.

    Args:
        files: the pictures that there are now.
        record: the file that remembers which there were, and what was in them.
    """
    known, digests = read_with_digests(record)
    splits: dict[str, SplitName] = {}
    for name, digest in digests.items():
        if splits.get(digest) != "train":  # what is equal to a picture to train on is no test
            splits[digest] = known[name]
    sizes = {digest.partition("-")[0] for digest in digests.values()}
    new = [name for name in files.names if name not in known] if digests else []
    like = {name for name in new if name not in files.paths or _size(files.paths[name]) in sizes}
    for name, content in files.open(like) if like else ():
        digest, _ = _looked_at(content)
        if digest in splits:
            known[name] = splits[digest]
    return known


def remembered(files: Files, record: Path | None) -> Files:
    """Return the same pictures; once they have been opened to the last, the record knows what is in them."""
    digests: dict[str, str] = {}

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        for name, content in files.open(wanted):
            if name not in digests:
                digests[name], content = _looked_at(content)
            yield name, content
        if record is not None:
            add_digests(record, {name: digest for name, digest in digests.items() if digest})

    return files if record is None else replace(files, open=contents)


def _looked_at(content: Path | bytes) -> tuple[str, Path | bytes]:
    """Return what stands for a file, or nothing where it cannot be read; and it, of a small one what is in it."""
    if isinstance(content, bytes):
        return _digest(len(content), content[:_END] + content[_END:][-_END:]), content
    try:
        if not stat.S_ISREG(content.stat().st_mode):  # a pipe would keep one waiting
            return "", content
        with content.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            ends = file.read(2 * _END if size <= 2 * _END else _END)
            if size <= 2 * _END:
                return _digest(size, ends), ends
            file.seek(-_END, os.SEEK_END)
            return _digest(size, ends + file.read(_END)), content
    except OSError:
        return "", content


def _digest(size: int, ends: bytes) -> str:
    return f"{size}-{hashlib.blake2b(ends, digest_size=8).hexdigest()}"


def _size(path: Path) -> str:
    try:
        return str(path.stat().st_size)
    except OSError:
        return ""
