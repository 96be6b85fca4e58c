import errno
import json
import os
import re
import stat
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from retinula.errors import InputError, RetinulaError
from retinula.files import durable
from retinula.files.durable import (
    MAX_TEXT_BYTES,
    UNFINISHED,
    check_destination,
    check_folder,
    clear_abandoned,
    explained,
    read_bytes,
    read_text,
    reading,
    replacing,
    replacing_folder,
    sha256_of,
    write_bytes,
    write_json,
    write_text,
)

PATIENCE = 30.0


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


@pytest.mark.parametrize("there", [True, False], ids=["empty", "missing"])
def test_where_nothing_may_go_what_came_meanwhile_stays(tmp_path: Path, there: bool) -> None:
    place = tmp_path / "set"
    if there:
        place.mkdir()

    def write() -> None:
        with replacing_folder(place, may_replace=False) as temporary:
            (temporary / "one").write_text("ours")
            place.mkdir(exist_ok=True)
            (place / "one").write_text("theirs")

    with pytest.raises(InputError, match=r"set: somebody else has put something there meanwhile, which stays"):
        write()
    assert names(tmp_path) == ["set"]
    assert names(place) == ["one"]
    assert (place / "one").read_text() == "theirs"


def test_where_nothing_may_go_a_file_stays_and_an_empty_folder_is_taken(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="meanwhile"), replacing_folder(tmp_path / "a", may_replace=False):
        (tmp_path / "a").write_text("theirs")
    with replacing_folder(tmp_path / "b", may_replace=False) as temporary:
        (temporary / "one").write_text("ours")
        (tmp_path / "b").mkdir()
    assert (tmp_path / "a").read_text() == "theirs"
    assert names(tmp_path) == ["a", "b"]
    assert names(tmp_path / "b") == ["one"]


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


def test_a_place_that_may_not_be_taken_for_another_reason_is_not_called_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)
    with (
        pytest.raises(RetinulaError, match=r"cannot write .*set: No space left"),
        replacing_folder(tmp_path / "set", may_replace=False),
    ):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder", "empty folder"])
