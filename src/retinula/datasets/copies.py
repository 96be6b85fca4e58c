"""The official files of data sets on this computer: where they lie, whether they are the true ones, copies to keep.

Whatever is found is told apart by its sha256: the official file, or an unverified copy. Knows nothing of what is in it.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from retinula.datasets.entry import Archive
from retinula.datasets.listing import is_folder, unfollowed
from retinula.datasets.reading import Progress
from retinula.errors import InputError, RetinulaError
from retinula.files.durable import (
    UNFINISHED,
    clear_abandoned,
    make_folder,
    reading,
    replacing,
    replacing_folder,
    sha256_of,
    write_json,
)

_BLOCK: Final = 1024 * 1024

# A file changed within the resolution of its time stamp could be taken for what it was.
_SETTLED_NS: Final = 2_000_000_000


@dataclass(frozen=True)
class Found:
    """A data set's file or unpacked folder on this computer.

    Attributes:
        path: where it is.
        sha256: of the file; of a folder, that of the list of its files and their sums, or of their sizes and times
            where there may be many.
        verified: whether it is the official one.
    """

    path: Path
    sha256: str
    verified: bool


def downloads(cache_dir: Path) -> Path:
    """Return the folder that downloads and local copies are kept in."""
    return cache_dir / "downloads"


def locate(archive: Archive, folders: Iterable[Path]) -> Path | None:
    """Look for an archive or its unpacked folder, in each folder itself and one level down, in that order.

    Raises:
        InputError: an unpacked folder is not complete.
    """
    for folder in folders:
        for place in (folder, *_subfolders(folder)):
            with suppress(PermissionError):  # what may not be looked into, such as lost+found, has nothing for us
                if found := _lying_in(archive, place):
                    return found
        with suppress(PermissionError):
            if is_official_name(archive, folder):
                return folder
    return None


def find(archive: Archive, folders: Iterable[Path], cache_dir: Path) -> Found | None:
    """Locate an archive or its unpacked folder and tell whether it is the official one.

    Raises:
        InputError: an unpacked folder is not complete, or what was found cannot be read.
    """
    path = locate(archive, folders)
    return None if path is None else examine(archive, path, cache_dir)


def is_official_name(archive: Archive, path: Path) -> bool:
    """Say whether a file is called like the archive, or a folder holds what the archive unpacks to.

    Where the names of files do not tell, as with MNIST and Fashion-MNIST, the folder must have the right name.
    """
    if not path.is_dir():
        return path.name in (archive.name, *archive.names)
    tells = not archive.parts and not archive.needs
    named = tells or any(_ends_with(path, name) for name in (archive.folder, *archive.folders))
    return named and holds(archive, path)


def holds(archive: Archive, folder: Path) -> bool:
    """Say whether a folder has all that the archive unpacks to, as far as is known beforehand."""
    if _missing(archive, folder):
        return False
    return all(next(folder.glob(pattern), None) is not None for pattern in archive.needs)


def file_in(folder: Path, file: str) -> Path:
    """Return where a file of a data set lies in a folder: as published, or unpacked."""
    unpacked = file.removesuffix(".gz")
    # Some programs unpack the files of MNIST to train-images.idx3-ubyte and the like.
    names = (file, unpacked, unpacked.replace("-idx", ".idx"))
    return next((folder / name for name in names if (folder / name).is_file()), folder / unpacked)


def examine(archive: Archive, path: Path, cache_dir: Path) -> Found:
    """Tell whether a file or unpacked folder is the official one.

    Raises:
        InputError: it cannot be read.
    """
    if not path.is_dir():
        sha256 = file_digest(path, cache_dir)
        return Found(path, sha256, sha256 in {archive.sha256, *archive.same.get(path.name, ())})
    if archive.needs:
        return Found(path, _tree_digest(path), verified=False)
    sums = {file: file_digest(file_in(path, file), cache_dir) for file in sorted(archive.files)}
    verified = all(sums[file] in (sha256, *archive.same.get(file, ())) for file, sha256 in archive.files.items())
    return Found(path, _folder_digest(sums), verified)


def file_digest(path: Path, cache_dir: Path) -> str:
    """Return the sha256 of a file; remembered in the cache as long as the file stays as it is.

    Raises:
        InputError: it cannot be read.
    """
    note = (
        cache_dir / "sums" / f"{hashlib.sha256(str(path.resolve()).encode(errors='surrogateescape')).hexdigest()}.json"
    )
    with reading(path):
        state = path.stat()
        signs = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(note.read_bytes())
            if known["signs"] == signs:
                return str(known["sha256"])
        sha256 = sha256_of(path)
    if time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > _SETTLED_NS:
        # A cache that cannot be written to is somebody else's problem, and reported there.
        with suppress(RetinulaError, OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            write_json(note, {"signs": signs, "sha256": sha256})
    return sha256


def keep(archive: Archive, found: Found, cache_dir: Path, progress: Progress | None = None) -> Path:
    """Copy what was found among the downloads, in place of what was there.

    Raises:
        InputError: it changed since it was found.
        RetinulaError: the copy cannot be written.
    """
    folder = downloads(cache_dir)
    target = folder / (archive.folder if found.path.is_dir() else _kept_name(archive, found.path))
    if target.exists() and target.samefile(found.path):
        return target
    make_folder(folder)
    clear_abandoned(folder.glob(f"{UNFINISHED}*"))
    if found.path.is_dir() and archive.needs:
        with replacing_folder(target) as temporary:
            _copy_tree(found.path, temporary, progress)
            _check_unchanged(found, _tree_digest(temporary))
        _remove(folder, archive.name, *archive.names)
    elif found.path.is_dir():
        with replacing_folder(target) as temporary:
            sources = {file: file_in(found.path, file) for file in sorted(archive.files)}
            sums = {file: _copy(path, temporary / path.name, progress) for file, path in sources.items()}
            _check_unchanged(found, _folder_digest(sums))
        _remove(folder, archive.name, *archive.names)
    else:
        with replacing(target) as temporary:
            _check_unchanged(found, _copy(found.path, temporary, progress))
        _remove(folder, *({archive.name, *archive.names} - {target.name}))
        shutil.rmtree(folder / archive.folder, ignore_errors=True)
    return target


def _lying_in(archive: Archive, place: Path) -> Path | None:
    for name in (archive.name, *archive.names):
        if (place / name).is_file():
            return place / name
    for name in (archive.folder, *archive.folders):
        if (place / name).is_dir() and _is_unpacked(archive, place / name):
            return place / name
    return None


def _subfolders(folder: Path) -> Sequence[Path]:
    try:
        return sorted(
            Path(entry) for entry in os.scandir(folder) if is_folder(entry) and not entry.name.startswith(".")
        )
    except OSError:
        return []


def _is_unpacked(archive: Archive, folder: Path) -> bool:
    if archive.needs:
        return holds(archive, folder)
    missing = _missing(archive, folder)
    # Loose files are downloaded one after the other: a download may have been interrupted in between.
    if missing and len(missing) < len(archive.files) and not archive.parts:
        raise InputError(f"{folder} lacks {', '.join(missing)}; unpack {archive.name} again")
    return not missing


def _missing(archive: Archive, folder: Path) -> list[str]:
    return [file for file in archive.files if not file_in(folder, file).is_file()]


def _ends_with(path: Path, name: str) -> bool:
    parts = Path(name).parts
    return path.resolve().parts[-len(parts) :] == parts


def _kept_name(archive: Archive, path: Path) -> str:
    """Return the name that a copy of a file is found by: its own, if that is known, which also tells how to read it."""
    return path.name if path.name in (archive.name, *archive.names) else archive.name


def _remove(folder: Path, *names: str) -> None:
    for name in names:
        if name:
            (folder / name).unlink(missing_ok=True)


def _files_below(folder: Path) -> Iterator[Path]:
    """Give the ordinary files below a folder in a fixed order; links are followed where the readers follow them."""
    for place, subfolders, files in os.walk(folder, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if _is_followed(Path(place, name), folder))
        for name in sorted(files):
            path = Path(place, name)
            if _is_followed(path, folder) and path.is_file():
                yield path


def _is_followed(path: Path, folder: Path) -> bool:
    if not path.is_symlink():
        return True
    above = [place.resolve() for place in path.parents if place.is_relative_to(folder)]
    return unfollowed(path, folder.resolve(), above) is None


def _tree_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files_below(folder):
        found = path.stat()
        line = f"{found.st_size} {found.st_mtime_ns} {path.relative_to(folder).as_posix()}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _copy_tree(source: Path, target: Path, progress: Progress | None) -> None:
    for done, path in enumerate(_files_below(source), start=1):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
        if progress:
            progress(f"copying files of {source.name}", done, None)


def _folder_digest(sums: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{sums[file]}  {file}\n" for file in sorted(sums)).encode()).hexdigest()


def _copy(source: Path, target: Path, progress: Progress | None) -> str:
    """Copy a file and return the sha256 of what was copied."""
    digest = hashlib.sha256()
    size = source.stat().st_size
    done = 0
    with source.open("rb") as file, target.open("wb") as copy:
        while block := file.read(_BLOCK):
            digest.update(block)
            copy.write(block)
            done += len(block)
            if progress:
                progress(f"copying {source.name}", done, size)
    return digest.hexdigest()


def _check_unchanged(found: Found, sha256: str) -> None:
    if sha256 != found.sha256:
        raise InputError(f"{found.path} changed while it was being copied; try again")
