"""What a reader of an archive or folder gives to the cache: a stream of pictures for each split.

Knows nothing of where the pictures came from or where they go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, NamedTuple

import numpy as np

from retinula.errors import InputError
from retinula.images import Images, ImageSet, Labels
from retinula.text.words import first_few

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")

# Told how far a long job is: what is being done, how much of it is done, of how much (or None where nobody knows).
# "downloading" and "copying" count bytes, "preparing" counts pictures.
Progress = Callable[[str, int, int | None], None]


class Chunk(NamedTuple):
    """Some pictures, decoded: uint8 `[n, C, H, W]`, int64 `[n]`, and the name of each one's file (or none).

    `start` is the place of the first one in its split where the source gives them out of order; None: next in turn.
    """

    images: Images
    labels: Labels
    sources: list[str] | None = None
    start: int | None = None


NONE_LEFT: Final = "no picture of this class is left"


class Skipped(NamedTuple):
    """A picture that could not be used, a folder that has none, or a class of which none is left, and why."""

    source: str
    reason: str


def silent(what: str, done: int, total: int | None) -> None:
    """A `Progress` that tells nobody."""


def lost_classes(skipped: Iterable[Skipped]) -> list[str]:
    """Return a line to warn with where all pictures of a class were left out; none where no class is lost."""
    lost = [one.source for one in skipped if one.reason == NONE_LEFT]
    return [f"of these classes no picture is left, so that nothing learns them: {first_few(lost)}"] if lost else []


def stacked(pictures: Sequence[tuple[Images, int, str]]) -> Chunk:
    """Return a chunk of pictures uint8 `[C, H, W]` of one shape, each with its label and its file's name."""
    images, labels, names = zip(*pictures, strict=True)
    return Chunk(np.stack(images), np.array(labels, dtype=np.int64), list(names))


Joint = Callable[[], Iterator[tuple[SplitName, Chunk]]]


def apart(joint: Joint, splits: Iterable[SplitName]) -> dict[SplitName, Callable[[], Iterator[Chunk]]]:
    """Return for each split a function that opens a stream of it alone, from one that opens all of them."""

    def only(split: SplitName) -> Iterator[Chunk]:
        return (chunk for found, chunk in joint() if found == split)

    return {split: partial(only, split) for split in splits}


@dataclass(frozen=True)
class Reading:
    """A data set being read: nothing is decoded until a split's stream is asked for.

    Attributes:
        classes: the names of the classes.
        splits: for each split a function that opens its stream anew.
        superclasses: for each class the name of its group, or None.
        skipped: pictures left out so far, and folders without any; complete once every stream was read to its end.
        joint: opens one stream over all splits, where the source is cheaper to read once than once a split.
    """

    classes: tuple[str, ...]
    splits: Mapping[SplitName, Callable[[], Iterator[Chunk]]]
    superclasses: tuple[str, ...] | None = None
    skipped: list[Skipped] = field(default_factory=list)
    joint: Joint | None = None

    def chunks(self) -> Iterator[tuple[SplitName, Chunk]]:
        """Give all pictures of all splits, in the way that is cheapest for the source."""
        if self.joint is not None:
            yield from self.joint()
            return
        for split, stream in self.splits.items():
            for chunk in stream():
                yield split, chunk


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set ready for use: its splits as image sets, and the pictures and folders that had to be left out."""

    name: str
    splits: Mapping[SplitName, ImageSet]
    skipped: tuple[Skipped, ...] = ()

    def __repr__(self) -> str:
        numbers = {split: len(pictures) for split, pictures in self.splits.items()} | {"skipped": len(self.skipped)}
        parts = [f"{number:,} {part}" for part, number in numbers.items() if number or part != "skipped"]
        return f"Dataset({self.name}: {', '.join(parts)})"

    @property
    def train(self) -> ImageSet | None:
        """The pictures to train on."""
        return self.splits.get("train")

    @property
    def validation(self) -> ImageSet | None:
        """The pictures the source itself set apart to choose by, if any."""
        return self.splits.get("validation")

    @property
    def test(self) -> ImageSet | None:
        """The pictures to measure on, once all is chosen."""
        return self.splits.get("test")


def pictures_of(splits: Mapping[SplitName, ImageSet], split: SplitName, name: str) -> ImageSet:
    """Return one split of a data set.

    Raises:
        InputError: it has none of that name.
    """
    if split not in splits:
        raise InputError(lacking(split, name))
    return splits[split]


def lacking(split: SplitName, name: str) -> str:
    """Say that a data set has no such split, and what to do."""
    return f"{name} has no {split} pictures; choose another --split or --data"
