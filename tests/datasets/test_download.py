import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from retinula.datasets import copies, download
from retinula.datasets.entry import Archive, loose_files
from retinula.errors import RetinulaError
from retinula.files.lock import locked

CONTENT = np.random.default_rng(0).bytes(400_000)
FILES = {"meta": b"names", "train": b"pictures" * 100, "test": b"more"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Site:
    """A server on this machine: for each path what it does, and the requests that came."""

    address: str
    pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def archive(self, *paths: str, content: bytes = CONTENT) -> Archive:
        urls = tuple(f"{self.address}/{path}" for path in paths)
        sums = {file: sha256(found) for file, found in FILES.items()}
        return Archive("set.tar.gz", len(content), sha256(content), urls, "set-python", sums)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.strip("/")
            found.requests.append((path, self.headers.get("Range")))
            found.pages.get(path, missing)(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def answer(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = None, **headers: str
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def missing(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, 404, b"no")


def whole(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, 200, CONTENT)


def resumable(handler: BaseHTTPRequestHandler) -> None:
    asked = handler.headers.get("Range")
    if asked is None:
        whole(handler)
    else:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        answer(handler, 206, CONTENT[start:], Content_Range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")


def breaking(size: int, then: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[BaseHTTPRequestHandler], None]:
    """A page that breaks the first connection after `size` bytes."""
    calls: list[int] = []

    def page(handler: BaseHTTPRequestHandler) -> None:
        calls.append(1)
        if len(calls) > 1:
            then(handler)
            return
        answer(handler, 200, CONTENT[:size], length=len(CONTENT))
        handler.close_connection = True

    return page


def test_downloads_and_tells_how_far_it_is(site: Site, tmp_path: Path) -> None:
    site.pages["a"] = whole
    told: list[tuple[str, int, int | None]] = []
    path = download.fetch(site.archive("a"), tmp_path, lambda *words: told.append(words))
    assert path == tmp_path / "downloads/set.tar.gz"
    assert path.read_bytes() == CONTENT
    assert {what for what, _, _ in told} == {"downloading set.tar.gz"}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1] == ("downloading set.tar.gz", len(CONTENT), len(CONTENT))
    left = [path.name for path in path.parent.iterdir() if not path.name.endswith(".lock")]
    assert left == ["set.tar.gz"]


def test_what_is_there_is_not_downloaded_again(site: Site, tmp_path: Path) -> None:
    site.pages["a"] = whole
    archive = site.archive("a")
    download.fetch(archive, tmp_path)
    download.fetch(archive, tmp_path)
    assert len(site.requests) == 1


def other(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, 200, bytes(len(CONTENT)))


def too_long(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, 200, CONTENT + b"x")


def too_short(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, 200, CONTENT[:-1])


def web_page(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, 200, b"<html>please log in</html>")


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (missing, "it answers 404"),
        (other, "it gives another file than the official one"),
        (too_long, "it gives more than the 400,000 bytes"),
        (too_short, "it gives another file"),
        (web_page, "it gives another file"),
        (lambda handler: answer(handler, 503, b""), "it answers 503"),
    ],
)
def test_a_second_address_is_used_where_the_first_fails(
    site: Site, tmp_path: Path, page: Callable[[BaseHTTPRequestHandler], None], why: str
) -> None:
    site.pages["bad"] = page
    with pytest.raises(RetinulaError, match=rf"^cannot download set.tar.gz \(127.0.0.1: {why}.*--from FILE$"):
        download.fetch(site.archive("bad"), tmp_path)
    assert not (tmp_path / "downloads/set.tar.gz").exists()
    site.pages["good"] = whole
    assert download.fetch(site.archive("bad", "good"), tmp_path).read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_named(site: Site, tmp_path: Path) -> None:
    archive = Archive("set.tar.gz", 1, "0" * 64, ("http://127.0.0.1:9/set.tar.gz",), "set-python", {})
    with pytest.raises(RetinulaError, match=r"127\.0\.0\.1: there is no connection, or it broke"):
        download.fetch(archive, tmp_path)


def test_a_broken_download_is_gone_on_with(site: Site, tmp_path: Path) -> None:
    site.pages["a"] = breaking(150_000, resumable)
    assert download.fetch(site.archive("a"), tmp_path).read_bytes() == CONTENT
    assert site.requests[0] == ("a", None)
    _, asked = site.requests[1]
    assert asked is not None
    # What came before the break is asked for only as far as it was lost on the way.
    assert 0 < int(asked.removeprefix("bytes=").removesuffix("-")) <= 150_000
    assert len(site.requests) == 2


def test_a_download_that_breaks_often_gets_there(site: Site, tmp_path: Path) -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range") or "bytes=0-"
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        status = 206 if start else 200
        part = CONTENT[start : start + 70_000]
        answer(
            handler, status, part, len(CONTENT) - start, Content_Range=f"bytes {start}-{len(CONTENT)}/{len(CONTENT)}"
        )
        handler.close_connection = True

    site.pages["a"] = page
    assert download.fetch(site.archive("a"), tmp_path).read_bytes() == CONTENT
    assert len(site.requests) > 5  # more often than a download that gets nowhere is tried


def test_a_server_that_cannot_continue_is_read_from_the_beginning(site: Site, tmp_path: Path) -> None:
    site.pages["a"] = breaking(150_000, whole)
    assert download.fetch(site.archive("a"), tmp_path).read_bytes() == CONTENT


def test_a_server_that_continues_elsewhere_is_not_believed(site: Site, tmp_path: Path) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, 206, CONTENT[10:], Content_Range="bytes 10-399999/400000")

    site.pages["a"] = breaking(150_000, elsewhere)
    with pytest.raises(RetinulaError, match="it continues at another place"):
        download.fetch(site.archive("a"), tmp_path)


