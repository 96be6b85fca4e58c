"""Writing files so that a reader sees the old content or the new, never a part of either.

Write beside, flush to the disk, rename; and one wording for what the system refuses, reading or writing. Knows nothing
of what is written.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from retinula.errors import WRONG_PLACE, InputError, RetinulaError

UNFINISHED: Final = ".retinula-"  # how names of temporary files begin: short, for no name may be longer than 255 bytes
MAX_TEXT_BYTES: Final = 1024**3  # of a text; 20 million steps of a training
_GROWTH: Final = 1024**2  # by which a file may grow while it is read
_LONGEST_ENDING: Final = 16
_ABANDONED_SECONDS: Final = 600.0


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; when the block succeeds, its file takes the place of `path`, and a former one's rights.

    Of a link it is what it leads to that is replaced. A device, a pipe or what is printed to, such as `/dev/stdout`,
    stays what it is, and is given the content.

    Raises:
        InputError: the folder is missing or may not be written to.
        RetinulaError: the disk is full, or the like. `path` is untouched either way.
    """
    with explained(path):
        place = _led_to(path)
        special = _is_special(path)
        # Those who write by the ending of a name find it here, too.
        ending = path.suffix if len(path.suffix) <= _LONGEST_ENDING else ""
        handle, name = tempfile.mkstemp(dir=None if special else place.parent, prefix=UNFINISHED, suffix=ending)
        os.close(handle)
    temporary = Path(name)
    try:
        with explained(path):
            yield temporary
            if special:
                with temporary.open("rb") as content, _opened(path) as device:
                    shutil.copyfileobj(content, device)
                return
            temporary.chmod(place.stat().st_mode & 0o777 if place.exists() else 0o666 & ~_umask())
            _sync(temporary)
            temporary.replace(place)
            _sync(place.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, *, may_replace: bool = True) -> Iterator[Path]:
    """Yield a temporary folder; when the block succeeds it becomes `path`, replacing what was there.

    An empty folder is filled instead: another drive may be mounted on it, its parent may be closed to us, or
    somebody may stand in it.

    Args:
        path: the folder.
        may_replace: whether a folder that has something in it may go; where not, also one that came while the block ran
            is left as it is.

    Raises:
        InputError: something is in the way that may not go.
        RetinulaError: as `replacing`.
    """
    with explained(path):
        place = _led_to(path)  # of `.` its name
        place.parent.mkdir(parents=True, exist_ok=True)
        empty = place.is_dir() and is_empty(place)
        temporary = Path(tempfile.mkdtemp(dir=place if empty else place.parent, prefix=UNFINISHED))
    try:
        with explained(path):
            yield temporary
            for file in temporary.rglob("*"):
                _sync(file)
            if empty:
                if not may_replace and not is_empty(place):
                    raise _taken(path)
                for item in temporary.iterdir():
                    item.replace(place / item.name)
                _sync(place)
            else:
                temporary.chmod(0o777 & ~_umask())
                if may_replace:
                    _take_place(temporary, place)
                elif not take_free_place(temporary, place):
                    raise _taken(path)
                _sync(place.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_empty(folder: Path) -> bool:
    """Tell whether there is nothing in a folder, but for what is being written to it or was when a process died."""
    return all(item.name.startswith(UNFINISHED) for item in folder.iterdir())


def clear_abandoned(unfinished: Iterable[Path]) -> None:
    """Remove those of some unfinished files and folders that nothing was written to for ten minutes."""
    border = time.time() - _ABANDONED_SECONDS
    for item in unfinished:
        with suppress(OSError):
            # Copies have their originals' time of change, but a time of their own at which that was set.
            if max(path.lstat().st_ctime for path in (item, *item.rglob("*"))) < border:
                shutil.rmtree(item) if item.is_dir() else item.unlink()


def _led_to(path: Path) -> Path:
    """Return the full path of a file or folder, that of a link's end where it is one."""
    try:
        return path.resolve()
    except RuntimeError as error:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error


def _is_special(path: Path) -> bool:
    """Tell whether a path is given its content, and not replaced: a device, a pipe, or what is printed to."""
    return path.exists() and (not path.is_file() or _standard_stream(path) is not None)


def _standard_stream(path: Path) -> int | None:
    """Return the number of the standard stream that a path is, be it sent to a file, or None."""
    for number in (1, 2):
        with suppress(OSError):  # it is closed
            if os.path.samestat(path.stat(), os.fstat(number)):
                return number
    return None


def _opened(path: Path) -> IO[bytes]:
    """Open a device or pipe; a standard stream where it is written to already, after what was printed so far."""
    number = _standard_stream(path)
    if number is None:
        return path.open("wb")
    sys.stdout.flush()
    return os.fdopen(os.dup(number), "wb")


def _take_place(made: Path, place: Path) -> None:
    """Rename a folder to a name that another may have; that one is put aside first, and back where renaming fails."""
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


def take_free_place(made: Path, place: Path) -> bool:
    """Rename a folder to a name that nothing has but perhaps an empty folder, or tell that it is taken.

    Raises:
        OSError: the system refuses for another reason.
    """
    try:
        made.rename(place)  # the system replaces no folder that has something in it, and looks and renames in one
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True


def _taken(path: Path) -> InputError:
    return InputError(f"{path}: somebody else has put something there meanwhile, which stays; name another folder")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read an ordinary file whole; a pipe, which may keep one waiting, or a device, which may have no end, is none.

    Raises:
        InputError: it is missing, the system refuses, it is no ordinary file, or larger than `max_bytes`.
    """
    with reading(path), open(path, "rb", opener=_opened_at_once) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: not an ordinary file")
        # Not up to `max_bytes` in one go: Python sets that much memory apart before it reads.
        content = file.read(min(found.st_size + _GROWTH, max_bytes + 1)) if found.st_size <= max_bytes else b""
    if max(found.st_size, len(content)) > max_bytes:
        raise InputError(f"{path}: larger than {max_bytes:,} bytes")
    return content


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # else a pipe is opened when somebody writes to it


def read_text(path: Path) -> str:
    """Read a file of UTF-8; however its lines end, they end in line feeds here.

    Raises:
        InputError: as `read_bytes`, or it is no such text.
    """
    try:
        return io.TextIOWrapper(io.BytesIO(read_bytes(path, MAX_TEXT_BYTES)), encoding="utf-8").read()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8") from error


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal.

    Raises:
        InputError: it is missing, or the system refuses.
    """
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        folder = _led_to(path).parent if path.is_symlink() else path.parent
        if not folder.is_dir():
            raise InputError(f"{path}: there is no folder {folder}; make it first")
        if not _is_special(path):
            _try_to_write(folder)


def check_folder(path: Path) -> None:
    """Refuse a folder that cannot be made, or written to, before the work that would fill it. Nothing is made.

    Raises:
        RetinulaError: naming it and what is in the way.
    """
    with explained(path):
        place = _led_to(path)
        while not place.exists():
            place = place.parent
        _try_to_write(place)


def make_folder(path: Path) -> None:
    """Make a folder with all above it, where it is not there yet.

    Raises:
        InputError: it cannot be there.
        RetinulaError: the system refuses otherwise.
    """
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def explained(path: Path, remedy: str = "") -> Iterator[None]:
    """Turn an `OSError` into one line that names the file, and a remedy if there is one.

    Raises:
        InputError: the place is wrong: it is missing, or may not be written to.
        RetinulaError: anything else that the system refuses, such as a full disk.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        kind = InputError if error.errno in WRONG_PLACE else RetinulaError
        raise kind(f"cannot write {_known(path)}: {'; '.join([reason, remedy] if remedy else [reason])}") from error


def _known(path: Path) -> Path:
    """Return a path; of one below what is temporary, whose name says nothing to anybody, the folder where that lies."""
    first = next((n for n, part in enumerate(path.parts) if part.startswith(UNFINISHED)), None)
    return path if first is None else Path(*path.parts[:first])


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` over a file or folder that is read into one line that names it.

    Raises:
        InputError: it is missing, or the system refuses. As that is a `ValueError`, catch those inside the block.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _try_to_write(folder: Path) -> None:
    # What may be written is known only by trying: rights, lists of access and read-only drives all have a say.
    with tempfile.TemporaryFile(dir=folder, prefix=UNFINISHED):
        pass


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
