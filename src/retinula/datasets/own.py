"""One's own folders, archives, tables and `.npz` files, each looked at in its way, so that all are read in one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from retinula.datasets import arrays, copies, folder, tables
from retinula.datasets.converting import converted
from retinula.datasets.layout import Layout
from retinula.datasets.listing import Files, listing_digest
from retinula.datasets.options import Options
from retinula.datasets.reading import Reading
from retinula.datasets.source_kind import SourceKind, kind_of_source
from retinula.datasets.tables import Listed
from retinula.errors import InputError


class Own(NamedTuple):
    """What was found at a place of one's own, before any picture of it is opened.

    Attributes:
        path: the place, resolved; of a table that has none, what messages call it.
        kind: what it is.
        options: how its pictures are wanted.
        record: the file that remembers which of them are to test on.
        state: stands for its content, and is other where that changed.
        listed: of a table, what it names.
        files: of a folder, the pictures in it.
    """

    path: Path
    kind: SourceKind
    options: Options
    record: Path
    state: str
    listed: Listed | None = None
    files: Files | None = None

    @property
    def origin(self) -> dict[str, str]:
        """What stands for its content, as the provenance of its pictures has it."""
        return {"listing" if self.kind in ("folder", "table") else "sha256": self.state}

    def arranged(self) -> tuple[Files, Layout]:
        """Return the pictures of a folder, archive or table, and what they are for.

        Raises:
            InputError: nobody can tell.
        """
        if self.listed is not None:
            return tables.arranged(self.path, self.listed, self.options.seed, self.record)
        files = self.files or folder.find(self.path, self.options.progress)
        return files, folder.arranged(self.path, files, self.options.seed, self.record)

    def read(self) -> Reading:
        """Begin to read it.

        Raises:
            InputError: it is not as it must be.
        """
        if self.kind == "arrays":
            return converted(arrays.read(self.path, self.record, self.options.progress), self.options)
        if self.listed is not None:
            return tables.read(self.path, self.options, self.record, self.listed)
        return folder.read(self.path, self.options, self.record, self.files)


def look_at(path: Path, options: Options, where: Path) -> Own:
    """Look what is at a place: of folders and tables, pictures are listed; of files, the content is summed.

    Args:
        path: a folder or file, resolved.
        options: how pictures are wanted.
        where: the folder of the cache.

    Raises:
        InputError: it cannot be read, or a table is none or lacks too many of its pictures.
    """
    kind = kind_of_source(path)
    if kind == "arrays":
        options = replace(options, seed=0)
    if kind == "table":
        return look_up(path, options, record_of(path, options, where))
    options = replace(options, root=None)
    record = record_of(path, options, where)
    if kind == "folder":
        files = folder.find(path, options.progress)
        return Own(path, kind, options, record, listing_digest(files, path.name, options.progress), files=files)
    return Own(path, kind, options, record, copies.file_digest(path, where))


def look_up(path: Path, options: Options, record: Path, rows: Sequence[list[str]] | None = None) -> Own:
    """Look which pictures a table names.

    Args:
        path: the table, or what messages call one that is no file.
        options: how pictures are wanted.
        record: the file that remembers which pictures are to test on.
        rows: those of a table that is no file, its header first.

    Raises:
        InputError: it is no such table, or lacks too many of its pictures.
    """
    listed = tables.find(path, options.progress, options.root, rows, options.on_doubt)
    tables.check_found(path, listed, options.on_doubt)
    state = listing_digest(listed.files, path.name, options.progress, listed.said)
    return Own(path, "table", options, record, state, listed=listed)


def read_given(found: Own) -> Reading:
    """Begin to read a table that is given from Python, all of which share what was set apart in their folder.

    Args:
        found: what `look_up` has found.

    Raises:
        InputError: a table before it has taken all that could be set apart to train on.
    """
    reading = found.read()
    train = found.listed.found.get("train", {}) if found.listed else {}
    alike = Counter(label for label, _ in train.values())
    if "test" not in reading.splits and max(alike.values(), default=0) > 1:
        raise InputError(
            f"{found.path} has only pictures that were set apart to train on when others of their folder were given, "
            "so none is left to test on: give them together, or another seed to set some apart anew"
        )
    return reading


def record_of(path: Path, options: Options, where: Path, *words: str) -> Path:
    """Return the file that remembers which pictures of a place are to test on.

    Args:
        path: the place, resolved.
        options: of them only the seed and the root count.
        where: the folder of the cache.
        words: what else tells it from others.
    """
    key = Options(seed=options.seed, root=options.root).key(name_of(path), *words, str(path))
    return where / "splits" / f"{key}.json"


def name_of(path: Path) -> str:
    """Return what the pictures of a place are called."""
    name = path.name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz")
    return (name if path.is_dir() else Path(name).stem) or "data"
