"""One lock a thing that several processes may want to make at once.

A lock only saves work: whoever uses one must be correct without it, because network file systems may not have
locks, and because a process that was stopped while holding one must not stop all others for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

PATIENCE_SECONDS = 600.0
_AT_ONCE_SECONDS = 0.2
_REWRITING_SECONDS = 10.0  # a file is read, changed and written in far less


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None, patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Hold the lock file `path` during the block, or go on without it; yield which.

    Args:
        path: of the lock file; its folder exists.
        waiting: called once if another process holds it.
        patience: seconds to wait for it before going on without.
    """
    lock = filelock.FileLock(path)
    held = _acquired(lock, _AT_ONCE_SECONDS)
    if held is False:
        if waiting is not None:
            waiting()
        held = _acquired(lock, patience)
    try:
        yield bool(held)
    finally:
        if held:
            lock.release()


@contextmanager
def rewriting(file: Path) -> Iterator[None]:
    """Keep others that ask for it, too, from changing a file while it is read, changed and written during the block.

    Args:
        file: it; its folder exists.
    """
    with locked(file.with_name(f".{file.stem}.lock"), patience=_REWRITING_SECONDS):
        yield


@contextmanager
def unless_held(path: Path) -> Iterator[bool | None]:
    """Hold a lock file during the block where nobody does; yield whether it is held now, None where there are no locks.

    Args:
        path: of the lock file; its folder exists.
    """
    lock = filelock.FileLock(path)
    held = _acquired(lock, 0)
    try:
        yield held
    finally:
        if held:
            lock.release()


def _acquired(lock: filelock.BaseFileLock, seconds: float) -> bool | None:
    """Say whether the lock was got in time, or None where there are no locks."""
    try:
        lock.acquire(timeout=seconds)
    except filelock.Timeout:
        return False
    except (OSError, NotImplementedError):  # a folder that cannot be written to, a drive without locks
        return None
    return True
