"""`retinula explain` writes the figures it names, where it is told, and refuses in one line."""

import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from command_line import run_command
from retinula.cli.explain import _asked, explain
from retinula.depiction import OF_VIEWS
from retinula.explanation.attribution import USUAL
from retinula.models.catalog import build
from retinula.pictures.views import Views
from retinula.plots.attribution import attribution
from retinula.recipe.files import load_recipe
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

Call = Callable[..., str]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """A caller of the command, in a folder with a run `mine`, a picture, and a file that is none."""
    preprocess = Preprocess(3, (16, 16), (0.0,) * 3, (1.0,) * 3)
    network = build("cifar10-augmented", num_classes=3, channels=3, size=(16, 16))
    model = Model(network.eval(), "cifar10-augmented", {}, ("a", "b", "c"), preprocess)
    run = create_run(load_recipe("digits"), {}, "mine", tmp_path / "runs")
    model.save(run.model_file)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "my cat.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)

    def called(*words: str, code: int = 0) -> str:
        out, err = run_command(monkeypatch, capsys, "explain", *words, code=code)
        if code:
            assert err.splitlines()[-1].startswith("retinula: ")
            assert err.count("\n") == 1 or err.startswith("skipped broken.png")
            assert not out
        return err if code else out

    return called


def test_features_go_into_the_run(call: Call) -> None:
    said = call("mine", "my cat.png", "--method", "features").splitlines()
    folder = Path("runs/mine/figures")
    names = ["features-my cat", "features-my cat-conv1", "features-my cat-conv2"]
    assert said == [str(folder / f"{name}.{kind}") for name in names for kind in ("png", "svg")]
    assert sorted(path.name for path in folder.iterdir()) == sorted(Path(file).name for file in said)
    with Image.open(said[0]) as picture:
        assert picture.format == "PNG"


def test_filters_need_no_picture_and_a_model_file_no_run(call: Call) -> None:
    told = json.loads(call("runs/mine/model.safetensors", "--method", "filters", "--channel", "1", "--json"))
    assert told["method"] == "filters"
    names = ["filters-conv1-channel-1", "filters-conv2-channel-1"]
    assert told["files"] == [str(Path("figures") / f"{name}.{kind}") for name in names for kind in ("png", "svg")]
    assert all(Path(file).stat().st_size > 1000 for file in told["files"])


def test_a_layer_that_lacks_the_channel_is_left_out(call: Call) -> None:
    said = call("last", "--method", "filters", "--channel", "5", "--out", "looked")
    assert [Path(file).stem for file in said.splitlines()] == ["filters-conv2-channel-5"] * 2


def test_one_layer_into_a_folder(call: Call) -> None:
    said = call("last", "--method", "filters", "--layer", "conv2", "--channel", "63", "--out", "looked")
    assert said.splitlines()[0] == str(Path("looked/filters-conv2-channel-63.png"))
    said = call("last", "my cat.png", "--method", "features", "--layer", "conv1", "--out", "looked")
    assert [Path(file).name for file in said.splitlines()] == ["features-my cat-conv1.png", "features-my cat-conv1.svg"]
    assert len(list(Path("looked").iterdir())) == 4


def test_the_method_is_that_of_report_and_server_unless_named() -> None:
    assert inspect.signature(explain).parameters["method"].default.value == USUAL


@pytest.mark.parametrize("method", ["hirescam", "gradcam", "saliency", "integrated-gradients", "occlusion"])
def test_what_speaks_for_classes_of_many_pictures(call: Call, method: str) -> None:
    Image.new("L", (9, 7), 50).save("grey.png")
    told = json.loads(call("mine", "my cat.png", "grey.png", "--method", method, "--classes", "b, 2", "--json"))
    assert told["method"] == method
    assert [Path(file).name for file in told["files"]] == [
        f"{method}-{stem}.{kind}" for stem in ("my cat", "grey") for kind in ("png", "svg")
    ]
    assert all(Path(file).stat().st_size > 1000 for file in told["files"])


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [("cat, tabby", [0]), ("dog", [1]), ("DOG,2", [1, 2]), ("owl, dog,owl", [2, 1]), ("0", [0]), ("1, 0", [1, 0])],
)
def test_a_class_may_have_a_comma_in_its_name(asked: str, numbers: list[int]) -> None:
    preprocess = Preprocess(3, (16, 16), (0.0,) * 3, (1.0,) * 3)
    model = Model(nn.Identity(), "cifar10-augmented", {}, ("cat, tabby", "dog", "owl"), preprocess)
    assert _asked(asked, model) == numbers


