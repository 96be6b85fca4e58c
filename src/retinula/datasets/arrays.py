"""Pictures in a numpy `.npz` file: `images, labels` or `x_train, y_train, x_test, y_test`, and `classes` if there are.

The arrays of pictures are read piece by piece and never held whole; nothing in the file is ever unpickled.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from retinula.datasets.archives import MIB, Limits, members
from retinula.datasets.array_names import Named, told_apart
from retinula.datasets.layout import natural_order, with_test_share
from retinula.datasets.reading import SPLITS, Chunk, Progress, Reading, SplitName, apart, silent
from retinula.datasets.split_record import TEST_FRACTION, read_record, write_record
from retinula.errors import InputError, nearest
from retinula.images import Labels, from_floats
from retinula.pictures.equal import pixel_digest
from retinula.text.names import composed, fault_in_class_names, shown

Chosen = NDArray[np.bool_]

# Arrays of pictures may be large: they go to the cache as they come. All else is read whole.
_LIMITS: Final = Limits(member_bytes=65536 * MIB)
_MAX_SMALL: Final = 256 * MIB
_PIECE: Final = 8 * MIB
_MAX_CLASSES: Final = 65536
_MOST_SHARED_OUT: Final = 10_000_000  # pictures, each of which is remembered by what is on it


@dataclass(frozen=True)
class Header:
    """What stands at the head of an array: its name with the file's, its type, and its shape."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """The bytes of its values."""
        return self.dtype.itemsize * math.prod(self.shape)


def read(path: Path, record: Path | None = None, progress: Progress | None = None) -> Reading:
    """Read a `.npz` file as `np.savez` and `np.savez_compressed` write it.

    Names of arrays are as `array_names.told_apart` knows them. Pictures are uint8 `[N, H, W]`, `[N, H, W, C]` or
    `[N, C, H, W]` with 1 or 3 channels; where both orders are possible, channels come last. Labels are whole numbers
    `[N]` or `[N, 1]` from 0, or the names of their classes as strings; `classes` are strings, and where there are none
    the numbers themselves, most of which have to occur, or the names in natural order. All pictures may be for
    testing; where none are, a share of each class is set apart as for class folders, by what is on the pictures: their
    order says nothing, and equal ones stay together.

    Args:
        path: the file.
        record: a file that remembers which pictures those are.
        progress: told how many pictures were looked at to set a share apart.

    Raises:
        InputError: an array is missing, unknown, or of another type, shape or range, or has more pictures than a share
            is set apart of.
    """
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a .npz file; write it by np.savez_compressed")
    # By their names first: one that says nothing may hold what is never loaded.
    named = told_apart((member.name.removesuffix(".npy") for member in members(path, _LIMITS)), str(path))
    headers = _headers(path)
    main = "train" if "train" in named.labels else "test"
    given = {
        split: _labels(path, headers[name])
        for split, name in named.labels.items()
        if split == main or _any(headers[name]) or _any(headers[named.pictures[split]])
    }
    classes, labels = _numbered(path, named, given, _classes(path, headers.get(named.classes)))
    arrays: dict[SplitName, _Pictures] = {}
    for split, found in labels.items():
        header = headers[named.pictures[split]]
        shape, channels_last = _picture_shape(header)
        if header.shape[0] != len(found):
            raise InputError(
                f"{header.name} has {header.shape[0]:,} pictures, but {named.labels[split]} {len(found):,} labels"
            )
        arrays[split] = _Pictures(path, header, found, shape, channels_last)
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1:
        raise InputError(f"{path}: the pictures differ in shape: {', '.join(str(list(shape)) for shape in shapes)}")
    if "test" in arrays:
        return Reading(classes, {split: partial(_stream, array) for split, array in arrays.items()})
    tested = _tested(arrays["train"], classes, record, progress or silent)
    joint = partial(_shared_out, arrays, tested)
    splits = [split for split in SPLITS if split in arrays or (split == "test" and tested.any())]
    return Reading(classes, apart(joint, splits), joint=joint)


def _any(header: Header) -> bool:
    return header.shape[:1] != (0,)


@dataclass(frozen=True)
class _Pictures:
    """Pictures of a file, not read yet, with their labels."""

    path: Path
    header: Header
    labels: Labels
    shape: tuple[int, int, int]
    channels_last: bool


