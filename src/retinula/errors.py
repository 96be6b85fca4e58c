"""The errors a user can cause or meet, each one line that names the thing and the remedy."""

from collections.abc import Iterable
from difflib import get_close_matches


class RetinulaError(Exception):
    """Something failed that is not a fault of the program: a full disk, a broken file, a loss that is not finite."""

    exit_code = 1


class InputError(RetinulaError, ValueError):
    """A wrong name, value, file or use; what to change is in the message."""

    exit_code = 2


class Interrupted(RetinulaError):
    """The user or the system asked to stop; the message says what was saved and how to go on."""

    exit_code = 130


MOST_NAMED = 40  # names at the end of a message; more would bury it


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to `word`, or all of a few, as the end of an error message.

    >>> nearest("cifar1O", ["cifar10", "digits"])
    "; did you mean 'cifar10'?"
    """
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= MOST_NAMED else ""


def first_line(error: BaseException) -> str:
    r"""Return what an error of another's making says first, or its kind where it says nothing.

    >>> first_line(ValueError("no such thing\nstack")), first_line(KeyError())
    ('no such thing', 'KeyError')
    """
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
