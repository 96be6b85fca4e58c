"""What the documentation shows for an exported model without Retinula gives the answers of Retinula."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retinula.forms import Resize
from retinula.pictures.decoding import decode
from retinula.pictures.views import Views
from retinula.trained.onnx_model import OnnxModel
from tiny_onnx import FORM, tiny_onnx

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
BLOCKS = re.findall(r"^```python run\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
SAID = {"recipe": "digits"}
RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8)


def shown(content: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the page's blocks in a folder with a model and a photo; return what they define."""
    monkeypatch.chdir(folder)
    for path in (Path("runs/shipped"), Path("export-digits/test/3")):
        path.mkdir(parents=True)
    Path("runs/shipped/model.onnx").write_bytes(content)
    Image.fromarray(PHOTO).save("export-digits/test/3/0.png")
    defined: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), defined)  # noqa: S102 - the project's own page
    return defined


def files() -> dict[str, bytes]:
    turned = Image.Exif()
    turned[0x0112] = 6
    key = {"transparency": (7, 8, 9)}
    keyed = PHOTO.copy()
    keyed[3:9] = list(key.values())
    see_through = RANDOM.integers(0, 256, (40, 60, 4), dtype=np.uint8)
    palette = Image.fromarray(PHOTO).quantize(16)
    pictures: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "plain": (Image.fromarray(PHOTO), "PNG", {}),
        "grey": (Image.fromarray(PHOTO[..., 0]), "PNG", {}),
        "turned": (Image.fromarray(PHOTO), "JPEG", {"exif": turned}),
        "alpha": (Image.fromarray(see_through), "PNG", {}),
        "grey alpha": (Image.fromarray(see_through).convert("LA"), "PNG", {}),
        "key": (Image.fromarray(keyed), "PNG", key),
        "palette": (palette, "PNG", {"transparency": 3}),
        "16 bits": (Image.fromarray(RANDOM.integers(0, 65536, (40, 60), dtype=np.uint16)), "PNG", {}),
        "16 bits in TIFF": (Image.fromarray(RANDOM.integers(0, 65536, (40, 60), dtype=np.uint16)), "TIFF", {}),
        "CMYK": (Image.fromarray(PHOTO).convert("CMYK"), "JPEG", {}),
        "two values": (Image.fromarray(PHOTO).convert("1"), "PNG", {}),
    }
    contents = {}
    for name, (picture, kind, options) in pictures.items():
        content = io.BytesIO()
        picture.save(content, kind, **options)
        contents[name] = content.getvalue()
    return contents


def test_photos_are_opened_as_retinula_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = shown(tiny_onnx(provenance=SAID), tmp_path, monkeypatch)["opened"]
    plain = 0
    for name, content in files().items():
        expected = np.asarray(decode(content).convert("RGB"))
        assert np.array_equal(np.asarray(opened(io.BytesIO(content))), expected), name
        plain += np.array_equal(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), expected)
    assert plain == 4  # what needs none of it


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_views_are_averaged_as_retinula_does(resize: Resize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views = Views(crops=5, scales=(1.0, 0.5), zooms=(0.5,), mirror=True)  # which cut at whole pixels
    content = tiny_onnx(replace(FORM, resize=resize, views=views), retinula_format=2, provenance=SAID)
    defined = shown(content, tmp_path, monkeypatch)
    assert len(defined["answers"]) == views.number == 24
    model = OnnxModel.from_bytes(content)
    expected = dict(model.predict(Image.fromarray(PHOTO)))
    answers = dict(zip(model.classes, np.mean(defined["answers"], axis=0).tolist(), strict=True))
    assert answers == pytest.approx(expected, abs=2e-3)
    assert defined["probabilities"][0].tolist() == pytest.approx(
        model.probs(model.shrink(Image.fromarray(PHOTO))[None])[0].tolist(), abs=1e-6
    )


@pytest.mark.parametrize("darkest", [None, 0.0, 1.0])
def test_what_is_unfamiliar_is_told(
    darkest: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    defined = shown(tiny_onnx(darkest=darkest, provenance=SAID), tmp_path, monkeypatch)
    assert [each.tolist() for each in defined["unfamiliar"]] == ([] if darkest is None else [[darkest == 1]])
    assert ("but it is unlike anything the model was trained on" in capsys.readouterr().out) == (darkest == 1)
