"""Numbers, lists and tables as people read them: counts, shares, times, names; and the room of words in a terminal."""

import unicodedata
from collections.abc import Sequence


def plural(number: int, one: str, several: str | None = None) -> str:
    """Write a number of things; more than one are called `several`, or as one with an s.

    >>> plural(1, "picture"), plural(10000, "picture"), plural(10, "class", "classes")
    ('1 picture', '10,000 pictures', '10 classes')
    """
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Write one name or several as one says them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def first_few(names: Sequence[str], most: int = 10) -> str:
    """Write the first of several names, and how many more there are.

    >>> first_few(["a", "b", "c"]), first_few(["a", "b", "c"], 1)
    ('a, b, c', 'a and 2 more')
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def percent(share: float, places: int = 1) -> str:
    """Write a share, 0..1, with so many decimals.

    >>> percent(0.7416), percent(0.7416, 2)
    ('74.2 %', '74.16 %')
    """
    return f"{100 * share:.{places}f} %"


def share(value: float | None, places: int = 2) -> str:
    """Write a share as a percentage; `-` where there is none.

    >>> share(0.7416), share(0.5, 0), share(None)
    ('74.16 %', '50 %', '-')
    """
    return "-" if value is None else percent(value, places)


def number(value: float | None, places: int = 4) -> str:
    """Write a number; `-` where there is none.

    >>> number(0.90349), number(1.0, 1), number(None)
    ('0.9035', '1.0', '-')
    """
    return "-" if value is None else f"{value:.{places}f}"


def reached(metric: str, value: float | None) -> str:
    """Write what validation pictures gave, a share or a number; `-` where there is none.

    >>> reached("val_accuracy", 0.5), reached("val_loss", 0.5)
    ('50.00 %', '0.5000')
    """
    return share(value) if metric == "val_accuracy" else number(value)


def sureness(share: float) -> str:
    """Write how sure an answer is, 0..1, as `percent` does, but so that nothing is rounded up to certainty.

    >>> sureness(0.99999), sureness(0.0001), sureness(0.62)
    ('over 99.9 %', 'under 0.1 %', '62.0 %')
    """
    if share >= 0.9995:
        return "over 99.9 %"
    return "under 0.1 %" if share < 0.0005 else percent(share)


def duration(seconds: float) -> str:
    """Write a time as one would say it.

    >>> duration(8.4), duration(754), duration(11160)
    ('8 seconds', '13 minutes', '3.1 hours')
    """
    if seconds < 90:
        return plural(round(seconds), "second")
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def rounded(value: float, digits: int = 2) -> str:
    """Write a number with so many significant digits, in full what rounds to below a billion, and a true minus sign.

    >>> rounded(-0.1234), rounded(18250, 3), rounded(1.05e6, 3), rounded(2e9)
    ('−0.12', '18,200', '1,050,000', '2e+09')
    """
    text = f"{value:.{digits}g}"
    if "e+" in text and abs(float(text)) < 1e9:
        text = f"{float(text):,.0f}"
    return text.replace("-", "\u2212")


def num_columns(text: str) -> int:
    """Count the columns of a terminal that a text takes: two for a wide letter, none for an accent by itself.

    >>> num_columns("cat"), num_columns("写真"), num_columns("cafe\u0301")
    (3, 4, 4)
    """
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lay rows out in columns; columns of numbers are aligned to the right.

    >>> table(("name", "pictures"), [("digits", "1,797")])
    ['name    pictures', 'digits     1,797']
    """
    places = range(len(head))
    widths = [max(num_columns(row[place]) for row in (head, *rows)) for place in places]
    numeric = [all(row[place][:1].isdigit() or row[place] in ("", "-") for row in rows) for place in places]
    lines = []
    for row in (head, *rows):
        cells = []
        for cell, wide, right in zip(row, widths, numeric, strict=True):
            space = " " * (wide - num_columns(cell))
            cells.append(f"{space}{cell}" if right else f"{cell}{space}")
        lines.append("  ".join(cells).rstrip())
    return lines
