"""Which pictures the files of a table of labels are, by their paths. Knows nothing of labels, and opens nothing.

A file may be a picture where one's path is the end of the other's, in any case, accents written in either way, and the
picture's suffix left out or not. Nearest is the whole path, then the longest end; then one with the suffix; then the
one that is written alike.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from retinula.errors import InputError
from retinula.text.names import composed


def parts_of(file: str) -> tuple[str, ...]:
    """Return the parts of a path, alike however its folders are separated."""
    parts = PurePosixPath(file.replace("\\", "/")).parts
    return tuple(part for part in parts if part != "/") or (file,)


def paired(sources: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """Return by picture the file of the table that it is, what is nearest first, none of either twice.

    Args:
        sources: the paths of pictures.
        files: paths as the table has them.

    Raises:
        InputError: a file that could be two pictures, or the other way round.
    """
    file_of: dict[str, str] = {}
    picture_of: dict[str, str] = {}
    remedy = "write paths in it as they are here"
    for pairs in _by_nearness(sources, files):
        free = [(src, file) for src, file in pairs if src not in file_of and file not in picture_of]
        for src, file in free:
            if file_of.setdefault(src, file) != file:
                raise InputError(f"{src} could be {file_of[src]!r} or {file!r} of the table of labels; {remedy}")
            if picture_of.setdefault(file, src) != src:
                raise InputError(f"{file!r} of the table of labels could be {picture_of[file]} or {src}; {remedy}")
    return file_of


def meant(
    sources: Iterable[str], files: Iterable[str], is_usable: Callable[[str], bool]
) -> dict[tuple[str, ...], list[str]]:
    """Return by the parts of a file of the table the pictures that are nearest to it, of those whose path ends so.

    Each file is taken by itself, so that two may mean the same picture.

    Args:
        sources: the paths of pictures.
        files: paths as the table has them.
        is_usable: tells of one of the paths whether it is a picture at all; asked only where nothing nearer is one.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for pairs in _by_nearness(sources, files):
        nearest: dict[tuple[str, ...], list[str]] = {}
        for src, file in pairs:
            parts = parts_of(file)
            if parts not in found and len(parts) <= len(parts_of(src)) and is_usable(src):
                nearest.setdefault(parts, []).append(src)
        found |= nearest
    return found


def _by_nearness(sources: Iterable[str], files: Iterable[str]) -> list[list[tuple[str, str]]]:
    """Return pairs of a picture and a file of which one ends in the other: equal ones, then the longest such ends."""
    whole: dict[tuple[str, ...], list[str]] = {}
    longer: dict[tuple[str, ...], list[str]] = {}
    file_of: dict[tuple[str, ...], str] = {}
    for file in files:
        parts = parts_of(file)
        if file_of.setdefault(parts, file) != file:
            continue  # the same path, written in another way
        spelled = _folded(parts)
        whole.setdefault(spelled, []).append(file)
        for first in range(1, len(parts)):
            longer.setdefault(spelled[first:], []).append(file)
    found: dict[tuple[int, bool, int], list[tuple[str, str]]] = {}
    for src in sources:
        parts = parts_of(src)
        bare = (*parts[:-1], PurePosixPath(parts[-1]).stem)
        for written in dict.fromkeys((parts, bare)):
            spelled = _folded(written)
            pairs = [(length, file) for length in range(1, len(parts)) for file in whole.get(spelled[-length:], ())]
            pairs += [(sys.maxsize, file) for file in whole.get(spelled, ())]
            pairs += [(len(parts), file) for file in longer.get(spelled, ())]
            for length, file in pairs:
                nearness = (length, written == parts, _likeness(written, parts_of(file)))
                found.setdefault(nearness, []).append((src, file))
    return [found[nearness] for nearness in sorted(found, reverse=True)]


def _folded(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(composed(part).casefold() for part in parts)


def _likeness(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return 2 where the ends of two paths are written alike, 1 but for accents as files of macOS have them, else 0."""
    ends = list(zip(reversed(one), reversed(other), strict=False))
    if all(first == second for first, second in ends):
        return 2
    return int(all(composed(first) == composed(second) for first, second in ends))
