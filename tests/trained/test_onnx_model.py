"""A model in ONNX answers as its file says, and refuses what is not its own."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retinula import extras
from retinula.errors import InputError, RetinulaError
from retinula.pictures.form import Form
from retinula.pictures.views import Views
from retinula.trained.onnx_model import OnnxModel
from tiny_onnx import CLASSES, FORM, tiny_onnx

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel.from_bytes(tiny_onnx(), threads=1)


def test_pictures_of_any_size_are_answered(model: OnnxModel) -> None:
    images = RANDOM.integers(0, 256, (5, 30, 41, 3), dtype=np.uint8)
    images[2, ..., 1] |= 192
    probabilities = model.probs_of_photos(images, batch_size=2)
    assert probabilities.shape == (5, 3)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert model.classes[probabilities[2].argmax()] == "dog"
    small = np.stack([model.shrink(Image.fromarray(image)) for image in images])
    assert np.array_equal(model.probs(small), probabilities)
    best = model.predict(Image.fromarray(images[2]))[0]
    assert best.label == "dog"
    assert best.probability == probabilities[2, 1]


def test_as_many_pictures_at_a_time_as_have_a_number_of_pixels(model: OnnxModel) -> None:
    sizes: list[int] = []

    def run(outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        assert outputs == ["probabilities"], "whether they are unfamiliar is not computed where nobody asks"
        (images,) = inputs.values()
        sizes.append(len(images))
        return [np.full((len(images), 3), 1 / 3, np.float32)]

    named = [SimpleNamespace(name="probabilities"), SimpleNamespace(name="unfamiliar")]
    watched = replace(model, _session=SimpleNamespace(run=run, get_outputs=lambda: named))
    for number, side, batch_size, expected in (
        (70, 8, 64, [64, 6]),
        (5, 2000, 64, [3, 2]),
        (3, 2000, 2, [2, 1]),
        (2, 4000, 64, [1, 1]),
    ):
        images = np.broadcast_to(np.zeros((), np.uint8), (number, side, side, 3))
        assert watched.probs_of_photos(images, batch_size=batch_size).shape == (number, 3)
        assert sizes == expected
        sizes.clear()
    seen_large = replace(watched, form=Form(3, (224, 224)))
    seen_large.probs_of_photos(np.zeros((30, 8, 8, 3), np.uint8))
    assert sizes == [13, 13, 4]


def test_what_is_unfamiliar_is_told_where_the_file_can(model: OnnxModel) -> None:
    assert (model.tells_unfamiliar, model.about["tells_unfamiliar"]) == (False, False)
    telling = OnnxModel.from_bytes(tiny_onnx(darkest=0.3), threads=1)
    assert (telling.tells_unfamiliar, telling.about["tells_unfamiliar"]) == (True, True)
    images = np.full((70, 3, 8, 8), 200, np.uint8)
    images[[0, 2, 69]] = 9
    probabilities, unfamiliar = telling.judge(images)
    assert unfamiliar is not None
    assert unfamiliar.dtype == np.bool_
    assert np.flatnonzero(unfamiliar).tolist() == [0, 2, 69]
    assert np.array_equal(probabilities, telling.probs(images))
    assert np.array_equal(probabilities, model.probs(images))
    assert model.judge(images)[1] is None


def test_other_outputs_are_refused() -> None:
    renamed = tiny_onnx(darkest=0.3).replace(b"unfamiliar", b"unheard of")
    for content in (renamed, tiny_onnx(darkest=0.3, task="reconstruction", classes=[])):
        with pytest.raises(InputError, match="its outputs are not what its task has"):
            OnnxModel.from_bytes(content, threads=1)


def test_an_answer_short_of_a_picture_is_refused(model: OnnxModel) -> None:
    def run(outputs: None, inputs: dict[str, Any]) -> list[Any]:
        return [np.full((2, 3), 1 / 3, np.float32), np.zeros(1, np.bool_)]

    with pytest.raises(RetinulaError, match="does not say of each of 2 pictures"):
        replace(model, _session=SimpleNamespace(run=run)).judge(np.zeros((2, 3, 8, 8), np.uint8))


def test_a_photo_is_answered_alike_in_any_form(model: OnnxModel) -> None:
    content, tags = io.BytesIO(), Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(RANDOM.integers(0, 256, (9, 14, 3), dtype=np.uint8)).save(content, "PNG", exif=tags)
    assert model.predict(Image.open(content)) == model.predict(content.getvalue())
    together = model.predict([content.getvalue(), content.getvalue()])
    assert [dict(each) for each in together] == [pytest.approx(dict(model.predict(content.getvalue())), abs=1e-6)] * 2


def test_what_the_file_says(model: OnnxModel, tmp_path: Path) -> None:
    assert model.classes == CLASSES
    assert model.task == "classification"
    assert model.metadata["provenance"] == {"run": "none"}
    assert model.form == Form(FORM.channels, FORM.size)
    (tmp_path / "model.onnx").write_bytes(tiny_onnx())
    assert OnnxModel.load(tmp_path / "model.onnx").classes == CLASSES


def test_the_runtime_reads_what_was_looked_through(model: OnnxModel) -> None:
    # A name of the program that wrote it, as far as ONNX goes; a file of the runtime's own has the word in this place.
    content = b"\x12\x06xxORTM" + tiny_onnx()
    assert content[4:8] == b"ORTM"
    images = RANDOM.integers(0, 256, (2, 9, 9, 3), dtype=np.uint8)
    other = OnnxModel.from_bytes(content, threads=1)
    assert np.array_equal(other.probs_of_photos(images), model.probs_of_photos(images))


def test_names_that_classes_once_could_have_are_read() -> None:
    old = ["\u0645\u06cc\u062e", "\u0645\u06cc\u200c\u062e", "\u200ea\u200f\u061c"]
    assert OnnxModel.from_bytes(tiny_onnx(classes=old)).classes == tuple(old)


@pytest.mark.parametrize("value", [float("nan"), [1, float("-inf")], {"deep": {"run": "\ud800"}}])
def test_what_could_not_be_told_on_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="what it says of itself is not readable"):
        OnnxModel.from_bytes(tiny_onnx(provenance=value), threads=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": [8.5, 8]}, "size must be a whole number, not 8.5"),
        ({"size": "88"}, "size is a height and a width, not '88'"),
        ({"channels": 3.0}, "channels must be a whole number, not 3.0"),
        ({"crop": [4, 4.5]}, "crop must be a whole number, not 4.5"),
    ],
)
def test_a_form_of_another_kind_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        OnnxModel.from_bytes(tiny_onnx(preprocess={**FORM.to_dict(), **changes}), threads=1)


def test_photos_are_looked_at_as_the_recipe_said() -> None:
    form = replace(FORM, resample="lanczos", views=Views(crops=3, mirror=True))
    looking = OnnxModel.from_bytes(tiny_onnx(form), threads=1)
    photo = Image.fromarray(RANDOM.integers(0, 256, (20, 50, 3), dtype=np.uint8))
    views = form.look_at(photo)
    assert np.array_equal(looking.look_at(photo), views)
    assert len(views) == 8
    expected = looking.probs(views).mean(axis=0)
    assert dict(looking.predict(photo)) == pytest.approx(dict(zip(CLASSES, expected.tolist(), strict=True)))
    # The graph itself makes the whole small by that filter.
    assert np.allclose(looking.probs_of_photos(np.asarray(photo)[None]), looking.probs(views[:1]), atol=1e-6)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((1, 3, 8, 8), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
        np.zeros((1, 0, 8, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(model: OnnxModel, images: Any) -> None:
    with pytest.raises(InputError, match=r"takes uint8 pictures \[N, H, W, 3\]"):
        model.probs_of_photos(images)


def test_a_classifier_gives_no_pictures(model: OnnxModel) -> None:
    with pytest.raises(InputError, match="tiny is a classifier"):
        model.reconstruct_photos(np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"retinula_format": None}, "not one that retinula export wrote"),
        ({"retinula_format": 4}, "format '4', this version of retinula reads 1 to 3; upgrade"),
        ({"classes": None}, "not right"),
        ({"classes": ["a", 1]}, "not right"),
        ({"classes": []}, "not right"),
        ({"classes": "abc"}, "not right"),
        ({"classes": ["a", "b", "a"]}, "two classes are called 'a'"),
        ({"preprocess": {}}, "not right"),
        ({"preprocess": {**FORM.to_dict(), "size": [0, 8]}}, "not right"),
        ({"preprocess": {**FORM.to_dict(), "size": [1e300, 8]}}, "not right"),
        ({"preprocess": {**FORM.to_dict(), "resize": "melt"}}, "not right"),
        ({"preprocess": {**FORM.to_dict(), "resample": "nearest"}}, "not right"),
        ({"preprocess": {**FORM.to_dict(), "views": {"crops": 3}}}, "not right"),
        ({"preprocess": {**FORM.to_dict(), "channels": 2}}, "not right"),
        *(
            ({"preprocess": {**FORM.to_dict(), "crop": crop}}, "not right")
            for crop in (4, "44", [4], [4, 4, 4], [0, 4], [-4, 4], [4, 9], [9, 8], [], {"a": 1}, False)
        ),
    ],
)
def test_files_that_say_something_else_are_refused(tmp_path: Path, told: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_onnx(**told))
    with pytest.raises(InputError, match=message) as caught:
        OnnxModel.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_graph_that_does_not_fit_what_is_said_is_refused() -> None:
    with pytest.raises(Exception, match=r"instead of \[1, 4\]"):
        OnnxModel.from_bytes(tiny_onnx(classes=list("abcd"))).probs_of_photos(np.zeros((1, 8, 8, 3), np.uint8))
    content = tiny_onnx().replace(b"ReduceMean", b"ReduceMeen")
    with pytest.raises(InputError, match="ONNX Runtime cannot use it"):
        OnnxModel.from_bytes(content)


def test_without_the_runtime_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(InputError, match=r"needs onnxruntime, not installed: pip install 'retinula\[export\]'"):
        OnnxModel.from_bytes(tiny_onnx())


def test_a_broken_runtime_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('DLL load failed')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    with pytest.raises(InputError, match=r"^onnxruntime cannot be loaded \(DLL load failed\): install it anew$"):
        OnnxModel.from_bytes(tiny_onnx())


def test_an_answer_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(tiny_onnx())
    Image.fromarray(np.full((20, 30, 3), 255, np.uint8)).save(tmp_path / "white.jpg")
    script = (
        "import sys\nfrom retinula.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    words = ["predict", "model.onnx", "white.jpg"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("white.jpg: ")
    loaded = set(done.stderr.split())
    assert "onnxruntime" in loaded
    # Each of these is some share of the second that a first answer may take.
    heavy = {"torch", "onnx", "pydantic", "rich", "matplotlib", "scipy", "sklearn", "safetensors", "filelock", "pooch"}
    archives = {"tarfile", "zipfile", "retinula.datasets.archives", "retinula.datasets.folder"}
    with_labels = {"retinula.prediction.labels", "retinula.prediction.scoring"}
    assert not loaded & (heavy | archives | with_labels)


def test_the_command_answers_without_torch(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(tiny_onnx(darkest=0.5))
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(tmp_path / "red.png")
    (tmp_path / "labels.csv").write_text("file,label\nred.png,cat\n")
    (tmp_path / "broken.png").write_bytes(b"no")
    script = (
        "import sys\nfrom retinula.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    words = ["predict", "model.onnx", "red.png", "broken.png", "--labels", "labels.csv", "--csv", "out.csv", "--json"]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            *words,
            "--plot",
            "drawn",
            "--top",
            "2",
            "--resize",
            "crop",
            "--resample",
            "box",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "False"
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["label"] == "cat"
    assert first["unfamiliar"] is True
    assert len(first["top"]) == 2
    assert second["skipped"]
    assert "accuracy 100.00 %" in done.stderr
    assert "  crop   100.00 %: 1 of 1; used: crop, the whole, box" in done.stderr
    assert all(f"  {way:6} 100.00 %: 1 of 1\n" in done.stderr for way in ("squash", "pad", "crops"))
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith("red.png,cat,cat,True,0.9999")
    assert (tmp_path / "drawn" / "red.png").stat().st_size > 1000
