"""Tables that are given from Python."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retinula.datasets import load
from retinula.datasets.given import rows_of
from retinula.datasets.reading import Dataset
from retinula.errors import InputError


class Frame:
    """What a data frame shows of itself, as pandas has it."""

    def __init__(self, columns: list[str], rows: list[tuple[Any, ...]]):
        self.columns = columns
        self.rows = rows

    def itertuples(self, *, index: bool, name: str | None) -> Iterator[tuple[Any, ...]]:
        assert (index, name) == (False, None)
        return iter(self.rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(12):
        path = tmp_path / "photos" / ("a" if number % 3 else "b") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number,) * 3).save(path)
    return tmp_path / "photos"


def found(dataset: Dataset) -> dict[str, str]:
    """For each picture its class; each is the one that its name says."""
    classes = {}
    for part in dataset.splits.values():
        for source, image, label in zip(part.sources or (), part.images, part.known_labels(), strict=True):
            assert image[0, 0, 0] == int(Path(source).stem)
            classes[source] = part.classes[label]
    return classes


def labels(paths: list[Path]) -> list[str]:
    return [("cat", "dog")[int(path.stem) % 2] for path in paths]


def test_paths_and_labels(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted(folder.rglob("*.png"))
    expected = {path.relative_to(folder).as_posix(): label for path, label in zip(paths, labels(paths), strict=True)}
    cache = tmp_path / "cache"
    dataset = load.load((paths, labels(paths)), cache_dir=cache)
    assert found(dataset) == expected
    assert (dataset.name, {split: len(part) for split, part in dataset.splits.items()}) == (
        "photos",
        {"train": 10, "test": 2},
    )
    numbers = np.array([int(path.stem) % 2 for path in paths])
    again = load.load((map(str, paths), numbers), cache_dir=cache)
    assert found(again) == {name: str(("cat", "dog").index(label)) for name, label in expected.items()}
    assert dataset.test is not None
    assert again.test is not None
    assert again.test.sources == dataset.test.sources  # what is to test on stays it, whatever it is called
    monkeypatch.chdir(tmp_path)
    relative = [path.relative_to(tmp_path) for path in paths]
    assert found(load.load((relative, labels(paths)), cache_dir=cache)) == {
        f"photos/{name}": label for name, label in expected.items()
    }


def test_a_frame_is_read_as_a_file_of_it_would_be(folder: Path, tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [
        (7, number, ("cat", "dog")[number % 2], "val" if number == 2 else "test" if number > 9 else None)
        for number in range(12)
    ]
    rows += [(7, 99, "owl", None), (7, 5.5, float("nan"), None)]
    frame = Frame(["weight", "image_id", "breed", "split"], rows)
    dataset = load.load(frame, root=folder, cache_dir=tmp_path / "cache")
    assert set(found(dataset).values()) == {"cat", "dog"}
    assert {split: len(part) for split, part in dataset.splits.items()} == {"train": 9, "validation": 1, "test": 2}
    assert [one.source for one in dataset.skipped] == ["99", "5.5", "owl"]
    with pytest.raises(InputError, match=r"the table given: row 14 names a/1\.png for the second time, after row 3"):
        load.load(Frame(frame.columns, [*rows[:-2], (7, "A/1", "cat", "")]), root=folder, cache_dir=tmp_path / "cache")


def test_pandas_itself(folder: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    paths = sorted(folder.rglob("*.png"))
    frame = pandas.DataFrame({"label": labels(paths), "file": [path.name for path in paths], "note": None})
    dataset = load.load(frame[frame["label"].notna()], root=folder, cache_dir=tmp_path / "cache")
    assert sorted(found(dataset).values()) == sorted(labels(paths))


def test_no_package_of_frames_is_imported() -> None:
    code = "import sys, retinula; retinula.load; assert not {'pandas', 'polars'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((["a.png"], []), "there are 1 paths, but 0 labels"),
        (
            ("a.png", "b.png"),
            r"a tuple is taken for paths and their labels, \(paths, labels\), not for 2 of a str, a str",
        ),
        (([], [], []), "not for 3 of a list, a list, a list"),
        ((3, 4), "not for 2 of an int, an int"),
        (Frame(["file"], []), "the table given needs at least two columns"),
        (Frame(["file", "label"], []), "the table given names no pictures that are there"),
    ],
)
def test_what_is_no_such_table(tmp_path: Path, given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load.load(given, cache_dir=tmp_path)
    with pytest.raises(InputError, match="the table given is merged with nothing"):
        load.load((["a.png"], ["cat"]), more=tmp_path, cache_dir=tmp_path)


def test_a_cell_that_is_missing_is_empty() -> None:
    rows = rows_of(Frame(["file", "label"], [(Path("a.png"), np.nan), (None, None), (np.str_("b"), np.int64(3))]))
    assert rows == [["file", "label"], ["a.png", ""], ["", ""], ["b", "3"]]
    pandas = pytest.importorskip("pandas")
    for missing in (pandas.NA, pandas.NaT, Decimal("NaN"), np.array(["a", np.nan])[1]):
        assert rows_of((["a", "b"], ["cat", missing])) == [["file", "label"], ["a", "cat"], ["b", ""]]


def test_whole_numbers_that_a_gap_has_made_floats_are_written_as_such() -> None:
    frame = Frame(["file", "label", "weight"], [("a", 1.0, 1.0), ("b", np.nan, 2.5), ("c", np.float32(20), np.inf)])
    assert rows_of(frame) == [["file", "label", "weight"], ["a", "1", "1.0"], ["b", "", "2.5"], ["c", "20", "inf"]]
    assert rows_of((["a", "b"], [0.0, None])) == [["file", "label"], ["a", "0"], ["b", ""]]


def test_numbers_of_arrays_are_plain_ones() -> None:
    rows = rows_of((["a", "b", "c"], [torch.tensor(3), np.float32("nan"), torch.tensor([True])]))
    assert rows == [["file", "label"], ["a", "3"], ["b", ""], ["c", "True"]]


def test_a_table_whose_rows_cannot_be_read_is_none(tmp_path: Path) -> None:
    class Columnar:
        columns = ("file", "label")

    with pytest.raises(InputError, match="a data set is a name, folder or file, not a Columnar"):
        load.load(Columnar(), cache_dir=tmp_path)


def test_pictures_that_all_were_to_train_on_are_refused(folder: Path, tmp_path: Path) -> None:
    paths = sorted(folder.rglob("*.png"))
    train = load.load((paths, labels(paths)), cache_dir=tmp_path / "cache").splits["train"]
    rest = [folder / source for source in train.sources or ()]
    with pytest.raises(InputError, match="so none is left to test on: give them together, or another seed"):
        load.load((rest, labels(rest)), root=folder, cache_dir=tmp_path / "cache")
    again = load.load((rest, labels(rest)), root=folder, seed=1, cache_dir=tmp_path / "cache")
    assert again.test is not None
