"""Which pictures a report shows of a set."""

import numpy as np

from retinula.images import ImageSet
from retinula.report.pictures import contact_rows
from retinula.report.sheet import Sheet


def test_of_many_classes_those_that_have_pictures_get_rows() -> None:
    names = tuple(f"c{number}" for number in range(130))
    image_set = ImageSet(np.zeros((3, 3, 2, 2), np.uint8), np.array([129, 5, 129]), names, "set")
    rows = contact_rows(image_set, Sheet((2, 2)))
    assert [(row.name, row.count, len(row.places)) for row in rows] == [("c5", 1, 1), ("c129", 2, 2)]
