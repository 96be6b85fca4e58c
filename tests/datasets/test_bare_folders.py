"""Folders that lie where classes do and have no pictures: told once, wherever a data set is described."""

import shutil
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from command_line import run_command
from retinula.datasets import folder, load
from retinula.datasets.check import check_files
from retinula.datasets.layout import BARE
from retinula.datasets.options import Options
from retinula.datasets.reading import Dataset
from retinula.errors import InputError


def made(where: Path, pictures: Sequence[str], others: Sequence[str]) -> Path:
    """Make pictures that all differ, folders (with a `/` at the end) and other files."""
    for number, name in enumerate(pictures):
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 200, 0)).save(where / name)
    for name in others:
        path = where / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    return where


CLASSES = ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
SPLITS = ("train/cat/1.png", "train/dog/1.png", "test/cat/2.png")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("pictures", "others", "told"),
    [
        (CLASSES, ("owl/", "owl 10/deep/er/", "owl 9/notes.txt"), ["owl", "owl 9", "owl 10"]),
        (CLASSES, (".hidden/", "__MACOSX/cat/", "cat/small/", "readme.txt"), []),
        (SPLITS, ("train/owl/", "test/dog/", "val/", "docs/", "train/cat/old/", "test/notes.txt"), "all of splits"),
        (SPLITS, ("val/cat/", "val/dog/"), ["val"]),
        ([f"set/photos/{name}" for name in CLASSES], ("set/photos/owl/", "set/docs/"), ["set/docs", "set/photos/owl"]),
        (CLASSES, ("owl/1.heic",), []),
    ],
)
def test_those_are_told_that_could_be_meant_as_classes(
    tmp_path: Path, packed: bool, pictures: Sequence[str], others: Sequence[str], told: Sequence[str]
) -> None:
    path = made(tmp_path / "set", pictures, others)
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", path))
    reading = folder.read(path, Options())
    bare = [one.source for one in reading.skipped if one.reason == BARE]
    assert bare == (["test/dog", "train/owl", "val"] if told == "all of splits" else told)


def test_they_are_told_by_a_check(tmp_path: Path) -> None:
    path = made(tmp_path / "set", [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(15)], ["owl/"])
    report = check_files(path)
    assert (report.bare, report.unreadable, report.is_clean) == (("owl",), (), False)
    assert report.to_dict()["without_pictures"] == ["owl"]
    assert report.lines()[1:3] == ["folders without pictures: 1", "  owl"]


def test_only_pictures_have_a_set_prepared_anew(tmp_path: Path) -> None:
    path = made(tmp_path / "set", CLASSES, [])
    told: list[str] = []

    def load_it() -> Dataset:
        told.clear()
        return load.load(path, cache_dir=tmp_path / "cache", progress=lambda what, done, total: told.append(what))

    load_it()
    assert "preparing set" in told
    (path / "runs").mkdir()  # as a training makes
    assert load_it().skipped == ()
    assert "preparing set" not in told
    made(path, ["cat/3.png"], [])
    assert [one.source for one in load_it().skipped] == ["runs"]


def names_of(*names: str) -> BytesIO:
    """A tar of empty members, folders with a `/` at the end."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(member)
    return packed


def test_only_the_topmost_are_kept(tmp_path: Path) -> None:
    others = ["owl/in/it/", "owl/other/", "cat/no/ne/", "cat-like/x/", "b/c/notes.txt"]
    pictures = ["cat/yes/1.png", "cat/1.png", "dog/1.png"]
    expected = ["b", "cat/no", "cat-like", "owl"]
    path = made(tmp_path / "set", pictures, others)
    assert sorted(folder.find(path).bare) == sorted(expected)
    packed = tmp_path / "set.tar"
    packed.write_bytes(names_of(*pictures, *others).getvalue())
    assert sorted(folder.find(packed).bare) == sorted(expected)


def test_a_deep_archive_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "set.tar"
    for last in ("1.png", "x/"):
        packed.write_bytes(names_of("a/1.png", "b/1.png", "d/" * 31 + "1.png").getvalue())
        assert len(folder.find(packed).names) == 3
        packed.write_bytes(names_of("a/1.png", "b/1.png", "d/" * 32 + last).getvalue())
        with pytest.raises(InputError, match=r"set\.tar is refused: it holds a name of more than 32 levels"):
            folder.find(packed)


def test_they_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(made(tmp_path, [f"pets/{name}" for name in CLASSES], ["pets/owl/"]))
    _, remarks = run_command(monkeypatch, capsys, "data", "show", "pets")
    assert remarks.splitlines().count("left out owl: there are no pictures in this folder") == 1


@pytest.mark.parametrize(
    ("pictures", "others", "why"),
    [
        (["cat/1.png"], ["dog/"], "only one class, 'cat', in .*, and dog without pictures; expected"),
        (["train/cat/1.png"], ["train/dog/", "train/owl/"], "'cat', in .*, and train/dog and 1 more without pictures"),
        (["cat/1.png"], [], "there is only one class, 'cat', in [^,]*; expected"),
    ],
)
def test_they_are_told_where_classes_lack(
    tmp_path: Path, pictures: Sequence[str], others: Sequence[str], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        folder.read(made(tmp_path / "set", pictures, others), Options())
