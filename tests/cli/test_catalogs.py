"""What there is, by name."""

import json
import tomllib
from pathlib import Path

import pytest

from command_line import run_command
from retinula.models.catalog import NETWORKS
from retinula.recipe_files import checked, load_recipe, setting_names

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
