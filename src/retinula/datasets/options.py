"""How a user wants the pictures of a data set."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from retinula.datasets.reading import Progress
from retinula.errors import InputError
from retinula.forms import LabelKind, Resample, Resize
from retinula.pictures.form import Form


def size_of(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return height and width as a user names them; one number is both, as in a recipe.

    Raises:
        InputError: it names neither.

    >>> size_of(24), size_of((24, 32))
    ((24, 24), (24, 32))
    """
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) for side in sides):
        raise InputError(f"size is height and width in pixels, such as (24, 32), or one number for both, not {size!r}")
    return int(sides[0]), int(sides[1])


@dataclass(frozen=True)
class Options:
    """How the pictures are wanted; what each means stands with `load.load`."""

    size: tuple[int, int] | None = None
    channels: int | None = None
    resize: Resize = "squash"
    labels: LabelKind = "fine"
    fold: int = 0
    seed: int = 0
    resample: Resample = "bicubic"
    root: Path | None = None
    progress: Progress | None = None
    on_damage: Callable[[str], None] | None = None
    on_doubt: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        self.form((1, 1), 3)  # refuses what pictures cannot be brought to
        if self.labels not in get_args(LabelKind):
            raise InputError(f"labels are fine or coarse, not {self.labels!r}")

    def form(self, size: tuple[int, int], channels: int) -> Form:
        """Return the form that pictures are brought to, with size and channels where no others are wanted."""
        return Form(
            channels if self.channels is None else self.channels,
            size if self.size is None else self.size,
            resize=self.resize,
            resample=self.resample,
        )

    def or_as(self, size: tuple[int, int], channels: int) -> "Options":
        """Return them with the size and channels of a data set where no others are wanted."""
        return replace(self, size=self.size or size, channels=self.channels or channels)

    def refuse(self, name: str, *, coarse: bool = True, folds: int = 0) -> None:
        """Refuse coarse labels for a set that has none, and a fold that it does not have.

        Raises:
            InputError: coarse labels or a fold are asked for that the set does not have.
        """
        if coarse and self.labels == "coarse":
            raise InputError(f'{name} has no coarse labels; leave out labels="coarse"')
        if not 0 <= self.fold <= folds:
            what = f"folds 1 to {folds}" if folds else "no folds"
            raise InputError(f"{name} has {what}, not {self.fold}; leave fold out, or at 0, for the usual split")

    def key(self, name: str, *words: str) -> str:
        """Return a file name for a prepared set: readable at its head, and other for other words or options."""
        readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "data"
        parts: tuple[object, ...] = (*words, self.size, self.channels, self.resize, self.labels, self.fold, self.seed)
        if self.resample != "bicubic":  # sets prepared before there was a choice keep their names
            parts = (*parts, self.resample)
        if self.root is not None:
            parts = (*parts, "below", str(self.root))
        return f"{readable}-{hashlib.sha256(repr(parts).encode(errors='surrogateescape')).hexdigest()[:16]}"
