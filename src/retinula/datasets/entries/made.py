"""What needs no file: the digits of scikit-learn, and shapes drawn by formula."""

from typing import Final

from retinula.datasets import digits, shapes
from retinula.datasets.entry import Entry

DIGITS: Final = Entry(
    name="digits",
    about="1,797 handwritten digits that come with scikit-learn: no network needed",
    classes=digits.CLASSES,
    counts={"train": 1442, "test": 355},
    channels=1,
    size=(8, 8),
    mean=(0.3052,),
    deviation=(0.3760,),
    licence="CC BY 4.0",
    citation=(
        "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, "
        "UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49"
    ),
    homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
)

SHAPES: Final = Entry(
    name="shapes",
    about="coloured shapes on noisy grounds, drawn by formula in any size",
    classes=shapes.CLASSES,
    counts={"train": 4000, "test": 1000},
    channels=3,
    size=(32, 32),
    mean=(0.5072, 0.4984, 0.5057),
    deviation=(0.2885, 0.2887, 0.2877),
    licence="none needed: drawn by this package",
    citation="none: it is made by this package",
    homepage="",
)
