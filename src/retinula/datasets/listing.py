"""The pictures below a folder, by their names; none is opened but those that are called like what is not read.

Apart from the readers of data sets, because one photo's answer waits until all that is imported for it has been.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from retinula.datasets.layout import natural_order
from retinula.datasets.reading import Progress, Skipped, silent
from retinula.pictures.formats import START, is_foreign_name, is_misnamed, is_picture_name
from retinula.text.names import printable

EACH_TOLD: Final = 1000  # so many are looked at before it is told again how many there are
_TABLES: Final = (".csv", ".tsv")
_IGNORED: Final = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"})

# From names wanted to names and contents, each once, in whatever order suits the source.
Opener = Callable[[Collection[str]], Iterator[tuple[str, Path | bytes]]]


@dataclass(frozen=True)
class Files:
    """The pictures of a folder or archive, to be opened later.

    Attributes:
        names: their paths below it with `/`, in natural order.
        open: gives names and contents for those asked for.
        skipped: what looks like a picture and cannot be used.
        paths: for each name its file; empty for an archive.
        bare: the topmost folders in which, however deep, there is none of all these.
        tables: what may say of the pictures of a folder what they are.
    """

    names: list[str]
    open: Opener
    skipped: list[Skipped]
    paths: Mapping[str, Path] = field(default_factory=dict)
    bare: Sequence[str] = ()
    tables: Sequence[str] = ()


def find_in_folder(path: Path, progress: Progress | None = None) -> Files:
    """List the pictures below a folder, hidden ones left out.

    Links are followed as far as they stay inside the folder; others are named in `skipped`, as is the folder itself, by
    `.`, where it may not be entered.

    Args:
        path: the folder.
        progress: told how many were found.
    """
    told = progress or silent
    found = _Walk(path.resolve())
    found.enter(found.root, "", (found.root,))
    looked_at = 0
    while found.entered:
        if looked_at % EACH_TOLD == 0:
            told(f"listing {found.root.name}", len(found.names), None)
        looked_at += 1
        found.go_on()
    found.names.sort(key=natural_order)
    paths = _Below(found.root, found.names, found.others)

    def contents(wanted: Collection[str]) -> Iterator[tuple[str, Path | bytes]]:
        return ((name, paths[name]) for name in wanted)

    return Files(found.names, contents, found.skipped, paths, sorted(found.bare, key=natural_order), found.tables)


class _Entered(NamedTuple):
    """A folder whose entries are looked at: what is left, its name, those it lies in, and what was found before it."""

    entries: Iterator[os.DirEntry[str]]
    inside: str
    above: tuple[Path, ...]
    before: int


@dataclass
class _Walk:
    """What was found so far below a folder, and the folders that are being looked through, each in the one before it.

    Not by calls within calls: folders may lie in each other deeper than Python lets calls be.
    """

    root: Path
    names: list[str] = field(default_factory=list)
    others: dict[str, Path] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    entered: list[_Entered] = field(default_factory=list)

    def enter(self, folder: Path, inside: str, above: tuple[Path, ...]) -> None:
        """Begin with a folder."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: natural_order(entry.name))
        except OSError as error:
            self.skipped.append(Skipped(inside or ".", error.strerror or str(error)))
            return
        self.entered.append(_Entered(iter(entries), inside, above, len(self.names) + len(self.skipped)))

    def go_on(self) -> None:
        """Look at the next entry, or leave the folder that has no more."""
        entries, inside, above, before = self.entered[-1]
        entry = next((entry for entry in entries if not is_ignored(entry.name)), None)
        if entry is not None:
            self._look_at(entry, inside, above)
            return
        self.entered.pop()
        if inside and len(self.names) + len(self.skipped) == before:
            while self.bare and self.bare[-1].startswith(inside):
                self.bare.pop()
            self.bare.append(inside.removesuffix("/"))

    def _look_at(self, entry: os.DirEntry[str], inside: str, above: tuple[Path, ...]) -> None:
        name = inside + printable(entry.name)
        place = entry.path
        if entry.is_symlink():
            if reason := unfollowed(Path(place), self.root, above):
                self.skipped.extend([Skipped(name, reason)] if is_picture_name(place) or is_folder(entry) else [])
                return
            place = str(Path(place).resolve())
        if is_folder(entry):
            self.enter(Path(place), f"{name}/", (*above, Path(place)))
        elif is_picture_name(entry.name) or is_misnamed(entry.name, partial(_start, Path(place))):
            self.names.append(name)
            if place != f"{self.root}/{name}":
                self.others[name] = Path(place)
        elif is_foreign_name(entry.name):
            self.skipped.append(foreign(name))
        elif PurePosixPath(entry.name).suffix.lower() in _TABLES:
            self.tables.append(name)


def _start(path: Path) -> bytes:
    """Return the first bytes of a file; none of what cannot be read, or might never end."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(START)
    except OSError:
        return b""


def listing_digest(
    files: Files, name: str, progress: Progress | None = None, said: Mapping[str, str] | None = None
) -> str:
    """Return 16 hexadecimal digits that change when a picture comes, goes or changes, or what a table says of one.

    Not when a folder without pictures does: a training may make some, and no picture is prepared otherwise for that.

    Args:
        files: what was found.
        name: what the folder or table is called.
        progress: told how many pictures were looked at.
        said: what a table says of each of them, in its order; None for those of a folder.
    """
    told = progress or silent
    words = [f"{file.reason} {file.source}" for file in files.skipped]
    for number, picture in enumerate(said or files.names, start=1):
        if number % EACH_TOLD == 0:
            told(f"looking for changes in {name}", number, len(files.names))
        try:
            found = files.paths[picture].stat()
        except OSError:
            continue  # it went while we looked: as if it had gone before
        about = f"{said[picture]} {picture}" if said else picture
        words.append(f"{found.st_size} {found.st_mtime_ns} {about}")
    return hashlib.sha256("\n".join(words).encode(errors="surrogateescape")).hexdigest()[:16]


def foreign(name: str) -> Skipped:
    """Say of a picture in a format that is not read what can be done about it."""
    return Skipped(name, f"{PurePosixPath(name).suffix.lower()} is not supported; convert it to JPEG or PNG")


def all_foreign(skipped: Sequence[Skipped], where: str) -> str:
    """Say what to do where the only pictures are in formats that are not read; nothing where there are none.

    Args:
        skipped: what looks like a picture and cannot be used.
        where: what messages call the data set.
    """
    counts = Counter(PurePosixPath(one.source).suffix.lower() for one in skipped if one == foreign(one.source))
    if not counts:
        return ""
    listed = ", ".join(f"{count:,} {ending}" for ending, count in counts.items())
    return (
        f"{where} has no pictures but {listed}, which have to be converted to JPEG first: by sips -s format jpeg "
        "(macOS), by ImageMagick (magick mogrify -format jpg), or by exporting them anew as JPEG"
    )


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
