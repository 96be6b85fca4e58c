"""Prepared data sets: what a reader gives, written once to plain files that are memory-mapped from then on.

A prepared set is a folder that comes into being whole, by a rename, and is never changed afterwards. So any number
of processes may open, prepare and replace the same one; the lock only keeps them from doing the same work. What is
found is looked at before it is used: a file that was cut short or belongs to another version is prepared anew. Damage
inside a file of pictures is sure to be noticed only where all of it is compared with what was written.
"""

import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

from retinula.datasets.contents import INDEX, clear_left
from retinula.datasets.reading import SPLITS, Chunk, Dataset, Progress, Reading, Skipped, SplitName, silent
from retinula.errors import InputError, RetinulaError
from retinula.files.durable import explained
from retinula.files.lock import locked
from retinula.images import MAKE_ROOM, Images, ImageSet, Labels
from retinula.version import __version__

# Readers and resizing may change from version to version, so each prepares its own.
LAYOUT: Final = f"4 of {__version__}"

_SAMPLES: Final = 64
_SAMPLE_BYTES: Final = 4096
_ATTEMPTS: Final = 20


def prepared(
    key: str,
    open_reading: Callable[[], Reading],
    cache_dir: Path,
    name: str,
    provenance: Mapping[str, str],
    *,
    state: str = "",
    progress: Progress | None = None,
    on_damage: Callable[[str], None] | None = None,
    num_images: int | None = None,
) -> Dataset:
    """Return a data set from the cache, read and written there before if need be.

    Pictures are never in memory all at once, neither while preparing nor afterwards.

    Args:
        key: a file name that stands for source and options.
        open_reading: begins to read the source.
        cache_dir: the folder of the cache.
        name: what the set is called; a split is called `name/split`.
        provenance: where the pictures come from, kept with them.
        state: stands for the content of the source; another one than last time prepares the set anew.
        progress: told how many pictures are prepared.
        on_damage: where given, all pictures of a prepared set are compared with what was written, and this is told
            where they differ.
        num_images: how many there are to prepare, where that is known.

    Raises:
        InputError: the source cannot be read, or has no pictures.
        RetinulaError: the cache cannot be written.
    """
    folder = prepared_sets(cache_dir) / key
    dataset = _opened(folder, state, on_damage)
    if dataset is not None:
        return dataset
    told = progress or silent
    with explained(folder, MAKE_ROOM):
        folder.parent.mkdir(parents=True, exist_ok=True)

    def waiting() -> None:
        told(f"waiting for another process that prepares {name}", 0, None)

    with locked(folder.with_name(f".{key}.lock"), waiting) as alone:
        if alone:
            dataset = _opened(folder, state, on_damage and _unsaid)
            if dataset is not None:
                return dataset
        clear_left(folder.parent, key)
        temporary = folder.with_name(f".{key}.{secrets.token_hex(8)}")
        with explained(folder, MAKE_ROOM):
            temporary.mkdir()
        try:
            about = {"state": state, "provenance": dict(provenance)}
            _write(temporary, folder, open_reading(), name, about, told, num_images)
            with explained(folder, MAKE_ROOM):
                return _publish(temporary, folder, state, thorough=on_damage is not None)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def prepared_sets(cache_dir: Path) -> Path:
    """Return the folder of the prepared sets."""
    return cache_dir / "prepared"


def in_memory(reading: Reading, name: str, provenance: Mapping[str, str]) -> Dataset:
    """Return a small data set without writing it anywhere.

    Raises:
        InputError: the source cannot be read, or has no pictures.
    """
    parts: dict[SplitName, list[Chunk]] = {}
    for split, chunk in reading.chunks():
        parts.setdefault(split, []).append(chunk)
    splits: dict[SplitName, ImageSet] = {}
    for split, chunks in parts.items():
        sources = [source for chunk in chunks for source in chunk.sources or ()]
        splits[split] = ImageSet(
            images=np.concatenate([chunk.images for chunk in chunks]),
            labels=np.concatenate([chunk.labels for chunk in chunks]),
            classes=reading.classes,
            name=f"{name}/{split}",
            superclasses=reading.superclasses,
            sources=sources or None,
            provenance=provenance,
        )
    if not splits:
        raise InputError(f"{name} has no pictures that can be used")
    return Dataset(name, splits, tuple(reading.skipped))


