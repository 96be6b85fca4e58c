import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retinula.datasets import load
from retinula.datasets.catalog import CATALOG
from retinula.errors import InputError
from small_published import noise, png, write_folder, write_tar

# As published: number, LaTeX, and how many there are in all.
SYMBOLS = [(31, "A"), (90, r"\int"), (1400, r"\mathds{R}"), (1401, '","')]
NUM_IMAGES = 12


def files(images: np.ndarray | None = None, labels: list[int] | None = None) -> dict[str, bytes]:
    images = noise(NUM_IMAGES, 32, 32) // 128 * 255 if images is None else images
    labels = [number % len(SYMBOLS) for number in range(len(images))] if labels is None else labels
    rows = [(f"hasy-data/v2-{number:05}.png", *SYMBOLS[label], 50) for number, label in enumerate(labels)]
    quoted = [(path, symbol, '"' + latex.replace('"', '""') + '"', user) for path, symbol, latex, user in rows]
    found = {path: png(image) for (path, *_), image in zip(rows, images, strict=True)}
    found["hasy-data-labels.csv"] = table("path,symbol_id,latex,user_id", quoted)
    found["symbols.csv"] = table(
        "symbol_id,latex,training_samples,test_samples",
        [(symbol, '"' + latex.replace('"', '""') + '"', 2, 1) for symbol, latex in SYMBOLS],
    )
    found["README.txt"] = b"about"
    found["verification-task/train.csv"] = b"path\n"
    for fold in range(1, 11):
        for split, wanted in (("train", False), ("test", True)):
            chosen = [
                (f"../../{path}", *rest)
                for number, (path, *rest) in enumerate(quoted)
                if (number % 10 == fold - 1) == wanted
            ]
            found[f"classification-task/fold-{fold}/{split}.csv"] = table("path,symbol_id,latex,user_id", chosen)
    return found


def table(head: str, rows: Sequence[tuple[object, ...]]) -> bytes:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows), ""]).encode()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(CATALOG["hasyv2"], num_listed=len(SYMBOLS), counts={"train": NUM_IMAGES})
    monkeypatch.setitem(CATALOG, "hasyv2", entry)


def as_folder(place: Path, found: dict[str, bytes]) -> Path:
    return write_folder(place / "HASYv2", found)


def as_archive(place: Path, found: dict[str, bytes]) -> Path:
    return write_tar(place / "HASYv2.tar.bz2", found, "bz2")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("pack", [as_folder, as_archive])
@pytest.mark.parametrize("fold", [0, 1, 2, 10])
def test_gives_the_pictures_of_a_fold(
    tmp_path: Path, pack: Callable[[Path, dict[str, bytes]], Path], fold: int
) -> None:
    pack(tmp_path / "data", files())
    images = noise(NUM_IMAGES, 32, 32) // 128 * 255
    dataset = load.load("hasyv2", search=[tmp_path / "data"], fold=fold, cache_dir=tmp_path / "cache", offline=True)
    assert dataset.skipped == ()
    test = [number for number in range(NUM_IMAGES) if number % 10 == max(fold, 1) - 1]
    for split in ("train", "test"):
        found = dataset.splits["train" if split == "train" else "test"]
        assert found.classes == tuple(latex for _, latex in SYMBOLS)
        numbers = [int(source[-9:-4]) for source in found.sources or ()]
        assert sorted(numbers) == [n for n in range(NUM_IMAGES) if (n in test) == (split == "test")]
        for number, label, image in zip(numbers, found.known_labels(), found.images, strict=True):
            assert label == number % len(SYMBOLS)
            assert np.array_equal(image[0], images[number])


@pytest.mark.usefixtures("small")
def test_other_folds_are_refused(tmp_path: Path) -> None:
    as_folder(tmp_path, files())
    with pytest.raises(InputError, match="hasyv2 has folds 1 to 10, not 11"):
        load.load("hasyv2", search=[tmp_path], fold=11, cache_dir=tmp_path / "cache", offline=True)
    with pytest.raises(InputError, match="digits has no folds, not 1"):
        load.load("digits", fold=1, cache_dir=tmp_path / "cache")
    with pytest.raises(InputError, match="hasyv2 has no coarse labels"):
        load.load("hasyv2", search=[tmp_path], labels="coarse", cache_dir=tmp_path / "cache", offline=True)


TRAIN = "classification-task/fold-1/train.csv"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("symbols.csv", b"symbol_id,latex\n31,A\n", "it has 1 symbols"),
        ("symbols.csv", b"symbol_id,latex\n31,A\n31,B\n32,C\n33,D\n", "it has 3 symbols"),
        ("symbols.csv", b"a,b\n1,2\n", "no table with symbol_id and latex"),
        ("symbols.csv", b"", "it lacks a value"),
        ("symbols.csv", b"symbol_id,latex\n31\n", "it lacks a value"),
        ("symbols.csv", b"symbol_id,latex\n31,\xff\n", "no table with"),
        (TRAIN, b"path,symbol_id\n../../hasy-data/v2-00001.png,77\n", "there is no symbol '77'"),
        (TRAIN, b"path,symbol_id\n../../hasy-data/v2-00000.png,31\n", "it tests on what it trains on"),
        (TRAIN, None, f"it lacks {TRAIN}"),
    ],
)
def test_a_table_that_is_not_as_published(tmp_path: Path, file: str, content: bytes | None, words: str) -> None:
    found = files()
    if content is None:
        del found[file]
    else:
        found[file] = content
    as_archive(tmp_path, found)
    with pytest.raises(InputError, match=words):
        load.load("hasyv2", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)


@pytest.mark.usefixtures("small")
def test_pictures_that_are_not_there_are_counted(tmp_path: Path) -> None:
    found = files()
    del found["hasy-data/v2-00003.png"]
    as_folder(tmp_path, found)
    dataset = load.load("hasyv2", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)
    assert [one.reason for one in dataset.skipped] == ["it holds 11 pictures; published are 12"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("kept", "words"),
    [([], "has none of its pictures"), ([1, 5], "has pictures of one class only")],
)
def test_a_copy_without_two_classes_of_pictures(tmp_path: Path, kept: list[int], words: str) -> None:
    left = {f"hasy-data/v2-{number:05}.png" for number in kept}
    found = {name: content for name, content in files().items() if not name.endswith("png") or name in left}
    as_folder(tmp_path, {**found, "hasy-data/other.png": png(noise(32, 32))})
    with pytest.raises(InputError, match=words):
        load.load("hasyv2", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True)


@pytest.mark.data
@pytest.mark.usefixtures("small")
def test_real_symbols_in_the_official_layout(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "hasyv2/hasyv2_20classes.npz"
    if not path.exists():
        pytest.skip(f"needs {path.name} in RETINULA_DATA")
    assert zipfile.is_zipfile(path)
    with np.load(path) as arrays:
        images, labels = arrays["test_images"], arrays["test_labels"].ravel()
    chosen = np.flatnonzero(labels < len(SYMBOLS))[:NUM_IMAGES]
    real = images[chosen].reshape(-1, 32, 32).astype(np.uint8)
    as_archive(tmp_path, files(real, labels[chosen].tolist()))
    train = load.load("hasyv2", search=[tmp_path], cache_dir=tmp_path / "cache", offline=True).splits["train"]
    numbers = [int(source[-9:-4]) for source in train.sources or ()]
    assert np.array_equal(train.images[:, 0], real[numbers])
    assert train.known_labels().tolist() == labels[chosen][numbers].tolist()
