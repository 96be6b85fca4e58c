"""What a set has of each class: some pictures to show, and where there are few to train on."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinula.images import ImageSet
from retinula.text.words import first_few

SHEET_CLASSES: Final = 120  # more classes than this are not shown on one sheet
FEW: Final = 10  # with fewer pictures to train on, a class is learned much less well than with more
_NAMED: Final = 4


class Chosen(NamedTuple):
    """A class by its number, how many pictures it has, and where some of them stand, int64 `[n]`, in order."""

    number: int
    num_images: int
    places: NDArray[np.int64]


def chosen_by_class(image_set: ImageSet, per_class: int, most: int, generator: np.random.Generator) -> list[Chosen]:
    """Draw pictures of every class at random; of too many classes, of the first of those that have pictures.

    Args:
        image_set: a labelled one.
        per_class: how many of each class at most.
        most: how many classes.
        generator: of the draw.

    Raises:
        InputError: the set has no labels.
    """
    labels = image_set.known_labels()
    numbers = range(len(image_set.classes))
    chosen = []
    for number in numbers if len(numbers) <= most else np.unique(labels)[:most].tolist():
        members = np.flatnonzero(labels == number)
        chosen.append(Chosen(number, len(members), np.sort(generator.permutation(members)[:per_class])))
    return chosen


def few_pictures(train_set: ImageSet) -> list[str]:
    """Return a line to warn with where classes have fewer than ten pictures to train on; none where all have enough.

    Args:
        train_set: what is trained on.
    """
    few = sorted((count, name) for name, count in train_set.counts().items() if count < FEW)
    if not few:
        return []
    named = first_few([f"{name} ({count})" for count, name in few], _NAMED)
    return [f"few pictures to train on: {named}; with fewer than {FEW} a class is learned less well"]
