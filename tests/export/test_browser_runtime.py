"""ONNX Runtime for browsers is the one that is meant, wherever it comes from, or is refused in one line."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import onnxruntime
import pytest

from retinula.datasets import download
from retinula.errors import InputError, RetinulaError
from retinula.export import browser_runtime as module
from retinula.export.browser_runtime import PROGRAM, SCRIPT, browser_runtime
from small_runtime import ARCHIVE, CONTENT, PACKAGE, archive_of, package_of


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "copy.tgz"
    path.write_bytes(ARCHIVE)
    return path


@pytest.fixture
def registry() -> Iterator[tuple[str, list[str]]]:
    """A server that gives the archive for whatever is asked, and the paths that were asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(ARCHIVE)))
            self.end_headers()
            self.wfile.write(ARCHIVE)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/onnxruntime-web.tgz", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_taken_from_an_archive(archive: Path) -> None:
    runtime = browser_runtime(archive, package=PACKAGE)
    assert (runtime.version, runtime.script, runtime.program) == ("0.0.1", CONTENT[SCRIPT], CONTENT[PROGRAM])
    assert runtime.licences["LICENSE"].startswith(b"MIT License")
    assert b"emscripten" in runtime.licences["ThirdPartyNotices.txt"]


@pytest.mark.parametrize("inside", ["package/dist", "dist", "."])
def test_it_is_taken_from_an_unpacked_package(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / "unpacked"
    (folder / inside).mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / inside / name).write_bytes(content)
    assert browser_runtime(folder, package=PACKAGE).program == CONTENT[PROGRAM]
    (folder / inside / PROGRAM).write_bytes(b"\0asm\2\0\0\0")
    with pytest.raises(InputError, match=rf"{PROGRAM} is not that of onnxruntime-web 0.0.1"):
        browser_runtime(folder, package=PACKAGE)
    (folder / inside / PROGRAM).unlink()
    with pytest.raises(InputError, match=rf"unpacked.* is not onnxruntime-web 0.0.1: it has no {PROGRAM}"):
        browser_runtime(folder, package=PACKAGE)


def test_it_is_fetched_once(registry: tuple[str, list[str]]) -> None:
    url, asked = registry
    package = replace(PACKAGE, url=url)
    for _ in range(2):
        assert browser_runtime(package=package).program == CONTENT[PROGRAM]
    assert asked == ["/onnxruntime-web.tgz"]


def test_what_a_registry_gives_must_be_what_is_known(registry: tuple[str, list[str]]) -> None:
    other = package_of(archive_of({**CONTENT, PROGRAM: b"\0asm\3\0\0\0"}), registry[0])
    with pytest.raises(RetinulaError, match=r"cannot download onnxruntime-web-0.0.1.tgz .*; get it .* --from FILE"):
        browser_runtime(package=other)
    wrong = replace(PACKAGE, url=registry[0], integrity="sha512-AAAA")
    with pytest.raises(InputError, match=r"is not onnxruntime-web-0.0.1.tgz as npm publishes it"):
        browser_runtime(package=wrong)


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0))
    with pytest.raises(RetinulaError, match=r"no connection, or it broke.*name it with --from FILE") as raised:
        browser_runtime(package=PACKAGE)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"", ARCHIVE[:-1], ARCHIVE[:-1] + b"x", b"\xff" * len(ARCHIVE), archive_of({})], ids=lambda c: len(c)
)
def test_another_archive_is_refused_unopened(archive: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "files_named", lambda *_: pytest.fail("it was opened"))
    archive.write_bytes(content)
    with pytest.raises(InputError, match=r"copy.tgz is not .*; get it with: npm pack onnxruntime-web@0.0.1$"):
        browser_runtime(archive, package=PACKAGE)


def test_an_archive_that_is_none_or_lacks_something_is_refused(archive: Path) -> None:
    for content, message in (
        (b"no archive at all", "copy.tgz"),
        (archive_of({SCRIPT: CONTENT[SCRIPT]}), f"has no {PROGRAM}"),
        (archive_of({**CONTENT, SCRIPT: b"evil()"}), f"{SCRIPT} is not that of"),
    ):
        archive.write_bytes(content)
        with pytest.raises(InputError, match=message):
            browser_runtime(archive, package=package_of(content))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing.tgz: no such file"):
        browser_runtime(tmp_path / "nothing.tgz", package=PACKAGE)
    with pytest.raises(InputError, match=r"/dev/null is not onnxruntime-web-0.0.1.tgz"):
        browser_runtime(Path("/dev/null"), package=PACKAGE)


def test_without_its_licence_it_is_not_given_away(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(InputError, match=r"comes without .*LICENSE"):
        browser_runtime(archive, package=PACKAGE)