def test_another_address_goes_on_where_the_first_broke_off(site: Site, tmp_path: Path) -> None:
    site.pages["a"] = breaking(150_000, missing)
    site.pages["b"] = resumable
    assert download.fetch(site.archive("a", "b"), tmp_path).read_bytes() == CONTENT
    assert site.requests[-1][0] == "b"
    assert site.requests[-1][1] is not None


def test_a_part_that_is_too_long_or_wrong_is_thrown_away(site: Site, tmp_path: Path) -> None:
    site.pages["a"] = resumable
    archive = site.archive("a", "a")
    part = tmp_path / f"downloads/.set.tar.gz.{archive.sha256[:8]}.part"
    part.parent.mkdir()
    for rubbish in (CONTENT + b"x", bytes(len(CONTENT)), bytes(1000), CONTENT[:1000], CONTENT):
        part.write_bytes(rubbish)
        assert download.fetch(archive, tmp_path).read_bytes() == CONTENT
        assert not part.exists()
        (tmp_path / "downloads/set.tar.gz").unlink()


def test_a_range_the_server_does_not_know_begins_anew(site: Site, tmp_path: Path) -> None:
    def page(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("Range"):
            answer(handler, 416, b"")
        else:
            whole(handler)

    site.pages["a"] = page
    archive = site.archive("a")
    part = tmp_path / f"downloads/.set.tar.gz.{archive.sha256[:8]}.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    assert download.fetch(archive, tmp_path).read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_to_is_not_blamed_on_the_server(site: Site, tmp_path: Path) -> None:
    site.pages["a"] = whole
    (tmp_path / "downloads").write_text("")
    with pytest.raises(RetinulaError, match=f"^cannot write {tmp_path / 'downloads'}: File exists$"):
        download.fetch(site.archive("a"), tmp_path)
    (tmp_path / "downloads").unlink()
    archive = site.archive("a", "a")
    (tmp_path / f"downloads/.set.tar.gz.{archive.sha256[:8]}.part").mkdir(parents=True)
    with pytest.raises(RetinulaError, match=r"^cannot write .*part: Is a directory$"):
        download.fetch(archive, tmp_path)


KILLED = """
import sys
from pathlib import Path
from retinula.datasets import download
from retinula.datasets.entry import Archive
name, size, sha256, url = sys.argv[2:]
download.fetch(Archive(name, int(size), sha256, (url,), "", {}), Path(sys.argv[1]))
"""


def test_a_process_killed_while_downloading_leaves_nothing_under_the_final_name(site: Site, tmp_path: Path) -> None:
    half_sent = threading.Event()
    stop = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, 200, CONTENT[:262_144], length=len(CONTENT))
        handler.wfile.flush()
        half_sent.set()
        stop.wait(30)
        handler.close_connection = True

    site.pages["a"] = slow
    archive = site.archive("a")
    arguments = [str(tmp_path), archive.name, str(archive.size), archive.sha256, archive.urls[0]]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments])
    assert half_sent.wait(60)
    part = tmp_path / f"downloads/.set.tar.gz.{archive.sha256[:8]}.part"
    end = time.monotonic() + 30
    while part.stat().st_size < 262_144 and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    stop.set()
    assert not (tmp_path / "downloads/set.tar.gz").exists()
    site.pages["a"] = resumable
    assert download.fetch(archive, tmp_path).read_bytes() == CONTENT
    assert site.requests[-1] == ("a", "bytes=262144-")


def test_without_the_lock_two_downloads_do_not_mix(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["a"] = whole
    told: list[str] = []
    (tmp_path / "downloads").mkdir()
    monkeypatch.setattr(download, "locked", partial(locked, patience=0.1))
    with locked(tmp_path / "downloads/.set.tar.gz.lock") as held:
        assert held
        path = download.fetch(site.archive("a"), tmp_path, lambda what, *_: told.append(what))
    assert path.read_bytes() == CONTENT
    assert told[0] == "waiting for another process that downloads set.tar.gz"
    assert not list(path.parent.glob("*.part"))


def test_loose_files_are_downloaded_into_one_folder(site: Site, tmp_path: Path) -> None:
    for name in ("a", "b"):
        site.pages[name] = lambda handler: answer(handler, 200, handler.path.encode())
    files = [(name, 2, sha256(f"/{name}".encode())) for name in ("a", "b")]
    archive = loose_files("set", [site.address], files)
    for _ in range(2):
        assert download.fetch(archive, tmp_path) == tmp_path / "downloads/set"
    assert {file: (tmp_path / "downloads/set" / file).read_bytes() for file in "ab"} == {"a": b"/a", "b": b"/b"}
    assert len(site.requests) == 2
    found = copies.find(archive, [copies.downloads(tmp_path)], tmp_path)
    assert found is not None
    assert found.verified
    (tmp_path / "downloads/set/b").unlink()
    assert copies.locate(archive, [tmp_path / "downloads"]) is None
    download.fetch(archive, tmp_path)
    assert [path for path, _ in site.requests] == ["a", "b", "b"]
