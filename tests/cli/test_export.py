"""`retinula export` proves what it writes, and refuses in one line."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import run_command
from retinula import extras
from retinula.cli import serve
from retinula.datasets.digits import CLASSES
from retinula.export import browser_runtime
from retinula.export.files import Exported
from retinula.export.parity import NUM_PHOTOS, Parity, Photo, Proof, SameUnfamiliar, proof_of
from retinula.export.quantisation import QuantisationCost
from retinula.extras import EXTRAS
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.pictures.decoding import decode
from retinula.recipe.files import load_recipe
from retinula.runs.run import Run, create_run
from retinula.trained.model_file import Model
from retinula.trained.onnx_model import OnnxModel
from retinula.transforms.preprocess import Preprocess
from small_runs import SURROUNDINGS, whole_report
from small_runtime import ARCHIVE, PACKAGE

Call = Callable[..., str]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """A caller of the command, in a folder with a run `mine` on the digits, whose data are not recorded."""
    network = build("cifar10-augmented", num_classes=10, channels=1, size=(8, 8))
    model = Model(network.eval(), "cifar10-augmented", {}, CLASSES, Preprocess(1, (8, 8), (0.0,), (1.0,)))
    run = create_run(load_recipe("digits"), SURROUNDINGS, "mine", tmp_path / "runs")
    model.save(run.model_file)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40 + number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"no picture")
    (tmp_path / "folder.onnx").mkdir()
    monkeypatch.chdir(tmp_path)

    def called(*words: str, code: int = 0) -> str:
        out, err = run_command(monkeypatch, capsys, *words, code=code)
        if code:
            assert err.count("\n") == 1
            assert not out
        return err if code else out

    return called


def test_weights_are_proved_on_pictures_by_name(call: Call) -> None:
    said = json.loads(call("export", "mine", "--format", "npz", "--data", "digits", "--out", "w.npz", "--json"))
    assert said["file"] == "w.npz"
    assert said["bytes"] == Path("w.npz").stat().st_size
    assert said["parity"]["source"] == "digits/test"
    assert said["parity"]["num_images"] == said["parity"]["same_top_class"] == 355
    assert said["int8"] is None
    assert call("export", "mine", "--format", "npz", "--data", "digits").startswith("runs/mine/model.npz")


@pytest.mark.usefixtures("call")
def test_how_much_is_told_of_unfamiliar_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = SameUnfamiliar(435, 85, 434)
    cost = QuantisationCost("validation", 144, 0.82, 0.81, 0.01, 0.02, 0.99)
    parity = Parity(355, 20, "digits/test", "made", 1e-6, 375, told)
    written = Exported(Path("m.onnx"), 1024, parity, cost)
    monkeypatch.setattr("retinula.export.files.export_onnx", lambda *_: written)
    _, err = run_command(monkeypatch, capsys, "export", "mine", "--data", "digits")
    assert (
        "what is unlike anything it was trained on is the same but for 1 picture at a limit: 85 of 435 pictures, with "
        "noise, flat ones and text among them\n"
    ) in err
    assert (
        "of these 1.00 % are unlike anything it was trained on in float32, 2.00 % in int8; both say the same of" in err
    )
    said = json.loads(run_command(monkeypatch, capsys, "export", "mine", "--data", "digits", "--json")[0])
    assert said["parity"]["unfamiliar"] == {"num_pictures": 435, "num_unfamiliar": 85, "same": 434}
    assert said["int8"]["same_unfamiliar"] == 0.99


@pytest.mark.parametrize("module", EXTRAS["export"].modules)
def test_what_is_not_installed_is_said(call: Call, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == module else object())
    said = call("export", "mine", code=2)
    assert f"retinula export needs {module}, not installed: pip install 'retinula[export]'" in said


def test_a_folder_for_browsers(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_runtime, "ONNXRUNTIME_WEB", PACKAGE)
    Path("copy.tgz").write_bytes(ARCHIVE)
    words = ("export", "mine", "--format", "web", "--data", "digits", "--photos", "photos", "--from", "copy.tgz")
    said = json.loads(call(*words, "--json"))
    assert (said["file"], said["parity"]["num_photos"]) == ("runs/mine/web", 3)
    assert said["bytes"] == sum(path.stat().st_size for path in Path("runs/mine/web").rglob("*") if path.is_file())
    described = json.loads(Path("runs/mine/web/model/model.json").read_text())
    assert (described["name"], described["classes"]) == ("mine", list(CLASSES))
    exported = call("predict", "runs/mine/web/model/model.onnx", "photos/1.png", "--top", "3")
    assert exported == call("predict", "mine", "photos/1.png", "--top", "3")
    assert "runs/mine/web is not an empty folder" in call(*words, code=2)


def test_a_file_in_onnx_is_proved_on_photos_and_answers(call: Call) -> None:
    words = ("--data", "digits", "--photos", "photos")
    said = json.loads(call("export", "runs/mine/model.safetensors", *words, "--json"))
    assert said["file"] == "runs/mine/model.onnx"
    assert (said["parity"]["num_photos"], said["parity"]["photos_source"]) == (3, "photos")
    exported = call("predict", "runs/mine/model.onnx", "photos/1.png", "--top", "3")
    assert exported == call("predict", "mine", "photos/1.png", "--top", "3")


@pytest.mark.usefixtures("call")
def test_a_file_says_what_was_measured_and_that_it_looks_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run("runs/mine")
    averaging = load_recipe("digits", ["evaluation.tta=mirror-shift"])
    run.recipe_file.write_text(averaging.to_toml())
    result = {
        "dataset": "digits",
        "split": "test",
        "num_images": 1355,
        "tta": "mirror-shift",
        "accuracy": 0.9564,
        "accuracy_low": 0.93,
        "accuracy_high": 0.97,
        "plain_accuracy": 0.9498,
        "loss": 0.1,
    }
    measured = {"digits/test/mirror-shift": {**result, "per_class": [1, 2]}}
    run.report_file.write_text(json.dumps(whole_report(evaluations=measured)))
    _, err = run_command(monkeypatch, capsys, "export", "mine", "--data", "digits", "--photos", "photos")
    assert (
        "what is written answers by one look at a picture: 94.98 % right on 1,355 test pictures; "
        "the run's 95.64 % is by the mean of several (mirror-shift)\n"
    ) in err
    exported = OnnxModel.load("runs/mine/model.onnx")
    assert exported.metadata["provenance"]["result"] == exported.about["provenance"]["result"] == result
    served, runs = serve._served("mine", 0)
    assert served.about["provenance"]["result"] == result
    assert runs == Path("runs").resolve()

    words = ("export", "mine", "--data", "digits", "--format", "npz")
    _, err = run_command(monkeypatch, capsys, *words)
    assert "one look" not in err
    run.report_file.write_text("{")
    _, err = run_command(monkeypatch, capsys, *words)
    assert err.startswith("without the result of its run: runs/mine/report.json: ")
    with np.load("runs/mine/model.npz", allow_pickle=False) as archive:
        assert "result" not in json.loads(str(archive["retinula"]))["provenance"]


def test_photos_are_of_all_folders(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        folder = Path("sorted") / name
        folder.mkdir(parents=True)
        for number in range(15):
            Image.new("RGB", (9 + ord(name) - ord("a"), 8), (number, 0, 0)).save(folder / f"{number}.png")
    Path("sorted/a/0.png").write_bytes(b"no picture")
    widths: list[int] = []
    decoded: list[object] = []

    def decoding(content: Path) -> Image.Image:
        decoded.append(content)
        return decode(content)

    def watched(pictures: ImageSet, photos: Iterable[Photo], source: str) -> Proof:
        for photo in photos:
            widths.append(photo.shape[1])
            assert len(decoded) - len(widths) in (0, 1)  # one at a time, and the one that cannot be read
        return proof_of(pictures, photos, source)

    monkeypatch.setattr("retinula.pictures.decoding.decode", decoding)
    monkeypatch.setattr("retinula.export.parity.proof_of", watched)
    call("export", "mine", "--data", "digits", "--photos", "sorted")
    assert len(widths) == NUM_PHOTOS
    assert {width: widths.count(width) for width in set(widths)} == {9: 7, 10: 6, 11: 7}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mine", "--format", "npz", "--int8"), "--int8 belongs to --format onnx or web"),
        (("mine", "--from", "copy.tgz"), "--from belongs to --format web"),
        (("mine", "--format", "npz", "--photos", "photos"), "--format npz takes pictures of the model's size only"),
        (("mine", "--format", "web", "--from", "copy.tgz"), "copy.tgz: no such file"),
        (("mine", "--format", "web", "--from", "photos/0.png"), "photos/0.png is not onnxruntime-web-"),
        (("mine", "--format", "web", "--from", "photos"), "photos is not onnxruntime-web"),
        (("mine", "--format", "web", "--out", "photos"), "photos is not an empty folder"),
        (("mine", "--out", "model.pt"), "a file of --format onnx is called *.onnx"),
        (("other",), "no run 'other'"),
        (
            ("mine",),
            "the training pictures have changed since it began; prove it on pictures of your choice with --data",
        ),
        (("mine", "--int8"), "the training pictures have changed since it began\n"),
        (("runs/mine/model.safetensors",), "nobody knows which pictures"),
        (
            ("runs/mine/model.safetensors", "--int8", "--data", "digits"),
            "--int8 takes the ranges of values from the training pictures: name the run that runs/mine/model.safet",
        ),
        (("mine", "--out", "missing/w.onnx"), "missing/w.onnx: there is no folder missing; make it first"),
        (("mine", "--out", "folder.onnx"), "folder.onnx is a folder; name a file"),
        (("mine", "--data", "nothing"), "there is no data set"),
        (("mine", "--data", "digits", "--photos", "runs"), "there are no pictures in runs"),
        (("mine", "--data", "digits", "--max-loss", "-1"), "--max-loss"),
        (("model.onnx",), "model.onnx only answers"),
        (("mine", "--format", "gguf"), "gguf"),
    ],
)
def test_wrong_use_is_one_line(call: Call, words: tuple[str, ...], message: str) -> None:
    assert message in call("export", *words, code=2)
    assert not [path for ending in ("onnx", "pt2", "npz") for path in Path("runs").rglob(f"*.{ending}")]


def test_pictures_that_have_been_moved_have_to_be_put_back(call: Call) -> None:
    moved = create_run(load_recipe("digits", ["data.name=photos.zip"]), SURROUNDINGS, "moved")
    shutil.copy("runs/mine/model.safetensors", moved.model_file)
    told = "photos.zip, which is no longer there: put it back"
    assert f"{told}, or prove it on pictures of your choice with --data\n" in call("export", "moved", code=2)
    assert f"{told}\n" in call("export", "moved", "--int8", "--data", "digits", code=2)


def test_no_page_for_what_knows_no_classes_and_nothing_is_fetched_for_it(call: Call) -> None:
    network = build("cifar10-autoencoder", num_classes=10, channels=3, size=(32, 32))
    form = Preprocess(3, (32, 32), (0.0,) * 3, (1.0,) * 3)
    Model(network.eval(), "cifar10-autoencoder", {}, (), form).save("pictures.safetensors")
    said = call("export", "pictures.safetensors", "--format", "web", "--from", "nothing.tgz", code=2)
    assert "pictures gives pictures back and knows no classes" in said
