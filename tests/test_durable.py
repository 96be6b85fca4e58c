import errno
import json
import os
import stat
from pathlib import Path

import pytest

from retinula.durable import check_destination, replacing, replacing_folder, write_bytes, write_json, write_text
from retinula.errors import InputError, RetinulaError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_content_replaces_the_old(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "neu: ü")
    assert (tmp_path / "a.txt").read_bytes() == "neu: ü".encode()
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.bin", b"old")

    def fail_half_way() -> None:
        with replacing(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with replacing_folder(tmp_path / "set") as temporary:
            (temporary / "one").write_text("1")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert names(tmp_path) == []
    for content in ("1", "2"):
        with replacing_folder(tmp_path / "set") as temporary:
            (temporary / "one").write_text(content)
    assert names(tmp_path) == ["set"]
    assert (tmp_path / "set" / "one").read_text() == "2"


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with replacing_folder(tmp_path / "set") as temporary:
        (temporary / "one").write_text("old")
    rename = Path.replace

    def full(self: Path, target: Path) -> Path:
        if (self / "new").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with (
        pytest.raises(RetinulaError, match=r"cannot write .*set: No space left"),
        replacing_folder(tmp_path / "set") as temporary,
    ):
        (temporary / "new").write_text("new")
    assert names(tmp_path) == ["set"]
    assert (tmp_path / "set" / "one").read_text() == "old"


def test_an_empty_folder_is_filled_even_where_one_stands_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    monkeypatch.chdir(tmp_path / "here")
    for folder in (Path(), tmp_path / "link"):
        with replacing_folder(folder) as temporary:
            (temporary / "one").write_text("1")
    assert names(Path()) == ["one"], "as one sees who stood there before"
    assert names(tmp_path / "there") == ["one"]
    assert names(tmp_path) == ["here", "link", "there"]


def test_files_are_as_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_json_refuses_what_is_no_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"å": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"å": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"å": [1, None]}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RetinulaError, match=r"cannot write .*missing.*: No such file or directory"):
        write_text(tmp_path / "missing" / "a.txt", "x")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 (a device)
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    # Writing through a link to the device that is always full: the temporary file itself cannot be put there.
    with (
        pytest.raises(RetinulaError, match=r"cannot write .*a\.txt: No space left on device"),
        replacing(tmp_path / "a.txt"),
        open("/dev/full", "wb", buffering=0) as device,  # noqa: PTH123 (a device)
    ):
        device.write(b"x")
    assert names(tmp_path) == []


def test_a_file_that_cannot_be_written_is_refused_early(tmp_path: Path) -> None:
    check_destination(tmp_path / "new.csv")
    with pytest.raises(InputError, match=r"gone/new\.csv: there is no folder .*gone; make it first"):
        check_destination(tmp_path / "gone" / "new.csv")
    with pytest.raises(InputError, match="is a folder; name a file"):
        check_destination(tmp_path)
    with pytest.raises(RetinulaError, match=r"cannot write .*: File name too long"):
        check_destination(tmp_path / ("x" * 300))
