"""Getting the official file of a data set: from a folder on this computer, or from the network.

Whatever is found is told apart by its sha256: the official file, or an unverified copy. Knows nothing of what is in it.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import pooch

from retinula.datasets.entry import Archive
from retinula.datasets.lock import locked
from retinula.datasets.reading import Progress
from retinula.durable import explained, replacing, replacing_folder, write_json
from retinula.errors import InputError, RetinulaError

PAUSES: Final = (1.0, 4.0)  # seconds before a second and a third attempt
_TIMEOUT: Final = (15.0, 60.0)  # seconds to connect, and for a next byte
_BLOCK: Final = 1024 * 1024

# A file changed within the resolution of its time stamp could be taken for what it was.
_SETTLED_NS: Final = 2_000_000_000


@dataclass(frozen=True)
class Found:
    """A data set's file or unpacked folder on this computer.

    Attributes:
        path: where it is.
        sha256: of the file; of a folder, that of the list of its files and their sums.
        verified: whether it is the official one.
    """

    path: Path
    sha256: str
    verified: bool


def downloads(cache_dir: Path) -> Path:
    """Return the folder that downloads and local copies are kept in."""
    return cache_dir / "downloads"


def locate(archive: Archive, folders: Iterable[Path]) -> Path | None:
    """Look for an archive or its unpacked folder, in each folder itself and one level down, in that order.

    Raises:
        InputError: an unpacked folder is not complete.
    """
    for folder in folders:
        for place in (folder, *_subfolders(folder)):
            if (place / archive.name).is_file():
                return place / archive.name
            for name in (archive.folder, *archive.folders):
                if (place / name).is_dir() and _is_unpacked(archive, place / name):
                    return place / name
        if is_official_name(archive, folder):
            return folder
    return None


def find(archive: Archive, folders: Iterable[Path], cache_dir: Path) -> Found | None:
    """Locate an archive or its unpacked folder and tell whether it is the official one.

    Raises:
        InputError: an unpacked folder is not complete, or what was found cannot be read.
    """
    path = locate(archive, folders)
    return None if path is None else examine(archive, path, cache_dir)


def is_official_name(archive: Archive, path: Path) -> bool:
    """Say whether a file is called like the archive, or a folder holds what the archive unpacks to.

    Of loose files the folder must have the right name too: those of several data sets are called the same.
    """
    if not path.is_dir():
        return path.name == archive.name
    named = not archive.parts or any(_ends_with(path, name) for name in (archive.folder, *archive.folders))
    return named and holds(archive, path)


def holds(archive: Archive, folder: Path) -> bool:
    """Say whether a folder has all files that the archive unpacks to."""
    return not _missing(archive, folder)


def file_in(folder: Path, file: str) -> Path:
    """Return where a file of a data set lies in a folder: as published, or unpacked."""
    path = folder / file
    return path if path.is_file() or not file.endswith(".gz") else path.with_suffix("")


def examine(archive: Archive, path: Path, cache_dir: Path) -> Found:
    """Tell whether a file or unpacked folder is the official one.

    Raises:
        InputError: it cannot be read.
    """
    if not path.is_dir():
        sha256 = file_digest(path, cache_dir)
        return Found(path, sha256, sha256 == archive.sha256)
    sums = {file: file_digest(file_in(path, file), cache_dir) for file in sorted(archive.files)}
    verified = all(sums[file] in (sha256, *archive.same.get(file, ())) for file, sha256 in archive.files.items())
    return Found(path, _folder_digest(sums), verified)


def file_digest(path: Path, cache_dir: Path) -> str:
    """Return the sha256 of a file; remembered in the cache as long as the file stays as it is.

    Raises:
        InputError: it cannot be read.
    """
    note = (
        cache_dir / "sums" / f"{hashlib.sha256(str(path.resolve()).encode(errors='surrogateescape')).hexdigest()}.json"
    )
    try:
        state = path.stat()
        signs = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(note.read_bytes())
            if known["signs"] == signs:
                return str(known["sha256"])
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > _SETTLED_NS:
        # A cache that cannot be written to is somebody else's problem, and reported there.
        with suppress(RetinulaError, OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            write_json(note, {"signs": signs, "sha256": sha256})
    return sha256


def keep(archive: Archive, found: Found, cache_dir: Path, progress: Progress | None = None) -> Path:
    """Copy what was found among the downloads, in place of what was there.

    Raises:
        InputError: it changed since it was found.
        RetinulaError: the copy cannot be written.
    """
    folder = downloads(cache_dir)
    target = folder / (archive.folder if found.path.is_dir() else archive.name)
    if target.exists() and target.samefile(found.path):
        return target
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if found.path.is_dir():
        with replacing_folder(target) as temporary:
            sources = {file: file_in(found.path, file) for file in sorted(archive.files)}
            sums = {file: _copy(path, temporary / path.name, progress) for file, path in sources.items()}
            _check_unchanged(found, _folder_digest(sums))
        if archive.name:
            (folder / archive.name).unlink(missing_ok=True)
    else:
        with replacing(target) as temporary:
            _check_unchanged(found, _copy(found.path, temporary, progress))
        shutil.rmtree(folder / archive.folder, ignore_errors=True)
    return target


def fetch(archive: Archive, cache_dir: Path, progress: Progress | None = None) -> Path:
    """Download the official file, from the first address that gives it; of loose files all, into one folder.

    What was received before a break is kept and gone on with; the file gets its name once its sha256 is right.

    Raises:
        RetinulaError: no address gave it, or it cannot be written.
    """
    if not archive.parts:
        return _fetch_file(archive, downloads(cache_dir), cache_dir, progress)
    folder = downloads(cache_dir) / archive.folder
    for part in archive.parts:
        _fetch_file(part, folder, cache_dir, progress)
    return folder


def _fetch_file(archive: Archive, folder: Path, cache_dir: Path, progress: Progress | None) -> Path:
    target = folder / archive.name
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    told = progress or _silent

    def waiting() -> None:
        told(f"waiting for another process that downloads {archive.name}", 0, None)

    with locked(folder / f".{archive.name}.lock", waiting) as alone:
        # Without the lock, two must not write to one file.
        part = folder / f".{archive.name}.{archive.sha256[:8]}{'' if alone else f'.{os.getpid()}'}.part"
        if target.is_file() and file_digest(target, cache_dir) == archive.sha256:
            return target
        problems = []
        for url in archive.urls:
            problem = _receive(archive, url, part, told)
            if problem is None:
                with explained(target):
                    part.replace(target)
                return target
            problems.append(f"{urlsplit(url).hostname}: {problem}")
    raise RetinulaError(
        f"cannot download {archive.name} ({'; '.join(problems)}); get it elsewhere and name it with --from FILE"
    )


def _silent(what: str, done: int, total: int | None) -> None:
    pass


def _receive(archive: Archive, url: str, part: Path, progress: Progress) -> str | None:
    """Make `part` the complete file; return why it failed, or None."""
    problem = "it was never tried"
    attempt = 0
    while attempt <= len(PAUSES):
        before = part.stat().st_size if part.exists() else 0
        try:
            _download(archive, url, part, progress)
        except OSError as error:
            # The errors of requests are OSErrors too, but have no number.
            if error.errno is not None:
                raise RetinulaError(f"cannot write {part}: {error.strerror}") from error
            problem = _reason(error)
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == 416:
                part.unlink(missing_ok=True)
            elif status is not None and status < 500:
                return problem
        except _WrongFileError as error:
            part.unlink(missing_ok=True)
            return str(error)
        else:
            return None
        if attempt < len(PAUSES):
            time.sleep(PAUSES[attempt])
        # A line that breaks but brings something each time gets there in the end.
        grown = part.exists() and part.stat().st_size > before
        attempt = 0 if grown else attempt + 1
    return problem


def _download(archive: Archive, url: str, part: Path, progress: Progress) -> None:
    with part.open("ab") as file:
        have = file.tell()
        received = _Received(archive, file, have, progress)
        if have < archive.size:
            headers = {"Accept-Encoding": "identity"}
            if have:
                headers["Range"] = f"bytes={have}-"
            pooch.HTTPDownloader(
                chunk_size=64 * 1024, timeout=_TIMEOUT, headers=headers, hooks={"response": received.begin}
            )(url, received, None)
        with explained(part):
            file.flush()
            os.fsync(file.fileno())
    with part.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != archive.sha256:
            raise _WrongFileError("it gives another file than the official one")


class _WrongFileError(Exception):
    """What an address gives is not the file."""


class _Received:
    """The file that pooch writes to: begins anew where a server cannot continue, and ends where the file must end."""

    def __init__(self, archive: Archive, file: IO[bytes], have: int, progress: Progress):
        self.archive = archive
        self.file = file
        self.have = have
        self.progress = progress

    def begin(self, response: Any, **_: Any) -> None:
        """Look at the answer before its content is read."""
        if response.status_code == 200 and self.have:
            self.file.truncate(0)
            self.have = 0
        elif response.status_code == 206:
            start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
            if start != str(self.have):
                raise _WrongFileError("it continues at another place than asked for")

    def write(self, data: bytes) -> None:
        self.have += len(data)
        if self.have > self.archive.size:
            raise _WrongFileError(f"it gives more than the {self.archive.size:,} bytes of the official file")
        self.file.write(data)
        self.progress(f"downloading {self.archive.name}", self.have, self.archive.size)

    def flush(self) -> None:
        pass


def _reason(error: OSError) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"it answers {status}"
    return {
        "ConnectTimeout": "it does not answer",
        "ReadTimeout": "it stopped sending",
        "ConnectionError": "there is no connection, or it broke",
        "ChunkedEncodingError": "the connection broke",
        "SSLError": "its certificate is not valid",
        "ProxyError": "the proxy cannot be reached",
    }.get(type(error).__name__, type(error).__name__)


def _subfolders(folder: Path) -> Sequence[Path]:
    try:
        return sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))
    except OSError:
        return []


def _is_unpacked(archive: Archive, folder: Path) -> bool:
    missing = _missing(archive, folder)
    # Loose files are downloaded one after the other: a download may have been interrupted in between.
    if missing and len(missing) < len(archive.files) and not archive.parts:
        raise InputError(f"{folder} lacks {', '.join(missing)}; unpack {archive.name} again")
    return not missing


def _missing(archive: Archive, folder: Path) -> list[str]:
    return [file for file in archive.files if not file_in(folder, file).is_file()]


def _ends_with(path: Path, name: str) -> bool:
    parts = Path(name).parts
    return path.resolve().parts[-len(parts) :] == parts


def _folder_digest(sums: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{sums[file]}  {file}\n" for file in sorted(sums)).encode()).hexdigest()


def _copy(source: Path, target: Path, progress: Progress | None) -> str:
    """Copy a file and return the sha256 of what was copied."""
    digest = hashlib.sha256()
    size = source.stat().st_size
    done = 0
    with source.open("rb") as file, target.open("wb") as copy:
        while block := file.read(_BLOCK):
            digest.update(block)
            copy.write(block)
            done += len(block)
            if progress:
                progress(f"copying {source.name}", done, size)
    return digest.hexdigest()


def _check_unchanged(found: Found, sha256: str) -> None:
    if sha256 != found.sha256:
        raise InputError(f"{found.path} changed while it was being copied; try again")
