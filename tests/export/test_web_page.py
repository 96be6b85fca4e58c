"""What a browser answers by itself is what `retinula predict model.onnx` answers. With the real runtime."""

import base64
import contextlib
import functools
import io
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from browser_checks import Pages, until
from familiarity_checks import aware
from retinula.datasets.load import cache_folder
from retinula.export.browser_runtime import ONNXRUNTIME_WEB, BrowserRuntime, browser_runtime
from retinula.export.files import Exported, export_onnx
from retinula.export.parity import Parity, proof_of
from retinula.export.preprocessing import puts_tall_pictures_down_first
from retinula.export.web import export_web
from retinula.forms import Resample, Resize
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.pictures.decoding import decode
from retinula.pictures.form import Form
from retinula.pictures.views import WHOLE, Views
from retinula.trained.answers import judged
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import OnnxModel
from retinula.transforms.preprocess import Preprocess
from tiny_onnx import CLASSES, tiny_onnx

pytestmark = pytest.mark.browser

# Where `retinula export --format web` keeps it; the tests themselves have caches of their own.
PACKAGE = cache_folder() / "downloads" / ONNXRUNTIME_WEB.name
LOADED = "document.querySelector('#status').textContent === ''"
LONG = 60.0  # seconds: a busy machine compiles 14 MB of WebAssembly
CLOSE = 1e-3  # of a probability
CHANCE = np.random.default_rng(0)
ASK = """async ([pictures, top]) => {
  const answers = await import(new URL("page/browser/answers.js", document.baseURI));
  await answers.describe();
  const files = pictures.map(([name, text]) =>
    new File([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], name));
  return answers.ask(files, { include: ["seen"], top });
}"""
LOOK = """async (cases) => {
  const { lookAt } = await import(new URL("page/browser/shrink.js", document.baseURI));
  return cases.map(([text, width, height, form]) => {
    const views = lookAt(Uint8Array.from(atob(text), (each) => each.charCodeAt(0)), width, height, form);
    return views.map((view) => btoa(String.fromCharCode(...view)));
  });
}"""


class Quiet(SimpleHTTPRequestHandler):
    """A server of plain files that says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def plain_files(folder: Path) -> Iterator[str]:
    """Serve a folder as `python -m http.server` does; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def runtime() -> BrowserRuntime:
    if not PACKAGE.is_file():
        pytest.skip(f"needs {PACKAGE.name}: retinula export RUN --format web fetches it")
    return browser_runtime(PACKAGE)


def tiny(form: Preprocess, darkest: float | None = None) -> Any:
    def write(path: Path) -> Exported:
        path.write_bytes(tiny_onnx(form, darkest=darkest))
        return Exported(path, path.stat().st_size, Parity(0, 0, "", "", 0.0, None))

    return write


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, runtime: BrowserRuntime) -> Path:
    """A folder with a page below it, of a convolutional network that cuts out the centre of pictures."""
    torch.manual_seed(0)
    network = build("cifar10-augmented", num_classes=3, channels=3, size=(16, 16)).eval().requires_grad_(False)
    form = Preprocess(3, (18, 18), (0.5,) * 3, (0.02,) * 3, resize="crop", crop=(16, 16))
    model = Model(network, "cifar10-augmented", {}, CLASSES, form, None, 0.05)
    model = aware(model, np.stack([model.shrink(decode(content)) for content in pictures().values()]))
    proof = proof_of(ImageSet(CHANCE.integers(0, 256, (30, 3, 18, 18), dtype=np.uint8), None, CLASSES, "made/test"))
    root = tmp_path_factory.mktemp("site")
    export_web(root / "some where" / "web", lambda path: export_onnx(model, proof, path), runtime, "mine")
    return root


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with plain_files(site) as address:
        yield f"{address}/some%20where/web"


def png(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def photo(width: int, height: int, channels: int = 3) -> Image.Image:
    """A picture with patches, edges and noise."""
    patches = CHANCE.integers(0, 256, (5, 4, channels), dtype=np.uint8)
    large = Image.fromarray(patches.squeeze()).resize((width, height), Image.Resampling.BILINEAR)
    noise = CHANCE.normal(0, 12, (height, width, channels)).squeeze()
    return Image.fromarray(np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8))


def pictures() -> dict[str, bytes]:
    """Every kind of PNG of 8 bits, of many sizes; their transparent pixels are clear or full, but for `faint`."""
    mask = Image.fromarray(np.where(CHANCE.random((61, 47)) < 0.5, 0, 255).astype(np.uint8))
    clear, faint = photo(47, 61), photo(47, 61)
    clear.putalpha(mask)
    faint.putalpha(photo(47, 61, 1))
    sizes = [(18, 18), (1, 1), (16, 16), (5, 90), (300, 7), (200, 150), (150, 200), (1200, 900), (640, 2100)]
    return {
        **{f"{width}x{height}": png(photo(width, height)) for width, height in sizes},
        "grey": png(photo(33, 40, 1)),
        "palette": png(photo(70, 40).quantize(37)),
        "black and white": png(photo(64, 40, 1).convert("1")),
        "clear": png(clear),
        "clear grey": png(clear.convert("LA")),
        "clear palette": png(photo(70, 40).quantize(37), transparency=3),
        "faint": png(faint),
    }


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def pixels(address: str) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))).astype(np.int64)


