"""What lies among the prepared sets of a cache, what killed preparations have left there, and emptying it.

Only what is called as the cache calls it is ever listed or removed, and nothing of a set that a process prepares now.
"""

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from retinula.files.durable import clear_abandoned
from retinula.files.lock import unless_held

INDEX: Final = "index.json"

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9-]*-[0-9a-f]{16}")
_LEFT: Final = re.compile(r"\.([^.]+)\.[0-9a-f]{16}(\.old)?")


@dataclass(frozen=True)
class Kept:
    """A prepared set, or what a killed preparation has left of one.

    Attributes:
        name: what the set is called; nothing where its index says none.
        folder: where it lies.
        num_images: of all its splits.
        num_bytes: that its files have.
        made: when, in UTC.
        whole: whether it was finished.
    """

    name: str
    folder: Path
    num_images: int
    num_bytes: int
    made: datetime
    whole: bool

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold."""
        made = self.made.isoformat(timespec="seconds")
        return {**vars(self), "folder": str(self.folder), "made": made}


class Cleared(NamedTuple):
    """What was removed of a cache, and what was spared since a process prepares it now."""

    removed: tuple[Kept, ...]
    spared: tuple[Kept, ...]


def kept_in(prepared: Path) -> list[Kept]:
    """Return what lies among prepared sets, the oldest first; of no picture more is looked at than its file's size.

    Args:
        prepared: their folder; where there is none, nothing lies in it.
    """
    found = []
    for folder, _ in _folders(prepared):
        with suppress(OSError):  # it went meanwhile
            found.append(_kept(folder))
    return sorted(found, key=lambda each: (each.made, each.folder.name))


def clear(prepared: Path) -> Cleared:
    """Remove all prepared sets and what was left of some, but for those that a process prepares now.

    A process that has one open goes on with it, where files may be removed that are open.

    Args:
        prepared: their folder.
    """
    removed: list[Kept] = []
    spared: list[Kept] = []
    for folder, key in _folders(prepared):
        try:
            kept = _kept(folder)
            with unless_held(prepared / f".{key}.lock") as held:
                if held is not False and (kept.whole or held):
                    _remove(folder, key)
                elif held is None:
                    clear_abandoned([folder])
        except OSError:
            continue
        (spared if folder.exists() else removed).append(kept)
    return Cleared(tuple(removed), tuple(spared))


def clear_left(prepared: Path, key: str) -> None:
    """Remove what killed preparations of any set have left, some time after they were killed.

    Args:
        prepared: the folder of the prepared sets.
        key: of the set whose lock the caller has.
    """
    for folder, of in _folders(prepared):
        if folder.name == of:
            continue
        if of == key:
            clear_abandoned([folder])  # by its age, in case the lock does not hold
            continue
        with unless_held(prepared / f".{of}.lock") as held:
            if held is not False:
                clear_abandoned([folder])


def _folders(prepared: Path) -> Iterator[tuple[Path, str]]:
    """Give each folder that is called as the cache calls its own, with the key of its set."""
    try:
        folders = sorted(prepared.iterdir())
    except OSError:
        return
    for folder in folders:
        left = _LEFT.fullmatch(folder.name)
        if (left or _KEY.fullmatch(folder.name)) and folder.is_dir() and not folder.is_symlink():
            yield folder, left[1] if left else folder.name


def _kept(folder: Path) -> Kept:
    name, num_images = "", 0
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        index = json.loads((folder / INDEX).read_bytes())
        name, num_images = str(index["name"]), sum(split["shape"][0] for split in index["splits"].values())
    found = [each.stat() for each in folder.iterdir()]
    made = max([folder.stat().st_mtime, *(each.st_mtime for each in found)])
    whole = _LEFT.fullmatch(folder.name) is None
    return Kept(name, folder, num_images, sum(each.st_size for each in found), datetime.fromtimestamp(made, UTC), whole)


def _remove(folder: Path, key: str) -> None:
    # Moved aside first: removing it in place would let others see half of it.
    aside = folder.with_name(f".{key}.{secrets.token_hex(8)}.old")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
