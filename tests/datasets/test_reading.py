from dataclasses import replace

import numpy as np

from retinula.datasets.reading import Dataset, Skipped
from retinula.images import ImageSet


def test_a_data_set_is_shown_in_one_line() -> None:
    pets = ImageSet(np.zeros((1442, 1, 2, 2), np.uint8), None, ("cat", "dog"), "pets/train")
    dataset = Dataset("pets", {"train": pets, "test": pets.take(np.arange(3))})
    assert repr(dataset) == "Dataset(pets: 1,442 train, 3 test)"
    assert repr(replace(dataset, skipped=(Skipped("a.png", "it is empty"),))).endswith(", 3 test, 1 skipped)")
