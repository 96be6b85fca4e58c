"""Which reader reads which data set of the catalog."""

from pathlib import Path

from retinula.datasets import cifar, idx
from retinula.datasets.cifar import LabelKind
from retinula.datasets.entry import Entry
from retinula.datasets.reading import Reading
from retinula.errors import InputError


def read(source: Path, entry: Entry, labels: LabelKind = "fine") -> Reading:
    """Begin to read a data set of the catalog.

    Args:
        source: its official file, or the folder that it unpacks to or that its files lie in.
        entry: of the catalog; says what has to be in it.
        labels: `coarse` makes the groups of the classes the classes.

    Raises:
        InputError: coarse labels of a set that has none; while streaming: it is not as published.
    """
    if labels == "coarse" and entry.superclasses is None:
        raise InputError(f'{entry.name} has no coarse labels; leave out labels="coarse"')
    match entry.family:
        case "cifar":
            return cifar.read(source, entry, labels)
        case "idx":
            return idx.read(source, entry)
    raise AssertionError(f"nothing reads {entry.family}")
