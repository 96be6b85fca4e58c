"""What is drawn of each class, and which classes have few pictures."""

import numpy as np
import pytest

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.pictures.by_class import chosen_by_class, few_pictures


def of(*counts: int) -> ImageSet:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    names = tuple(f"c{number}" for number in range(len(counts)))
    return ImageSet(np.zeros((len(labels), 1, 2, 2), np.uint8), labels, names, "set")


def test_some_of_every_class_are_drawn_in_order() -> None:
    ant, bee, cat = chosen_by_class(of(9, 0, 2), 4, 3, np.random.default_rng(0))
    assert [(each.number, each.num_images) for each in (ant, bee, cat)] == [(0, 9), (1, 0), (2, 2)]
    assert len(set(ant.places.tolist())) == 4
    assert set(ant.places.tolist()) <= set(range(9))
    assert ant.places.tolist() == sorted(ant.places.tolist())
    assert (bee.places.tolist(), cat.places.tolist()) == ([], [9, 10])
    again = chosen_by_class(of(9, 0, 2), 4, 3, np.random.default_rng(0))
    assert [each.places.tolist() for each in again] == [each.places.tolist() for each in (ant, bee, cat)]


def test_of_too_many_classes_the_first_that_have_pictures() -> None:
    drawn = chosen_by_class(of(0, 3, 0, 1, 5), 2, 2, np.random.default_rng(0))
    assert [(each.number, each.num_images, len(each.places)) for each in drawn] == [(1, 3, 2), (3, 1, 1)]


def test_nothing_is_drawn_by_class_without_labels() -> None:
    unlabelled = ImageSet(np.zeros((3, 1, 2, 2), np.uint8), None, (), "set")
    with pytest.raises(InputError, match="set has no labels"):
        chosen_by_class(unlabelled, 2, 2, np.random.default_rng(0))


def test_classes_of_few_pictures_are_warned_about() -> None:
    assert few_pictures(of(10, 11)) == []
    assert few_pictures(of(10, 1, 0)) == [
        "few pictures to train on: c2 (0), c1 (1); with fewer than 10 a class is learned less well"
    ]
    assert "c3 (1) and 2 more;" in few_pictures(of(1, 1, 1, 1, 1, 9, 20))[0]
