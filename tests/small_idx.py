"""Small sets in the official layout of MNIST, for tests."""

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retinula.datasets.catalog import CATALOG
from retinula.datasets.entry import Entry

NUM_TRAIN, NUM_TEST = 12, 5


def entry(name: str) -> Entry:
    """The catalog's entry, but with few pictures."""
    return replace(CATALOG[name], counts={"train": NUM_TRAIN, "test": NUM_TEST})


def pictures(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All pictures, those to train on first, uint8 `[N, 28, 28]`, and their labels."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (NUM_TRAIN + NUM_TEST, 28, 28), dtype=np.uint8)
    return images, generator.integers(0, 10, len(images), dtype=np.uint8)


def idx(values: NDArray[np.uint8]) -> bytes:
    """What the authors' own tool writes for bytes."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def files(seed: int = 0) -> dict[str, bytes]:
    """The content of the four files, unpacked."""
    images, labels = pictures(seed)
    parts = {"train": slice(NUM_TRAIN), "t10k": slice(NUM_TRAIN, None)}
    return {
        **{f"{part}-images-idx3-ubyte": idx(images[chosen]) for part, chosen in parts.items()},
        **{f"{part}-labels-idx1-ubyte": idx(labels[chosen]) for part, chosen in parts.items()},
    }


def write(folder: Path, seed: int = 0, packed: bool = True) -> Path:
    """Write the set as published, or as it unpacks."""
    folder.mkdir(parents=True)
    for name, content in files(seed).items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / name).write_bytes(content)
    return folder
