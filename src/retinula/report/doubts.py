"""What a report shows of doubtful pictures: labels that are likely wrong, and pictures that are nearly the same.

Knows what an inspection found; looks for nothing itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.label_errors import BY_HEAD, HELD_OUT, PERHAPS_HELD_OUT, LabelErrors
from retinula.images import ImageSet
from retinula.report.sheet import Sheet

SHOWN = 24


@dataclass(frozen=True)
class Doubted:
    """A picture whose label is likely wrong: its number, its place on the sheet, both names, how sure, 0..1."""

    index: int
    place: int
    label: str
    suggestion: str
    sure_label: float
    sure: float


@dataclass(frozen=True)
class LabelsPart:
    """Doubted labels.

    Attributes:
        number: of them.
        num_images: how many were looked at.
        num_rare: how many are too rare for it.
        by_model: whether answers of the model itself were used, which never saw those labels.
        by_head: whether those of heads trained without them were.
        surely: whether nothing but that is possible; else the model may have seen some all the same.
        shown: some, the likeliest first.
    """

    number: int
    num_images: int
    num_rare: int
    by_model: bool
    by_head: bool
    surely: bool
    shown: tuple[Doubted, ...]


@dataclass(frozen=True)
class Alike:
    """Two pictures that are nearly the same: numbers, places on the sheet, names, and how far their pixels agree."""

    index: int
    place: int
    label: str
    other: int
    other_place: int
    other_label: str
    correlation: float
    exact: bool


@dataclass(frozen=True)
class PairsPart:
    """Pairs between two sets, or within one: how many, how many equal in every pixel, with how many labels differing.

    Attributes:
        between: whether the second picture of each is one learned from.
        number: of the pairs.
        exact: of those equal in every pixel.
        differing: of those whose two labels differ.
        pictures: how many pictures of the first set are in a pair.
        shown: some, those with differing labels first.
    """

    between: bool
    number: int
    exact: int
    differing: int
    pictures: int
    shown: tuple[Alike, ...]


def labels_part(found: LabelErrors, asked: ImageSet, sheet: Sheet) -> LabelsPart:
    """Put the likeliest on the sheet.

    Args:
        found: among the pictures asked about.
        asked: these.
        sheet: of their size.

    Raises:
        IndexError: it was found among other pictures.
    """
    shown = tuple(
        Doubted(
            each.index,
            sheet.add(asked.images[each.index], ("asked", each.index)),
            each.label,
            each.suggestion,
            each.label_probability,
            each.probability,
        )
        for each in found.errors[:SHOWN]
    )
    return LabelsPart(
        len(found.errors),
        found.num_images,
        found.num_rare,
        by_model=HELD_OUT in found.method,
        by_head=BY_HEAD in found.method,
        surely=PERHAPS_HELD_OUT not in found.method,
        shown=shown,
    )


def pairs_part(
    pairs: Sequence[NearDuplicate], asked: ImageSet, other: ImageSet, sheet: Sheet, *, between: bool
) -> PairsPart:
    """Put some on the sheet, those with differing labels first, then the closest.

    Args:
        pairs: the closest first.
        asked: the set with `index`.
        other: the set with `other`, with pictures of the same size.
        sheet: of that size.
        between: whether `other` is what was learned from.

    Raises:
        IndexError: they were found among other pictures.
    """
    differing = [pair for pair in pairs if label_of(asked, pair.index) != label_of(other, pair.other)]
    agreeing = [pair for pair in pairs if label_of(asked, pair.index) == label_of(other, pair.other)]
    shown = tuple(
        Alike(
            pair.index,
            sheet.add(asked.images[pair.index], ("asked", pair.index)),
            label_of(asked, pair.index),
            pair.other,
            sheet.add(other.images[pair.other], ("learned" if between else "asked", pair.other)),
            label_of(other, pair.other),
            pair.correlation,
            pair.exact,
        )
        for pair in [*differing, *agreeing][:SHOWN]
    )
    return PairsPart(
        between,
        len(pairs),
        sum(pair.exact for pair in pairs),
        len(differing),
        len({pair.index for pair in pairs} | (set() if between else {pair.other for pair in pairs})),
        shown,
    )


def label_of(image_set: ImageSet, index: int) -> str:
    """Return the class that a picture is called; nothing in a set without labels."""
    return "" if image_set.labels is None else image_set.classes[image_set.labels[index]]
