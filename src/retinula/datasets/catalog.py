"""The data sets known by name; what is known of each stands in `entries/`."""

from typing import Final

from retinula.datasets.entries.cifar import CIFAR10, CIFAR100
from retinula.datasets.entries.made import DIGITS, SHAPES
from retinula.datasets.entries.mnist import FASHION_MNIST, MNIST
from retinula.datasets.entry import Entry

CATALOG: Final[dict[str, Entry]] = {
    entry.name: entry for entry in (CIFAR10, CIFAR100, DIGITS, SHAPES, MNIST, FASHION_MNIST)
}
