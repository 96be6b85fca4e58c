"""Writing files so that a reader sees the old content or the new, never a part of either.

Write beside, flush to the disk, rename. Knows nothing of what is written.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retinula.errors import InputError, RetinulaError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block succeeds, its file takes the place of `path`.

    Raises:
        RetinulaError: the disk is full, the folder is missing or may not be written to. `path` is untouched.
    """
    with explained(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
    temporary = Path(name)
    try:
        with explained(path):
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block succeeds it becomes `path`, replacing what was there.

    The folder that this process stands in is filled instead where it is empty, so that nobody is left in a removed one.

    Raises:
        RetinulaError: as `replacing`.
    """
    place = path.resolve()  # of a link what it leads to, of `.` its name
    with explained(path):
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        with explained(path):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            for file in temporary.rglob("*"):
                _sync(file)
            _take_place(temporary, place)
            _sync(place.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(made: Path, place: Path) -> None:
    """Rename a folder to a name that another may have; that one is put aside first, and back where renaming fails."""
    if place.is_dir() and not any(place.iterdir()):
        if place.samefile(Path.cwd()):
            for item in made.iterdir():
                item.replace(place / item.name)
            return
        place.rmdir()
    if not place.exists():
        made.replace(place)
        return
    aside = made.with_name(f"{made.name}.old")
    place.replace(aside)
    try:
        made.replace(place)
    except OSError:
        aside.replace(place)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON; a number that is not finite is an error, not invalid JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_text(path: Path, text: str) -> None:
    """Add `text` to the end of `path` as UTF-8 and have it on the disk; a kill may leave a part of it."""
    with explained(path), path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def check_destination(path: Path) -> None:
    """Refuse a file that cannot be written where it is to be, before the work that would fill it.

    Raises:
        RetinulaError: naming it and what is in the way.
    """
    with explained(path):
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file")
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}; make it first")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` into one line that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RetinulaError(f"cannot write {path}: {reason}") from error


def _sync(path: Path) -> None:
    # Folders are synced so that the rename itself survives a power cut; Windows cannot open them.
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_umask() -> Callable[[], int]:
    # The umask can only be read by setting it, which other threads would notice: done once, at import.
    mask = os.umask(0o022)
    os.umask(mask)
    return lambda: mask


_umask = _read_umask()