def _stream(array: _Pictures) -> Iterator[Chunk]:
    """Read the pictures of an array piece by piece."""
    shape, labels, name = array.shape, array.labels, array.header.name
    picture_bytes = math.prod(shape)
    step = max(1, _PIECE // picture_bytes)
    with _array(array.path, name) as file:
        read_header(file, name)
        for start in range(0, len(labels), step):
            count = min(step, len(labels) - start)
            data = file.read(count * picture_bytes)
            images = np.frombuffer(data, np.uint8)
            if array.channels_last:
                images = images.reshape(count, *shape[1:], shape[0]).transpose(0, 3, 1, 2)
            yield Chunk(images.reshape(count, *shape), labels[start : start + count])
        # Reading on to the end makes sure of the checksum.
        while file.read(MIB):
            pass


def _shared_out(arrays: Mapping[SplitName, _Pictures], tested: Chosen) -> Iterator[tuple[SplitName, Chunk]]:
    """Read all pictures once; those to train on without the ones that are to test on, bool `[N]`, which are apart."""
    for split, array in arrays.items():
        apart_here = tested if split == "train" else np.zeros(len(array.labels), bool)
        start = 0
        for chunk in _stream(array):
            for_test = apart_here[start : start + len(chunk.labels)]
            start += len(chunk.labels)
            parts: dict[SplitName, Chosen] = {split: ~for_test, "test": for_test}
            for part, kept in parts.items():
                if kept.any():
                    yield part, Chunk(chunk.images[kept], chunk.labels[kept])


def _tested(array: _Pictures, classes: tuple[str, ...], record: Path | None, told: Progress) -> Chosen:
    """Return which pictures of an array are to test on, bool `[N]`.

    They have no names, and their places change when others come between: each is called by what is on it, so that
    equal ones are one. What has two labels is trained on: a test of it says nothing, and a class may have nothing else.
    """
    if len(array.labels) > _MOST_SHARED_OUT:
        raise InputError(
            f"{array.header.name} has {len(array.labels):,} pictures; a share to test on is set apart of up to "
            f"{_MOST_SHARED_OUT:,}: give x_test, y_test"
        )
    labels = array.labels.tolist()
    digests: list[str] = []
    for chunk in _stream(array):
        digests += [pixel_digest(image).hex() for image in chunk.images]
        told(f"looking at the pictures of {array.path.name}", len(digests), len(labels))
    label_of: dict[str, int] = {}
    torn = {
        digest for digest, label in zip(digests, labels, strict=True) if label_of.setdefault(digest, label) != label
    }
    whole = {digest: (classes[label], digest) for digest, label in label_of.items() if digest not in torn}
    found = with_test_share(whole, TEST_FRACTION, 0, read_record(record))
    test = found.get("test", {})
    write_record(
        record, {"train": [digest for digest in label_of if digest not in test], "test": test}, forgetting=True
    )
    return np.array([digest in test for digest in digests], bool)


def _headers(path: Path) -> dict[str, Header]:
    headers = {}
    for member in members(path, _LIMITS):
        name = member.name.removesuffix(".npy")
        with member.open() as file:
            header = read_header(file, f"{path}: {name}")
            if file.tell() + header.num_bytes != member.size:
                raise InputError(f"{header.name} is damaged: {header.shape} in {member.size:,} bytes")
        headers[name] = header
    return headers


@contextmanager
def _array(path: Path, name: str) -> Iterator[IO[bytes]]:
    for member in members(path, _LIMITS):
        if f"{path}: {member.name.removesuffix('.npy')}" == name:
            with member.open() as file:
                yield file
            return
    raise InputError(f"{name} is no longer there")


def read_header(file: IO[bytes], name: str) -> Header:
    """Read what stands at the head of a `.npy` file, before anything is allocated for it.

    Args:
        file: at its beginning; left where the values begin.
        name: what messages call it.

    Raises:
        InputError: it is no array of numpy, holds Python objects, or is stored column by column.
    """
    try:
        version = npy.read_magic(file)
        if version == (1, 0):
            shape, fortran_order, dtype = npy.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran_order, dtype = npy.read_array_header_2_0(file)
        else:
            raise InputError(f"{name} is in a format that is not read; write it anew with a current numpy")
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is no array of numpy, or is damaged; write it anew") from error
    if dtype.hasobject:
        raise InputError(f"{name} holds Python objects, which are never loaded; give it a plain type, such as str")
    if fortran_order and len(shape) > 1:
        raise InputError(f"{name} is stored column by column; write np.ascontiguousarray of it")
    if min(shape, default=0) < 0:
        raise InputError(f"{name} is damaged: its shape is {shape}")
    return Header(name, dtype, shape)


def _small(path: Path, header: Header) -> NDArray[Any]:
    if not header.dtype.itemsize:
        raise InputError(f"{header.name} is {header.dtype}, which holds nothing")
    if header.num_bytes > _MAX_SMALL:
        raise InputError(f"{header.name} has {header.num_bytes:,} bytes; that is too many")
    with _array(path, header.name) as file:
        read_header(file, header.name)
        data = file.read()
    values: NDArray[Any] = np.frombuffer(data, header.dtype).reshape(header.shape)
    return values


def _labels(path: Path, header: Header) -> Labels | list[str]:
    """Return the labels of a split, as numbers or by name, as they are stored."""
    if header.dtype.kind not in "iuUS":
        raise InputError(f"{header.name} is {header.dtype}, expected whole numbers from 0, or names of classes as str")
    if len(header.shape) == 2 and header.shape[1] != 1:
        raise InputError(f"{header.name} is {list(header.shape)}, expected a label a picture; write .argmax(axis=1)")
    if len(header.shape) not in (1, 2):
        raise InputError(f"{header.name} is {list(header.shape)}, expected [N]")
    if header.dtype.kind in "US":
        return _strings(path, header)
    values = _small(path, header).ravel()
    # Looked at before it is converted: large unsigned numbers would come out negative.
    if len(values) and not 0 <= values.min() <= values.max() < _MAX_CLASSES:
        raise InputError(
            f"{header.name} runs from {values.min()} to {values.max()}, expected labels from 0 to {_MAX_CLASSES - 1}"
        )
    return values.astype(np.int64)


def _numbered(
    path: Path, named: Named, given: Mapping[SplitName, Labels | list[str]], classes: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[SplitName, Labels]]:
    """Return the names of the classes, and the labels of each split as their numbers."""
    numbers = {split: found for split, found in given.items() if not isinstance(found, list)}
    names = {split: found for split, found in given.items() if isinstance(found, list)}
    if numbers and names:
        one, other = (named.labels[next(iter(kind))] for kind in (names, numbers))
        raise InputError(f"{path}: {one} has names, but {other} numbers; write one kind")
    highest = max((int(found.max(initial=-1)) for found in numbers.values()), default=-1)
    if not classes and numbers:
        _check_gaps(path, named, numbers)
        classes = tuple(str(number) for number in range(highest + 1))
    elif not classes:
        classes = tuple(sorted(set().union(*names.values()), key=natural_order))
    if fault := fault_in_class_names(classes):
        raise InputError(f"{path}: {fault}")
    if highest >= len(classes):
        raise InputError(f"{path}: labels run up to {highest}, but {named.classes} has {len(classes)} names")
    number_of = {name: number for number, name in enumerate(classes)}
    for split, found in names.items():
        for name in found:
            if name not in number_of:
                raise InputError(
                    f"{path}: {named.labels[split]} has {shown(name)}, which is not among {named.classes}"
                    f"{nearest(name, classes)}"
                )
        numbers[split] = np.array([number_of[name] for name in found], dtype=np.int64)
    return classes, numbers


def _check_gaps(path: Path, named: Named, numbers: Mapping[SplitName, Labels]) -> None:
    """Refuse numbers that would make classes of nothing: where counting begins at 1, or most below the highest lack.

    Raises:
        InputError: names the first number behind the widest gap, and the remedy.
    """
    found = np.unique(np.concatenate(list(numbers.values())))
    if not len(found):
        return
    highest = int(found[-1])
    if found[0] == 1 and len(found) == highest:
        raise InputError(
            f"{path}: the labels run from 1 to {highest}, so they seem to begin at 1; write labels - 1, or the names "
            "of all classes as classes"
        )
    if 2 * (highest + 1 - len(found)) <= highest:
        return
    before = np.concatenate([[-1], found[:-1]])
    widest = int(np.argmax(found - before))
    number, lacking = int(found[widest]), int(before[widest]) + 1
    split = next(split for split, labels in numbers.items() if number in labels)
    picture = int(np.argmax(numbers[split] == number))
    raise InputError(
        f"{path}: {named.labels[split]} has {number} (picture {picture}), but no number from {lacking} to {number - 1} "
        "occurs; write numbers from 0 without gaps, or the names of all classes as classes"
    )


def _picture_shape(header: Header) -> tuple[tuple[int, int, int], bool]:
    """Return channels, height and width, and whether channels come last."""
    if header.dtype != np.uint8:
        raise InputError(
            f"{header.name} is {header.dtype}, expected uint8 from 0 to 255{from_floats(header.dtype, 'x')}"
        )
    shape = header.shape
    if len(shape) == 3 and min(shape[1:]) > 0:
        return (1, shape[1], shape[2]), False
    if len(shape) == 4 and min(shape[1:]) > 0:
        if shape[3] in (1, 3):
            return (shape[3], shape[1], shape[2]), True
        if shape[1] in (1, 3):
            return (shape[1], shape[2], shape[3]), False
    raise InputError(
        f"{header.name} is {list(shape)}, expected [N, H, W], [N, H, W, C] or [N, C, H, W] of 1 or 3 channels"
    )


def _classes(path: Path, header: Header | None) -> tuple[str, ...]:
    if header is None:
        return ()
    if header.dtype.kind not in "US" or len(header.shape) != 1:
        remedy = "; write .astype(str)" if header.dtype.kind in "iu" else ""
        raise InputError(f"{header.name} is {header.dtype} {list(header.shape)}, expected a list of strings{remedy}")
    return tuple(_strings(path, header))


def _strings(path: Path, header: Header) -> list[str]:
    values = _small(path, header).ravel().tolist()
    try:
        return [composed(str(name, "utf-8") if isinstance(name, bytes) else str(name)) for name in values]
    except ValueError as error:
        raise InputError(f"{header.name} are no readable strings") from error
