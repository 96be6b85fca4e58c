import gzip
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from retinula.datasets import digits
from retinula.datasets.reading import Chunk, SplitName
from retinula.errors import RetinulaError


def part(split: SplitName) -> Chunk:
    (chunk,) = digits.read().splits[split]()
    return chunk


def test_agrees_with_scikit_learn() -> None:
    official = load_digits()
    seen = []
    for split in ("train", "test"):
        images, labels, sources, _ = part(split)
        assert images.dtype == np.uint8
        assert images.shape[1:] == (1, 8, 8)
        for image, label, source in zip(images, labels, sources or [], strict=True):
            number = int(source.removeprefix("digits/"))
            assert label == official.target[number]
            assert np.array_equal(image[0], np.rint(official.images[number] * 255 / 16))
            seen.append(number)
    assert sorted(seen) == list(range(1797))


def test_the_split_is_stratified_and_fixed() -> None:
    train, test = part("train"), part("test")
    assert len(train.labels) == 1442
    assert len(test.labels) == 355
    assert np.bincount(test.labels).tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]
    # The file begins with 0 to 9 three times; then "0 9 5 5": the fifth of a class to come first is 5, at place 33.
    assert train.sources is not None
    assert train.sources[:33] == [f"digits/{number}" for number in range(33)]
    assert test.sources is not None
    assert test.sources[:3] == ["digits/33", "digits/36", "digits/37"]
    assert test.labels[:3].tolist() == [5, 0, 9]


def test_full_range_of_grey() -> None:
    images = part("train").images
    assert images.min() == 0
    assert images.max() == 255
    assert digits.read().classes == tuple("0123456789")


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "find_spec", lambda _: None)
    with pytest.raises(RetinulaError, match="pip install scikit-learn"):
        next(iter(digits.read().splits["train"]()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"not compressed", "cannot read"),
        (gzip.compress(b"1,2\nx,4\n", mtime=0), "cannot read"),
        (gzip.compress(b"1,2\n3,4\n", mtime=0), "not the table"),
        (gzip.compress(b"0," * 64 + b"1\n", mtime=0)[:-9], "cannot read"),
    ],
)
def test_a_damaged_table(content: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "datasets" / "data"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "digits.csv.gz").write_bytes(content)
    spec = ModuleSpec("sklearn", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(digits, "find_spec", lambda _: spec)
    with pytest.raises(RetinulaError, match=words):
        next(iter(digits.read().splits["test"]()))
