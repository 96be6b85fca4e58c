import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from retinula.datasets import load, matlab, svhn
from retinula.datasets.catalog import CATALOG
from retinula.datasets.entry import Entry
from retinula.datasets.reading import SplitName
from retinula.errors import InputError
from small_published import noise

COUNTS: dict[SplitName, int] = {"train": 7, "test": 4}


def small(name: str = "svhn") -> Entry:
    return replace(CATALOG[name], counts=COUNTS)


def arrays(split: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures `[N, 32, 32, 3]` and labels from 1 to 10, as the authors number them."""
    images = noise(count, 32, 32, 3, seed=len(split))
    return images, (np.arange(count, dtype=np.uint8) * 3 + len(split)) % 10 + 1


def write(folder: Path, first: str = "train", compressed: bool = True, kind: str = "u1") -> Path:
    folder.mkdir(parents=True)
    for split, count in ((first, COUNTS["train"]), ("test", COUNTS["test"])):
        images, labels = arrays(split, count)
        content = {"X": images.transpose(1, 2, 3, 0), "y": labels[:, np.newaxis].astype(kind)}
        savemat(folder / f"{split}_32x32.mat", content, do_compression=compressed)
    return folder


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["u1", "f8", "i4"])
@pytest.mark.parametrize(("name", "first"), [("svhn", "train"), ("svhn-extra", "extra")])
def test_gives_every_picture_and_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, first: str, compressed: bool, kind: str
) -> None:
    monkeypatch.setitem(CATALOG, name, small(name))
    write(tmp_path / "svhn", first, compressed, kind)
    dataset = load.load(name, search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)
    parts: dict[SplitName, str] = {"train": first, "test": "test"}
    for split, part in parts.items():
        found = dataset.splits[split]
        images, labels = arrays(part, COUNTS[split])
        assert np.array_equal(found.images.transpose(0, 2, 3, 1), images)
        # 1 to 9 are themselves, 10 is the digit 0.
        assert [found.classes[label] for label in found.known_labels()] == [str(label % 10) for label in labels]


X = noise(32, 32, 3, 7)
Y = np.ones((7, 1), np.uint8)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"X": X, "y": Y[:6]}, r"y is uint8 \[6, 1\]"),
        ({"X": X, "y": Y * 11}, "labels from 11 to 11"),
        ({"X": X, "y": Y * 0}, "labels from 0 to 0"),
        ({"X": X, "y": Y * np.nan}, "labels from nan to nan"),
        ({"X": X[..., :6], "y": Y}, r"X is uint8 \[32, 32, 3, 6\]"),
        ({"X": X.astype(float), "y": Y}, r"X is float64 \[32, 32, 3, 7\]"),
        ({"X": X + 1j, "y": Y}, "it has no array X"),
        ({"x": X, "y": Y}, "it has no array X"),
        ({"X": X}, "it has no array y"),
        ({"X": {"a": 1}, "y": Y}, "it has no array X"),
        ({"X": "text", "y": Y}, "it has no array X"),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_not_as_published(tmp_path: Path, content: dict[str, object], words: str, compressed: bool) -> None:
    folder = write(tmp_path / "svhn")
    savemat(folder / "train_32x32.mat", content, do_compression=compressed)
    with pytest.raises(InputError, match=rf"train_32x32.mat is not as published: {words}"):
        list(svhn.read(folder, small()).chunks())


def read_all(path: Path) -> list[tuple[int, np.ndarray]]:
    """The variables that are not large: how many values each says it has, and those."""
    sizes = ((variable, int(np.prod(variable.shape))) for variable in matlab.variables(path))
    return [(size, variable.read(size)) for variable, size in sizes if size < 1000]


@pytest.mark.parametrize("compressed", [True, False])
def test_every_cut_is_noticed(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"other": noise(4, 3), "X": noise(5, 7)}, do_compression=compressed)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        if end in (128, 128 + 8 + struct.unpack("<I", whole[132:136])[0]):
            continue  # it ends between two variables, which only its reader can miss
        with pytest.raises(InputError, match=r"a.mat is (no file of MATLAB|damaged)"):
            read_all(path)


def test_damage_is_an_error_or_a_value_and_never_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    generator = np.random.default_rng(0)
    refused, found = 0, []
    for compressed in (True, False):
        savemat(path, {"X": noise(5, 7), "y": np.eye(2)}, do_compression=compressed)
        whole = path.read_bytes()
        for _ in range(200):
            damaged = bytearray(whole)
            damaged[generator.integers(len(whole))] = generator.integers(256)
            path.write_bytes(damaged)
            try:
                found += read_all(path)
            except InputError:
                refused += 1
    assert refused > 0
    assert len(found) > 0
    assert all(values.shape == (size,) and values.dtype.kind in "iuf" for size, values in found)


def test_a_bomb_allocates_nothing(tmp_path: Path) -> None:
    """A variable that says it has four gigabytes, and one that unpacks to as many as anybody asks for."""
    length = 2**32 - 8
    head = struct.pack("<IIII", 6, 8, 9, 0) + struct.pack("<IIii", 5, 8, 1, length // 2 - 4)
    body = struct.pack("<II", 14, length) + head + struct.pack("<IHH4s", 1, 1, 0, b"X\0\0\0")[:8]
    packed = zlib.compress(body + b"\0" * 10_000_000)
    path = tmp_path / "bomb.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed)) + packed)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"bomb.mat is damaged"):
        list(matlab.variables(path))
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_other_files(tmp_path: Path) -> None:
    for content in (b"", b"\x89HDF\r\n\x1a\n" + b"MATLAB 7.3".ljust(200), noise(500).tobytes()):
        (tmp_path / "a.mat").write_bytes(content)
        with pytest.raises(InputError, match=r"a.mat is no file of MATLAB 5 to 7.2"):
            list(matlab.variables(tmp_path / "a.mat"))
    with pytest.raises(InputError, match=r"none.mat: no such file"):
        list(matlab.variables(tmp_path / "none.mat"))
