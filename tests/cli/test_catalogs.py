"""What there is, by name."""

import json
import tomllib
from pathlib import Path

import pytest

from command_line import run_command
from retinula.files.durable import write_json
from retinula.models.catalog import NETWORKS, build
from retinula.models.summary import summarize
from retinula.recipe.files import checked, load_recipe, setting_names
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess
from small_runs import whole_report
from small_timm import load_timm

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("words", [("default",), ("cifar10-augmented",), ("digits", "lr=0.3", "size=16")])
def test_every_setting_is_in_a_recipe_that_is_shown_and_read_back_it_is_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, words: tuple[str, ...]
) -> None:
    text, _ = run_command(monkeypatch, capsys, "recipes", *words)
    recipe = load_recipe(words[0], words[1:])
    assert checked(tomllib.loads(text), "again") == recipe
    section, named = "", set()
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]") + "."
            named.add(section[:-1])  # a section of its own, as model.arguments is
        elif " = " in line and not line.startswith(" "):
            named.add(section + line.removeprefix("# ").partition(" = ")[0])
    assert set(setting_names()) - named <= {"model.weights_sha256"}, "which nobody sets"


def test_what_a_recipe_leaves_out_says_what_holds_instead(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    lines = run_command(monkeypatch, capsys, "recipes", "default")[0].splitlines()
    inputs = lines[lines.index("[inputs]") :]
    inputs = inputs[: inputs.index("")]
    absent = inputs.index("# size = ...   (as the data are)")
    assert "# crop = ...   (none)" in inputs[absent:]
    assert [line for line in inputs if line.startswith("#")] == inputs[absent:], "after what is given"
    assert not [line for line in lines if "weights_sha256" in line]
    assert "# steps = ...   (epochs are given)" in lines


def test_a_network_says_its_arguments(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    as_json, _ = run_command(monkeypatch, capsys, "models", "residual", "--json")
    assert json.loads(as_json)["arguments"] == NETWORKS["residual"].arguments == {"width": 1.0, "blocks": 1}
    text, _ = run_command(monkeypatch, capsys, "models", "residual")
    assert text.splitlines()[-1].endswith(": width=1.0, blocks=1")
    text, _ = run_command(monkeypatch, capsys, "models", "cifar10-autoencoder")
    assert text.splitlines()[-1].endswith(": none")


def test_a_network_is_shown_as_it_is_set(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ("size=24", "inputs.channels=1", "classes=7", "width=0.25", "model.arguments.blocks=2")
    shown = json.loads(run_command(monkeypatch, capsys, "models", "residual", *settings, "--json")[0])
    expected = build("residual", num_classes=7, channels=1, size=(24, 24), width=0.25, blocks=2)
    assert shown["layers"] == json.loads(json.dumps(summarize(expected, (1, 24, 24)).to_dict()["layers"]))
    assert shown["input_shape"] == [1, 24, 24]
    assert shown["arguments"] == {"width": 0.25, "blocks": 2}
    text, _ = run_command(monkeypatch, capsys, "models", "residual", "size=[24, 16]", "blocks=2")
    assert text.splitlines()[-2:] == ["network residual, inputs 3x24x16", "arguments: width=1.0, blocks=2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("residual", "size=0"), "retinula models residual: inputs.size"),
        (("residual", "size=2"), "residual takes pictures of at least 8x8 pixels, not 2x2"),
        (("residual", "channels=2"), "inputs.channels"),
        (("residual", "classes=ten"), "classes='ten': expected how many there are"),
        (("residual", "classes=1"), "residual needs at least 2 classes"),
        (("residual", "widht=2"), "residual has no argument 'widht'; did you mean 'width'"),
        (("residual", "width"), "'width': expected key=value"),
        (("residul",), "there is no network 'residul', nor a run or model file; did you mean 'residual'"),
        (("mine", "size=9"), "there is no network 'mine', nor a run or model file"),
        (("mine.onnx", "size=9"), "mine.onnx is a trained network, which is shown as it is: leave size=9 out"),
        (("mine.onnx",), "mine.onnx only answers"),
    ],
)
def test_a_network_that_cannot_be_shown(
    words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.onnx").touch()
    said, complaint = run_command(monkeypatch, capsys, "models", *words, code=2)
    assert not said
    assert message in complaint
    assert complaint.count("\n") == 1


def test_a_network_of_timm_that_takes_no_inputs_of_the_size_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    load_timm()
    said, complaint = run_command(monkeypatch, capsys, "models", "timm/test_vit", "size=8", code=2)
    assert not said
    assert "timm/test_vit takes no inputs of 8x8 (" in complaint
    assert complaint.count("\n") == 1


def test_the_network_of_a_run_and_of_a_model_file(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    form = Preprocess(1, (16, 16), (0.5,), (0.5,), crop=(12, 12))
    network = build("residual", num_classes=3, channels=1, size=(12, 12), width=0.25)
    run = create_run(load_recipe("digits"), {}, "mine")
    Model(network.eval(), "residual", {"width": 0.25}, ("a", "b", "c"), form).save(run.model_file)
    write_json(run.report_file, whole_report())
    layers = json.loads(json.dumps(summarize(network, (1, 12, 12)).to_dict()["layers"]))
    for word in ("last", "mine", "runs/mine", str(run.model_file)):
        shown = json.loads(run_command(monkeypatch, capsys, "models", word, "--json")[0])
        assert (shown["name"], shown["layers"]) == ("residual", layers)
        assert shown["arguments"] == {"width": 0.25, "blocks": 1}
    text, _ = run_command(monkeypatch, capsys, "models", "mine")
    assert text.splitlines()[-2:] == ["network residual, inputs 1x12x12", "arguments: width=0.25, blocks=1"]
