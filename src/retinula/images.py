"""ImageSet: small pictures held as one array of bytes, with labels and the names of the classes.

Knows nothing of training or torch, and of files only that pictures too many for memory are mapped from one.
"""

import errno
import hashlib
import math
import mmap
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinula.errors import InputError, nearest
from retinula.files.durable import explained
from retinula.portions import portions
from retinula.text.names import class_number, fault_in_class_names, shown

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

CHANNELS = (1, 3)  # that pictures can have: grey, or red, green and blue
CHUNK = 4096  # small pictures looked at together: bounds memory whatever the number of pictures
LARGEST_COPY = 512 * 1024**2  # bytes of pictures that a part of a set holds in memory; a larger part is mapped too
LARGEST_MAPPED = 512 * 1024**2  # bytes of a file of pictures that may all be resident; of a larger one little ever is
MAKE_ROOM = "make room, or name another folder in RETINULA_CACHE"  # said where pictures cannot be written
_AT_ONCE = 64  # pictures taken of a large mapped file before it is let go: around each, Linux maps up to two megabytes


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Pictures of one size with what is known about them.

    Attributes:
        images: uint8 `[N, C, H, W]`, in memory or memory-mapped; never written to.
        labels: int64 `[N]` (made of any whole numbers, `[N, 1]` as well), indices into `classes`, or None where nothing
            is known.
        classes: the names of the classes.
        name: what the set is called in logs and reports, such as `cifar10/train`.
        superclasses: for each class the name of the group it belongs to, or None.
        sources: for each picture the file it came from, or None.
        provenance: where the pictures came from, as words; `copy` says whether it is the verified official one.
    """

    images: Images
    labels: Labels | None
    classes: tuple[str, ...]
    name: str
    superclasses: tuple[str, ...] | None = None
    sources: Sequence[str] | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    _fingerprints: dict[bytes, str] = field(default_factory=dict, init=False, repr=False)  # by digests of labels

    def __post_init__(self) -> None:
        for what, names in (("classes", self.classes), ("superclasses", self.superclasses)):
            if what == "classes" or names is not None:
                object.__setattr__(self, what, _names(names, f"{self.name}: {what}"))
        if fault := _fault_in_pictures(self.images):
            raise InputError(f"{self.name}: images must be uint8 [N, C, H, W] of 1 or 3 channels, not {fault}")
        if self.labels is not None:
            if not _are_numbers(self.labels):
                raise InputError(
                    f"{self.name}: labels must be an array of whole numbers, such as np.array([0, 1]), "
                    f"not {kind_of(self.labels)}"
                )
            if self.labels.shape == (len(self.images), 1):  # as Keras gives them
                object.__setattr__(self, "labels", self.labels[:, 0])
            if self.labels.shape != (len(self.images),):
                raise InputError(f"{self.name}: {len(self.images)} pictures but {self.labels.size} labels")
            if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
                raise InputError(
                    f"{self.name}: labels run from {self.labels.min()} to {self.labels.max()}, "
                    f"but there are {len(self.classes)} classes"
                )
            object.__setattr__(self, "labels", self.labels.astype(np.int64, copy=False))
        for what, values, expected in (
            ("superclasses", self.superclasses, len(self.classes)),
            ("sources", self.sources, len(self.images)),
        ):
            if values is not None and len(values) != expected:
                raise InputError(f"{self.name}: {len(values)} {what}, expected {expected}")
        # Here, because what is trained on these pictures carries their names, which a model file has to be read with.
        if fault := fault_in_class_names(self.classes, self.superclasses):
            raise InputError(f"{self.name}: {fault}")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        unlabelled = "" if self.labels is not None else ", no labels"
        size = "x".join(map(str, self.shape))
        return f"ImageSet({self.name}: {len(self):,} pictures {size}, {len(self.classes)} classes{unlabelled})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every picture."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def known_labels(self) -> Labels:
        """Return the labels of a labelled set.

        Raises:
            InputError: the set has none.
        """
        if self.labels is None:
            raise InputError(f"{self.name} has no labels")
        return self.labels

    def take(
        self, indices: NDArray[np.integer] | NDArray[np.bool_] | Sequence[int], name: str | None = None
    ) -> "ImageSet":
        """Return the pictures at `indices`, whole numbers `[n]`, in that order; or those that a mask `[N]` has true.

        Raises:
            InputError: they are no whole numbers, or there are fewer pictures.
            RetinulaError: there are so many that they go to the disk, and it refuses.
        """
        try:
            numbers = np.asarray(indices)
        except (TypeError, ValueError, RuntimeError) as error:  # lists of several lengths; a tensor on a GPU
            raise InputError(f"{self.name}: pictures are taken by their numbers, not by {kind_of(indices)}") from error
        if numbers.dtype == np.bool_ and numbers.shape == (len(self),):
            numbers = np.flatnonzero(numbers)
        if numbers.ndim != 1 or (len(numbers) and not _are_numbers(numbers)):
            raise InputError(f"{self.name}: pictures are taken by their numbers, not by {kind_of(numbers)}")
        if len(numbers) and not -len(self) <= numbers.min() <= numbers.max() < len(self):
            raise InputError(f"{self.name} has pictures 0 to {len(self) - 1}, not {numbers.min()} to {numbers.max()}")
        return replace(
            self,
            images=_gathered(self.images, numbers := numbers.astype(np.int64, copy=False)),
            labels=None if self.labels is None else self.labels[numbers],
            sources=None if self.sources is None else [self.sources[i] for i in numbers],
            name=name or self.name,
        )

    def subset(self, classes: Sequence[str | int | np.integer] | str | int | np.integer) -> "ImageSet":
        """Return the pictures of the given classes, renumbered from 0 in the order given.

        Args:
            classes: names of classes, in any case and with accents written either way, or numbers; each at most once.
                Or a single one.

        Raises:
            InputError: a class that is unknown or given twice, or a set without labels.
        """
        classes = [classes] if isinstance(classes, str | int | np.integer) else classes
        numbers = [self._class_number(wanted) for wanted in classes]
        if len(set(numbers)) != len(numbers) or not numbers:
            raise InputError(f"{self.name}: name at least one class, and each only once: {list(classes)}")
        renumbered = np.full(len(self.classes), -1, dtype=np.int64)
        renumbered[numbers] = np.arange(len(numbers))
        labels = renumbered[self.known_labels()]
        kept = self.take(np.flatnonzero(labels >= 0))
        return replace(
            kept,
            labels=labels[labels >= 0],
            classes=tuple(self.classes[number] for number in numbers),
            superclasses=None if self.superclasses is None else tuple(self.superclasses[n] for n in numbers),
        )

    def split(self, fraction: float, seed: int) -> tuple["ImageSet", "ImageSet"]:
        """Split off a stratified share of the pictures: `(rest, share)`.

        Every class gives the same fraction of its pictures, rounded so that the whole share has
        `round(fraction * N)` pictures, or fewer: every class keeps one picture, so that a class of one
        stays in the rest. Both parts keep the original order.

        Args:
            fraction: the share to split off, above 0 and below 1.
            seed: the same seed always gives the same parts.
        """
        if not issubclass(type(fraction), Real) or not 0 < fraction < 1:
            raise InputError(f"the fraction to split off must be a number between 0 and 1, not {fraction!r}")
        labels = self.labels if self.labels is not None else np.zeros(len(self), dtype=np.int64)
        generator = np.random.default_rng(seed)
        chosen = np.zeros(len(self), dtype=bool)
        counts = np.bincount(labels, minlength=len(self.classes))
        for number, share in enumerate(_proportional_shares(counts, fraction)):
            members = np.flatnonzero(labels == number)
            chosen[generator.permutation(members)[:share]] = True
        return self.take(np.flatnonzero(~chosen)), self.take(np.flatnonzero(chosen))

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change with any pixel, label, class name, or their order."""
        labels = b"" if self.labels is None else self.labels.tobytes()
        known = hashlib.sha256(labels).digest()
        if known in self._fingerprints:
            return self._fingerprints[known]
        digest = hashlib.sha256(repr((self.images.shape, self.classes)).encode())
        for part in portions(len(self), self.shape, most=CHUNK):
            digest.update(copied(self.images, part).data)
        digest.update(labels)
        found = digest.hexdigest()[:16]
        # Only of a file is it sure that nobody writes to the pictures, and only there does looking again take long.
        if _origin(self.images, mmap.mmap) is not None and not self.images.flags.writeable:
            self._fingerprints[known] = found
        return found

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and deviation of each channel over all pixels, on the scale 0..1."""
        if not len(self):
            raise InputError(f"{self.name} has no pictures")
        sums, squares = np.zeros((2, self.shape[0]))
        for part in portions(len(self), self.shape, most=CHUNK):
            chunk = copied(self.images, part)
            for channel in range(self.shape[0]):
                counts = np.bincount(chunk[:, channel].ravel(), minlength=256)
                sums[channel] += counts @ np.arange(256)
                squares[channel] += counts @ np.arange(256) ** 2
        pixels = len(self) * self.shape[1] * self.shape[2]
        means = sums / pixels
        deviations = np.sqrt(np.maximum(squares / pixels - means**2, 0))
        return tuple((means / 255).tolist()), tuple((deviations / 255).tolist())

    def counts(self) -> dict[str, int]:
        """Return the number of pictures of each class; empty without labels."""
        if self.labels is None:
            return {}
        numbers = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, numbers, strict=True))

    def summary(self) -> dict[str, Any]:
        """Return what `data list` and `data show` print: number, size, classes, counts, mean and deviation."""
        mean, deviation = self.statistics()
        channels, height, width = self.shape
        return {
            "name": self.name,
            "num_images": len(self),
            "channels": channels,
            "height": height,
            "width": width,
            "num_classes": len(self.classes),
            "counts": self.counts(),
            "mean": [round(value, 4) for value in mean],
            "deviation": [round(value, 4) for value in deviation],
            "fingerprint": self.fingerprint(),
            **self.provenance,
        }

    def _class_number(self, wanted: str | int | np.integer) -> int:
        if isinstance(wanted, str):
            number = class_number(wanted, self.classes)
            if number is None:
                raise InputError(f"{self.name} has no class {shown(wanted)}{nearest(wanted, self.classes)}")
            return number
        if not 0 <= wanted < len(self.classes):
            raise InputError(f"{self.name} has classes 0 to {len(self.classes) - 1}, not {wanted}")
        return int(wanted)


def _fault_in_pictures(images: object) -> str:
    """Return in words what something is instead of pictures, and what makes it so; nothing where it is."""
    if not isinstance(images, np.ndarray):
        return kind_of(images)
    remedy = from_floats(images, "images")
    if images.dtype == np.uint8 and images.ndim == 4:
        if images.shape[1] in CHANNELS:
            return ""
        if images.shape[3] in CHANNELS:
            remedy = "; bring the channels to the front: images.transpose(0, 3, 1, 2)"
    elif images.dtype == np.uint8 and images.ndim == 3:
        remedy = "; give them their channel: images[:, None]"
    return f"{kind_of(images)}{remedy}"


def _names(given: Any, what: str) -> tuple[Any, ...]:
    if isinstance(given, str | AbstractSet) or not isinstance(given, Iterable):  # a set has no order
        kind = shown(given) if isinstance(given, str) else kind_of(given)
        raise InputError(f"{what} are a list of names, such as ('cat', 'dog'), not {kind}")
    return tuple(given)


def _are_numbers(labels: object) -> bool:
    return isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"


def kind_of(value: object) -> str:
    """Say what something is instead of what was expected, in a few words: of an array its type and shape.

    >>> kind_of(np.zeros((2, 3))), kind_of([1, 2]), kind_of(1)
    ('float64 [2, 3]', 'a list', 'an int')
    """
    kind = type(value).__name__
    named = f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else named


def from_floats(pictures: NDArray[Any] | np.dtype[Any], name: str) -> str:
    """Say how pictures in floating point become those in bytes, as the end of a message; of other types nothing.

    Of a type alone, without an array, values are taken to lie in 0..1.

    >>> from_floats(np.dtype(np.float32), "x"), from_floats(np.array([[0.0, 255.0]]), "x")
    ('; of values in 0..1: (x * 255).round().astype("uint8")', '; of values in 0..255: x.round().astype("uint8")')
    """
    if (pictures.dtype if isinstance(pictures, np.ndarray) else pictures).kind != "f":
        return ""
    if isinstance(pictures, np.ndarray) and pictures.size and pictures.max() > 1:
        return f'; of values in 0..255: {name}.round().astype("uint8")'
    return f'; of values in 0..1: ({name} * 255).round().astype("uint8")'


def copied(images: Images, chosen: slice | NDArray[np.int64]) -> Images:
    """Return some pictures, uint8 `[n, C, H, W]`, as an array of their own.

    Whoever goes through a set takes its pictures this way: of a large mapped file, the parts looked at would otherwise
    stay resident until all of it is. They stay in the system's cache, as long as there is room.
    """
    source = _origin(images, mmap.mmap)
    if source is None or len(source) <= LARGEST_MAPPED or not hasattr(mmap, "MADV_DONTNEED"):
        part = images[chosen]  # of chosen numbers, a copy already
        return np.array(part, order="C") if isinstance(chosen, slice) else np.ascontiguousarray(part)
    places = np.arange(*chosen.indices(len(images))) if isinstance(chosen, slice) else chosen
    copy = np.empty((len(places), *images.shape[1:]), np.uint8)
    for start in range(0, len(places), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        copy[some] = images[places[some]]
        source.madvise(mmap.MADV_DONTNEED)
    return copy


def _origin(images: Images, kind: type[Any]) -> Any:
    """Return what of a kind an array is a view of, or None."""
    source: Any = images
    while source is not None and not isinstance(source, kind):
        source = getattr(source, "base", None)
    return source


def _gathered(images: Images, indices: NDArray[np.int64]) -> Images:
    """Return some pictures: in memory, or mapped from a file without a name where they are many."""
    shape = (len(indices), *images.shape[1:])
    chunks = portions(len(indices), images.shape[1:], most=CHUNK)
    if math.prod(shape) <= LARGEST_COPY:
        gathered = np.empty(shape, np.uint8)
        for chunk in chunks:
            gathered[chunk] = copied(images, indices[chunk])
        return gathered
    source = _origin(images, np.memmap)
    # Beside the file that they come from: the system's folder for temporary files may well lie in memory.
    folder = Path(tempfile.gettempdir() if source is None or source.filename is None else Path(source.filename).parent)
    if not _may_be_written_to(folder):  # a cache that somebody else prepared for all
        folder = Path(tempfile.gettempdir())
    with explained(folder, MAKE_ROOM), tempfile.TemporaryFile(dir=folder) as file:
        for chunk in chunks:
            file.write(copied(images, indices[chunk]).data)
        file.flush()
        return np.memmap(file, np.uint8, "r", shape=shape).view(np.ndarray)


def _may_be_written_to(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS)


def _proportional_shares(counts: NDArray[np.int64], fraction: float) -> list[int]:
    """Share `round(fraction * sum)` among the classes by largest remainder, less what leaves each class one picture."""
    exact = counts * fraction
    room = np.maximum(counts - 1, 0)
    shares = np.minimum(np.floor(exact).astype(np.int64), room)
    missing = round(float(counts.sum()) * fraction) - int(shares.sum())
    for number in np.argsort(shares - exact, kind="stable").tolist():
        if missing <= 0:
            break
        if shares[number] < room[number]:
            shares[number] += 1
            missing -= 1
    return [int(share) for share in shares]


def evenly_spread(number: int, most: int) -> NDArray[np.int64]:
    """Return positions of at most so many pictures of `number`, from the first to the last, in order.

    >>> evenly_spread(10, 4).tolist(), evenly_spread(3, 5).tolist()
    ([0, 3, 6, 9], [0, 1, 2])
    """
    return np.linspace(0, number - 1, min(most, number)).round().astype(np.int64)


def drawn(number: int, most: int, seed: int = 0) -> NDArray[np.int64]:
    """Return positions of at most so many pictures of `number`, at random, in order; the same seed draws the same.

    >>> drawn(3, 5).tolist(), len(drawn(100, 5))
    ([0, 1, 2], 5)
    """
    if number <= most:
        return np.arange(number)
    return np.sort(np.random.default_rng(seed).permutation(number)[:most])
