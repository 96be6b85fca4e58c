"""Getting the official file of a data set from the network. Knows nothing of what is in it."""

import os
import time
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import pooch

from retinula.datasets.copies import downloads, file_digest
from retinula.datasets.entry import Archive
from retinula.datasets.reading import Progress, silent
from retinula.errors import RetinulaError
from retinula.files.durable import explained, make_folder, sha256_of
from retinula.files.lock import locked

PAUSES: Final = (1.0, 4.0)  # seconds before a second and a third attempt
_LARGEST: Final = 16 * 1024**3  # bytes of a file whose size nobody states
_TIMEOUT: Final = (15.0, 60.0)  # seconds to connect, and for a next byte


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
    make_folder(folder)
    told = progress or silent

    def waiting() -> None:
        told(f"waiting for another process that downloads {archive.name}", 0, None)

    with locked(folder / f".{archive.name}.lock", waiting) as alone:
        # Without the lock, two must not write to one file.
        part = folder / f".{archive.name}.{archive.sha256[:8]}{'' if alone else f'.{os.getpid()}'}.part"
        if target.is_file() and (not archive.sha256 or file_digest(target, cache_dir) == archive.sha256):
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
        if have < archive.size or not archive.size:
            headers = {"Accept-Encoding": "identity"}
            if have:
                headers["Range"] = f"bytes={have}-"
            pooch.HTTPDownloader(
                chunk_size=64 * 1024, timeout=_TIMEOUT, headers=headers, hooks={"response": received.begin}
            )(url, received, None)
        with explained(part):
            file.flush()
            os.fsync(file.fileno())
    # Where nobody states a sum, the size and the checks of the reader have to do.
    right = not archive.sha256 or sha256_of(part) == archive.sha256
    if not right or archive.size not in (0, part.stat().st_size):
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
        if self.have > (self.archive.size or _LARGEST):
            raise _WrongFileError(
                f"it gives more than the {self.archive.size or _LARGEST:,} bytes of the official file"
            )
        self.file.write(data)
        self.progress(f"downloading {self.archive.name}", self.have, self.archive.size or None)

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
