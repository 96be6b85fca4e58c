"""Reading the members of a .zip or .tar file one after the other, without writing anything to disk.

An archive is hostile until proven otherwise: names that lead elsewhere, links, devices, names that differ by
case only, and more members or bytes than an honest archive of pictures has are refused. Knows nothing of pictures.
"""

import bz2
import io
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Final, Protocol, Self

from retinula.errors import InputError, RetinulaError
from retinula.files.durable import reading
from retinula.text.names import composed

MIB: Final = 1024 * 1024

_ENDINGS: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")

_DECOMPRESSORS: Final[tuple[tuple[bytes, Callable[[IO[bytes]], "_Source"]], ...]] = (
    (b"\x1f\x8b", lambda file: _Gzip(file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)

REFUSED_ENDINGS: Final = (".rar", ".7z")  # of archives that are told what they are
_FOREIGN: Final = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")

# Control characters would reach the terminal with the first message; lone surrogates cannot be written at all.
# But those that stand for a byte of a name that is not UTF-8.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udc7f\udd00-\udfff]")
_MAX_NAME: Final = 1024
_MAX_LEVELS: Final = 32  # in each other, the file with them; what goes by the parts of names holds each one
_ZIP_END: Final = 22  # bytes of the record at the end, without the comment of up to 65,535
_ZIP_UTF8: Final = 0x800  # the flag of a name in UTF-8; others are taken for those of DOS, code page 437
_MAX_TAR_HEADER: Final = MIB
_TAR_HEADERS: Final = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _Source(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold before it is refused.

    Attributes:
        num_members: members of any kind.
        member_bytes: size of one member, unpacked.
        total_bytes: size of all of them.
        ratio: bytes unpacked for each byte of the archive; pictures are compressed already.
        free_bytes: what may always be unpacked, whatever the ratio.
    """

    num_members: int = 1_000_000
    member_bytes: int = 512 * MIB
    total_bytes: int = 65536 * MIB
    ratio: int = 200
    free_bytes: int = 64 * MIB

    def allowance(self, path: Path) -> int:
        """Return the number of bytes that the archive at `path` may unpack to."""
        return min(self.total_bytes, max(self.free_bytes, self.ratio * path.stat().st_size))


LIMITS: Final = Limits()


@dataclass(frozen=True)
class Member:
    """A file in an archive; to be read before the next one is asked for.

    Attributes:
        name: relative, parts separated by `/`, without `.` and `..`.
        size: bytes when unpacked.
    """

    name: str
    size: int
    _path: Path
    _open: Callable[[], IO[bytes] | None]

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the content for reading from its beginning to its end.

        Raises:
            InputError: the archive is damaged here.
        """
        with _explained(self._path):
            file = self._open()
            if file is None:
                raise EOFError
            with file:
                yield file

    def read(self) -> bytes:
        """Return the whole content.

        Raises:
            InputError: the archive is damaged here.
        """
        content = io.BytesIO()
        with self.open() as file:
            # Piece by piece: in one go, the libraries would hold a large file several times.
            while piece := file.read(MIB):
                content.write(piece)
            if content.tell() != self.size:
                raise EOFError
        return content.getvalue()


def is_archive_name(path: str | Path) -> bool:
    """Say whether a file's ending, in any case, is that of an archive `members` reads.

    >>> is_archive_name("pets.tar.GZ"), is_archive_name("pets.gz")
    (True, False)
    """
    return str(path).lower().endswith(_ENDINGS)


def members(path: Path, limits: Limits = LIMITS, *, with_folders: bool = False) -> Iterator[Member]:
    """Give the files in a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz, told by content, in the order they lie.

    What a tar's compression knows of damage is checked to the end, so that a stream read to its end was whole.

    Args:
        path: the archive.
        limits: how much it may hold.
        with_folders: whether those that have members of their own are given, too: their names end in `/`.

    Raises:
        InputError: the archive is missing, damaged, not an archive, unsafe or larger than `limits`.
    """
    with _explained(path), path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(_FOREIGN):
            raise InputError(f"{path} is a RAR or 7z archive, which is not read; unpack it and give the folder")
        found = _zip_members if start.startswith((b"PK\3\4", b"PK\5\6")) else _tar_members
        seen: dict[str, str] = {}
        for number, (raw, is_folder, member) in enumerate(found(path, file, limits), start=1):
            if number > limits.num_members:
                raise _refused(path, f"more than {limits.num_members:,} members")
            name = _safe_name(path, raw)
            if is_folder:
                if with_folders and name:
                    yield replace(member, name=f"{name}/")
                continue
            if not name:
                raise _refused(path, f"a member without a name ({raw!r})")
            if member.size > limits.member_bytes:
                raise _refused(path, f"{name!r} of {member.size:,} bytes, more than {limits.member_bytes:,}")
            # What is one file on macOS and Windows must not be two here.
            folded = composed(name).casefold()
            if folded in seen:
                raise _refused(path, f"two members that differ by case at most ({seen[folded]!r}, {name!r})")
            seen[folded] = name
            yield replace(member, name=name)


def files_named(source: Path, wanted: Collection[str], limits: Limits = LIMITS) -> Iterator[Member]:
    """Give the files of some names: those of a folder in the order of their names, those of an archive as they lie.

    Members are called by the last part of their name; a folder is not searched below itself.

    Raises:
        InputError: as `members`, or a name is there twice.
    """
    if source.is_dir():
        for name in sorted(wanted):
            path = source / name
            with _explained(path):
                if path.is_file():
                    yield Member(name, path.stat().st_size, path, partial(_open, path))
        return
    seen = set()
    for member in members(source, limits):
        name = member.name.rsplit("/", 1)[-1]
        if name in seen:
            raise InputError(f"{source}: {name} is in it twice")
        if name in wanted:
            seen.add(name)
            yield replace(member, name=name)


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _zip_members(path: Path, file: IO[bytes], limits: Limits) -> Iterator[tuple[str, bool, Member]]:
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        # One wrong length in the table of members can hide all that follow; the library does not count them.
        if _stated_members(file) not in (None, len(infos)):
            raise _DamageError("its table of members is not whole")
        if len(infos) > limits.num_members:
            raise _refused(path, f"{len(infos):,} members, more than {limits.num_members:,}")
        # No more is ever unpacked than a member's size states, so the sum can be judged beforehand.
        if sum(info.file_size for info in infos) > limits.allowance(path):
            raise _refused(path, "far more data than an archive of its size should")
        for info in infos:
            name = _zip_name(info)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if kind == stat.S_IFLNK else "a device or pipe"
                raise _refused(path, f"{what} ({name!r})")
            if info.flag_bits & 1:
                raise InputError(f"{path} is encrypted; unpack it and give the folder")
            yield name, info.is_dir(), Member(name, info.file_size, path, partial(archive.open, info))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a member of a zip; `zip` of Linux and macOS writes UTF-8 without saying so."""
    if info.flag_bits & _ZIP_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _stated_members(file: IO[bytes]) -> int | None:
    """Return the number of members that a zip's end record states, or None where it has no room for it."""
    end = file.seek(0, 2)
    file.seek(max(0, end - _ZIP_END - 0xFFFF))
    tail = file.read()
    start = tail.rfind(b"PK\5\6")
    number = int.from_bytes(tail[start + 10 : start + 12], "little")
    return None if number == 0xFFFF else number


def _tar_members(path: Path, file: IO[bytes], limits: Limits) -> Iterator[tuple[str, bool, Member]]:
    start = file.read(6)
    file.seek(0)
    decompress = next((found for magic, found in _DECOMPRESSORS if start.startswith(magic)), None)
    content = _Limited(path, decompress(file) if decompress else file, limits.allowance(path))
    # A stream is never sought backward in: with compression that would mean to begin again.
    with tarfile.open(fileobj=content, mode="r|", bufsize=64 * 1024, tarinfo=_StrictHeader) as archive:
        while (info := archive.next()) is not None:
            # Else all of them are remembered, a kilobyte each.
            archive.members.clear()  # type: ignore[attr-defined] # known to no stub, but to every version
            if info.issym() or info.islnk():
                raise _refused(path, f"a link ({info.name!r})")
            if not (info.isdir() or info.isreg()) or info.issparse():
                raise _refused(path, f"a device, pipe or sparse file ({info.name!r})")
            yield info.name, info.isdir(), Member(info.name, info.size, path, partial(archive.extractfile, info))
    # The checksum of a compressed file stands at its end, behind what tar needs.
    while content.read(MIB):
        pass


class _StrictHeader(tarfile.TarInfo):
    """A header whose damage is an error; tarfile takes damage behind the first member for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the regular end
            raise _DamageError("it is cut short" if len(buf) < tarfile.BLOCKSIZE else str(error)) from error
        # Long names and the like are read into memory at once, however large they say they are.
        if header.size < 0 or (header.type in _TAR_HEADERS and header.size > _MAX_TAR_HEADER):
            raise _DamageError("a header of impossible size")
        return header


class _DamageError(Exception):
    """An archive that is not whole."""


class _Gzip:
    """A decompressed stream, as the standard library's but in large pieces.

    While zlib works on a large piece, another thread can look at what was unpacked before.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self._unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._block = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, fewer when a piece ends, none when all ends."""
        while not self._block:
            block = self._next_block()
            if block is None:
                return b""
            self._block = memoryview(block)
        taken = bytes(self._block if size < 0 else self._block[:size])
        self._block = self._block[len(taken) :]
        return taken

    def _next_block(self) -> bytes | None:
        if self._unpacking.eof:
            # Several streams may follow each other, and zeros may fill up the last block of a tape.
            rest = self._unpacking.unused_data.lstrip(b"\0")
            while not rest:
                rest = self._file.read(MIB)
                if not rest:
                    return None
                rest = rest.lstrip(b"\0")
            self._unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            return self._unpacking.decompress(rest, MIB)
        packed = self._unpacking.unconsumed_tail or self._file.read(MIB)
        block = self._unpacking.decompress(packed, MIB)
        if not packed and not block and not self._unpacking.eof:
            raise EOFError
        return block


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, path: Path, content: _Source, allowance: int):
        self._path = path
        self._content = content
        self._left = allowance

    def read(self, size: int = -1, /) -> bytes:
        data = self._content.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _refused(self._path, "far more data than an archive of its size should")
        return data


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a library raises over a damaged archive into one line that names it."""
    with reading(path):
        try:
            yield
        except RetinulaError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            detail = " ".join(str(error).split()) or "it is cut short"
            raise InputError(f"{path} is damaged or not an archive ({detail}); get it anew") from error


def _safe_name(path: Path, raw: str) -> str:
    """Return the name of a member as relative parts joined by `/`."""
    shown = repr(raw[:80])
    name = raw.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in parts:
        raise _refused(path, f"a name that leads out of it ({shown})")
    if _UNPRINTABLE.search(name) or len(name) > _MAX_NAME:
        raise _refused(path, f"a name that is too long or has control characters ({shown})")
    if len(parts) > _MAX_LEVELS:
        raise _refused(path, f"a name of more than {_MAX_LEVELS} levels ({shown})")
    return "/".join(parts).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _refused(path: Path, why: str) -> InputError:
    return InputError(f"{path} is refused: it holds {why}")
