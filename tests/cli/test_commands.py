"""The main journey through the command line, in one process, on small pictures."""

import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from command_line import run_command
from retinula import experiment, measurement
from retinula.errors import InputError
from retinula.prediction import predict as prediction

Capture = pytest.CaptureFixture[str]
QUICK = ("epochs=2", "model.arguments.width=0.25")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture):  # type: ignore[no-untyped-def]  # a closure
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> str:
        out, run.err = run_command(monkeypatch, capsys, *words, code=code)  # type: ignore[attr-defined]  # for the caller
        return out

    return run


def test_train_evaluate_predict(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]  # the fixture above
    result = json.loads(call("train", *QUICK, "--json"))
    run = Path(result["run"])
    assert run == Path("runs/digits-1")
    for name in ("recipe.toml", "environment.json", "metrics.jsonl", "steps.csv", "model.safetensors", "report.json"):
        assert (run / name).exists(), name
    assert not (run / "checkpoint").exists()
    assert list((run / "figures").glob("*.png"))
    assert result["training"]["epochs"] == 2
    assert result["data"]["num_images"] + result["data"]["num_validation_images"] == 1442

    measured = json.loads(call("evaluate", "last", "--json"))
    assert measured["split"] == "test"
    assert measured["num_images"] == 355
    assert 0 <= measured["accuracy_low"] <= measured["accuracy"] <= measured["accuracy_high"] <= 1
    report = json.loads((run / "report.json").read_text())
    assert report["evaluations"]["digits/test"]["accuracy"] == measured["accuracy"]
    # One training and one evaluation are drawn, above; drawing takes longer than all the rest.
    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: None)
    monkeypatch.setattr(measurement, "draw_evaluation", lambda *_: None)
    averaged = json.loads(call("evaluate", "last", "--tta", "--out", "averaged", "--json"))
    plain = json.loads(call("evaluate", "last", "--no-tta", "--out", "plain", "--json"))
    assert (averaged["tta"], plain["tta"], measured["tta"]) == ("mirror-shift", "none", "none")
    assert "validation pictures: " in call("evaluate", str(run), "--split", "validation", "--out", "elsewhere")
    call("evaluate", str(run), "--out", str(run), code=2)
    assert "is the folder of a run" in call.err
    assert json.loads(Path("elsewhere/report.json").read_text())["split"] == "validation"
    assert json.loads((run / "report.json").read_text()) == report

    model = str(run / "model.safetensors")
    alone = json.loads(call("evaluate", model, "--data", "digits", "--json"))
    assert alone["confusion"] == measured["confusion"]
    assert not call("evaluate", model, code=2)
    assert call.err == f"retinula: {model} is a model without pictures of its own: name some with --data\n"

    call("data", "unpack", "digits", "unpacked")
    a_share = json.loads(call("evaluate", model, "--data", "unpacked/test", "--json"))["num_images"]
    assert 0 < a_share < 355
    assert f"unpacked/test: {a_share} of 355 pictures are measured, its test pictures" in call.err
    three = sorted(Path("unpacked/test/3").iterdir())[0]
    (tmp_path / "unpacked/test/3/broken.png").write_bytes(b"no picture")
    lines = [
        json.loads(line) for line in call("predict", "last", "unpacked/test/3", "--top", "2", "--json").splitlines()
    ]
    assert len(lines) == len(list(Path("unpacked/test/3").iterdir()))
    answered = [line for line in lines if "skipped" not in line]
    assert len(answered) == len(lines) - 1
    assert all(len(line["top"]) == 2 and line["top"][0]["label"] == line["label"] for line in answered)
    assert "skipped unpacked/test/3/broken.png" in call.err

    names = [*(path.name for path in Path("unpacked/test/3").iterdir()), *(f"gone-{number}.png" for number in range(5))]
    Path("labels.csv").write_text("file,label\n" + "".join(f"{name},3\n" for name in names))
    text = call("predict", "last", "unpacked/test/3", "--labels", "labels.csv", "--csv", "out.csv")
    assert f"of {len(answered)} right" in text
    gone = "name no picture that was given: gone-0.png, gone-1.png, gone-2.png and 2 more"
    assert f"5 of {len(names)} files of labels.csv {gone}\n" in call.err
    with Path("out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label", "answer", "right", "probability", "unfamiliar"]
    assert len(rows) == len(answered)
    assert {row["label"] for row in rows} == {"3"}
    assert all((row["answer"] == "3") == (row["right"] == "True") for row in rows)
    assert str(three) in call("predict", str(run / "model.safetensors"), str(three), "--plot", "drawn")
    assert [path.name for path in sorted(Path("drawn").iterdir())] == [f"{three.stem}.png", f"{three.stem}.svg"]
    call("predict", "last", "unpacked/test/3/broken.png", code=2)
    # A model that fails behind the first batch has answered that one.
    asked = prediction.predict_files

    def fails_late(*given: Any) -> Iterator[prediction.Prediction]:
        yield from itertools.islice(asked(*given), 2)
        raise InputError("the disk is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "predict_files", fails_late)
        assert call("predict", "last", "unpacked/test/3", code=2).count("unpacked/test/3/") == 2
    assert not call("predict", "last", str(three), "--csv", "nofolder/x.csv", code=2), "nothing is answered before"
    assert call.err == "retinula: nofolder/x.csv: there is no folder nofolder; make it first\n"

    assert "digits-1" in call("runs", "list")
    assert "digits/test: accuracy" in call("runs", "show", "last")
    assert json.loads(call("runs", "list", "--json"))[0]["test_accuracy"] == measured["accuracy"]
    assert json.loads(call("runs", "--json")) == json.loads(call("runs", "list", "--json"))
    call("train", "--resume", "last", code=2)
    assert "is finished" in call.err
    more = "for five more epochs: retinula train runs/digits-1/recipe.toml --model runs/digits-1 epochs=5\n"
    assert call.err.endswith(more)
    call("train", "--resume", "last", "epochs=5", code=2)
    assert call.err == f"retinula: --resume goes on with a run as it is: give nothing else with it; {more}"

    begun = ("train", "classes=[0,1]", "epochs=1", "--run", "2024", "--json")
    head = json.loads(call(*begun, "--model", "last", "--freeze"))
    assert (head["source"]["name"], head["data"]["num_classes"]) == ("digits-1", 2)
    call("train", "--model", "2024", "model=mobilenetv2", code=2)  # a run's name, though it looks like a number
    assert "2024/model.safetensors has weights of residual, but model.name is 'mobilenetv2'" in call.err


def test_a_folder_of_photos(call, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # the fixture above
    generator = np.random.default_rng(0)
    for label, level in (("dark", 40), ("bright", 200)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(12):
            pixels = generator.integers(level - 30, level + 30, (20, 30, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.jpg")
    (tmp_path / "photos" / "dark" / "broken.jpg").write_bytes(b"")
    out = call("train", "photos", "epochs=6", "batch_size=8", "size=[16,16]", "model.arguments.width=0.25")
    assert "model    runs/photos-1/model.safetensors" in out
    assert "left out 1 picture or folder: why, is told in runs/photos-1/log.txt" in call.err
    measured = json.loads(call("evaluate", "last", "--json"))
    assert measured["accuracy"] == 1.0
    assert "broken.jpg" in call("data", "check", "photos")
    assert "bright" in call("data", "show", "photos", "--out", "sheets")
    assert list(Path("sheets").glob("*.png"))


def test_catalogs(call) -> None:  # type: ignore[no-untyped-def]  # the fixture above
    listed = call("models")
    assert "5,851,338" in listed
    assert "137,729,024" in listed
    assert {"cifar10-cnn": 5_851_338}.items() <= {
        row["name"]: row["parameters"] for row in json.loads(call("models", "--json"))
    }.items()
    assert call(code=2) == ""
    assert "\n  train " in call.err
    summary = json.loads(call("models", "cifar10-cnn", "--json"))
    assert summary["parameters"] == 5_851_338
    assert "5,851,338" in call("models", "cifar10-cnn")
    assert "419.01" in call("models", "cifar10-cnn")
    assert "cifar10-cnn" in call("recipes")
    shown = json.loads(call("recipes", "cifar10-cnn", "epochs=3", "--json"))
    assert shown["training"]["epochs"] == 3
    assert "digest" in shown
    names = [row["name"] for row in json.loads(call("data", "list", "--json"))]
    assert {"cifar10", "cifar100", "digits", "shapes"} <= set(names)
    assert "licence" in call("data", "list")
    assert call("--version").startswith("retinula ")
    assert "no runs here yet" in call("runs", "list")
