"""The errors a user can cause or meet, each one line that names the thing and the remedy."""

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final


class RetinulaError(Exception):
    """Something failed that is not a fault of the program: a full disk, a broken file, a loss that is not finite.

    >>> error = RetinulaError("the disk is full", remedy="go on with: retinula train --resume runs/mine")
    >>> str(error), error.reason
    ('the disk is full; go on with: retinula train --resume runs/mine', 'the disk is full')

    Args:
        reason: what failed.
        remedy: what to do, the end of the message, where whoever knows a better way may put another in its place.
    """

    exit_code = 1

    def __init__(self, reason: str = "", *, remedy: str = "") -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason = reason


class InputError(RetinulaError, ValueError):
    """A wrong name, value, file or use; what to change is in the message."""

    exit_code = 2


class Diverged(RetinulaError):
    """A training went astray: its loss, or the weights that it left, are not finite."""


class Interrupted(RetinulaError):
    """The user or the system asked to stop; the message says what was saved and how to go on."""

    exit_code = 130


# What the system says of a wrong name or place; all else that it refuses is no fault of the words.
WRONG_PLACE: Final = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)


def refused_by_system(error: BaseException) -> bool:
    """Whether an error tells what the system refused, such as a disk; not that another process holds a lock."""
    return isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, TimeoutError)


# How torch words it: for the processor (on Windows otherwise), and for a GPU.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch has no class of its own for that on the processor.

    >>> ran_out_of_memory(MemoryError()), ran_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    (True, True)
    """
    worded = isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)
    return worded or isinstance(error, MemoryError)


MOST_NAMED = 40  # names at the end of a message; more would bury it


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to `word`, whatever its case, or all of a few, as the end of an error message.

    >>> nearest("CIFAR-10", ["cifar10", "digits"])
    "; did you mean 'cifar10'?"
    """
    known = sorted(known)
    by_lower = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_lower, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {by_lower[close[0]]!r}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= MOST_NAMED else ""


def first_line(error: BaseException) -> str:
    r"""Return what an error of another's making says first, or its kind where it says nothing.

    >>> first_line(ValueError("no such thing\nstack")), first_line(KeyError())
    ('no such thing', 'KeyError')
    """
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
