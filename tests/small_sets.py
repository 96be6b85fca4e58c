"""Readings of small sets, and what a cache must give for them: for tests in one process and in several."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from retinula.datasets import cache
from retinula.datasets.reading import Chunk, Dataset, Reading, Skipped
from retinula.images import Images

CLASSES = ("cat", "dog", "owl")


def images_of(count: int, seed: int = 0, shape: tuple[int, int, int] = (3, 4, 5)) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def make_reading(count: int = 10, seed: int = 0, step: int = 4, opened: list[int] | None = None) -> Reading:
    """A reading of `count` pictures to train on and one to test on; `opened` counts how often it is read."""
    images = images_of(count, seed)

    def train() -> Iterator[Chunk]:
        if opened is not None:
            opened.append(1)
        for start in range(0, count, step):
            numbers = range(start, min(start + step, count))
            labels = np.array([number % 3 for number in numbers], dtype=np.int64)
            yield Chunk(images[start : start + step], labels, [f"{number}.png" for number in numbers])

    def test() -> Iterator[Chunk]:
        yield Chunk(images_of(1, seed + 1), np.array([2], dtype=np.int64))

    skipped = [Skipped("bad.png", "it is empty")]
    return Reading(CLASSES, {"train": train, "test": test}, ("pet", "pet", "bird"), skipped)


def prepare(folder: Path, reading: Callable[[], Reading] = make_reading, state: str = "") -> Dataset:
    return cache.prepared("pets-1", reading, folder, "pets", {"copy": "own files"}, state=state)


def check(dataset: Dataset, count: int = 10, seed: int = 0) -> None:
    train, test = dataset.train, dataset.test
    assert train is not None
    assert test is not None
    assert np.array_equal(train.images, images_of(count, seed))
    assert train.labels is not None
    assert train.labels.tolist() == [number % 3 for number in range(count)]
    assert train.labels.dtype == np.int64
    assert list(train.sources or ()) == [f"{number}.png" for number in range(count)]
    assert np.array_equal(test.images, images_of(1, seed + 1))
    assert test.sources is None


def never() -> Reading:
    raise AssertionError("it was read again")


def prepare_slowly(folder: Path, seconds: float) -> None:
    """Prepare the set with a pause before every picture, leaving a mark that it was read; check what comes."""
    quick = make_reading(step=1)

    def train() -> Iterator[Chunk]:
        (folder / f"reading-{time.monotonic_ns()}").touch()
        for chunk in quick.splits["train"]():
            time.sleep(seconds)
            yield chunk

    splits = {**quick.splits, "train": train}
    check(prepare(folder, lambda: Reading(quick.classes, splits, quick.superclasses, quick.skipped)))
    print("right")
