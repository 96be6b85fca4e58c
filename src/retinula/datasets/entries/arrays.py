"""Digits on houses, symbols drawn by hand, and STL-10."""

from typing import Final

from retinula.datasets.entry import Archive, Entry, loose_files

_SVHN: Final = ("http://ufldl.stanford.edu/housenumbers", "https://ufldl.stanford.edu/housenumbers")


def _svhn(name: str, about: str, train: tuple[str, int, str], count: int) -> Entry:
    test = ("test_32x32.mat", 64_275_384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b")
    return Entry(
        name=name,
        about=about,
        classes=tuple("0123456789"),
        counts={"train": count, "test": 26_032},
        channels=3,
        size=(32, 32),
        licence="for non-commercial use",
        citation=(
            "Y. Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, "
            "NIPS Workshop on Deep Learning and Unsupervised Feature Learning, 2011"
        ),
        homepage="http://ufldl.stanford.edu/housenumbers/",
        archive=loose_files(
            name,
            _SVHN,
            (train, test),
            folders=("svhn", "SVHN", "housenumbers"),
        ),
        family="svhn",
    )


SVHN: Final = _svhn(
    "svhn",
    "digits of house numbers in street views (format 2, cropped)",
    ("train_32x32.mat", 182_040_794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
    73_257,
)
SVHN_EXTRA: Final = _svhn(
    "svhn-extra",
    "the 531,131 easier digits of svhn to train on, with its test pictures",
    ("extra_32x32.mat", 1_329_278_602, "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3"),
    531_131,
)

HASYV2: Final = Entry(
    name="hasyv2",
    about="handwritten mathematical symbols of 369 kinds",
    classes=(),  # the archive lists them
    counts={"train": 168_233},  # 90 % to train on, other ones in every fold
    channels=1,
    size=(32, 32),
    licence="ODbL 1.0",
    citation="M. Thoma, The HASYv2 Dataset, arXiv:1701.08380, 2017, https://doi.org/10.5281/zenodo.259444",
    homepage="https://zenodo.org/records/259444",
    archive=Archive(
        name="HASYv2.tar.bz2",
        size=34_597_561,
        sha256="7c3ffe709e8c2b83f6ab7d8afc79f7b5f46421657981b1752d22a0ed0052aa2d",
        urls=(
            "https://zenodo.org/records/259444/files/HASYv2.tar.bz2",
            "https://zenodo.org/api/records/259444/files/HASYv2.tar.bz2/content",
        ),
        folder="HASYv2",
        files={},
        needs=("symbols.csv", "classification-task/fold-1/train.csv", "hasy-data/*.png"),
        folders=("hasyv2",),
    ),
    family="hasy",
    folds=10,
    num_listed=369,
)

STL10: Final = Entry(
    name="stl10",
    about="photos of ten kinds of animals and vehicles; its 100,000 unlabelled ones are left out",
    classes=("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"),
    counts={"train": 5_000, "test": 8_000},
    channels=3,
    size=(96, 96),
    licence="none stated by the authors; the pictures are from ImageNet, whose terms hold",
    citation=(
        "A. Coates, H. Lee and A. Y. Ng, An Analysis of Single Layer Networks in Unsupervised Feature Learning, "
        "AISTATS, 2011"
    ),
    homepage="https://cs.stanford.edu/~acoates/stl10/",
    archive=Archive(
        name="stl10_binary.tar.gz",
        size=2_640_397_119,
        sha256="f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
        urls=(
            "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
            "https://cs.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
        ),
        folder="stl10_binary",
        files=dict.fromkeys(("class_names.txt", "test_X.bin", "test_y.bin", "train_X.bin", "train_y.bin"), ""),
    ),
    family="stl10",
    folds=10,
    fold_train=1000,
)
