import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from retinula.errors import InputError
from retinula.prediction.references import Reference, find_pictures


def written(where: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(content)
    return where


def sources(references: Sequence[Reference], below: Path | None = None) -> list[str]:
    return [str(Path(src).relative_to(below)) if below else src for src, _, _ in references]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    names = ["b/10.png", "b/9.JPG", "a.png", "a.txt", ".hidden.png", "c/deep/er/1.webp", "__MACOSX/x.png"]
    return written(tmp_path / "photos", dict.fromkeys(names, b"x"))


def test_a_folder_with_all_below_in_natural_order(photos: Path) -> None:
    references = find_pictures([str(photos)])
    assert sources(references, photos) == ["a.png", "b/9.JPG", "b/10.png", "c/deep/er/1.webp"]
    assert all(reference.content == Path(reference.src) for reference in references)


def test_files_in_the_order_given_whatever_their_names(photos: Path) -> None:
    given_order = [str(photos / "b/10.png"), str(photos / "a.txt"), str(photos / "a.png")]
    assert sources(find_pictures(given_order)) == given_order


def test_each_once(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    references = find_pictures(["b/9.JPG", "b", str(photos / "b"), "./b/*.png"])
    assert sources(references) == ["b/9.JPG", "b/10.png"]


def test_names_begin_as_written(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert sources(find_pictures(["b"])) == ["b/9.JPG", "b/10.png"]
    assert sources(find_pictures(["../photos/a.png"])) == ["../photos/a.png"]


def test_patterns(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert sources(find_pictures(["[a-c]*"])) == ["a.png", "b/9.JPG", "b/10.png", "c/deep/er/1.webp"]
    assert sources(find_pictures(["[b-c]/**/*.*"])) == ["b/9.JPG", "b/10.png", "c/deep/er/1.webp"]
    assert sources(find_pictures([f"{photos}/b/[0-9].*"])) == [f"{photos}/b/9.JPG"]
    with pytest.raises(InputError, match=r"no picture fits z\*\.png"):
        find_pictures(["z*.png"])


def test_a_name_with_brackets_is_a_file_first(photos: Path) -> None:
    written(photos, {"img[1].png": b"x"})
    assert sources(find_pictures([str(photos / "img[1].png")])) == [str(photos / "img[1].png")]


def test_a_pattern_in_a_folder_with_brackets(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(photos, dict.fromkeys(["moss #3 [wet]/1.png", "moss #3 [wet]/[old]/2.png", "moss #3 w/3.png"], b"x"))
    monkeypatch.chdir(photos)
    assert sources(find_pictures(["moss #3 [wet]/*.png"])) == ["moss #3 [wet]/1.png"]
    assert sources(find_pictures([f"{photos}/moss #3 [wet]/[old]/[0-9].*"]), photos) == ["moss #3 [wet]/[old]/2.png"]
    assert sources(find_pictures(["moss #3 [vw]/*.png"])) == ["moss #3 w/3.png"]
    with pytest.raises(InputError, match=r"no picture fits moss #3 \[wet\]/z\*"):
        find_pictures(["moss #3 [wet]/z*"])


def test_missing(photos: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file or folder .*/nothing\.png"):
        find_pictures([str(photos / "a.png"), str(photos / "nothing.png")])
    with pytest.raises(InputError, match=r"^https://a\.org/a\.png is an address on the web: fetch it first.* curl -sL"):
        find_pictures([str(photos / "a.png"), "https://a.org/a.png"])


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no pictures in"):
        find_pictures([str(written(tmp_path, {"a.txt": b""}))])


def test_nothing_named() -> None:
    with pytest.raises(InputError, match="name at least one"):
        find_pictures([])


def test_standard_input() -> None:
    assert find_pictures(["-"], io.BytesIO(b"content")) == [Reference("-", b"content")]
    with pytest.raises(InputError, match="named once"):
        find_pictures(["-", "-"], io.BytesIO(b"content"))


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)  # as Python has it then
    with pytest.raises(InputError, match="standard input is closed"):
        find_pictures(["-"])


def test_a_folder_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "closed").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.scandir", closed)
    assert find_pictures(["closed"]) == [Reference("closed", b"", "Permission denied")]


def test_the_processs_own_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"content")))
    assert find_pictures(["-"]) == [Reference("-", b"content")]


def test_what_lies_in_a_folder_and_cannot_be_used(photos: Path, tmp_path: Path) -> None:
    written(tmp_path, {"secret.png": b"x"})
    (photos / "aa.png").symlink_to(tmp_path / "secret.png")
    written(photos, {"z.heic": b"x"})
    refused = {reference.src: reference.refused for reference in find_pictures([str(photos)]) if reference.refused}
    assert refused == {
        str(photos / "aa.png"): "the link leads out of the folder",
        str(photos / "z.heic"): ".heic is not supported; convert it to JPEG or PNG",
    }


def test_patterns_find_what_is_called_like_a_format_that_is_not_read(photos: Path) -> None:
    """A phone's JPEG may be called so, which its content says."""
    written(photos, {"z.HEIC": b"x"})
    assert find_pictures([f"{photos}/*.HEIC"]) == [Reference(f"{photos}/z.HEIC", photos / "z.HEIC")]


def test_names_that_are_not_text(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    Path(path).write_bytes(b"x")
    (reference,) = find_pictures([path])
    assert reference.src == f"{tmp_path}/\\xff.png"
    assert reference.content == Path(path)


def test_names_in_a_folder_where_the_system_speaks_ascii(tmp_path: Path) -> None:
    written(tmp_path, {"\xfcn\xef/b\xefld.png": b"x", "\xfcn\xef/b\xefld.heic": b"x"})
    code = (
        "from retinula.prediction.references import find_pictures\n"
        "for each in find_pictures(['\\udcc3\\udcbcn\\udcc3\\udcaf']):\n"
        "    print(ascii(each.src), each.content and each.content.read_bytes())"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env={**os.environ, **locale}, cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert done.stdout.splitlines() == [r"'\xfcn\xef/b\xefld.heic' b''", r"'\xfcn\xef/b\xefld.png' b'x'"]
