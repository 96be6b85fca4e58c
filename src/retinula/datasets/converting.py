"""Pictures that were read already, brought to the size and channels that are wanted, a chunk at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from retinula.datasets.options import Options
from retinula.datasets.reading import Chunk, Reading
from retinula.images import Images
from retinula.pictures.decoding import as_picture


def converted(reading: Reading, options: Options) -> Reading:
    """Return the same pictures as they are wanted; as they are, where nothing else is."""
    if options.size is None and options.channels is None:
        return reading

    def convert(chunk: Chunk) -> Chunk:
        return chunk._replace(images=_resized(chunk.images, options))

    def convert_all(stream: Callable[[], Iterator[Chunk]]) -> Iterator[Chunk]:
        return map(convert, stream())

    joint = reading.joint
    return replace(
        reading,
        splits={split: partial(convert_all, stream) for split, stream in reading.splits.items()},
        joint=None if joint is None else lambda: ((split, convert(chunk)) for split, chunk in joint()),
    )


def _resized(images: Images, options: Options) -> Images:
    channels, height, width = images.shape[1:]
    form = options.form((height, width), channels)
    if images.shape[1:] == form.shape:
        return images
    resized = np.empty((len(images), *form.shape), dtype=np.uint8)
    for number, image in enumerate(images):
        resized[number] = form.shrink(as_picture(image))
    return resized
