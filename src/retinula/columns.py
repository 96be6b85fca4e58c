"""How many columns of a terminal a text takes."""

import unicodedata


def columns(text: str) -> int:
    """Count the columns of a text: two for a wide letter, none for an accent by itself.

    >>> columns("cat"), columns("写真"), columns("cafe\u0301")
    (3, 4, 4)
    """
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
