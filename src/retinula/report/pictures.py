"""What a report shows of the pictures themselves: some of each class, and some as training changes them."""

from dataclasses import dataclass

import numpy as np

from retinula.errors import InputError
from retinula.images import ImageSet, drawn
from retinula.pictures.by_class import SHEET_CLASSES, chosen_by_class
from retinula.plots.distortion import distorted, happenings
from retinula.recipe.recipe import Recipe
from retinula.report.sheet import Sheet, SheetPage
from retinula.training.plan import augment_of
from retinula.training.shown import fed_batch

TILES = 1000  # pictures of a contact sheet
PER_CLASS = 10  # of them of a class, at most
DISTORTIONS = 9
FED = 12  # pictures of the first batch


@dataclass(frozen=True)
class ContactRow:
    """A class: its name, how many pictures it has, and the places of some on the sheet."""

    name: str
    count: int
    places: tuple[int, ...]


@dataclass(frozen=True)
class DistortedPart:
    """One picture as it is and as training shows it, the words for what happens, and all of them on a sheet."""

    original: SheetPage
    changed: SheetPage
    words: str


@dataclass(frozen=True)
class FedTile:
    """A picture of the first batch: number, class, places of it as it is and as it was fed, and what was done to it."""

    index: int
    label: str
    place: int
    fed: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class FedPart:
    """The first pictures of the first batch as the network got them, on a sheet of their own; how many it had."""

    sheet: SheetPage
    pictures: tuple[FedTile, ...]
    size: int


def contact_rows(image_set: ImageSet, sheet: Sheet, seed: int = 0) -> tuple[ContactRow, ...]:
    """Put pictures of each class on the sheet, drawn at random; the same ones for the same seed.

    Of more than 120 classes, the first of those that have pictures.

    Args:
        image_set: labelled, or all of it becomes one row.
        sheet: of the pictures' size.
        seed: of the draw.
    """
    if image_set.labels is None:
        chosen = drawn(len(image_set), 4 * PER_CLASS, seed)
        return (ContactRow("", len(image_set), tuple(sheet.add(image_set.images[i]) for i in chosen)),)
    share = min(PER_CLASS, TILES // min(len(image_set.classes), SHEET_CLASSES))
    return tuple(
        ContactRow(image_set.classes[number], count, tuple(sheet.add(image_set.images[i]) for i in places))
        for number, count, places in chosen_by_class(image_set, share, SHEET_CLASSES, np.random.default_rng(seed))
    )


def mixes(recipe: Recipe) -> bool:
    """Tell whether a recipe's training mixes pictures two by two."""
    return augment_of(recipe).mixes


def distorted_part(recipe: Recipe, image_set: ImageSet, most_bytes: int) -> DistortedPart | None:
    """Return the first picture as the recipe's training shows it, nine times.

    None where nothing happens to a single picture, as by mixing alone, which is not drawn.
    """
    picture, augment = image_set.images[0], augment_of(recipe)
    try:
        changed, words = distorted(picture, augment, number=DISTORTIONS, seed=recipe.seed)
    except InputError:  # the pictures are too small for it; the training would have said so
        return None
    if not words:
        return None
    original, sheet = Sheet((picture.shape[1], picture.shape[2])), Sheet((changed.shape[2], changed.shape[3]))
    original.add(picture)
    for each in changed:
        sheet.add(each)
    return DistortedPart(original.finish(most_bytes), sheet.finish(most_bytes), "; ".join(words))


def fed_part(recipe: Recipe, image_set: ImageSet, sheet: Sheet, most_bytes: int) -> FedPart | None:
    """Return the pictures that training begins with, exactly as it feeds them; None where it changes none.

    Args:
        recipe: of the training.
        image_set: what it trained on.
        sheet: for the pictures as they are.
        most_bytes: for the sheet of what was fed.
    """
    if not happenings(augment_of(recipe)) and not mixes(recipe):
        return None
    try:
        batch = fed_batch(recipe, image_set, most=FED)
    except InputError:  # as above
        return None
    fed = Sheet((batch.pictures[0].fed.shape[1], batch.pictures[0].fed.shape[2]))
    tiles = tuple(
        FedTile(
            each.index, each.label, sheet.add(each.original, ("learned", each.index)), fed.add(each.fed), each.words
        )
        for each in batch.pictures
    )
    return FedPart(fed.finish(most_bytes), tiles, batch.size)