def files(**named: bytes) -> list[dict[str, Any]]:
    return [{"name": f"{name}.png", "mimeType": "image/png", "buffer": content} for name, content in named.items()]


def test_it_answers_as_python_does(open_page: Pages, address: str, site: Path) -> None:
    page = open_page(address)
    model = OnnxModel.load(site / "some where" / "web" / "model" / "model.onnx")
    asked = pictures()
    given = page.evaluate(ASK, [[(name, base64_of(content)) for name, content in asked.items()], 3])
    likeliest, told = set(), set()
    for (name, content), prediction in zip(asked.items(), given, strict=True):
        picture = decode(content)
        expected = model.predict(picture)
        assert (prediction["name"], prediction["width"], prediction["height"]) == (name, *picture.size)
        assert prediction["label"] == expected[0].label, name
        assert {each["label"]: each["probability"] for each in prediction["top"]} == pytest.approx(
            dict(expected), abs=CLOSE
        ), name
        seen = model.shrink(picture)[:, 1:17, 1:17].transpose(1, 2, 0).astype(np.int64)
        difference = np.abs(pixels(prediction["seen"])[:, :, :3] - seen).max()
        assert difference <= (name == "faint"), name  # browsers and Pillow round what shines through in other ways
        likeliest.add(prediction["label"])
        if name != "faint":
            ((_, unfamiliar),) = judged(model, [model.look_at(picture)])
            assert prediction["unfamiliar"] is unfamiliar, name
            told.add(unfamiliar)
    assert len(likeliest) > 1, "a model that says the same of all proves nothing"
    assert told == {False, True}


VIEWS = Views(5, (1.0, 0.7), (0.6,), mirror=True)


@pytest.mark.parametrize("resample", ["box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(
    ("resize", "channels", "views"), [("squash", 3, WHOLE), ("crop", 1, VIEWS), ("pad", 3, VIEWS), ("crop", 3, WHOLE)]
)
def test_pictures_are_made_small_as_pillow_does(
    open_page: Pages, address: str, resize: Resize, resample: Resample, channels: int, views: Views
) -> None:
    page = open_page(address)
    cases, expected = [], []
    for size in [(8, 8), (11, 20), (64, 48)]:
        form = Form(channels, size, resize=resize, resample=resample, views=views)
        told = {**form.to_dict(), "tall_first": puts_tall_pictures_down_first()}
        for width, height in [(8, 8), (1, 1), (3, 200), (200, 3), (31, 47), (90, 33), (500, 401), (61, 640), (2, 1)]:
            picture = photo(width, height, channels)
            cases.append([base64_of(picture.tobytes()), width, height, told])
            expected.append([view.transpose(1, 2, 0).tobytes() for view in form.look_at(picture)])
    given = [[base64.b64decode(view) for view in each] for each in page.evaluate(LOOK, cases)]
    wrong = [case[1:3] for case, ours, theirs in zip(cases, given, expected, strict=True) if ours != theirs]
    assert not wrong


@pytest.mark.parametrize(
    "form",
    [
        Preprocess(3, (8, 8), (0.0,) * 3, (1.0,) * 3),
        Preprocess(3, (10, 14), (0.3,) * 3, (0.2,) * 3, resize="pad", crop=(8, 10)),
        Preprocess(1, (8, 8), (0.0,), (1.0,), resize="pad"),
        Preprocess(3, (8, 8), (0.0,) * 3, (1.0,) * 3, resample="lanczos", views=VIEWS),
    ],
    ids=lambda form: f"{form.channels} {form.resize} {form.resample}",
)
def test_every_form_of_input(open_page: Pages, tmp_path: Path, runtime: BrowserRuntime, form: Preprocess) -> None:
    export_web(tmp_path / "web", tiny(form), runtime, "tiny")
    model = OnnxModel.load(tmp_path / "web" / "model" / "model.onnx")
    with plain_files(tmp_path / "web") as address:
        page = open_page(address)
        for name, content in pictures().items():
            (given,) = page.evaluate(ASK, [[(name, base64_of(content))], 3])
            assert {each["label"]: each["probability"] for each in given["top"]} == pytest.approx(
                dict(model.predict(decode(content))), abs=CLOSE
            ), name
            assert "unfamiliar" not in given


def test_the_page_warns_of_what_is_unfamiliar_as_a_whole(
    open_page: Pages, tmp_path: Path, runtime: BrowserRuntime
) -> None:
    form = Preprocess(3, (8, 8), (0.0,) * 3, (1.0,) * 3, views=Views(zooms=(0.2,)))
    export_web(tmp_path / "web", tiny(form, darkest=0.3), runtime, "tiny")
    middle = np.zeros((40, 40, 3), np.uint8)
    middle[14:26, 14:26] = 255  # all that the other view sees
    with plain_files(tmp_path / "web") as address:
        page = open_page(address)
        until(page, LOADED, LONG)
        for name, picture in {"dark": middle, "light": 255 - middle}.items():
            page.set_input_files("#files", files(**{name: png(Image.fromarray(picture))}))
            until(page, f"document.querySelector('.words h2')?.textContent === '{name}.png'", LONG)
            notices = page.locator(".words .notice").all_inner_texts()
            assert [text.split(":")[0] for text in notices] == (
                ["This is unlike anything the network was trained on"] if name == "dark" else []
            )


def test_photos_are_upright(open_page: Pages, address: str) -> None:
    page = open_page(address)
    picture = photo(60, 90)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, quality=95)
    (given,) = page.evaluate(ASK, [[("photo.jpg", base64_of(buffer.getvalue()))], 1])
    assert (given["width"], given["height"]) == (90, 60)
    seen = Form(3, (18, 18), resize="crop").shrink(decode(buffer.getvalue()))[:, 1:17, 1:17].transpose(1, 2, 0)
    assert np.abs(pixels(given["seen"])[:, :, :3] - seen).max() < 12  # decoders of JPEG may differ a little