# Opening


def _opened(folder: Path, state: str, on_damage: Callable[[str], None] | None = None) -> Dataset | None:
    """Return the prepared set, or None where it is missing, damaged, of another version or of another state.

    Args:
        folder: where it lies.
        state: what its source must be like.
        on_damage: where given, every picture is compared, and this is told where one is not as it was written.
    """
    try:
        index = json.loads((folder / INDEX).read_bytes())
        digest = index.pop("digest")
        if digest != _index_digest(index) or index["layout"] != LAYOUT or index["state"] != state:
            return None
        splits: dict[SplitName, ImageSet] = {}
        for split in SPLITS:
            if split in index["splits"]:
                splits[split] = _opened_split(folder, split, index)
        skipped = tuple(Skipped(source, reason) for source, reason in index["skipped"])
        if on_damage and any(found.fingerprint() != index["splits"][each]["whole"] for each, found in splits.items()):
            on_damage(f"{index['name']}: the pictures in {folder} are not as they were written; they are prepared anew")
            return None
        return Dataset(index["name"], splits, skipped)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _unsaid(line: str) -> None:
    """Keep a line for oneself: it was said before."""


def _opened_split(folder: Path, split: SplitName, index: dict[str, Any]) -> ImageSet:
    """Open one split; raises `ValueError` where a file is not as it was written."""
    about = index["splits"][split]
    files = _Files.of(folder, split)
    if _sample_digest(files.images) != about["images"]:
        raise ValueError("the pictures are not as they were written")
    images = _mapped(files.images)
    if images.dtype != np.uint8 or list(images.shape) != about["shape"]:
        raise ValueError("the pictures have another shape than they had")
    label_bytes = files.labels.read_bytes()
    if _digest(label_bytes) != about["labels"]:
        raise ValueError("the labels are not as they were written")
    sources = None
    if about["sources"] is not None:
        source_bytes = files.sources.read_bytes()
        if _digest(source_bytes) != about["sources"]:
            raise ValueError("the names are not as they were written")
        sources = json.loads(source_bytes)
    return ImageSet(
        images=images,
        # A copy that may be written to, as torch wants it; it is small.
        labels=np.frombuffer(label_bytes, dtype="<i8").astype(np.int64),
        classes=tuple(index["classes"]),
        name=f"{index['name']}/{split}",
        superclasses=None if index["superclasses"] is None else tuple(index["superclasses"]),
        sources=sources,
        provenance=index["provenance"],
    )


def _mapped(path: Path) -> Images:
    images: Images = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return images


# Writing


@dataclass(frozen=True)
class _Files:
    """The files of a split."""

    images: Path
    labels: Path
    sources: Path

    @classmethod
    def of(cls, folder: Path, split: str) -> "_Files":
        return cls(folder / f"{split}.images.npy", folder / f"{split}.labels.bin", folder / f"{split}.sources.json")


