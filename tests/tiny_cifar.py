"""Small archives in the official layout of CIFAR, pickled as Python 2 did, for tests."""

import io
import struct
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinula.datasets.catalog import CATALOG
from retinula.datasets.entry import Archive, Entry

NUM_TRAIN, NUM_TEST = 20, 8


class _Python2:
    """What cPickle of Python 2 writes in protocol 2 for dictionaries, lists, strings, numbers and arrays."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.places = 0

    def put(self) -> None:
        if self.places < 256:
            self.out.write(b"q" + bytes([self.places]))
        else:
            self.out.write(b"r" + struct.pack("<I", self.places))
        self.places += 1

    def write(self, value: Any) -> None:
        if isinstance(value, dict):
            self.out.write(b"}")
            self.put()
            self.out.write(b"(")
            for key, item in value.items():
                self.write(key)
                self.write(item)
            self.out.write(b"u")
        elif isinstance(value, list):
            self.out.write(b"]")
            self.put()
            self.out.write(b"(")
            for item in value:
                self.write(item)
            self.out.write(b"e")
        elif isinstance(value, np.ndarray):
            self.array(value)
        elif isinstance(value, int):
            self.number(value)
        else:
            self.string(value.encode() if isinstance(value, str) else value)

    def number(self, value: int) -> None:
        if 0 <= value < 256:
            self.out.write(b"K" + bytes([value]))
        elif 0 <= value < 65536:
            self.out.write(b"M" + struct.pack("<H", value))
        else:
            self.out.write(b"J" + struct.pack("<i", value))

    def string(self, value: bytes) -> None:
        short = len(value) < 256
        self.out.write((b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))) + value)
        self.put()

    def array(self, value: NDArray[Any]) -> None:
        self.out.write(b"cnumpy.core.multiarray\n_reconstruct\n")
        self.put()
        self.out.write(b"cnumpy\nndarray\n")
        self.put()
        self.out.write(b"K\x00\x85")
        self.put()
        self.out.write(b"U\x01b")
        self.put()
        self.out.write(b"\x87")
        self.put()
        self.out.write(b"R")
        self.put()
        self.out.write(b"(K\x01")
        for length in value.shape:
            self.number(length)
        self.out.write(bytes([0x84 + value.ndim]))
        self.put()
        self.out.write(b"cnumpy\ndtype\n")
        self.put()
        self.string(value.dtype.str[1:].encode())
        self.out.write(b"K\x00K\x01\x87")
        self.put()
        self.out.write(b"R")
        self.put()
        self.out.write(b"(K\x03")
        self.string(value.dtype.str[:1].encode())
        self.out.write(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t")
        self.put()
        self.out.write(b"b\x89")
        self.string(value.tobytes())
        self.out.write(b"t")
        self.put()
        self.out.write(b"b")


def python2_pickle(value: Any) -> bytes:
    writer = _Python2()
    writer.write(value)
    return b"\x80\x02" + writer.out.getvalue() + b"."


def entry(name: str, archive: Archive | None = None) -> Entry:
    """The catalog's entry, but with few pictures."""
    found = CATALOG[name]
    return replace(found, counts={"train": NUM_TRAIN, "test": NUM_TEST}, archive=archive or found.archive)


def pictures(name: str, seed: int = 0) -> tuple[NDArray[np.uint8], list[int]]:
    """All pictures, those to train on first, uint8 `[N, 3, 32, 32]`, and their labels."""
    number = NUM_TRAIN + NUM_TEST
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (number, 3, 32, 32), dtype=np.uint8)
    return images, generator.integers(0, len(CATALOG[name].classes), number).tolist()


def fields(name: str, seed: int = 0) -> dict[str, dict[str, Any]]:
    """The content of every file of the tiny set."""
    images, labels = pictures(name, seed)
    data = images.reshape(len(images), -1)
    names = [f"picture_{number}.png" for number in range(len(images))]
    classes = CATALOG[name].classes
    if name == "cifar10":
        files: dict[str, dict[str, Any]] = {
            "batches.meta": {"num_cases_per_batch": 4, "label_names": list(classes), "num_vis": 3072}
        }
        parts = {f"data_batch_{number + 1}": slice(4 * number, 4 * number + 4) for number in range(5)}
        for file, part in {**parts, "test_batch": slice(NUM_TRAIN, None)}.items():
            files[file] = {
                "batch_label": file,
                "labels": labels[part],
                "data": data[part],
                "filenames": names[part],
            }
        return files
    groups = CATALOG[name].superclasses
    assert groups is not None
    group_names = sorted(set(groups))
    files = {"meta": {"fine_label_names": list(classes), "coarse_label_names": group_names}}
    for file, part in {"train": slice(NUM_TRAIN), "test": slice(NUM_TRAIN, None)}.items():
        files[file] = {
            "filenames": names[part],
            "batch_label": file,
            "fine_labels": labels[part],
            "coarse_labels": [group_names.index(groups[label]) for label in labels[part]],
            "data": data[part],
        }
    return files


def pickled(files: Mapping[str, Any]) -> dict[str, bytes]:
    return {file: python2_pickle(value) for file, value in files.items()}


# The official archive of CIFAR-10 does not have its files in order.
ORDER = ["data_batch_4", "readme.html", "test_batch", "data_batch_3", "batches.meta"]


def write_archive(path: Path, folder: str, files: Mapping[str, bytes], order: Sequence[str] = ORDER) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(files, key=lambda file: (order.index(file) if file in order else 9, file)):
            info = tarfile.TarInfo(f"{folder}/{file}")
            info.size = len(files[file])
            archive.addfile(info, io.BytesIO(files[file]))
    return path


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    path.mkdir(parents=True)
    for file, content in files.items():
        (path / file).write_bytes(content)
    return path
