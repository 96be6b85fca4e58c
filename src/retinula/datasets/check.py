"""Looking for what spoils a data set: broken, equal, wrongly labelled, wrongly sized and empty pictures.

Equal means equal in every pixel once decoded, whatever the files are called or how they are compressed; of JPEGs that
are so large that they are decoded smaller, equal in size and in every pixel of what comes out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.datasets import folder, tables
from retinula.datasets.layout import BARE
from retinula.datasets.reading import Dataset, Progress, Skipped, SplitName
from retinula.datasets.rows import Columns
from retinula.datasets.source_kind import kind_of_source
from retinula.images import CHUNK, copied
from retinula.pictures.by_class import FEW
from retinula.pictures.decoding import UnreadablePicture, decode_all, full_size, is_faint
from retinula.pictures.equal import pixel_digest
from retinula.portions import portions
from retinula.text.names import printable
from retinula.text.words import first_few, listed, plural

_NAMED: Final = 10
_IN_GROUP: Final = 4
LONG: Final = 3  # times as long as wide: squashed, little is left of what such a picture shows
_EMPTY: Final = "the file is empty"


class Place(NamedTuple):
    """A picture and where it stands."""

    source: str
    split: SplitName
    label: str


@dataclass(frozen=True)
class Duplicates:
    """Pictures that are equal in every pixel, two or more."""

    places: tuple[Place, ...]

    @property
    def is_leak(self) -> bool:
        """Whether they lie in different splits, so that a test asks what was taught."""
        return len({place.split for place in self.places}) > 1

    @property
    def is_conflict(self) -> bool:
        """Whether their labels differ, so that at least one is wrong."""
        return len({place.label for place in self.places}) > 1


class Sized(NamedTuple):
    """A picture of another size than most."""

    source: str
    height: int
    width: int


@dataclass(frozen=True)
class CheckReport:
    """What is wrong with a data set, each picture named.

    Attributes:
        name: the data set.
        num_images: readable pictures in each split.
        counts: readable pictures of each class to train on.
        size: height and width that more pictures have than any other; None where there are none.
        unreadable: pictures that cannot be used, and why.
        rows: rows of a table that name no picture, or none for sure, and why.
        empty: files without content.
        bare: folders that would be of a class, but for the pictures that they do not have.
        duplicates: groups of equal pictures.
        odd_sizes: pictures of another size, where at least half of all have the common one.
        num_sizes: how many different sizes there are.
        long: pictures more than three times as wide as high, or as high as wide.
        lone_class: the only class with pictures to train on, where there are no two.
        few: classes with fewer than ten pictures to train on.
        constant: pictures of a single colour.
        faint: grey pictures of 16 bits that use less than a sixteenth of what these can say, and so are almost black.
        columns: of a table: which were read.
    """

    name: str
    num_images: Mapping[SplitName, int]
    counts: Mapping[str, int]
    size: tuple[int, int] | None
    unreadable: tuple[Skipped, ...] = ()
    rows: tuple[Skipped, ...] = ()
    empty: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    duplicates: tuple[Duplicates, ...] = ()
    odd_sizes: tuple[Sized, ...] = ()
    num_sizes: int = 0
    long: tuple[Sized, ...] = ()
    lone_class: str | None = None
    few: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    faint: tuple[str, ...] = ()
    columns: Columns | None = None

    @property
    def leaks(self) -> tuple[Duplicates, ...]:
        """Groups of equal pictures that lie in different splits."""
        return tuple(group for group in self.duplicates if group.is_leak)

    @property
    def conflicts(self) -> tuple[Duplicates, ...]:
        """Groups of equal pictures with different labels."""
        return tuple(group for group in self.duplicates if group.is_conflict)

    @property
    def same_but_case(self) -> tuple[tuple[str, ...], ...]:
        """Classes that are called the same but for upper and lower case: no fault, and perhaps one class."""
        alike: dict[str, list[str]] = {}
        for name in self.counts:
            alike.setdefault(name.casefold(), []).append(name)
        return tuple(tuple(names) for names in alike.values() if len(names) > 1)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        left_out = (self.unreadable, self.rows, self.empty, self.bare)
        found = (*left_out, self.duplicates, self.odd_sizes, self.long, self.few)
        return not any(found) and self.lone_class is None and not self.constant and not self.faint

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold."""
        return {
            "name": self.name,
            "clean": self.is_clean,
            "num_images": dict(self.num_images),
            "counts": dict(self.counts),
            "same_but_case": [list(names) for names in self.same_but_case],
            "size": None if self.size is None else list(self.size),
            "num_sizes": self.num_sizes,
            "unreadable": [skipped._asdict() for skipped in self.unreadable],
            "rows": [skipped._asdict() for skipped in self.rows],
            "empty": list(self.empty),
            "without_pictures": list(self.bare),
            "duplicates": [
                {
                    "leak": group.is_leak,
                    "conflict": group.is_conflict,
                    "pictures": [place._asdict() for place in group.places],
                }
                for group in self.duplicates
            ],
            "odd_sizes": [sized._asdict() for sized in self.odd_sizes],
            "long": [sized._asdict() for sized in self.long],
            "lone_class": self.lone_class,
            "few": {name: self.counts[name] for name in self.few},
            "constant": list(self.constant),
            "faint": list(self.faint),
            "columns": None if self.columns is None else self.columns.described,
        }

    def lines(self, named: int = _NAMED) -> list[str]:
        """Return what to print: each kind of finding counted, and the first `named` of it named."""
        splits = ", ".join(f"{split} {count:,}" for split, count in self.num_images.items())
        size = "" if self.size is None else f", {_sizes(self.size, self.num_sizes)}"
        classes = plural(len(self.counts), "class", "classes") + (
            f" ({first_few([*self.counts])})" if self.counts else ""
        )
        lines = [f"{self.name}: {splits}; {classes}{size}"]
        if self.columns is not None:
            lines.append(self.columns.described)
        if self.same_but_case:
            alike = first_few([listed(names) for names in self.same_but_case], named)
            lines.append(f"classes called the same but for upper and lower case: {alike}")
        num_facts = len(lines)
        leaks = [group for group in self.duplicates if group.is_leak]
        conflicts = [group for group in self.duplicates if group.is_conflict and not group.is_leak]
        others = [group for group in self.duplicates if not group.is_leak and not group.is_conflict]
        for found, what in (
            ([f"{source}: {reason}" for source, reason in self.unreadable], "unreadable"),
            ([f"{source}: {reason}" for source, reason in self.rows], "rows of the table left out"),
            (self.empty, "empty"),
            (self.bare, "folders without pictures"),
            (
                [_group_line(group) for group in leaks],
                "equal in different splits (what was learned is asked: keep one of each)",
            ),
            (
                [_group_line(group) for group in conflicts],
                "equal with different labels (at least one is wrong)",
            ),
            ([_group_line(group) for group in others], "equal"),
            (list(map(_sized_line, self.odd_sizes)), "of another size than most"),
            (
                list(map(_sized_line, self.long)),
                f"more than {LONG} times as long as wide (inputs.resize=pad keeps their proportions)",
            ),
            (
                [] if self.lone_class is None else [self.lone_class],
                "the only class with pictures to train on (a classifier needs two)",
            ),
            (
                [f"{name}: {self.counts[name]}" for name in self.few],
                f"classes with fewer than {FEW} pictures to train on",
            ),
            (self.constant, "of a single colour"),
            (
                self.faint,
                "almost black: of 16 bits less than a sixteenth is used (scale their values to 0..65535 before)",
            ),
        ):
            lines += _section(found, what, named)
        return lines if len(lines) > num_facts else [*lines, "nothing wrong was found"]