def test_the_page_is_the_same_but_for_what_it_cannot(open_page: Pages, address: str) -> None:
    page = open_page(address)
    until(page, LOADED, LONG)
    assert page.inner_text("#model") == "Model mine, 3 classes"
    assert "Pictures do not leave this computer" in page.inner_text("#accepted")
    assert not page.is_visible("#tabs")
    assert page.locator("#token").count() == 0
    page.context.set_offline(True)  # all is there by now
    page.set_input_files("#files", files(one=png(photo(90, 70))))
    page.wait_for_selector(".verdict")
    assert page.locator(".bars li").count() == 3
    until(page, "document.querySelector('.seen figcaption').textContent.startsWith('What the network saw, 16')")
    assert page.locator(".looked, .similar").count() == 0
    page.set_input_files("#files", [*files(a=png(photo(9, 9)), b=png(photo(20, 9))), *files(bad=b"no")])
    page.wait_for_selector("#list table")
    assert page.inner_text("#list h2") == "3 pictures, 1 could not be read"
    assert "this browser cannot show it" in page.inner_text("tr.failed")
    page.click("tbody tr:nth-child(2) .look")
    page.wait_for_selector(".seen img")
    page.set_input_files("#files", files(bad=b"no"))
    page.wait_for_selector("#failure:not([hidden])")
    assert page.inner_text("#failure") == "cannot read bad.png: this browser cannot show it as a picture"
    page.select_option("#language", "ru")
    assert "не покидают" in page.inner_text("#accepted")


def test_hundreds_of_pictures_leave_the_page_alive(open_page: Pages, address: str) -> None:
    page = open_page(address)
    until(page, LOADED, LONG)
    page.evaluate("window.beats = 0, setInterval(() => (window.beats += 1), 20)")
    named = {f"{number}": png(photo(40, 30)) for number in range(100)}
    page.set_input_files("#files", files(**named))
    page.wait_for_selector("#list table")
    assert page.locator("tbody tr").count() == 100
    assert page.locator("tr.failed").count() == 0
    assert page.evaluate("window.beats") > 3


@pytest.mark.parametrize("broken", ["model/model.json", "model/model.onnx", "onnxruntime/ort-wasm-simd-threaded.wasm"])
def test_what_cannot_be_loaded_is_said(open_page: Pages, tmp_path: Path, runtime: BrowserRuntime, broken: str) -> None:
    export_web(tmp_path / "web", tiny(Preprocess(3, (8, 8), (0.0,) * 3, (1.0,) * 3)), runtime, "tiny")
    (tmp_path / "web" / broken).write_bytes(b"{")
    with plain_files(tmp_path / "web") as address:
        page = open_page(address, ready="!document.querySelector('#failure').hidden")
        assert "could not be loaded" in page.inner_text("#failure")
        open_page.expected += ["wasm", "WebAssembly", "ArrayBuffer instantiation"]


def test_only_its_own_scripts_run(open_page: Pages, address: str) -> None:
    page = open_page(address)
    blocked = page.evaluate("""() => new Promise((resolve) => {
      const found = [];
      document.addEventListener("securitypolicyviolation", (event) => {
        found.push(event.effectiveDirective);
        if (found.length === 2) resolve(found);
      });
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.head.append(script);
      fetch("http://127.0.0.2:9/").catch(() => null);
    })""")
    assert sorted(each.removesuffix("-elem") for each in blocked) == ["connect-src", "script-src"]
    assert page.evaluate("window.ran") is None
    open_page.expected.append("Content Security Policy")
