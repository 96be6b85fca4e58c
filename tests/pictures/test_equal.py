"""Equal pictures are found by their pixels, wherever they lie."""

import numpy as np

from retinula.images import CHUNK
from retinula.pictures.equal import digests_of, equal_pairs


def test_each_picture_is_paired_with_the_first_that_is_equal_to_it() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), dtype=np.uint8)
    learned = pictures[[2, 0, 4, 0]]
    assert equal_pairs(pictures, learned) == [(0, 1), (2, 0), (4, 2)]
    nearly = pictures.copy()
    nearly[:, 0, 0, 0] ^= 1
    assert equal_pairs(nearly, learned) == []
    assert equal_pairs(pictures[:0], learned) == equal_pairs(pictures, learned[:0]) == []


def test_pictures_beyond_the_first_portion_are_found_where_they_lie() -> None:
    number = CHUNK + 3
    pictures = np.arange(number, dtype="<u4").view(np.uint8).reshape(number, 1, 2, 2)
    assert len(np.unique(digests_of(pictures).values)) == number
    places = [0, CHUNK - 1, CHUNK, number - 1]
    assert equal_pairs(pictures[places], pictures) == list(enumerate(places))
