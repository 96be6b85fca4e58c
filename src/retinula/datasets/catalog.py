"""The data sets known by name; what is known of each stands in `entries/`."""

from typing import Final

from retinula.datasets.entries import arrays, cifar, made, mnist, photos
from retinula.datasets.entry import Entry

CATALOG: Final[dict[str, Entry]] = {
    entry.name: entry
    for entry in (
        made.DIGITS,
        made.SHAPES,
        cifar.CIFAR10,
        cifar.CIFAR100,
        mnist.MNIST,
        mnist.FASHION_MNIST,
        *photos.LINNAEUS5,
        photos.CALTECH101,
        photos.CALTECH101_WITH_CLUTTER,
        photos.CALTECH256,
        photos.CALTECH256_WITH_CLUTTER,
        photos.CORE50,
        photos.CITYSCAPES,
        arrays.HASYV2,
        arrays.SVHN,
        arrays.SVHN_EXTRA,
        arrays.STL10,
        cifar.CIFAR10_1,
        cifar.CIFAR10_1_V4,
        cifar.CIFAR10_C,
        cifar.CIFAR100_C,
    )
}
