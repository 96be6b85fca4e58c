"""Names that come from outside, as text of one line: what can be printed of any, and what a class may be called."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

LONGEST_CLASS_NAME: Final = 255  # letters; no file system has longer names of folders, which are classes
_SHOWN: Final = 60  # letters of a name in a message
_MOST_DIGITS: Final = 18  # of a class's number; Python refuses to read thousands of them

# Control characters, other line breaks, marks of the direction of writing, and halves of characters. Not what joins or
# parts letters, which some languages need.
_MARKS: Final = re.compile(r"[\u061c\u200e\u200f]")  # of those, what names of classes once could have
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(name: str) -> str:
    r"""Return a file's name as text that can be written anywhere; names are bytes, and not all of them are text.

    >>> printable("two\nlines")
    'two\\nlines'
    """
    return _UNPRINTABLE.sub(_escaped, os.fsencode(name).decode("utf-8", "backslashreplace"))


def printable_text(text: str) -> str:
    r"""Return text of any lines as it can be written anywhere, line breaks and tabs left as they are.

    >>> printable_text("a\x1b[2Jb\n\tc")
    'a\\x1b[2Jb\n\tc'
    """
    return _UNPRINTABLE.sub(lambda found: found[0] if found[0] in "\n\t" else _escaped(found), text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def composed(name: str) -> str:
    """Return a name with its accents as names of classes have them: a letter with its accent is one."""
    return unicodedata.normalize("NFC", name)


def class_called(name: str, classes: Sequence[str]) -> int | None:
    """Return the number of the class of that name, in any case and however its accents are written; else None.

    A name that could be two classes, if its case counts for nothing, is none of them.

    >>> class_called("Owl", ("cat", "owl")), class_called("1", ("cat", "owl")), class_called("cAt", ("cat", "Cat"))
    (1, None, None)
    """
    if name in classes:
        return classes.index(name)
    wanted = _folded(name)
    folded = [number for number, each in enumerate(classes) if _folded(each) == wanted]
    return folded[0] if len(folded) == 1 else None


def class_number(name: str, classes: Sequence[str]) -> int | None:
    """Return the number of the class of that name, in any case and however its accents are written, or of that number.

    None where there is none. Where a class is itself called by a whole number, numbers are names only: to count as
    well would be to guess.

    >>> class_number("Owl", ("cat", "owl")), class_number("1", ("cat", "owl")), class_number("0", ("1", "2"))
    (1, 1, None)
    """
    number = class_called(name, classes)
    if number is not None:
        return number
    if not name.isdecimal() or len(name) > _MOST_DIGITS or any(each.lstrip("+-").isdecimal() for each in classes):
        return None
    return int(name) if int(name) < len(classes) else None


def _folded(name: str) -> str:
    return composed(name).casefold()


def shortened(path: str, most: int = 40) -> str:
    """Return a path in at most so many letters: its end, which tells pictures apart better than where all of them lie.

    >>> shortened("photos/of/2024/birds/wren.jpg", 20)
    '…2024/birds/wren.jpg'
    """
    return path if len(path) <= most else f"\u2026{path[1 - most :]}"


def fault_in_class_names(
    classes: Iterable[object], superclasses: Iterable[object] | None = None, *, of_model: bool = False
) -> str:
    """Return in words why classes, and the groups they belong to, cannot be called so; nothing where they can.

    Args:
        classes: names of them.
        superclasses: names of groups, or None.
        of_model: they are those of a trained model, which may be older than some rules: marks of the direction of
            writing, and names that only read the same, are let pass.

    >>> fault_in_class_names(["cat", "dog"]), fault_in_class_names(["cat", "cat"])
    ('', "two classes are called 'cat'")
    """
    names = list(classes)
    for name in (*names, *(() if superclasses is None else superclasses)):
        if not isinstance(name, str):
            return f"no class can be called {shown(name)}: names are text, such as {shown(str(name))}"
        plain = _MARKS.sub("", name) if of_model else name
        is_blank = not (name if of_model else _seen(name)).strip()
        if is_blank or len(name) > LONGEST_CLASS_NAME or _UNPRINTABLE.search(plain):
            return (
                f"no class can be called {shown(name)}: a name is one line of 1 to {LONGEST_CLASS_NAME} letters, "
                "without control characters and marks of the direction of writing"
            )
    first: dict[str, str] = {}
    for name in () if of_model else map(str, names):
        twin = first.setdefault(_seen(name), name)
        if twin != name:
            return f"two classes read the same: {shown(twin)} and {shown(name)}"
    twice = [name for name, times in Counter(names).items() if times > 1]
    return f"two classes are called {shown(twice[0])}" if twice else ""


def is_address(word: str) -> bool:
    """Tell whether a word is an address on the web, also as a path writes it.

    >>> is_address("https://example.org/cat.png"), is_address("https:/example.org/cat.png"), is_address("c:/cat.png")
    (True, True, False)
    """
    return word.lower().startswith(("http:/", "https:/", "ftp:/", "s3:/", "gs:/"))


def _seen(name: str) -> str:
    """Return what a reader sees of a name: without what only joins, parts or marks letters."""
    return name if name.isascii() else "".join(each for each in name if unicodedata.category(each) != "Cf")


def shown(name: object) -> str:
    """Write a name in quotation marks for a message, the beginning alone where it is long; what is no text without.

    >>> shown("cat"), shown("c" * 100) == f"'{'c' * 60}'...", shown(0)
    ("'cat'", True, '0')
    """
    if isinstance(name, str):
        return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."
    text = repr(name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
