"""Which reader reads which data set of the catalog."""

from pathlib import Path

from retinula.datasets import cifar, cifar_tests, cityscapes, hasy, idx, stl10, svhn, trees
from retinula.datasets.entry import Entry
from retinula.datasets.options import Options
from retinula.datasets.reading import Reading


def read(source: Path, entry: Entry, options: Options) -> Reading:
    """Begin to read a data set of the catalog.

    What is published as arrays comes as it is; what is published as files of pictures is decoded at the size wanted.

    Args:
        source: its official file, or the folder that it unpacks to or that its files lie in.
        entry: of the catalog; says what has to be in it.
        options: how the pictures are wanted.

    Raises:
        InputError: coarse labels or a fold of a set that has none; while streaming: it is not as published.
    """
    options.refuse(entry.name, coarse=entry.superclasses is None, folds=entry.folds)
    match entry.family:
        case "cifar":
            return cifar.read(source, entry, options.labels)
        case "idx":
            return idx.read(source, entry)
        case "svhn":
            return svhn.read(source, entry)
        case "stl10":
            return stl10.read(source, entry, options.fold)
        case "cifar10.1":
            return cifar_tests.read_new(source, entry)
        case "cifar-c":
            return cifar_tests.read_corrupted(source, entry)
        case "hasy":
            return hasy.read(source, entry, options)
        case "cityscapes":
            return cityscapes.read(source, entry, options)
    return trees.read(source, entry, options)
