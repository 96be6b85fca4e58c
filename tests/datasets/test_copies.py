import hashlib
import os
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retinula.datasets import copies, listing
from retinula.datasets.catalog import CATALOG
from retinula.datasets.entry import Archive
from retinula.errors import InputError

CONTENT = np.random.default_rng(0).bytes(400_000)
FILES = {"meta": b"names", "train": b"pictures" * 100, "test": b"more"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_folder(path: Path, files: dict[str, bytes] = FILES) -> Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


ARCHIVE = Archive(
    "set.tar.gz",
    len(CONTENT),
    sha256(CONTENT),
    (),
    "set-python",
    {file: sha256(found) for file, found in FILES.items()},
)


def test_finds_an_archive_or_folder_in_a_folder_and_one_level_down(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    top = tmp_path / "data"
    top.mkdir()
    assert copies.find(ARCHIVE, [top, tmp_path / "none"], cache) is None
    (top / "deep/er").mkdir(parents=True)
    (top / "deep/er/set.tar.gz").write_bytes(CONTENT)
    assert copies.find(ARCHIVE, [top], cache) is None
    unpacked = make_folder(top / "deep/set-python")
    found = copies.find(ARCHIVE, [top], cache)
    assert found is not None
    assert (found.path, found.verified) == (unpacked, True)
    (top / "deep/set.tar.gz").write_bytes(CONTENT)
    assert copies.find(ARCHIVE, [top], cache) == copies.Found(top / "deep/set.tar.gz", sha256(CONTENT), True)
    (top / "set.tar.gz").write_bytes(b"another one")
    assert copies.find(ARCHIVE, [top], cache) == copies.Found(top / "set.tar.gz", sha256(b"another one"), False)


def test_folders_are_searched_in_order(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "set.tar.gz").write_bytes(name.encode())
    for folders, expected in ((["a", "b"], "a"), (["b", "a"], "b")):
        found = copies.find(ARCHIVE, [tmp_path / name for name in folders], tmp_path / "cache")
        assert found is not None
        assert found.path == tmp_path / expected / "set.tar.gz"


def test_a_folder_may_be_the_unpacked_one_under_any_name(tmp_path: Path) -> None:
    found = copies.find(ARCHIVE, [make_folder(tmp_path / "mine")], tmp_path / "cache")
    assert found is not None
    assert found.verified


def test_an_unpacked_folder_is_verified_file_by_file(tmp_path: Path) -> None:
    whole_folder = copies.examine(ARCHIVE, make_folder(tmp_path / "a"), tmp_path / "cache")
    changed = copies.examine(ARCHIVE, make_folder(tmp_path / "b", {**FILES, "test": b"other"}), tmp_path / "cache")
    extra = copies.examine(ARCHIVE, make_folder(tmp_path / "c", {**FILES, "readme": b"x"}), tmp_path / "cache")
    assert (whole_folder.verified, changed.verified, extra.verified) == (True, False, True)
    assert whole_folder.sha256 == extra.sha256 != changed.sha256
    listing = "".join(f"{sha256(FILES[file])}  {file}\n" for file in ("meta", "test", "train"))
    assert whole_folder.sha256 == sha256(listing.encode())


def test_a_folder_that_is_not_complete_is_an_error(tmp_path: Path) -> None:
    make_folder(tmp_path / "set-python", {"meta": b"names", "test": b"more"})
    with pytest.raises(InputError, match=r"set-python lacks train; unpack set.tar.gz again"):
        copies.find(ARCHIVE, [tmp_path], tmp_path / "cache")


def test_a_sum_is_remembered_as_long_as_the_file_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    computed: list[str] = []
    real = hashlib.file_digest

    def counting(file: BufferedReader, name: str) -> Any:
        computed.append(name)
        return real(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    # A file that was changed a moment ago could change again within the same tick of the clock.
    for _ in range(2):
        assert copies.file_digest(path, tmp_path / "cache") == sha256(b"one")
    assert len(computed) == 2
    monkeypatch.setattr(copies, "_SETTLED_NS", 0)
    for _ in range(3):
        assert copies.file_digest(path, tmp_path / "cache") == sha256(b"one")
    assert len(computed) == 3
    times = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert copies.file_digest(path, tmp_path / "cache") == sha256(b"two")
    for note in (tmp_path / "cache/sums").iterdir():
        note.write_text("rubbish")
    assert copies.file_digest(path, tmp_path / "cache") == sha256(b"two")
    with pytest.raises(InputError, match=r"none: no such file"):
        copies.file_digest(tmp_path / "none", tmp_path / "cache")


def test_a_sum_needs_no_cache_that_can_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_SETTLED_NS", 0)
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "cache").write_text("")
    assert copies.file_digest(tmp_path / "a", tmp_path / "cache") == sha256(b"one")


def test_what_may_not_be_looked_into_has_nothing_for_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Path.stat

    def guarded(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if self.parent.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return look(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", guarded)
    for name in ("lost+found", "other"):
        (tmp_path / "disk" / name).mkdir(parents=True)
    (tmp_path / "disk/circle").symlink_to("circle")
    folders = [tmp_path / "disk/lost+found", tmp_path / "disk"]
    assert copies.locate(ARCHIVE, folders) is None
    (tmp_path / "disk/other/set.tar.gz").write_bytes(CONTENT)
    assert copies.locate(ARCHIVE, folders) == tmp_path / "disk/other/set.tar.gz"


# Keeping a copy


def test_keeps_a_copy_of_an_archive_or_a_folder_in_place_of_the_other(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    told: list[tuple[str, int, int | None]] = []
    (tmp_path / "mine.tgz").write_bytes(CONTENT)
    given = copies.examine(ARCHIVE, tmp_path / "mine.tgz", cache)
    kept = copies.keep(ARCHIVE, given, cache, lambda *words: told.append(words))
    assert kept == cache / "downloads/set.tar.gz"
    assert kept.read_bytes() == CONTENT
    assert told[-1] == ("copying mine.tgz", len(CONTENT), len(CONTENT))
    folder = make_folder(tmp_path / "folder", {**FILES, "readme": b"x"})
    (folder / "deeper").mkdir()
    kept = copies.keep(ARCHIVE, copies.examine(ARCHIVE, folder, cache), cache)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == FILES
    assert [path.name for path in (cache / "downloads").iterdir()] == ["set-python"]
    copies.keep(ARCHIVE, given, cache)
    assert [path.name for path in (cache / "downloads").iterdir()] == ["set.tar.gz"]
    assert copies.keep(ARCHIVE, copies.examine(ARCHIVE, kept.parent / "set.tar.gz", cache), cache).exists()


def test_keeps_what_links_inside_a_folder_lead_to(tmp_path: Path) -> None:
    tree = Archive("tree.zip", 0, "", (), "tree", {}, needs=("*/*.png",))
    folder = make_folder(tmp_path / "given/cat", {"1.png": b"one", "2.png": b"two"}).parent
    (folder / "cat/again.png").symlink_to("1.png")
    (folder / "kitten").symlink_to("cat")
    (tmp_path / "outside.png").write_bytes(b"outside")
    for link, target in (("cat/out.png", tmp_path / "outside.png"), ("cat/up", ".."), ("circle", "circle")):
        (folder / link).symlink_to(target)
    kept = copies.keep(tree, copies.examine(tree, folder, tmp_path / "cache"), tmp_path / "cache")
    found = {path.relative_to(kept).as_posix(): path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    pictures = {"1.png": b"one", "2.png": b"two", "again.png": b"one"}
    assert found == {f"{place}/{name}": content for place in ("cat", "kitten") for name, content in pictures.items()}
    assert not any(path.is_symlink() for path in kept.rglob("*"))
    assert listing.find_in_folder(kept).names == listing.find_in_folder(folder).names


def test_copies_that_were_killed_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.tgz").write_bytes(CONTENT)
    found = copies.examine(ARCHIVE, tmp_path / "mine.tgz", tmp_path)

    def killed(*_: object) -> None:
        names.extend(path.name for path in (tmp_path / "downloads").iterdir())

    names: list[str] = []
    copies.keep(ARCHIVE, found, tmp_path, killed)
    (name,) = names
    left = tmp_path / "downloads" / name
    left.write_bytes(b"a part")
    (tmp_path / "downloads/set.tar.gz").unlink()
    copies.keep(ARCHIVE, found, tmp_path)
    assert left.exists(), "its process could be alive"
    (tmp_path / "downloads/set.tar.gz").unlink()
    monkeypatch.setattr("retinula.files.durable._ABANDONED_SECONDS", -60)
    copies.keep(ARCHIVE, found, tmp_path)
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == ["set.tar.gz"]


def test_a_copy_of_something_that_changed_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "set.tar.gz"
    path.write_bytes(CONTENT)
    found = copies.examine(ARCHIVE, path, tmp_path / "cache")
    path.write_bytes(b"other")
    with pytest.raises(InputError, match="changed while it was being copied"):
        copies.keep(ARCHIVE, found, tmp_path / "cache")
    folder = make_folder(tmp_path / "folder")
    found = copies.examine(ARCHIVE, folder, tmp_path / "cache")
    (folder / "test").write_bytes(b"other")
    with pytest.raises(InputError, match="changed while it was being copied"):
        copies.keep(ARCHIVE, found, tmp_path / "cache")
    assert list((tmp_path / "cache/downloads").iterdir()) == []


def test_tells_the_official_names() -> None:
    archive = CATALOG["cifar10"].archive
    assert archive is not None
    assert copies.is_official_name(archive, Path("some/cifar-10-python.tar.gz"))
    assert not copies.is_official_name(archive, Path("some/cifar-10.tar.gz"))
