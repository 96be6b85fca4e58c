"""Pictures of noise in the shape of CIFAR-10: what is on them does not matter for the time."""

from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from retinula.images import ImageSet


def pictures(count: int) -> ImageSet:
    """Return so many labelled pictures, the same every time."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    return ImageSet(images, generator.integers(0, 10, count), tuple("0123456789"), "noise/train")


class OneByOne(Dataset[tuple[Any, int]]):
    """Pictures as torchvision's own data sets give them: one at a time, by way of Pillow."""

    def __init__(self, image_set: ImageSet, transform: Any) -> None:
        self.images = image_set.images.transpose(0, 2, 3, 1)
        self.labels = image_set.known_labels().tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]
