"""Which pictures of one's own are to test on: the share of them, and the file that remembers which those are.

Knows only names, and what stands for one, such as a digest; which pictures are chosen is up to `layout`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from retinula.datasets.reading import SplitName
from retinula.files.durable import make_folder, write_json
from retinula.files.lock import rewriting

TEST_FRACTION: Final = 0.2  # of each class, where a source does not say which pictures are for testing
_HALVES: Final[tuple[SplitName, ...]] = ("train", "test")

_Places = dict[str, SplitName]
_Digests = dict[str, str]


def read_record(record: Path | None) -> dict[str, SplitName]:
    """Return which pictures were to train and to test on before; nothing where that is not known."""
    return read_with_digests(record)[0]


def read_with_digests(record: Path | None) -> tuple[dict[str, SplitName], dict[str, str]]:
    """Return as well, by their names, what stands for the content of pictures, as far as that is known."""
    places: dict[str, SplitName] = {}
    digests: dict[str, str] = {}
    try:
        found: Any = {} if record is None else json.loads(record.read_bytes())
        places = {name: split for split in _HALVES for name in found[split]}
        for split in _HALVES:
            pairs = zip(found[split], found["digests"][split], strict=True)
            digests.update((name, digest) for name, digest in pairs if isinstance(digest, str))
    except (OSError, ValueError, KeyError, TypeError):  # one of an earlier version has no digests
        pass
    return places, digests


def write_record(record: Path | None, splits: Mapping[SplitName, Iterable[str]], *, forgetting: bool = False) -> None:
    """Remember which pictures are to train and to test on, beside those that are gone and may come back.

    Args:
        record: the file to write; None writes nothing.
        splits: the names of the pictures of each split.
        forgetting: whether those that are gone are not to be kept.

    Raises:
        RetinulaError: it cannot be written.
    """
    if record is None:
        return
    places = {name: split for split in _HALVES for name in splits.get(split, ())}
    _rewrite(record, lambda known, digests: (places if forgetting else {**known, **places}, digests))


def add_digests(record: Path, digests: Mapping[str, str]) -> None:
    """Remember what stands for the content of pictures that a record has.

    Raises:
        RetinulaError: it cannot be written.
    """

    def added(places: _Places, known: _Digests) -> tuple[_Places, _Digests]:
        return places, {**known, **{name: digest for name, digest in digests.items() if name in places}}

    _rewrite(record, added)


def _rewrite(record: Path, change: Callable[[_Places, _Digests], tuple[_Places, _Digests]]) -> None:
    """Write what a change makes of a record, if it is another; what others write meanwhile is not lost."""
    found = read_with_digests(record)
    if change(*found) == found:  # then it may lie where nothing can be written
        return
    make_folder(record.parent)
    with rewriting(record):
        _write(record, *change(*read_with_digests(record)))


def _write(record: Path, places: Mapping[str, SplitName], digests: Mapping[str, str]) -> None:
    names = {split: [name for name in places if places[name] == split] for split in _HALVES}
    known = {"digests": {split: [digests.get(name) for name in names[split]] for split in _HALVES}} if digests else {}
    write_json(record, {**names, **known})