@dataclass
class _Findings:
    """What was seen so far of pictures that come one after the other."""

    by_pixels: dict[tuple[tuple[int, int], bytes], list[Place]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    num_images: Counter[SplitName] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    constant: list[str] = field(default_factory=list)
    faint: list[str] = field(default_factory=list)

    def add(self, place: Place, look: "_Look") -> None:
        self.by_pixels.setdefault((look.size, look.digest), []).append(place)
        self.sizes[place.source] = look.size
        self.num_images[place.split] += 1
        self.counts[place.label] += place.split == "train"
        if look.is_constant:
            self.constant.append(place.source)
        if look.is_faint:
            self.faint.append(place.source)

    def report(
        self,
        name: str,
        splits: Iterable[SplitName],
        classes: Sequence[str],
        skipped: Iterable[Skipped],
        rows: Iterable[Skipped] = (),
        columns: Columns | None = None,
    ) -> CheckReport:
        tally = Counter(self.sizes.values())
        size, frequency = tally.most_common(1)[0] if tally else (None, 0)
        odd = [
            Sized(source, *found)
            for source, found in self.sizes.items()
            if found != size and 2 * frequency >= len(self.sizes)
        ]
        long = [Sized(source, *found) for source, found in self.sizes.items() if max(found) > LONG * min(found)]
        num_images = {split: self.num_images[split] for split in splits}
        counts = {label: self.counts[label] for label in classes}
        learned = [label for label, count in counts.items() if count]
        skipped = list(skipped)
        return CheckReport(
            name=name,
            num_images=num_images,
            counts=counts,
            size=size,
            unreadable=tuple(one for one in skipped if one.reason not in (_EMPTY, BARE)),
            rows=tuple(rows),
            empty=tuple(one.source for one in skipped if one.reason == _EMPTY),
            bare=tuple(one.source for one in skipped if one.reason == BARE),
            duplicates=tuple(Duplicates(tuple(group)) for group in self.by_pixels.values() if len(group) > 1),
            odd_sizes=tuple(odd),
            num_sizes=len(tally),
            long=tuple(long),
            lone_class=learned[0] if len(learned) == 1 else None,
            few=tuple(label for label, count in counts.items() if count < FEW) if "train" in num_images else (),
            constant=tuple(self.constant),
            faint=tuple(self.faint),
            columns=columns,
        )


class _Look(NamedTuple):
    digest: bytes
    size: tuple[int, int]
    is_constant: bool
    is_faint: bool = False


def check_files(
    path: Path,
    *,
    seed: int = 0,
    record: Path | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Decode every picture of class folders or of a table as `pictures.decode` does, and look for faults.

    Args:
        path: a folder, .zip or .tar, laid out as `folder.read` expects, or a table as for `tables.read`.
        seed: as for these: decides which pictures are for testing where the source does not.
        record: as for these: the file that remembers which pictures those are. It is only read.
        root: of a table, the folder that its paths begin at, resolved; its own where None.
        progress: told how many pictures were looked at.

    Raises:
        InputError: the layout cannot be meant.
    """
    rows: Sequence[Skipped] = ()
    columns = None
    if kind_of_source(path) == "table":
        listed = tables.find(path, progress, root)
        files, layout = tables.arranged(path, listed, seed, record)
        rows, columns = files.skipped, listed.columns
    else:
        files = folder.find(path, progress)
        layout = folder.arranged(path, files, seed, record)
    places = {
        name: Place(name, split, layout.classes[label])
        for split, labels in layout.splits.items()
        for name, label in labels.items()
    }
    skipped = [*([] if rows else files.skipped), *layout.strays]
    findings = _Findings()
    for number, (name, look) in enumerate(decode_all(files.open(places), _look_at_picture), start=1):
        if isinstance(look, UnreadablePicture):
            skipped.append(Skipped(name, look.reason))
        else:
            findings.add(places[name], look)
        if progress:
            progress("checking", number, len(places))
    return findings.report(printable(str(path)), layout.splits, layout.classes, skipped, rows, columns)


def check_dataset(dataset: Dataset, *, progress: Progress | None = None) -> CheckReport:
    """Look for faults in a data set as it will be trained on, all its pictures of one size.

    Args:
        dataset: a loaded one.
        progress: told how many pictures were looked at.
    """
    findings = _Findings()
    total, done = sum(map(len, dataset.splits.values())), 0
    for split, image_set in dataset.splits.items():
        for part in portions(len(image_set), image_set.shape, most=CHUNK):
            images = copied(image_set.images, part)
            for number, image in enumerate(images, part.start):
                source = f"{split}/{number}" if image_set.sources is None else image_set.sources[number]
                label = "" if image_set.labels is None else image_set.classes[image_set.labels[number]]
                findings.add(Place(source, split, label), _look(image, image.shape[1:]))
            done += len(images)
            if progress:
                progress("checking", done, total)
    labelled = [image_set.classes for image_set in dataset.splits.values() if image_set.labels is not None]
    return findings.report(dataset.name, dataset.splits, labelled[0] if labelled else (), dataset.skipped)


def _look_at_picture(picture: Image.Image) -> _Look:
    # As colour, so that a grey file equals a coloured one with the same grey pixels.
    look = _look(np.asarray(picture.convert("RGB")).transpose(2, 0, 1), full_size(picture))
    return look._replace(is_faint=is_faint(picture))


def _look(image: NDArray[np.uint8], size: tuple[int, int]) -> _Look:
    """Look at one picture, uint8 `[C, H, W]`, of such a height and width before it was made smaller, if it was."""
    return _Look(pixel_digest(image), size, bool((image.max((1, 2)) == image.min((1, 2))).all()))


def _sizes(size: tuple[int, int], num_sizes: int) -> str:
    height, width = size
    most = f"{width} x {height} pixels"
    return f"all {most}" if num_sizes == 1 else f"{num_sizes} sizes, most often {most}"


def _sized_line(sized: Sized) -> str:
    return f"{sized.source}: {sized.width} x {sized.height}"  # as file managers say it


def _group_line(group: Duplicates) -> str:
    shown = [f"{source} ({split}, {label})" if label else source for source, split, label in group.places[:_IN_GROUP]]
    more = len(group.places) - len(shown)
    return " = ".join(shown) + (f" and {more} more" if more else "")


def _section(found: Sequence[str], what: str, named: int) -> list[str]:
    if not found:
        return []
    lines = [f"{what}: {len(found):,}", *(f"  {one}" for one in found[:named])]
    if len(found) > named:
        lines.append(f"  and {len(found) - named:,} more")
    return lines
