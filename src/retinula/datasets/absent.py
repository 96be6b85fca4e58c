"""What is said of a file or folder that is not there, and of files of a kind that is not read: by names alone."""

import os
from pathlib import Path
from typing import Final

from retinula.datasets.archives import REFUSED_ENDINGS
from retinula.text.names import is_address

_ARRAY_ENDINGS: Final = (".npy", ".h5", ".hdf5", ".parquet", ".pkl", ".pickle", ".pt", ".pth", ".mat")


def instead(path: Path) -> str:
    """Say what to do about a file of a kind that is not read, by its ending; nothing of others."""
    ending = path.suffix.lower()
    if ending in _ARRAY_ENDINGS:
        return 'write its arrays by np.savez_compressed("mine.npz", images=..., labels=...)'
    return "unpack it and give the folder" if ending in REFUSED_ENDINGS else ""


def is_path(word: str) -> bool:
    """Tell whether a word can only mean a file or folder, be there one or not: by a separator, or an ending.

    >>> is_path("photos.zip"), is_path("sets/photos"), is_path("cifar10.1"), is_path("photos")
    (True, True, False, False)
    """
    separators = (os.sep, os.altsep or os.sep)
    path = Path(word)
    return any(separator in word for separator in separators) or path.suffix[1:2].isalpha() or instead(path) != ""


def not_there(word: str, hint: str = "") -> str:
    """Say that there is no such file or folder; then a hint or, without one, what to do about its kind.

    Args:
        word: that `is_path`.
        hint: what it may have meant, the end of the message.
    """
    if is_address(word):
        return f"{word} is an address on the web: fetch it first (curl -LO ADDRESS), and give the file"
    kind = instead(Path(word))
    remedy = f"; files of this kind are not read: {kind}" if kind else ""
    return f"there is no file or folder {word!r}{hint or remedy}"
