from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retinula.datasets import load, stl10
from retinula.datasets.catalog import CATALOG
from retinula.datasets.reading import SplitName
from retinula.errors import InputError
from small_published import noise, write_folder, write_tar

COUNTS: dict[SplitName, int] = {"train": 20, "test": 8}
ENTRY = replace(CATALOG["stl10"], counts=COUNTS)


def labels(split: SplitName) -> list[int]:
    return [number % 10 + 1 for number in range(COUNTS[split])]


def files() -> dict[str, bytes]:
    """As published: pictures column by column, unlabelled ones among them."""
    found = {"class_names.txt": "\n".join(ENTRY.classes).encode() + b"\n"}
    for split, count in COUNTS.items():
        images = noise(count, 3, 96, 96, seed=count)
        found[f"{split}_X.bin"] = images.transpose(0, 1, 3, 2).tobytes()
        found[f"{split}_y.bin"] = bytes(labels(split))
    found["unlabeled_X.bin"] = noise(3, 3, 96, 96).tobytes()
    found["fold_indices.txt"] = "".join(f"{fold} {fold + 10} \n" for fold in range(10)).encode()
    return {f"stl10_binary/{name}": content for name, content in found.items()}


def as_folder(place: Path, found: dict[str, bytes]) -> Path:
    return write_folder(place, found) / "stl10_binary"


def as_archive(place: Path, found: dict[str, bytes]) -> Path:
    return write_tar(place / "stl10_binary.tar.gz", found, "gz")


Pack = Callable[[Path, dict[str, bytes]], Path]


@pytest.mark.parametrize("pack", [as_folder, as_archive])
@pytest.mark.parametrize("fold", [0, 1, 10])
def test_gives_every_picture_and_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Pack, fold: int) -> None:
    monkeypatch.setitem(CATALOG, "stl10", ENTRY)
    pack(tmp_path / "data", files())
    dataset = load.load("stl10", search=[tmp_path / "data"], fold=fold, cache_dir=tmp_path / "cache", offline=True)
    assert dataset.skipped == ()
    chosen = list(range(20)) if fold == 0 else [fold - 1, fold + 9]
    parts: dict[SplitName, list[int]] = {"train": chosen, "test": list(range(8))}
    for split, numbers in parts.items():
        found = dataset.splits[split]
        assert np.array_equal(found.images, noise(COUNTS[split], 3, 96, 96, seed=COUNTS[split])[numbers])
        assert found.known_labels().tolist() == [labels(split)[number] - 1 for number in numbers]
        assert found.classes == ENTRY.classes


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("train_y.bin", bytes([1] * 19 + [11]), "labels are 1 to 10"),
        ("train_y.bin", bytes(20), "labels are 1 to 10"),
        ("train_y.bin", b"", "labels are 1 to 10"),
        ("test_y.bin", bytes([1] * 7), "221,184 bytes for 7 labels"),
        ("test_y.bin", None, "it lacks test_y.bin"),
        ("train_X.bin", None, "it lacks train_X.bin"),
        ("train_X.bin", b"\0" * 100, "100 bytes for 20 labels"),
        ("class_names.txt", b"cat dog", "class_names.txt is not as published"),
        ("class_names.txt", b"\xff" * 2_000_000, "it has 2,000,000 bytes"),
        ("fold_indices.txt", b"0 99 \n", "fold 1 does not name pictures"),
        ("fold_indices.txt", b"0 -1 \n", "fold 1 does not name pictures"),
        ("fold_indices.txt", b"", "fold 1 does not name pictures"),
        ("fold_indices.txt", None, "it lacks fold_indices.txt"),
    ],
)
@pytest.mark.parametrize("pack", [as_folder, as_archive])
def test_what_is_not_as_published(tmp_path: Path, file: str, content: bytes | None, words: str, pack: Pack) -> None:
    found = files()
    if content is None:
        del found[f"stl10_binary/{file}"]
    else:
        found[f"stl10_binary/{file}"] = content
    with pytest.raises(InputError, match=words):
        list(stl10.read(pack(tmp_path, found), ENTRY, fold=1).chunks())


def test_a_split_can_be_read_alone(tmp_path: Path) -> None:
    reading = stl10.read(as_archive(tmp_path, files()), ENTRY)
    assert sum(len(chunk.images) for chunk in reading.splits["test"]()) == 8


@pytest.mark.data
def test_real_pictures(real_data: Path, tmp_path: Path) -> None:
    dataset = load.load("stl10", search=[real_data], cache_dir=tmp_path, offline=True)
    assert (len(dataset.splits["train"]), len(dataset.splits["test"])) == (20, 10)
    assert dataset.skipped[0].reason == "it holds 30 labelled pictures; published are 13,000"
    # The right way round: what lies side by side is alike, and light comes from above.
    images = dataset.splits["train"].images.astype(float)
    assert np.abs(np.diff(images, axis=2)).mean() < 20
    assert np.abs(np.diff(images, axis=3)).mean() < 20
    assert images[:, :, :24].mean() > images[:, :, -24:].mean() + 10
    assert abs(images[:, :, :, :24].mean() - images[:, :, :, -24:].mean()) < 10
