from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retinula.datasets import folder
from retinula.datasets.options import Options
from retinula.datasets.reading import Dataset, SplitName
from retinula.datasets.unpack import safe_names, unpack
from retinula.errors import InputError, RetinulaError
from retinula.images import ImageSet


def dataset(
    classes: tuple[str, ...] = ("cat", "dog"), channels: int = 3, counts: tuple[int, int, int] = (12, 3, 5)
) -> Dataset:
    generator = np.random.default_rng(0)
    splits: dict[SplitName, ImageSet] = {}
    names: tuple[SplitName, SplitName, SplitName] = ("train", "validation", "test")
    for split, count in zip(names, counts, strict=True):
        images = generator.integers(0, 256, (count, channels, 6, 9), dtype=np.uint8)
        splits[split] = ImageSet(images, np.arange(count) % len(classes), classes, f"x/{split}")
    return Dataset("x", splits)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_read_back_is_the_same(tmp_path: Path, channels: int) -> None:
    written = dataset(channels=channels)
    assert unpack(written, tmp_path / "out") == {"cat": "cat", "dog": "dog"}
    reading = folder.read(tmp_path / "out", Options(channels=channels))
    assert reading.classes == ("cat", "dog")
    count = 0
    for split, stream in reading.splits.items():
        for images, labels, sources, _ in stream():
            for image, label, source in zip(images, labels, sources or [], strict=True):
                number = int(Path(source).stem)
                assert np.array_equal(image, written.splits[split].images[number])
                assert label == written.splits[split].known_labels()[number]
                count += 1
    assert count == 20
    assert reading.skipped == []


def test_names_of_files(tmp_path: Path) -> None:
    unpack(dataset(), tmp_path / "out")
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert files[:3] == ["test/cat/0.png", "test/cat/2.png", "test/cat/4.png"]
    assert "train/dog/11.png" in files
    assert "train/cat/00.png" in files
    assert "val/dog/1.png" in files
    assert len(files) == 20


def test_jpeg_is_near(tmp_path: Path) -> None:
    flat = np.broadcast_to(np.array([200, 100, 50], dtype=np.uint8).reshape(1, 3, 1, 1), (4, 3, 16, 16))
    train = ImageSet(np.ascontiguousarray(flat), np.array([0, 1, 0, 1]), ("a", "b"), "x/train")
    unpack(Dataset("x", {"train": train}), tmp_path / "out", "jpeg")
    files = sorted((tmp_path / "out").rglob("*.jpg"))
    assert [file.relative_to(tmp_path / "out").as_posix() for file in files] == [
        "train/a/0.jpg",
        "train/a/2.jpg",
        "train/b/1.jpg",
        "train/b/3.jpg",
    ]
    with Image.open(files[0]) as picture:
        assert picture.format == "JPEG"
        assert np.abs(np.asarray(picture).astype(int) - [200, 100, 50]).max() <= 2


def test_unsafe_class_names(tmp_path: Path) -> None:
    classes = ("../up", "either/or", "EITHER_OR", ".hidden", "con", "ends.")
    names = unpack(dataset(classes, counts=(12, 0, 0)), tmp_path / "out")
    assert names == {
        "../up": "_up",
        "either/or": "either_or",
        "EITHER_OR": "EITHER_OR_2",
        ".hidden": "hidden",
        "con": "_con",
        "ends.": "ends",
    }
    assert {path.name for path in (tmp_path / "out" / "train").iterdir()} == set(names.values())
    assert len(list((tmp_path / "out").rglob("*.png"))) == 12
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_refuses_what_holds_something(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("precious")
    for place in (tmp_path, tmp_path / "note.txt"):
        with pytest.raises(InputError, match="is not empty"):
            unpack(dataset(), place)
    assert (tmp_path / "note.txt").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    unpack(dataset(), tmp_path / "empty")
    assert len(list((tmp_path / "empty").rglob("*.png"))) == 20


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
def test_what_came_meanwhile_stays(tmp_path: Path, there: bool) -> None:
    out = tmp_path / "out"
    if there:
        out.mkdir()

    def come(what: str, done: int, total: int | None) -> None:
        out.mkdir(exist_ok=True)
        (out / "mine.txt").write_text("precious")

    with pytest.raises(InputError, match=r"out: somebody else has put something there meanwhile"):
        unpack(dataset(), out, progress=come)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_of_two_to_one_name_the_first_stays(tmp_path: Path) -> None:
    def first(what: str, done: int, total: int | None) -> None:
        if done < 15:
            unpack(dataset(("owl",)), tmp_path / "out")

    with pytest.raises(InputError, match="name another folder"):
        unpack(dataset(), tmp_path / "out", progress=first)
    assert [path.name for path in (tmp_path / "out/train").iterdir()] == ["owl"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_wrong_format_and_no_labels(tmp_path: Path) -> None:
    wrong: Literal["png"] = "gif"  # type: ignore[assignment]  # wrong on purpose
    with pytest.raises(InputError, match="png or jpeg, not 'gif'"):
        unpack(dataset(), tmp_path / "out", wrong)
    bare = ImageSet(np.zeros((2, 3, 4, 4), dtype=np.uint8), None, (), "x/train")
    with pytest.raises(InputError, match="x/train has no labels"):
        unpack(Dataset("x", {"train": bare}), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, written = Image.Image.save, 0

    def fills_the_disk(self: Image.Image, *arguments: object) -> None:
        nonlocal written
        written += 1
        if written == 15:
            raise OSError(28, "No space left on device")
        save(self, *arguments)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Image.Image, "save", fills_the_disk)
    with pytest.raises(RetinulaError, match="No space left"):
        unpack(dataset(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_progress(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    unpack(dataset(), tmp_path / "out", progress=lambda *words: told.append(words))
    assert told == [("unpacking", 12, 20), ("unpacking", 15, 20), ("unpacking", 20, 20)]


@given(st.lists(st.text(max_size=150), unique=True, max_size=8))
def test_any_names_become_safe_and_different(names: list[str]) -> None:
    safe = safe_names(names)
    assert len({name.casefold() for name in safe}) == len(names)
    for name in safe:
        assert name not in ("", ".", "..")
        assert len(name.encode()) <= 255
        assert not set(name) & set('<>:"/\\|?*\0')
        assert not name.startswith(".")
        assert not name.endswith((".", " "))


def test_long_names_are_cut_between_letters() -> None:
    assert safe_names(["猫" * 100, "猫" * 101]) == ["猫" * 66, "猫" * 66 + "_2"]


def test_where_the_system_speaks_ascii_names_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "ascii")
    assert safe_names(["b\xefld", "b\xfcld"]) == ["b_ld", "b_ld_2"]


def test_ordinary_names_stay() -> None:
    names = ["cat", "aquarium_fish", "maple tree", "n01440764", "ёлка", "0", "a.b"]
    assert safe_names(names) == names