def test_the_percentages_are_those_that_predict_gives(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("runs/mine/model.safetensors")
    model = Model.load(path)
    views = Views(crops=3, mirror=True)
    replace(model, preprocess=replace(model.preprocess, views=views)).save(path)
    drawn: dict[str, Any] = {}

    def noticed(*words: Any, **more: Any) -> Any:
        drawn.update(captions=words[2], remark=more["remark"])
        return attribution(*words, **more)

    monkeypatch.setattr("retinula.depiction.attribution", noticed)
    call("mine", "my cat.png", "--method", "saliency", "--out", "looked")
    out, _ = run_command(monkeypatch, capsys, "predict", "mine", "my cat.png", "--json", code=0)
    answers = json.loads(out)["top"]
    assert drawn["captions"] == [f"{each['label']}, {100 * each['probability']:.1f} %" for each in answers]
    assert drawn["remark"].endswith(OF_VIEWS)


def test_what_cannot_be_read_is_left_out(call: Call) -> None:
    said = call("mine", "broken.png", "my cat.png", "--top", "1", "--out", "looked").splitlines()
    assert said == ["looked/hirescam-my cat.png", "looked/hirescam-my cat.svg"]
    assert "no picture could be read; the last was broken.png" in call("mine", "broken.png", code=2)


def test_pictures_that_excite(call: Call) -> None:
    said = call("mine", "--method", "exciting", "--layer", "conv2", "--data", "shapes", "--out", "looked")
    assert said.splitlines()[0] == "looked/exciting-conv2.png"
    elsewhere = create_run(load_recipe("digits", ["data.name=photos.zip"]), {}, "moved")
    shutil.copy("runs/mine/model.safetensors", elsewhere.model_file)
    assert "photos.zip, which is no longer there: put it back, or name others with --data" in call(
        "moved", "--method", "exciting", code=2
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("last",), "hirescam is about a picture: name one after the run"),
        (("last", "--method", "features"), "features is about a picture"),
        (("last", "my cat.png", "--method", "filters"), "filters are the same for every picture: leave my cat.png out"),
        (("last", "my cat.png", "--channel", "1"), "--channel belongs to --method filters, not to hirescam"),
        (("last", "my cat.png", "--layer", "conv1"), "--layer belongs to --method features, filters or exciting"),
        (("last", "my cat.png", "--method", "features", "--classes", "a"), "--classes belongs to a method"),
        (("last", "--method", "filters", "--top", "7"), "--top belongs to a method that is about classes"),
        (("last", "my cat.png", "--classes", "a", "--top", "7"), "--classes names others: leave one of them out"),
        (("last", "my cat.png", "--data", "digits"), "--data belongs to --method exciting"),
        (("last", "my cat.png", "--classes", "a,d"), "there is no class 'd'"),
        (("last", "my cat.png", "--classes", "3"), "there is no class '3'"),
        (("last", "my cat.png", "--method", "features", "--layer", "conv3"), "no layer 'conv3'; did you mean"),
        (
            ("last", "my cat.png", "--method", "features", "--layer", "linear1"),
            "layer 'linear1' is no convolution, but a Linear",
        ),
        (("last", "--method", "filters", "--layer", ""), "no layer ''"),
        (("last", "--method", "filters", "--channel", "64"), "the filters of conv2 see channels 0 to 63, not 64"),
        (("last", "--method", "filters", "--layer", "conv2", "--channel", "64"), "see channels 0 to 63, not 64"),
        (("last", "--method", "exciting", "--layer", "conv9"), "no layer 'conv9'"),
        (("last", "--method", "exciting", "--data", "nothing"), "nothing"),
        (("runs/mine/model.safetensors", "--method", "exciting"), "name some with --data"),
        (("last", "my cat.png", "--method", "magic"), "magic"),
        (("last", "my cat.png", "--top", "0"), "--top"),
        (("last", "missing.png"), "missing.png"),
        (("other", "my cat.png"), "no run 'other'"),
    ],
)
def test_wrong_use_is_one_line(call: Call, words: tuple[str, ...], message: str) -> None:
    assert message in call(*words, code=2)
    assert not Path("runs/mine/figures").exists()
