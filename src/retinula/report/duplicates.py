"""Pictures that a report names as being both among those learned from and those asked about."""

from dataclasses import dataclass

from retinula.datasets.check import check_dataset
from retinula.datasets.reading import Dataset, SplitName
from retinula.images import ImageSet
from retinula.report.sheet import Sheet

SHOWN = 24


@dataclass(frozen=True)
class Twice:
    """A picture asked about: its number there, its place on the sheet, its class; number and class where learned."""

    index: int
    place: int
    label: str
    learned: int
    learned_as: str


@dataclass(frozen=True)
class DuplicatesPart:
    """How many pictures asked about are equal, pixel by pixel, to one learned from; and some of them."""

    number: int
    shown: tuple[Twice, ...]


def duplicates_part(train_set: ImageSet, asked: ImageSet, split: SplitName, sheet: Sheet) -> DuplicatesPart:
    """Find them, and put some on the sheet."""
    learned, others = _numbered(train_set), _numbered(asked)
    report = check_dataset(Dataset(asked.name, {"train": learned, split: others}, ()))
    learned_at = [next(each for each in group.places if each.split == "train") for group in report.leaks]
    found = [
        (int(place.source), place.label, int(other.source), other.label)
        for group, other in zip(report.leaks, learned_at, strict=True)
        for place in group.places
        if place.split == split
    ]
    shown = [
        Twice(index, sheet.add(asked.images[index], ("asked", index)), label, learned, learned_as)
        for index, label, learned, learned_as in sorted(found)[:SHOWN]
    ]
    return DuplicatesPart(len(found), tuple(shown))


def _numbered(image_set: ImageSet) -> ImageSet:
    """Return the set with its pictures' numbers for names, since file names may occur in both sets."""
    return ImageSet(
        image_set.images,
        image_set.labels,
        image_set.classes,
        image_set.name,
        sources=[str(number) for number in range(len(image_set))],
    )
