"""The data sets known by name; what is known of each stands in `entries/`."""

from typing import Final

from retinula.datasets.entries import arrays, cifar, made, mnist, photos
from retinula.datasets.entry import Entry
from retinula.images import ImageSet

OWN_FILES: Final = "own files"  # the copy in the provenance of what is not from the catalog, whatever its name

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


def conditions_of(image_set: ImageSet) -> tuple[str, ...]:
    """Return the conditions of which all test pictures of a set of the catalog hold equal stretches; none of others."""
    entry, labels = CATALOG.get(image_set.name.removesuffix("/test")), image_set.labels
    if entry is None or not entry.conditions or image_set.provenance.get("copy", OWN_FILES) == OWN_FILES:
        return ()
    if labels is None or len(labels) != entry.counts.get("test"):
        return ()
    stretches = labels.reshape(len(entry.conditions), -1)  # of the same pictures, unless somebody has reordered them
    return entry.conditions if (stretches == stretches[0]).all() else ()
