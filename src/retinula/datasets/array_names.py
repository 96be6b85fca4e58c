"""What the arrays of a `.npz` file are called: which hold pictures, which labels, and of which split. Opens nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from retinula.datasets.layout import SPLIT_NAMES
from retinula.datasets.reading import SPLITS, SplitName
from retinula.errors import InputError, nearest

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "pictures": ("x", "image", "images", "picture", "pictures", "data"),
    "labels": ("y", "label", "labels", "target", "targets"),
}
_CLASSES: Final = ("classes", "class_names", "label_names", "target_names")
_USUAL: Final = ("images", "labels", "x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "classes")
_NEEDED: Final = "it needs images and labels, or x_train, y_train, x_test, y_test"


@dataclass(frozen=True)
class Named:
    """The names of the arrays, by what they hold.

    Attributes:
        pictures: of each split.
        labels: of each split.
        classes: of the array of the names of the classes; empty where there is none.
    """

    pictures: Mapping[SplitName, str]
    labels: Mapping[SplitName, str]
    classes: str = ""


def told_apart(names: Iterable[str], where: str) -> Named:
    """Tell arrays by their names, in any case: `images`, `x_train`, `train_images`; without a split, to train on.

    Args:
        names: of all arrays of the file.
        where: what messages call the file.

    Raises:
        InputError: a name that says nothing or what another says, pictures without labels or the other way round, or
            nothing to train or to test on.
    """
    found: dict[tuple[str, SplitName], str] = {}
    for name in names:
        meaning = _meaning(name)
        if meaning is None:
            raise InputError(f"{where} has an array {name!r}, which is not among those read{nearest(name, _USUAL)}")
        first = found.setdefault(meaning, name)
        if first != name:
            raise InputError(f"{where} has two arrays for the same, {first!r} and {name!r}; leave one out")
    pictures, labels = ({split: found[kind, split] for split in SPLITS if (kind, split) in found} for kind in _KINDS)
    for split in SPLITS:
        if split in pictures and split not in labels:
            raise InputError(f"{where} lacks the labels of {pictures[split]}; {_NEEDED}")
        if split in labels and split not in pictures:
            raise InputError(f"{where} lacks the pictures of {labels[split]}; {_NEEDED}")
    if "train" not in pictures and "test" not in pictures:
        raise InputError(f"{where} has nothing to train or to test on; {_NEEDED}")
    return Named(pictures, labels, found.get(("classes", "train"), ""))


def _meaning(name: str) -> tuple[str, SplitName] | None:
    """Return what an array holds and of which split, or None where its name does not say."""
    lower = name.lower()
    if lower in _CLASSES:
        return "classes", "train"
    splits: list[SplitName] = [SPLIT_NAMES[word] for word in lower.split("_") if word in SPLIT_NAMES]
    others = [word for word in lower.split("_") if word not in SPLIT_NAMES]
    kind = next((kind for kind, words in _KINDS.items() if others in [[word] for word in words]), None)
    return None if kind is None or len(splits) > 1 else (kind, splits[0] if splits else "train")
