import re

import numpy as np
import pytest

from retinula.datasets import digits, shapes
from retinula.datasets.catalog import CATALOG
from retinula.datasets.entries.cifar import CIFAR100_GROUPS
from retinula.datasets.entry import Entry
from retinula.datasets.layout import natural_order
from retinula.datasets.reading import Reading


@pytest.mark.parametrize("entry", CATALOG.values(), ids=CATALOG)
def test_an_entry_is_complete(entry: Entry) -> None:
    assert CATALOG[entry.name] is entry
    assert len(set(entry.classes)) == len(entry.classes)
    assert entry.num_classes >= 5
    assert (entry.num_listed > 0) == (not entry.classes)
    if entry.mean:
        assert len(entry.mean) == len(entry.deviation) == entry.channels
        assert all(0 < value < 1 for value in (*entry.mean, *entry.deviation))
    assert entry.superclasses is None or len(entry.superclasses) == len(entry.classes)
    assert set(entry.counts) <= {"train", "test"}
    assert (set(entry.counts) == {"train"}) == (entry.carved or entry.name == "hasyv2")
    if entry.conditions:
        assert set(entry.counts) == {"test"}
        assert entry.counts["test"] % len(entry.conditions) == 0
    assert entry.licence
    assert entry.citation
    assert entry.about
    if entry.archive is not None:
        assert entry.family
        assert entry.homepage.startswith(("https://", "http://"))
        assert bool(entry.archive.name) != bool(entry.archive.parts) or entry.archive.how
        for archive in entry.archive.parts or (entry.archive,):
            assert bool(archive.urls) != bool(archive.how)
            assert not archive.urls or len(archive.urls) >= 2
            for url in archive.urls:
                assert re.fullmatch(r"https?://[^ ]+/" + re.escape(archive.name) + "(/content)?", url)
            assert re.fullmatch("([0-9a-f]{64})?", archive.sha256)
            assert archive.sha256 or archive.needs  # what has no sum is looked at picture by picture
        sums = [*entry.archive.files.values(), *(one for same in entry.archive.same.values() for one in same)]
        sums = [digest for digest in sums if digest]
        assert len(set(sums)) == len(sums)
        for digest in sums:
            assert re.fullmatch("[0-9a-f]{64}", digest)


def test_the_authors_come_first_and_state_no_licence() -> None:
    for name in ("cifar10", "cifar100"):
        archive = CATALOG[name].archive
        assert archive is not None
        assert archive.urls[0] == f"https://www.cs.toronto.edu/~kriz/{archive.name}"
        assert CATALOG[name].licence.startswith("none stated by the authors")


def test_cifar100_has_twenty_groups_of_five() -> None:
    entry = CATALOG["cifar100"]
    assert list(CIFAR100_GROUPS) == sorted(CIFAR100_GROUPS)
    assert [len(names) for names in CIFAR100_GROUPS.values()] == [5] * 20
    assert list(entry.classes) == sorted(entry.classes)
    assert len(entry.classes) == 100
    assert entry.superclasses is not None
    assert entry.superclasses[entry.classes.index("chimpanzee")] == "large_omnivores_and_herbivores"
    # The classes of a published experiment, by number.
    assert [entry.classes[number] for number in (5, 21, 35)] == ["bed", "chimpanzee", "girl"]


@pytest.mark.parametrize(("name", "reading"), [("digits", digits.read()), ("shapes", shapes.read())])
def test_what_needs_no_file_is_as_described(name: str, reading: Reading) -> None:
    entry = CATALOG[name]
    assert reading.classes == entry.classes
    counts = {}
    for split, stream in reading.splits.items():
        images = np.concatenate([chunk.images for chunk in stream()])
        counts[split] = len(images)
        assert images.shape[1:] == (entry.channels, *entry.size)
        if split == "train":
            assert (images.mean(axis=(0, 2, 3)) / 255).round(4).tolist() == list(entry.mean)
            assert (images.std(axis=(0, 2, 3)) / 255).round(4).tolist() == list(entry.deviation)
    assert counts == entry.counts


def test_the_sets_of_the_works_are_there() -> None:
    wanted = "cifar10 cifar100 mnist fashion-mnist caltech101 caltech256 core50 cityscapes hasyv2 svhn stl10"
    tests_only = "cifar10.1 cifar10-c cifar100-c"
    assert {*wanted.split(), *tests_only.split(), *(f"linnaeus5-{side}" for side in (32, 64, 128, 256))} <= set(CATALOG)
    for name in tests_only.split():
        assert set(CATALOG[name].counts) == {"test"}
    assert (len(CATALOG["caltech101"].classes), len(CATALOG["caltech256"].classes)) == (101, 256)
    assert list(CATALOG["caltech101"].classes) == sorted(CATALOG["caltech101"].classes, key=natural_order)
    assert CATALOG["hasyv2"].num_classes == 369
    assert len(CATALOG["core50"].classes) == 50
    assert len(set(CATALOG["core50"].superclasses or ())) == 10