def test_content_is_on_the_disk_before_its_name_and_its_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = tmp_path / "set"
    content = place if kind == "file" else place / "one"
    if kind == "empty folder":
        place.mkdir()
    done: list[int | str] = []
    fsync, rename = os.fsync, Path.replace

    def synced(handle: int) -> None:
        done.append(os.fstat(handle).st_ino)
        fsync(handle)

    def renamed(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    if kind == "file":
        write_text(place, "1")
    else:
        with replacing_folder(place) as temporary:
            (temporary / "one").write_text("1")
    folder = place if kind == "empty folder" else tmp_path
    assert done == [content.stat().st_ino, "rename", folder.stat().st_ino]


def test_files_and_folders_are_as_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    (tmp_path / "plain folder").mkdir()
    write_text(tmp_path / "ours", "")
    with replacing_folder(tmp_path / "our folder"):
        pass
    for ours, plain in (("ours", "plain"), ("our folder", "plain folder")):
        assert stat.S_IMODE((tmp_path / ours).stat().st_mode) == stat.S_IMODE((tmp_path / plain).stat().st_mode)


def test_what_was_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("old")
    (tmp_path / "secret").chmod(0o600)
    write_text(tmp_path / "secret", "new")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert (tmp_path / "secret").read_text() == "new"


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    for target in ("inside/old", "inside/none"):
        link = tmp_path / "link"
        link.symlink_to(target)
        check_destination(link)
        write_text(link, "new")
        assert link.is_symlink()
        assert (tmp_path / target).read_text() == "new"
        link.unlink()
    assert names(tmp_path / "inside") == ["none", "old"]
    link.symlink_to("gone/file")
    with pytest.raises(InputError, match=r"there is no folder .*gone; make it first"):
        check_destination(link)
    link.unlink()
    link.symlink_to("link")
    for refuse in (check_destination, lambda path: write_text(path, "x")):
        with pytest.raises(RetinulaError, match=r"cannot write .*link: Too many levels of symbolic links"):
            refuse(link)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_given_the_content_once_that_is_whole(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    check_destination(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def fail_half_way() -> None:
        with replacing(pipe) as temporary:
            temporary.write_bytes(b"half")
            raise KeyError

    try:
        with pytest.raises(KeyError):
            fail_half_way()
        assert os.read(reader, 100) == b""
        write_text(pipe, "all")
        assert os.read(reader, 100) == b"all"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")  # noqa: PTH110 (a device)
@pytest.mark.parametrize(("stream", "number"), [("stdout", 1), ("stderr", 2)])
def test_what_is_printed_to_a_file_is_added_to(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stream: str, number: int
) -> None:
    (tmp_path / "out").symlink_to(f"/dev/{stream}")
    # As Python has them: what is printed waits for more to come, what is complained of does not.
    with os.fdopen(os.dup(number), "w", buffering=1 if stream == "stderr" else -1) as printed:
        monkeypatch.setattr(sys, stream, printed)
        print("before", file=printed)
        write_text(tmp_path / "out", "table\n")
        print("after", file=printed)
    monkeypatch.undo()
    assert getattr(capfd.readouterr(), stream[3:]) == "before\ntable\nafter\n"
    assert names(tmp_path) == ["out"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 (a device)
def test_a_device_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    # By way of a link: were it replaced, then the link and not the device of this machine.
    (tmp_path / "device").symlink_to("/dev/full")
    with pytest.raises(RetinulaError, match=r"cannot write .*device: No space left on device"):
        write_text(tmp_path / "device", "x")
    assert (tmp_path / "device").is_char_device()
    assert names(tmp_path) == ["device"]


def test_names_may_be_as_long_as_they_can_be(tmp_path: Path) -> None:
    for name in ("x" * 255, "a." + "b" * 253, "ü" * 125 + ".json"):
        write_text(tmp_path / name, "x")
    with replacing_folder(tmp_path / ("y" * 255)):
        pass
    assert len(names(tmp_path)) == 4
    with replacing(tmp_path / "weights.safetensors") as temporary:
        assert temporary.suffix == ".safetensors"
        temporary.write_bytes(b"")


def test_an_empty_folder_is_filled_where_it_is(tmp_path: Path) -> None:
    """It may be where a drive is mounted, or lie in a folder that nobody may write to."""
    place = tmp_path / "mounted"
    place.mkdir(mode=0o700)
    (place / f"{UNFINISHED}killed").mkdir()  # that is nothing of anybody's
    number = place.stat().st_ino
    with replacing_folder(place) as temporary:
        assert temporary.parent == place
        (temporary / "one").write_text("1")
    assert (place.stat().st_ino, stat.S_IMODE(place.stat().st_mode)) == (number, 0o700)
    assert names(place) == [f"{UNFINISHED}killed", "one"]


def test_what_killed_processes_left_is_removed_when_it_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{UNFINISHED}file").write_text("")
    (tmp_path / f"{UNFINISHED}folder/deep").mkdir(parents=True)
    # A copy has its original's time, however new it is.
    (tmp_path / f"{UNFINISHED}folder/deep/copy").write_text("")
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.utime(path, (1, 1))
    (tmp_path / "whole").write_text("")
    clear_abandoned(tmp_path.glob(f"{UNFINISHED}*"))
    assert names(tmp_path) == [f"{UNFINISHED}file", f"{UNFINISHED}folder", "whole"]
    monkeypatch.setattr(durable, "_ABANDONED_SECONDS", -60)
    clear_abandoned(tmp_path.glob(f"{UNFINISHED}*"))
    assert names(tmp_path) == ["whole"]


def test_a_folder_that_is_still_written_to_is_not_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / f"{UNFINISHED}folder"
    file = folder / "deep/file"
    file.parent.mkdir(parents=True)
    file.write_text("")
    made = max(path.lstat().st_ctime for path in (folder, file.parent))
    while file.lstat().st_ctime <= made:
        file.write_text("more")
    border = (made + file.lstat().st_ctime) / 2
    monkeypatch.setattr(time, "time", lambda: border + 600)
    clear_abandoned([folder])
    assert file.read_text() == "more"
    monkeypatch.setattr(time, "time", lambda: border + 660)
    clear_abandoned([folder])
    assert names(tmp_path) == []


def test_json_refuses_what_is_no_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"å": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"å": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"å": [1, None]}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*missing.*: No such file or directory"):
        write_text(tmp_path / "missing" / "a.txt", "x")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 (a device)
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    # Writing through a link to the device that is always full: the temporary file itself cannot be put there.
    with (
        pytest.raises(RetinulaError, match=r"cannot write .*a\.txt: No space left on device") as full,
        replacing(tmp_path / "a.txt"),
        open("/dev/full", "wb", buffering=0) as device,  # noqa: PTH123 (a device)
    ):
        device.write(b"x")
    assert not isinstance(full.value, InputError), "no fault of the words"
    assert names(tmp_path) == []


def test_a_file_that_cannot_be_written_is_refused_early(tmp_path: Path) -> None:
    check_destination(tmp_path / "new.csv")
    with pytest.raises(InputError, match=r"gone/new\.csv: there is no folder .*gone; make it first"):
        check_destination(tmp_path / "gone" / "new.csv")
    with pytest.raises(InputError, match="is a folder; name a file"):
        check_destination(tmp_path)
    with pytest.raises(RetinulaError, match=r"cannot write .*: File name too long"):
        check_destination(tmp_path / ("x" * 300))


def test_a_folder_that_cannot_be_filled_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "new" / "deep"):
        check_folder(folder)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RetinulaError, match=rf"cannot write {folder}: Not a directory"):
            check_folder(folder)
    with pytest.raises(RetinulaError, match="File name too long"):
        check_folder(tmp_path / ("x" * 300))
    assert names(tmp_path) == ["file"], "looking makes nothing"

    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    for check, place in ((check_folder, tmp_path / "new"), (check_destination, tmp_path / "file")):
        with pytest.raises(InputError, match=rf"cannot write {place}: Read-only file system"):
            check(place)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, reason in (
        (tmp_path / "none", "no such file"),
        (tmp_path, r"cannot be read \(Is a directory\)"),
        (tmp_path / "file" / "below", r"cannot be read \(Not a directory\)"),
    ):
        with pytest.raises(InputError, match=rf"^{path}: {reason}$"), reading(path):
            path.read_bytes()


def test_text_is_read_back_or_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "neu: ü")
    assert read_text(file) == "neu: ü"
    file.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"a\.txt: not a text file in UTF-8"):
        read_text(file)
    with pytest.raises(InputError, match=r"b\.txt: no such file"):
        read_text(tmp_path / "b.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_what_may_have_no_end_is_not_read(tmp_path: Path) -> None:
    pipe, link, large = tmp_path / "pipe", tmp_path / "link", tmp_path / "large"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")
    with large.open("wb") as file:
        file.truncate(2**40)
    reasons: list[str] = []

    def read() -> None:
        for path in (link, large, pipe):
            with pytest.raises(InputError) as caught:
                read_text(path)
            reasons.append(str(caught.value).removeprefix(f"{tmp_path}/"))

    reading_on = threading.Thread(target=read, daemon=True)
    reading_on.start()
    reading_on.join(PATIENCE)
    few = f"larger than {MAX_TEXT_BYTES:,} bytes"
    assert reasons == ["link: not an ordinary file", f"large: {few}", "pipe: not an ordinary file"]


def test_a_file_has_as_many_bytes_as_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert read_bytes(tmp_path / "abc", 3) == b"abc"
    with pytest.raises(InputError, match=r"abc: larger than 2 bytes$"):
        read_bytes(tmp_path / "abc", 2)


def test_the_sum_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180
    with pytest.raises(InputError, match=r"none: no such file$"):
        sha256_of(tmp_path / "none")


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("runs/.retinula-0f/recipe.toml", "runs"),
        ("runs/.retinula-0f", "runs"),
        (".retinula-0f/figures/a.png", "."),
        ("runs/first/recipe.toml", "runs/first/recipe.toml"),
    ],
)
def test_a_refusal_names_no_temporary(place: str, named: str) -> None:
    with (
        pytest.raises(RetinulaError, match=f"^cannot write {re.escape(named)}: {os.strerror(errno.ENOSPC)}$"),
        explained(Path(place)),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_reading_a_small_text_takes_little_memory_however_large_it_might_be(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"one\r\ntwo")
    tracemalloc.start()
    text = durable.read_text(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text == "one\ntwo"
    assert peak < 4 * 1024**2
