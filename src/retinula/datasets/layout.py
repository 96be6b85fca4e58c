"""What the paths of pictures say: which class each one is of, and whether it is to train or to test on.

Knows only names; nothing is opened here.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retinula.datasets.reading import Skipped, SplitName
from retinula.errors import InputError, nearest
from retinula.text.names import composed, fault_in_class_names
from retinula.text.words import first_few

SPLIT_NAMES: Final[Mapping[str, SplitName]] = {
    "train": "train",
    "training": "train",
    "training_set": "train",
    "test": "test",
    "testing": "test",
    "test_set": "test",
    "eval": "test",
    "evaluation": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validation_set": "validation",
    "dev": "validation",
}
# What may as well be a class, or a folder around the data set, unless another split is beside it.
_ONLY_BESIDE: Final = ("training_set", "test_set", "validation_set", "eval", "evaluation", "dev")
_EVALUATION: Final = ("eval", "evaluation")  # to test on, unless there is something that is called so
BARE: Final = "there are no pictures in this folder"
_NUMBERS: Final = re.compile(r"\d+")
_EXPECTED: Final = (
    "expected a folder a class with pictures in it (cat/1.jpg, dog/1.jpg), "
    "or train/ and test/ (and val/) with such folders in each, or a table (.csv) of file,label"
)
_TABLES_NAMED: Final = 3


def natural_order(name: str) -> str:
    """Sort key by which `cat 9` comes before `cat 10`, and case matters only between equals.

    >>> sorted(["b10", "B9", "a"], key=natural_order)
    ['a', 'B9', 'b10']
    """
    # One string a name: lists of words and numbers would be several times as large, and there may be a million.
    return f"{_NUMBERS.sub(_as_digits, name.casefold())}\0\0{name}"


def _as_digits(found: re.Match[str]) -> str:
    """Write a number so that strings sort as numbers do: a mark lower than any letter, how long it is, its digits."""
    digits = found[0] if found[0].isascii() else "".join(str(unicodedata.decimal(digit)) for digit in found[0])
    digits = digits.lstrip("0") or "0"  # as text: Python refuses to make a number of thousands of digits
    return f"\0{chr(len(digits))}{digits}"


@dataclass(frozen=True)
class Layout:
    """What the names of pictures say of them.

    Attributes:
        classes: in natural order.
        splits: for each split that has pictures, their names and labels, class by class in natural order.
        strays: pictures that belong to no class, and folders where classes lie that have no pictures.
        carved: whether the pictures to test on were set apart here.
    """

    classes: tuple[str, ...]
    splits: dict[SplitName, dict[str, int]]
    strays: list[Skipped]
    carved: bool = False

    @property
    def main_split(self) -> SplitName:
        """The one whose folders are the classes: `train` where there is one."""
        return next(iter(self.splits))


def arrange(
    names: Iterable[str],
    where: str,
    test_fraction: float,
    seed: int,
    known: Mapping[str, SplitName] | None = None,
    bare: Iterable[str] = (),
    tables: Iterable[str] = (),
) -> Layout:
    """Tell from their paths the classes and splits of pictures.

    Args:
        names: paths below the data set, with `/`.
        where: what messages call it.
        test_fraction: the share of each class that is for testing where the paths do not say.
        seed: decides which pictures those are.
        known: the splits that pictures had before, which they keep.
        bare: folders without pictures; those that lie where classes do are told among the strays.
        tables: those that lie there; where the paths do not say, they may.

    Raises:
        InputError: the paths do not say, or say that there is one class.
    """
    paths = {name: tuple(name.split("/")) for name in names}
    without = {name: tuple(name.split("/")) for name in bare}
    expected = f"{_tables_told(tables, where)}{_EXPECTED}"
    if not paths:
        raise InputError(f"there are no pictures in {where}; {expected}")
    strays: list[Skipped] = []
    around = ""
    while True:
        loose = [name for name, parts in paths.items() if len(parts) < 2]
        strays += [Skipped(name, "it does not lie in the folder of a class") for name in loose]
        paths = {name: parts for name, parts in paths.items() if len(parts) >= 2}
        tops = {parts[0] for parts in paths.values()}
        if not tops:
            what = f"there is only one class, {around!r}, in {where}" if around else f"there are no folders in {where}"
            raise InputError(f"{what}{_told(strays)}; {expected}")
        folders = _split_folders(paths.values(), where, expected)
        strays += [Skipped(name, BARE) for name, parts in without.items() if _is_place_of_class(parts, folders)]
        if folders or len(tops) > 1:
            break
        # A single folder is no class but something around the data set.
        (around,) = tops
        paths = {name: parts[1:] for name, parts in paths.items()}
        without = {name: parts[1:] for name, parts in without.items() if parts[0] == around}
    if not folders and all(top.lower() in SPLIT_NAMES for top in tops):
        named = " and ".join(f"{top}/" for top in sorted(tops, key=natural_order))
        raise InputError(f"in {where} are {named}, which are called like splits, and no classes in them; {expected}")
    found: dict[SplitName, dict[str, tuple[str, str]]] = {}
    for name, parts in paths.items():
        split: SplitName = folders.get(parts[0], "train")
        below = parts[1:] if folders else parts
        if folders and (parts[0] not in folders or len(below) < 2):
            strays.append(Skipped(name, "it does not lie in the folder of a class"))
        else:
            found.setdefault(split, {})[name] = (below[0], "/".join(below[1:]))
    return labelled(found, where, test_fraction, seed, strays, known or {}, expected)


def _tables_told(tables: Iterable[str], where: str) -> str:
    """Say for a message which of the tables beside the pictures may name their classes; of those that lie topmost."""
    ordered = sorted(tables, key=lambda name: (name.count("/"), natural_order(name)))
    topmost = [name for name in ordered if name.count("/") == ordered[0].count("/")]
    # Beside it there is often one of what is asked about the pictures to test on.
    meant = [name for name in topmost if name.lower().rpartition("/")[2] in ("train.csv", "labels.csv")] or topmost
    if not meant:
        return ""
    if len(meant) == 1:
        return f"there is a table {where}/{meant[0]}: give that if it names the classes; "
    listed = first_few([f"{where}/{name}" for name in meant], _TABLES_NAMED)
    return f"there are tables {listed}: give the one that names the classes; "


def _is_place_of_class(parts: Sequence[str], folders: Mapping[str, SplitName]) -> bool:
    """Tell whether a folder lies where classes do, or is called like a split beside the `folders` that are some."""
    if not folders:
        return len(parts) == 1
    return parts[0] in folders if len(parts) == 2 else len(parts) == 1 and parts[0].lower() in SPLIT_NAMES


def _told(strays: Sequence[Skipped]) -> str:
    """Say for a message that there are too few classes where there would have been more."""
    bare = [stray.source for stray in strays if stray.reason == BARE]
    more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
    return f", and {bare[0]}{more} without pictures" if bare else ""


def _split_folders(paths: Iterable[Sequence[str]], where: str, expected: str) -> dict[str, SplitName]:
    """Return which top folders are splits: none where they are classes, one of which may well be trains."""
    paths = list(paths)
    tops = {parts[0] for parts in paths}
    nested = {parts[0] for parts in paths if len(parts) > 2}
    named = {top: SPLIT_NAMES[top.lower()] for top in tops if top.lower() in SPLIT_NAMES}
    if len(named) == 1 and next(iter(named)).lower() in _ONLY_BESIDE:
        return {}
    with_classes = {top: split for top, split in named.items() if top in nested}
    if not with_classes:
        return {}
    check_splits(named, where)
    others = sorted(tops - named.keys(), key=natural_order)
    if others and len(set(with_classes.values())) == 1:
        raise InputError(
            f"{where} has folders inside {next(iter(with_classes))}/, which looks like a split, "
            f"next to {others[0]}/, which does not; {expected}"
        )
    return named


def check_splits(names: Iterable[str], where: str) -> None:
    """Refuse to guess what is to test on, and what to choose by.

    Args:
        names: of splits, as folders or rows of a table are called.
        where: what messages call the data set.

    Raises:
        InputError: one of them is for evaluation, and another to test on.
    """
    for_test = [name for name in names if SPLIT_NAMES.get(name.lower()) == "test"]
    evaluation = next((name for name in for_test if name.lower() in _EVALUATION), None)
    test = next((name for name in for_test if name.lower() not in _EVALUATION), None)
    if evaluation is not None and test is not None:
        raise InputError(f"{where} has both {evaluation!r} and {test!r} to test on; call the one to choose by 'val'")


def labelled(
    found: dict[SplitName, dict[str, tuple[str, str]]],
    where: str,
    test_fraction: float,
    seed: int,
    strays: list[Skipped],
    past: Mapping[str, SplitName],
    expected: str = _EXPECTED,
) -> Layout:
    """Number the classes, and set a share apart for testing where nothing is for it.

    What reads the same is one class, however it is written: macOS writes an accent as a letter of its own.

    Args:
        found: for each split the names of its pictures, with class and name within the class.
        where: what messages call the data set.
        test_fraction: the share.
        seed: decides which pictures those are.
        strays: pictures that belong to no class, and folders without pictures.
        past: the splits that pictures had before.
        expected: what there should be, for a message.

    Raises:
        InputError: fewer than two classes, or one that what there is to train on does not have.
    """
    # By the order of the splits: what there is to train on decides the classes.
    found = {
        split: {name: (composed(of), within) for name, (of, within) in found[split].items()}
        for split in ("train", "test", "validation")
        if split in found
    }
    known = {name for name, _ in next(iter(found.values())).values()}
    classes = tuple(sorted(known, key=natural_order))
    if len(classes) < 2:
        raise InputError(f"there is only one class, {classes[0]!r}, in {where}{_told(strays)}; {expected}")
    if fault := fault_in_class_names(classes):
        raise InputError(f"{where}: {fault}")
    for split, pictures in found.items():
        for name, (class_name, _) in pictures.items():
            if class_name not in known:
                raise InputError(
                    f"{where}: {name} is of a class that train/ does not have{nearest(class_name, classes)}"
                )
        found[split] = dict(sorted(pictures.items(), key=lambda item: natural_order(item[0])))
    carved = "train" in found and "test" not in found
    if carved:
        found = {**found, **with_test_share(found["train"], test_fraction, seed, past)}
    numbers = {name: number for number, name in enumerate(classes)}
    splits = {split: {name: numbers[class_name] for name, (class_name, _) in found[split].items()} for split in found}
    return Layout(classes, splits, strays, carved)


def with_test_share(
    pictures: Mapping[str, tuple[str, str]], fraction: float, seed: int, past: Mapping[str, SplitName] | None = None
) -> dict[SplitName, dict[str, tuple[str, str]]]:
    """Set a share of each class apart for testing, at least one picture where there are two.

    The pictures of a class are ordered by a hash of the seed and their name within the class, and the first ones are
    for testing, so that nothing depends on order or place. Pictures that were in a split before stay in it: only
    new ones make up what the share lacks.

    Args:
        pictures: for each name its class and its name within the class.
        fraction: the share.
        seed: decides which pictures those are.
        past: the splits that pictures had before.
    """
    past = past or {}
    members: dict[str, list[tuple[bytes, str]]] = {}
    for name, (class_name, within) in pictures.items():
        rank = hashlib.sha256(f"{seed}/{within}".encode()).digest()
        members.setdefault(class_name, []).append((rank, name))
    chosen = {name for name in pictures if past.get(name) == "test"}
    for ranked in members.values():
        wanted = min(max(1, int(fraction * len(ranked) + 0.5)), len(ranked) - 1)
        names = [name for _, name in sorted(ranked)]
        held = [name for name in names if name in chosen]
        chosen.update([name for name in names if name not in past][: max(0, wanted - len(held))])
        if len(held) == len(names):  # all that was to train on is gone
            chosen.discard(held[-1])
    train = {name: value for name, value in pictures.items() if name not in chosen}
    test = {name: value for name, value in pictures.items() if name in chosen}
    return {"train": train, **({"test": test} if test else {})}
