"""What `retinula predict` says beside its answers of what the model cannot tell."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import run_command
from familiarity_checks import ALL_KNOWN
from retinula.model_file import Model
from retinula.models.catalog import build
from retinula.transforms.preprocess import Preprocess

Capture = pytest.CaptureFixture[str]
CANNOT = "this model cannot tell what is unlike anything it was trained on: it names a class whatever it is shown\n"


def test_that_a_model_cannot_tell_the_unfamiliar_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    network = build("residual", num_classes=2, channels=1, size=(8, 8), width=0.25).eval()
    model = Model(network, "residual", {"width": 0.25}, ("cat", "dog"), Preprocess(1, (8, 8), (0.4,), (0.25,)))
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
