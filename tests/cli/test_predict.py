"""What `retinula predict` says beside its answers of what the model cannot tell."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import run_command
from familiarity_checks import ALL_KNOWN
from retinula.cli import predict
from retinula.models.catalog import build
from retinula.trained.model_file import Model
from retinula.training import lines
from retinula.transforms.preprocess import Preprocess

Capture = pytest.CaptureFixture[str]
CANNOT = "this model cannot tell what is unlike anything it was trained on: it names a class whatever it is shown\n"


def untrained() -> Model:
    network = build("residual", num_classes=2, channels=1, size=(8, 8), width=0.25).eval()
    return Model(network, "residual", {"width": 0.25}, ("cat", "dog"), Preprocess(1, (8, 8), (0.4,), (0.25,)))


def test_that_a_model_cannot_tell_the_unfamiliar_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    model = untrained()
    model.save("old.safetensors")
    replace(model, familiarity=ALL_KNOWN).save("new.safetensors")
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(name)
    out, err = run_command(monkeypatch, capsys, "predict", "old.safetensors", "a.png", "b.png")
    assert err == CANNOT
    assert [line.split(": ")[0] for line in out.splitlines()] == ["a.png", "b.png"]
    assert run_command(monkeypatch, capsys, "predict", "new.safetensors", "a.png", "b.png") == (out, "")
    for file, unfamiliar in (("old.safetensors", None), ("new.safetensors", False)):
        out, err = run_command(monkeypatch, capsys, "predict", file, "a.png", "--json")
        assert (json.loads(out)["unfamiliar"], err) == (unfamiliar, "")


@pytest.mark.parametrize("as_json", [True, False])
def test_files_are_finished_though_nobody_reads_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, as_json: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    untrained().save("model.safetensors")
    names = [f"{letter}.png" for letter in "abcd"]
    for name in names:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(name)
    Path("labels.csv").write_text("file,label\na.png,cat\n")
    left = 2

    def head(_: object) -> None:
        nonlocal left
        if not left:
            raise BrokenPipeError
        left -= 1

    monkeypatch.setattr(predict, "say_json" if as_json else "say", head)
    words = ("predict", "model.safetensors", *names, *(["--json"] if as_json else []))
    assert run_command(monkeypatch, capsys, *words, code=1) == ("", "")
    left = 2
    _, err = run_command(monkeypatch, capsys, *words, "--csv", "out.csv", "--labels", "labels.csv")
    assert "written out.csv" in err
    assert [line.split(",")[0] for line in Path("out.csv").read_text().splitlines()] == ["file", *names]
    left = 2
    run_command(monkeypatch, capsys, *words, "--plot", "drawn")
    assert [path.name for path in sorted(Path("drawn").glob("*.png"))] == names


def test_drawn_beside_an_answer_is_what_the_network_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    model = untrained()
    replace(model, preprocess=replace(model.preprocess, crop=(8, 9), size=(12, 10))).save("model.safetensors")
    Image.fromarray(np.zeros((40, 40), np.uint8)).save("a.png")
    run_command(monkeypatch, capsys, "predict", "model.safetensors", "a.png", "--plot", "drawn")
    assert "as the network saw it, 9 x 8" in Path("drawn/a.svg").read_text()


def test_the_listing_of_a_large_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    untrained().save("model.safetensors")
    Path("new").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("new/a.png")
    monkeypatch.setattr(lines, "PATIENCE", 0.0)
    _, err = run_command(monkeypatch, capsys, "predict", "model.safetensors", "new")
    assert err.startswith("listing new\n")


def test_pictures_outside_the_classes_are_counted_and_in_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    untrained().save("model.safetensors")
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(name)
    Path("labels.csv").write_text("file,label\na.png,cat\nb.png,hexagon\nc.png,dog\n")
    words = ("predict", "model.safetensors", "a.png", "b.png", "c.png", "--labels", "labels.csv")
    out, err = run_command(monkeypatch, capsys, *words, "--csv", "out.csv")
    assert "1 of 3 labelled pictures is outside the classes of this model, and in no score: hexagon (1)" in err
    assert "1 of 2 right" in out, "all three are equal, so the same answer is given to a cat and a dog"
    assert [line.split(",")[1] for line in Path("out.csv").read_text().splitlines()] == ["label", "cat", "", "dog"]
    Path("labels.csv").write_text("file,label\na.png,cube\nb.png,hexagon\n")
    _, err = run_command(monkeypatch, capsys, *words, code=2)
    assert "the label 'cube' of a.png is no class of this model" in err


def test_probabilities_are_columns_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    model = untrained()
    model.save("model.safetensors")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("a.png")
    run_command(monkeypatch, capsys, "predict", "model.safetensors", "a.png", "--csv", "out.csv", "--probabilities")
    head, row = csv.reader(Path("out.csv").read_text().splitlines())
    assert head[-2:] == ["cat", "dog"]
    asked = model.probabilities(np.zeros((1, 1, 8, 8), np.uint8))[0].tolist()
    assert [*map(float, row[-2:])] == pytest.approx(asked, rel=1e-5)
    _, err = run_command(monkeypatch, capsys, "predict", "model.safetensors", "a.png", "--probabilities", code=2)
    assert "give --csv OUT.csv" in err
