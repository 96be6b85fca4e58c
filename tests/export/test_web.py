"""The folder that answers in a browser is whole, or not there."""

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from retinula.errors import InputError, RetinulaError
from retinula.export.browser_runtime import BrowserRuntime
from retinula.export.files import Exported
from retinula.export.parity import Parity
from retinula.export.web import export_web
from retinula.page.files import page_files
from tiny_onnx import CLASSES, tiny_onnx

RUNTIME = BrowserRuntime("0.0.1", b"script", b"program", {"LICENSE": b"may", "ThirdPartyNotices.txt": b"others"})
PARITY = Parity(3, 2, "made/test", "noise", 1e-6, 5)


def writing(content: bytes) -> Callable[[Path], Exported]:
    def write(path: Path) -> Exported:
        path.write_bytes(content)
        return Exported(path, len(content), PARITY)

    return write


def test_all_that_a_browser_needs_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "sub" / "web"
    exported = export_web(folder, writing(tiny_onnx()), RUNTIME, "mine")
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    runtime = {"ort.wasm.bundle.min.js", "ort-wasm-simd-threaded.wasm", "LICENSE", "ThirdPartyNotices.txt"}
    of_page = page_files("browser").keys()
    assert files.keys() == of_page | {"model/model.onnx", "model/model.json"} | {f"onnxruntime/{n}" for n in runtime}
    assert files["onnxruntime/LICENSE"].read_bytes() == b"may"
    assert files["model/model.onnx"].read_bytes() == tiny_onnx()
    assert exported.path == folder
    assert exported.parity == PARITY
    assert exported.num_bytes == sum(path.stat().st_size for path in files.values())
    # What a browser asks for lies where it is asked for, whatever folder the server puts it in.
    worker = files["page/browser/worker.js"].read_text()
    for address in re.findall(r'"(\.\./\.\./[^"]+)"', worker):
        assert (folder / "page" / "browser" / address).is_file(), address
    assert list(folder.parent.iterdir()) == [folder]
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in folder.rglob("*")), "a server may read it"


def test_the_model_is_described(tmp_path: Path) -> None:
    export_web(tmp_path / "web", writing(tiny_onnx(temperature=1.5, data_licence="free")), RUNTIME, "mine")
    said = json.loads((tmp_path / "web" / "model" / "model.json").read_text(encoding="utf-8"))
    assert (said["name"], said["classes"], said["network"]) == ("mine", list(CLASSES), "tiny")
    assert (said["temperature"], said["data_licence"], said["runs"], said["includes"]) == (1.5, "free", False, ["seen"])
    assert said["input"]["size"] == [8, 8]
    assert said["tells_unfamiliar"] is False
    assert isinstance(said["input"]["tall_first"], bool)
    assert said["limits"]["max_pixels"] > 10**7
    assert said["bytes"] == len(tiny_onnx(temperature=1.5, data_licence="free")) + len(b"script" + b"program")


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    export_web(folder, writing(tiny_onnx()), RUNTIME, "mine")  # an empty one is as good as none
    before = (folder / "index.html").stat().st_mtime_ns
    write = writing(tiny_onnx())
    with pytest.raises(InputError, match=r"web is not an empty folder; .* --out"):
        export_web(folder, write, RUNTIME, "mine")
    assert (folder / "index.html").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="is not an empty folder"):
        export_web(folder / "index.html", write, RUNTIME, "mine")


def test_what_came_meanwhile_stays(tmp_path: Path) -> None:
    folder = tmp_path / "web"

    def write(path: Path) -> Exported:
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
        return writing(tiny_onnx())(path)

    with pytest.raises(InputError, match="somebody else has put something there meanwhile"):
        export_web(folder, write, RUNTIME, "mine")
    assert (folder / "mine.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    real = Path.write_bytes

    def write_bytes(path: Path, content: bytes) -> int:
        if path.suffix == ".wasm":
            raise failure
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(RetinulaError if isinstance(failure, OSError) else KeyboardInterrupt) as raised:
        export_web(tmp_path / "web", writing(tiny_onnx()), RUNTIME, "mine")
    assert not list(tmp_path.iterdir())
    if isinstance(failure, OSError):
        assert str(raised.value) == f"cannot write {tmp_path / 'web'}: No space left on device"


def test_a_model_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    def refused(path: Path) -> Exported:
        raise RetinulaError("the export fails: a value differs")

    with pytest.raises(RetinulaError, match="a value differs"):
        export_web(tmp_path / "web", refused, RUNTIME, "mine")
    with pytest.raises(InputError, match="mine gives pictures back and knows no classes"):
        export_web(tmp_path / "web", writing(tiny_onnx(task="reconstruction", classes=[])), RUNTIME, "mine")
    assert not list(tmp_path.iterdir())
