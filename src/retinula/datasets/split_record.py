"""Which pictures of one's own are to test on: the share of them, and the file that remembers which those are.

Knows only names, and what stands for one, such as a digest; which pictures are chosen is up to `layout`.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from retinula.datasets.reading import SplitName
from retinula.files.durable import make_folder, write_json

TEST_FRACTION: Final = 0.2  # of each class, where a source does not say which pictures are for testing


def read_record(record: Path | None) -> dict[str, SplitName]:
    """Return which pictures were to train and to test on before; nothing where that is not known."""
    if record is None:
        return {}
    try:
        found = json.loads(record.read_bytes())
        return {name: split for split in ("train", "test") for name in found[split]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


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
    known = read_record(record)
    halves: tuple[SplitName, ...] = ("train", "test")
    places = {name: split for split in halves for name in splits.get(split, ())}
    places = places if forgetting else {**known, **places}
    if places == known:
        return
    make_folder(record.parent)
    write_json(record, {split: [name for name in places if places[name] == split] for split in halves})
