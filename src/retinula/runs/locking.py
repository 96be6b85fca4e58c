"""The lock of a run's folder: one process at a time trains in it."""

from pathlib import Path

from filelock import FileLock, Timeout

from retinula.errors import RetinulaError
from retinula.files.durable import explained

LOCK = ".lock"
_PATIENCE_SECONDS = 1.0  # whoever looks whether somebody trains there holds it for a moment
_LOOKING_SECONDS = 0.05  # for another who looks at the same moment


def lock_folder(folder: Path) -> FileLock:
    """Return a lock that keeps a second process from training into the same folder.

    Raises:
        RetinulaError: another process holds it.
    """
    lock = FileLock(folder / LOCK, timeout=_PATIENCE_SECONDS)
    with explained(folder):
        try:
            lock.acquire()
        except Timeout as error:
            raise RetinulaError(f"{folder}: another process is training in this folder") from error
    return lock


def is_locked(folder: Path) -> bool:
    """Tell whether a process is training into a folder now; no file is left by asking."""
    lock = FileLock(folder / LOCK, timeout=_LOOKING_SECONDS)
    try:
        if Path(lock.lock_file).exists():
            lock.acquire(poll_interval=_LOOKING_SECONDS / 10)
            lock.release()
    except Timeout:
        return True
    except OSError:  # a folder that may only be read: nobody is training into it
        return False
    return False