class _SplitWriter:
    """The files of a split while they are written.

    Ordinary writes, not a memory map: a full disk is then an error, where a map would end the process.
    """

    def __init__(self, folder: Path, name: str, split: SplitName, shape: tuple[int, ...]):
        self.name = f"{name}/{split}"
        self.files = _Files.of(folder, split)
        self.shape = shape
        self.parts: list[tuple[int, Labels, list[str] | None]] = []
        self.next = 0
        self.file = self.files.images.open("wb")
        self.header_bytes = _write_header(self.file, (0, *shape))

    def add(self, chunk: Chunk, num_classes: int) -> None:
        _check_chunk(self.name, chunk, self.shape, num_classes)
        start = self.next if chunk.start is None else chunk.start
        self.file.seek(self.header_bytes + start * math.prod(self.shape))
        self.file.write(np.ascontiguousarray(chunk.images).data)
        self.parts.append((start, chunk.labels, chunk.sources))
        self.next = start + len(chunk.images)

    def finish(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Write what is left, see that all is on the disk, and return what the index has to say of it."""
        self.parts.sort(key=lambda part: part[0])
        count = 0
        for start, found, _ in self.parts:
            if start != count:
                raise InputError(f"{self.name}: picture {min(start, count)} is missing or there twice")
            count += len(found)
        self.file.seek(0)
        # The header has room for the number of pictures, which nobody knew when it was first written.
        if _write_header(self.file, (count, *self.shape)) != self.header_bytes:
            raise RetinulaError(f"{self.name}: too many pictures for one file")
        _close(self.file)
        numbers = np.concatenate([part[1] for part in self.parts])
        labels = numbers.astype("<i8").tobytes()
        _write_file(self.files.labels, labels)
        names = [name for _, _, sources in self.parts for name in sources or ()]
        if names and len(names) != count:
            raise InputError(f"{self.name}: {count} pictures but {len(names)} names of files")
        source_bytes = json.dumps(names).encode()
        if names:
            _write_file(self.files.sources, source_bytes)
        return {
            "shape": [count, *self.shape],
            "images": _sample_digest(self.files.images),
            "whole": ImageSet(_mapped(self.files.images), numbers, classes, self.name).fingerprint(),
            "labels": _digest(labels),
            "sources": _digest(source_bytes) if names else None,
        }


def _check_chunk(name: str, chunk: Chunk, shape: tuple[int, ...], num_classes: int) -> None:
    images, labels, sources, _ = chunk
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
        raise InputError(
            f"{name}: pictures of {images.dtype} {list(images.shape[1:])} among others of uint8 {list(shape)}"
        )
    if labels.shape != (len(images),) or (sources is not None and len(sources) != len(images)):
        raise InputError(f"{name}: {len(images)} pictures but {len(labels)} labels")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise InputError(f"{name}: labels from {labels.min()} to {labels.max()} for {num_classes} classes")


def _write(
    folder: Path,
    target: Path,
    reading: Reading,
    name: str,
    index: dict[str, Any],
    progress: Progress,
    num_images: int | None,
) -> None:
    """Write all of a set to `folder`, which errors call `target`."""
    writers: dict[SplitName, _SplitWriter] = {}
    done = 0
    try:
        # The reader's own errors pass through; those of writing are explained.
        for split, chunk in reading.chunks():
            with explained(target, MAKE_ROOM):
                if split not in writers:
                    writers[split] = _SplitWriter(folder, name, split, chunk.images.shape[1:])
                writers[split].add(chunk, len(reading.classes))
            done += len(chunk.images)
            progress(f"preparing {name}", done, num_images)
        if not done:
            reason = f" ({reading.skipped[0].source}: {reading.skipped[0].reason})" if reading.skipped else ""
            raise InputError(f"{name} has no pictures that can be used{reason}")
        with explained(target, MAKE_ROOM):
            index = {
                "layout": LAYOUT,
                **index,
                "name": name,
                "classes": list(reading.classes),
                "superclasses": None if reading.superclasses is None else list(reading.superclasses),
                "skipped": [list(skipped) for skipped in reading.skipped],
                "splits": {split: writers[split].finish(reading.classes) for split in SPLITS if split in writers},
            }
            content = {**index, "digest": _index_digest(index)}
            _write_file(folder / INDEX, json.dumps(content, indent=1).encode())
    finally:
        for writer in writers.values():
            with suppress(OSError):
                writer.file.close()


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> int:
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _write_file(path: Path, content: bytes) -> None:
    file = path.open("wb")
    try:
        file.write(content)
    finally:
        _close(file)


def _close(file: IO[bytes]) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    finally:
        file.close()


# Taking its place


def _publish(temporary: Path, folder: Path, state: str, *, thorough: bool) -> Dataset:
    """Give a finished folder its name, unless another process was faster."""
    for _ in range(_ATTEMPTS):
        with suppress(OSError):
            temporary.rename(folder)  # fails where the name is taken by a folder with something in it
        # What was just written need not be compared with itself.
        dataset = _opened(folder, state, _unsaid if thorough and temporary.exists() else None)
        if dataset is not None:
            return dataset
        # What has the name is of no use. Moved aside first: removing it in place would let others see half of it.
        aside = folder.with_name(f"{temporary.name}.old")
        with suppress(FileNotFoundError):
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    raise RetinulaError(f"cannot replace {folder}; remove it and try again")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _index_digest(index: dict[str, Any]) -> str:
    return _digest(json.dumps(index, sort_keys=True).encode())


def _sample_digest(path: Path) -> str:
    """Return a digest of a file's size and of pieces all over it: quick, and notices a file that is not whole."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(max(size - _SAMPLE_BYTES, 0) * number // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
