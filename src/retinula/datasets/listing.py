"""The pictures below a folder, by their names; none of them is opened.

Apart from the readers of data sets, because one photo's answer waits until all that is imported for it has been.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from retinula.datasets.layout import natural_order
from retinula.datasets.reading import Skipped
from retinula.names import printable
from retinula.pictures import FOREIGN_EXTENSIONS, is_picture_name

_IGNORED: Final = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"})

# From names wanted to names and contents, each once, in whatever order suits the source.
Opener = Callable[[Collection[str]], Iterator[tuple[str, Path | bytes]]]


@dataclass(frozen=True)
class Files:
    """The pictures of a folder or archive, none of them opened.

    Attributes:
        names: their paths below it with `/`, in natural order.
        open: gives names and contents for those asked for.
        skipped: what looks like a picture and cannot be used.
        paths: for each name its file; empty for an archive.
    """

    names: list[str]
    open: Opener
    skipped: list[Skipped]
    paths: Mapping[str, Path] = field(default_factory=dict)


def find_in_folder(path: Path) -> Files:
    """List the pictures below a folder, hidden ones left out.

    Links are followed as far as they stay inside the folder; others are named in `skipped`, as is the folder itself, by
    `.`, where it may not be entered.
    """
    root = path.resolve()
    names: list[str] = []
    others: dict[str, Path] = {}
    skipped: list[Skipped] = []

    def enter(folder: Path, inside: str, above: tuple[Path, ...]) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: natural_order(entry.name))
        except OSError as error:
            skipped.append(Skipped(inside or ".", error.strerror or str(error)))
            return
        entered.append((iter(entries), inside, above))

    # Not by calls within calls: folders may lie in each other deeper than Python lets calls be.
    entered: list[tuple[Iterator[os.DirEntry[str]], str, tuple[Path, ...]]] = []
    enter(root, "", (root,))
    while entered:
        entries, inside, above = entered[-1]
        entry = next((entry for entry in entries if not is_ignored(entry.name)), None)
        if entry is None:
            entered.pop()
            continue
        name = inside + printable(entry.name)
        place = entry.path
        if entry.is_symlink():
            if reason := unfollowed(Path(place), root, above):
                skipped.extend([Skipped(name, reason)] if is_picture_name(place) or is_folder(entry) else [])
                continue
            place = str(Path(place).resolve())
        if is_folder(entry):
            enter(Path(place), f"{name}/", (*above, Path(place)))
        elif is_picture_name(entry.name):
            names.append(name)
            if place != f"{root}/{name}":
                others[name] = Path(place)
        elif PurePosixPath(entry.name).suffix.lower() in FOREIGN_EXTENSIONS:
            skipped.append(foreign(name))

    names.sort(key=natural_order)
    paths = _Below(root, names, others)

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        return ((name, paths[name]) for name in wanted)

    return Files(names, contents, skipped, paths)


def foreign(name: str) -> Skipped:
    """Say of a picture in a format that is not read what can be done about it."""
    return Skipped(name, f"{PurePosixPath(name).suffix.lower()} is not supported; convert it to JPEG or PNG")


def is_ignored(name: str) -> bool:
    """Tell whether a file or folder is hidden, or what a system leaves beside pictures."""
    return name.startswith(".") or name in _IGNORED


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or leads to one; a link in a circle, or to what is closed to us, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def unfollowed(link: Path, root: Path, above: Sequence[Path]) -> str | None:
    """Say why a symbolic link is not followed, or None where it may be.

    Args:
        link: the link.
        root: the folder that must not be left, resolved.
        above: the folders that the link lies in, resolved.
    """
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return "the link leads nowhere"
    if not target.is_relative_to(root):
        return "the link leads out of the folder"
    return "the link leads back to a folder it lies in" if target in above else None


@dataclass(frozen=True)
class _Below(Mapping[str, Path]):
    """Where pictures of a folder lie: a path is made when it is asked for, because there may be a million.

    Attributes:
        root: the folder.
        names: the pictures.
        others: those that do not lie where their name says: behind a link, or with a name that is not text.
    """

    root: Path
    names: list[str]
    others: dict[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.others.get(name) or self.root / name

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
