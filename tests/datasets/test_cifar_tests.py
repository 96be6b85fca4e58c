import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retinula.datasets import cifar_tests, load
from retinula.datasets.catalog import CATALOG
from retinula.datasets.entries.cifar import CORRUPTIONS
from retinula.datasets.entry import Entry
from retinula.errors import InputError
from small_published import noise, write_folder, write_tar

PER_STRENGTH = 2


def npy(values: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def small(name: str) -> Entry:
    entry = CATALOG[name]
    return replace(entry, counts={"test": len(entry.conditions) * PER_STRENGTH if entry.conditions else 6})


@pytest.mark.parametrize(("name", "version"), [("cifar10.1", "v6"), ("cifar10.1-v4", "v4")])
@pytest.mark.parametrize("folder", ["cifar10.1", "CIFAR-10.1/datasets"])
def test_new_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str, folder: str) -> None:
    images, labels = noise(6, 32, 32, 3), np.array([0, 9, 3, 3, 5, 1], np.int32)
    files = {f"cifar10.1_{version}_data.npy": npy(images), f"cifar10.1_{version}_labels.npy": npy(labels)}
    write_folder(tmp_path / folder, files)
    monkeypatch.setitem(CATALOG, name, small(name))
    dataset = load.load(name, search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)
    assert set(dataset.splits) == {"test"}
    assert np.array_equal(dataset.splits["test"].images, images.transpose(0, 3, 1, 2))
    assert dataset.splits["test"].known_labels().tolist() == labels.tolist()
    assert dataset.splits["test"].classes == CATALOG["cifar10"].classes


def corrupted(name: str) -> dict[str, bytes]:
    folder = {"cifar10-c": "CIFAR-10-C", "cifar100-c": "CIFAR-100-C"}[name]
    labels = np.tile(np.arange(PER_STRENGTH, dtype=np.uint8), 5)
    found = {
        f"{folder}/{corruption}.npy": npy(noise(5 * PER_STRENGTH, 32, 32, 3, seed=seed))
        for seed, corruption in enumerate([*CORRUPTIONS, "speckle_noise"])
    }
    # The labels do not come first in the archive.
    return {**found, f"{folder}/labels.npy": npy(labels)}


def as_folder(place: Path, found: dict[str, bytes]) -> Path:
    return write_folder(place, found) / next(iter(found)).split("/")[0]


def as_archive(place: Path, found: dict[str, bytes]) -> Path:
    return write_tar(place / f"{next(iter(found)).split('/')[0]}.tar", dict(sorted(found.items())))


@pytest.mark.parametrize("name", ["cifar10-c", "cifar100-c"])
@pytest.mark.parametrize("pack", [as_folder, as_archive])
def test_corrupted_pictures_in_the_order_of_the_conditions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    pack: Callable[[Path, dict[str, bytes]], Path],
) -> None:
    pack(tmp_path / "data", corrupted(name))
    monkeypatch.setitem(CATALOG, name, small(name))
    dataset = load.load(name, search=[tmp_path / "data"], cache_dir=tmp_path / "cache", offline=True)
    test = dataset.splits["test"]
    conditions = CATALOG[name].conditions
    assert len(conditions) == 75
    assert conditions[:6] == (*(f"gaussian_noise/{strength}" for strength in range(1, 6)), "shot_noise/1")
    assert len(test) == len(conditions) * PER_STRENGTH
    for number, condition in enumerate(conditions):
        corruption, strength = condition.split("/")
        whole = noise(5 * PER_STRENGTH, 32, 32, 3, seed=CORRUPTIONS.index(corruption))
        part = whole[(int(strength) - 1) * PER_STRENGTH : int(strength) * PER_STRENGTH]
        found = test.images[number * PER_STRENGTH : (number + 1) * PER_STRENGTH]
        assert np.array_equal(found.transpose(0, 2, 3, 1), part)
    assert test.known_labels().tolist() == [0, 1] * 75
    assert test.superclasses == CATALOG[name].superclasses


LABELS = np.tile(np.arange(PER_STRENGTH, dtype=np.uint8), 5)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("fog.npy", npy(noise(9, 32, 32, 3)), r"fog.npy is not as published: it is uint8 \[9, 32, 32, 3\]"),
        ("fog.npy", npy(noise(10, 32, 32, 3).astype(float)), "it is float64"),
        ("fog.npy", npy(noise(10, 32, 32, 3))[:-1], "damaged .it is cut short.; get it anew"),
        ("fog.npy", npy(noise(10, 32, 32, 3)) + b"x", "it goes on behind its last value"),
        ("fog.npy", b"rubbish", "fog.npy is no array of numpy"),
        ("fog.npy", None, "it lacks fog.npy"),
        ("labels.npy", npy(LABELS[:9]), r"it is uint8 \[9\]"),
        ("labels.npy", npy(LABELS + 9), "labels run from 9 to 10"),
        ("labels.npy", npy(LABELS.astype(np.int8) - 1), "labels run from -1 to 0"),
        ("labels.npy", None, "it lacks labels.npy"),
    ],
)
@pytest.mark.parametrize("pack", [as_folder, as_archive])
def test_what_is_not_as_published(
    tmp_path: Path,
    file: str,
    content: bytes | None,
    words: str,
    pack: Callable[[Path, dict[str, bytes]], Path],
) -> None:
    found = corrupted("cifar10-c")
    if content is None:
        del found[f"CIFAR-10-C/{file}"]
    else:
        found[f"CIFAR-10-C/{file}"] = content
    with pytest.raises(InputError, match=words):
        list(cifar_tests.read_corrupted(pack(tmp_path, found), small("cifar10-c")).chunks())


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    source = as_folder(tmp_path, {**corrupted("cifar10-c"), "CIFAR-10-C/labels.npy": out.getvalue()})
    with pytest.raises(InputError, match=r"labels.npy holds Python objects, which are never loaded"):
        list(cifar_tests.read_corrupted(source, small("cifar10-c")).chunks())
