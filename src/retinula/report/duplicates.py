"""Pictures that a report names as being both among those learned from and those asked about."""

from dataclasses import dataclass

from retinula.images import ImageSet
from retinula.pictures.equal import equal_pairs
from retinula.report.doubts import label_of
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


def duplicates_part(train_set: ImageSet, asked: ImageSet, sheet: Sheet) -> DuplicatesPart:
    """Find them, and put some on the sheet.

    Args:
        train_set: pictures learned from.
        asked: pictures asked about, of the same size.
        sheet: of that size.
    """
    found = equal_pairs(asked.images, train_set.images)
    shown = tuple(
        Twice(
            index,
            sheet.add(asked.images[index], ("asked", index)),
            label_of(asked, index),
            learned,
            label_of(train_set, learned),
        )
        for index, learned in found[:SHOWN]
    )
    return DuplicatesPart(len(found), shown)
