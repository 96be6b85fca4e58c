import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinula.datasets.archives import Limits, is_archive_name, members
from retinula.errors import InputError
from retinula.text.names import printable

CONTENT = {"cat/1.png": b"one" * 200, "cat/2.png": b"", "dog/deep/3.png": bytes(range(256)) * 5}


def write_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: Mapping[str, bytes], kind: str = "") -> Path:
    with tarfile.open(path, f"w:{kind}") as archive:  # type: ignore[call-overload] # the kind is a parameter
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_headers(path: Path, *headers: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w") as archive:
        for header in headers:
            archive.addfile(header, io.BytesIO(content) if header.isreg() else None)
    return path


def read(path: Path, limits: Limits | None = None) -> dict[str, bytes]:
    found = members(path) if limits is None else members(path, limits)
    return {member.name: member.read() for member in found}


def refusal(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read(path, limits)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


WRITERS: dict[str, Callable[[Path, Mapping[str, bytes]], Path]] = {
    "zip": write_zip,
    "stored.zip": lambda path, files: write_zip(path, files, zipfile.ZIP_STORED),
    "lzma.zip": lambda path, files: write_zip(path, files, zipfile.ZIP_LZMA),
    "tar": write_tar,
    "tar.gz": lambda path, files: write_tar(path, files, "gz"),
    "tar.bz2": lambda path, files: write_tar(path, files, "bz2"),
    "tar.xz": lambda path, files: write_tar(path, files, "xz"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_gives_names_sizes_and_contents_in_order_whatever_the_file_is_called(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / "file", CONTENT)
    found = [(member.name, member.size, member.read()) for member in members(path)]
    assert found == [(name, len(content), content) for name, content in CONTENT.items()]


names = st.text("abÄ語 .-", min_size=1, max_size=8).filter(lambda name: name.strip(" .") != "" and "." not in name[-1:])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, st.binary(max_size=3000), max_size=5), st.sampled_from(sorted(WRITERS)))
def test_reads_back_whatever_was_written(tmp_path: Path, files: dict[str, bytes], kind: str) -> None:
    folded = {name.casefold() for name in files}
    if len(folded) == len(files):
        assert read(WRITERS[kind](tmp_path / "file", files)) == files


def test_members_may_be_skipped_and_read_in_pieces(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tgz", CONTENT, "gz")
    pieces = []
    for member in members(path):
        if member.name == "dog/deep/3.png":
            with member.open() as file:
                pieces += [file.read(10), file.read(5)]
    assert pieces == [bytes(range(10)), bytes(range(10, 15))]


def test_names_of_a_zip_are_utf8_also_where_it_does_not_say_so(tmp_path: Path) -> None:
    names = ("Kühe/1.png".encode(), "日本語/2.png".encode(), b"d\x94s/3.png")
    path = write_zip(tmp_path / "a.zip", {"x" * len(name): bytes([n]) for n, name in enumerate(names)})
    content = path.read_bytes()
    for name in sorted(names, key=len, reverse=True):
        content = content.replace(b"x" * len(name), name)
    path.write_bytes(content)
    assert not any(info.flag_bits & 0x800 for info in zipfile.ZipFile(path).infolist())
    # The last is no UTF-8, but what DOS writes.
    assert read(path) == {"Kühe/1.png": b"\0", "日本語/2.png": b"\1", "dös/3.png": b"\2"}
    said = write_zip(tmp_path / "b.zip", {"Ã¼/1.png": b"said to be so"})
    assert read(said) == {"Ã¼/1.png": b"said to be so"}


def test_names_are_made_plain_and_folders_left_out(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("cat")
    folder.type = tarfile.DIRTYPE
    path = write_headers(tmp_path / "a.tar", folder, tarfile.TarInfo("./cat//./1.png"), tarfile.TarInfo("dog\\2.png"))
    assert [member.name for member in members(path)] == ["cat/1.png", "dog/2.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("cat")
        archive.writestr("cat/1.png", b"1")
    assert read(tmp_path / "a.zip") == {"cat/1.png": b"1"}


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up.png", "a/../../up.png", "..\\up.png", "\\\\host\\share", "C:\\x.png", "c:x"]
)
def test_refuses_names_that_lead_out(tmp_path: Path, name: str) -> None:
    for path in (write_zip(tmp_path / "a.zip", {name: b"x"}), write_tar(tmp_path / "a.tar", {name: b"x"})):
        assert "leads out of it" in refusal(path)


def test_refuses_a_folder_with_a_name_that_leads_out(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("../up")
    folder.type = tarfile.DIRTYPE
    assert "leads out of it" in refusal(write_headers(tmp_path / "a.tar", folder))


@pytest.mark.parametrize("name", ["a\x1b[31m.png", "a\nb.png", "a\x7f", "x" * 1100])
def test_refuses_names_that_cannot_be_shown(tmp_path: Path, name: str) -> None:
    message = refusal(write_tar(tmp_path / "a.tar", {name: b"x"}))
    assert "control characters" in message
    assert "\x1b" not in message


def test_a_name_that_is_not_text_is_written_as_one_of_a_file_is(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"caf\udce9.png": b"x"})
    assert read(path) == {printable("caf\udce9.png"): b"x"}


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device, pipe"),
    ],
)
def test_refuses_links_and_devices_in_tars(tmp_path: Path, kind: bytes, why: str) -> None:
    header = tarfile.TarInfo("cat.png")
    header.type = kind
    header.linkname = "/etc/passwd"
    assert why in refusal(write_headers(tmp_path / "a.tar", header))


@pytest.mark.parametrize(("kind", "why"), [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device")])
def test_refuses_links_and_devices_in_zips(tmp_path: Path, kind: int, why: str) -> None:
    info = zipfile.ZipInfo("cat.png")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert why in refusal(tmp_path / "a.zip")


def test_refuses_a_member_without_a_name(tmp_path: Path) -> None:
    assert "without a name" in refusal(write_tar(tmp_path / "a.tar", {"./": b"x"}))


def test_refuses_sparse_files(tmp_path: Path) -> None:
    header = tarfile.TarInfo("cat.png")
    header.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": "9" * 11,
    }
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(header)
    assert "sparse" in refusal(tmp_path / "a.tar")


def test_refuses_what_would_be_one_file_elsewhere(tmp_path: Path) -> None:
    for first, second in (("cat/A.png", "Cat/a.PNG"), ("é.png", "e\u0301.png"), ("a.png", "./a.png")):
        message = refusal(write_tar(tmp_path / "a.tar", {first: b"1", second: b"2"}))
        assert "differ by case at most" in message


def test_refuses_encrypted_zips(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.png": b"x" * 50})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\3\4") + 6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refusal(path)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_refuses_more_than_the_limits(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / "file", CONTENT)
    assert read(path, Limits(num_members=3, member_bytes=1280)) == CONTENT
    assert "members" in refusal(path, Limits(num_members=2))
    assert "'dog/deep/3.png' of 1,280 bytes, more than 1,279" in refusal(path, Limits(member_bytes=1279))
    assert "far more data" in refusal(path, Limits(total_bytes=1000))


@pytest.mark.parametrize("kind", ["zip", "lzma.zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_refuses_bombs_before_much_is_unpacked(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / "file", {"a.png": bytes(3_000_000)})
    assert read(path) == {"a.png": bytes(3_000_000)}
    assert "far more data" in refusal(path, Limits(free_bytes=1000, ratio=20))


def test_refuses_a_header_that_would_be_read_into_memory_whole(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x" * 2_000_000)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(header)
    assert "impossible size" in refusal(tmp_path / "a.tar.gz")


def test_refuses_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for content in (b"", b"hello", b"\x1f\x8b", b"PK\3\4", b"BZh", bytes(range(256)) * 10, b"\xfd7zXZ\0" + bytes(90)):
        path.write_bytes(content)
        assert "damaged or not an archive" in refusal(path)
    assert refusal(tmp_path / "none.zip") == f"{tmp_path / 'none.zip'}: no such file"
    assert "Is a directory" in refusal(tmp_path)


def test_an_archive_of_nothing_has_no_members(tmp_path: Path) -> None:
    for kind, write in WRITERS.items():
        assert read(write(tmp_path / f"a.{kind}", {})) == {}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_every_cut_is_noticed(tmp_path: Path, kind: str) -> None:
    content = WRITERS[kind](tmp_path / "whole", CONTENT).read_bytes()
    path = tmp_path / "cut"
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        refusal(path)


def test_every_cut_of_a_plain_tar_is_noticed_up_to_its_end_mark(tmp_path: Path) -> None:
    content = write_tar(tmp_path / "whole", CONTENT).read_bytes()
    end = len(content.rstrip(b"\0")) // 512 * 512 + 512
    path = tmp_path / "cut"
    for length in range(0, end + 512, 100):
        path.write_bytes(content[:length])
        refusal(path)
    path.write_bytes(content[: end + 512])
    assert read(path) == CONTENT


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_flipped_bit_never_changes_a_content(tmp_path: Path, kind: str) -> None:
    content = WRITERS[kind](tmp_path / "whole", CONTENT).read_bytes()
    path = tmp_path / "flipped"
    generator = np.random.default_rng(0)
    refused = 0
    for place in range(0, len(content), 3):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(flipped)
        try:
            assert read(path) == CONTENT
        except InputError:
            refused += 1
    assert refused > len(content) / 3 / 4


def test_damage_behind_the_first_member_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a.png": b"1", "b.png": b"2"})
    content = bytearray(path.read_bytes())
    content[1024 + 10] ^= 1  # in the name of the second member, which its checksum covers
    path.write_bytes(content)
    assert "damaged" in refusal(path)


def test_reads_gzip_streams_one_after_the_other_and_filled_up_with_zeros(tmp_path: Path) -> None:
    plain = write_tar(tmp_path / "a.tar", CONTENT).read_bytes()
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(plain[:700]) + bytes(5) + gzip.compress(plain[700:]) + bytes(512))
    assert read(path) == CONTENT
    path.write_bytes(gzip.compress(plain) + b"rubbish")
    assert "damaged" in refusal(path)


def test_a_large_member_comes_in_pieces(tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(3_500_000)
    for kind in ("zip", "tar.gz"):
        assert read(WRITERS[kind](tmp_path / kind, {"a": content, "b": b"2"})) == {"a": content, "b": b"2"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.zip", True),
        ("a.TAR", True),
        ("a.tar.gz", True),
        ("a.tgz", True),
        ("a.txz", True),
        ("a.gz", False),
        ("zip", False),
    ],
)
def test_tells_archives_by_name(name: str, expected: bool) -> None:
    assert is_archive_name(name) is expected
    assert is_archive_name(Path("folder") / name) is expected
