"""Photographs and drawings, a file a picture."""

from dataclasses import replace
from typing import Final

from retinula.datasets.entries.caltech import CALTECH101_CLASSES, CALTECH256_CLASSES
from retinula.datasets.entry import Archive, Entry

CALTECH101_CLUTTER: Final = "BACKGROUND_Google"

CALTECH256_CLUTTER: Final = "clutter"


def _with_clutter(entry: Entry, clutter: str, number: int) -> Entry:
    """Add the class of pictures that show none of the others; so many pictures are there in all then."""
    return replace(
        entry,
        name=f"{entry.name}-clutter",
        about=f"{entry.name} and its class of pictures that show none of them",
        classes=(*entry.classes, clutter),
        counts={"train": number},
    )


_CALTECH101: Final = Archive(
    name="caltech-101.zip",
    size=137_414_764,
    sha256="331234750fc7f77520e50d9565e8b6907b03565e30320da1401130db08c61f91",
    urls=(
        "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
        "https://data.caltech.edu/api/records/mzrjq-6wc02/files/caltech-101.zip/content",
    ),
    folder="101_ObjectCategories",
    files={},
    needs=("*/image_*.jpg",),
    # What is in the zip, as the authors gave it away before.
    names=("101_ObjectCategories.tar.gz",),
    same={"101_ObjectCategories.tar.gz": ("af6ece2f339791ca20f855943d8b55dd60892c0a25105fcd631ee3d6430f9926",)},
)

CALTECH101: Final = Entry(
    name="caltech101",
    about="photos of 101 kinds of things",
    classes=CALTECH101_CLASSES,
    counts={"train": 8_677},
    channels=3,
    size=(64, 64),
    licence="CC BY 4.0",
    citation=(
        "L. Fei-Fei, R. Fergus and P. Perona, Learning Generative Visual Models from Few Training Examples, "
        "CVPR Workshop on Generative-Model Based Vision, 2004, https://doi.org/10.22002/D1.20086"
    ),
    homepage="https://data.caltech.edu/records/mzrjq-6wc02",
    archive=_CALTECH101,
    family="caltech101",
    carved=True,
)

CALTECH101_WITH_CLUTTER: Final = _with_clutter(CALTECH101, CALTECH101_CLUTTER, 9_144)

_CALTECH256: Final = Archive(
    name="256_ObjectCategories.tar",
    size=1_183_006_720,
    sha256="08ff01b03c65566014ae88eb0490dbe4419fc7ac4de726ee1163e39fd809543e",
    urls=(
        "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
        "http://www.vision.caltech.edu/Image_Datasets/Caltech256/256_ObjectCategories.tar",
    ),
    folder="256_ObjectCategories",
    files={},
    needs=("[0-9][0-9][0-9].*/*.jpg",),
)

CALTECH256: Final = Entry(
    name="caltech256",
    about="photos of 256 kinds of things",
    classes=CALTECH256_CLASSES,
    counts={"train": 29_780},
    channels=3,
    size=(64, 64),
    licence="CC BY 4.0",
    citation=(
        "G. Griffin, A. Holub and P. Perona, Caltech-256 Object Category Dataset, technical report, 2007, "
        "https://doi.org/10.22002/D1.20087"
    ),
    homepage="https://data.caltech.edu/records/nyy15-4j048",
    archive=_CALTECH256,
    family="caltech256",
    carved=True,
)

CALTECH256_WITH_CLUTTER: Final = _with_clutter(CALTECH256, CALTECH256_CLUTTER, 30_607)


def _linnaeus5(side: int) -> Entry:
    folder = f"Linnaeus 5 {side}X{side}"
    return Entry(
        name=f"linnaeus5-{side}",
        about="photos of berries, birds, dogs, flowers, and others",
        classes=("berry", "bird", "dog", "flower", "other"),
        counts={"train": 6_000, "test": 2_000},
        channels=3,
        size=(side, side),
        licence="not stated; the photos are from pixabay.com",
        citation="G. Chaladze and L. Kalatozishvili, Linnaeus 5 Dataset for Machine Learning, 2017",
        homepage="http://chaladze.com/l5/",
        archive=Archive(
            name=f"{folder}.zip",
            size=0,
            sha256="",
            urls=(),
            folder=folder,
            files={},
            needs=("train/*/*.jpg", "test/*/*.jpg"),
            how=f"download {folder}.rar from http://chaladze.com/l5/ and unpack it, as by: 7z x '{folder}.rar'",
        ),
        family="linnaeus5",
    )


LINNAEUS5: Final = tuple(_linnaeus5(side) for side in (32, 64, 128, 256))

_CORE50_CATEGORIES: Final = (
    "plug_adapter",
    "mobile_phone",
    "scissor",
    "light_bulb",
    "can",
    "glass",
    "ball",
    "marker",
    "cup",
    "remote_control",
)

CORE50: Final = Entry(
    name="core50",
    about="50 household objects of ten categories, filmed in eleven sessions",
    classes=tuple(f"{category}{number}" for category in _CORE50_CATEGORIES for number in range(1, 6)),
    counts={"train": 119_894, "test": 44_972},
    channels=3,
    size=(128, 128),
    licence="CC BY 4.0",
    citation=(
        "V. Lomonaco and D. Maltoni, CORe50: a New Dataset and Benchmark for Continuous Object Recognition, "
        "Conference on Robot Learning, PMLR 78, 2017"
    ),
    homepage="https://vlomonaco.github.io/core50/",
    superclasses=tuple(category for category in _CORE50_CATEGORIES for _ in range(5)),
    archive=Archive(
        name="core50_128x128.zip",
        size=5_892_103_007,
        sha256="",
        urls=(
            "http://bias.csr.unibo.it/maltoni/download/core50/core50_128x128.zip",
            "http://bias.csr.unibo.it/vr/core50/core50_128x128.zip",
        ),
        folder="core50_128x128",
        files={},
        needs=("s*/o*/C_*.png",),
    ),
    family="core50",
)

CITYSCAPES: Final = Entry(
    name="cityscapes",
    about="road users and signs cut out of 3,475 labelled street scenes",
    classes=(
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
        "traffic light",
        "traffic sign",
    ),
    counts={},
    channels=3,
    size=(64, 64),
    licence="for non-commercial use, after registering with the authors",
    citation=("M. Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR, 2016"),
    homepage="https://www.cityscapes-dataset.com",
    archive=Archive(
        name="",
        size=0,
        sha256="",
        urls=(),
        folder="cityscapes",
        files={},
        needs=("leftImg8bit*", "gtFine*"),
        how=(
            "register at https://www.cityscapes-dataset.com and download leftImg8bit_trainvaltest.zip and "
            "gtFine_trainvaltest.zip into one folder"
        ),
    ),
    family="cityscapes",
)
