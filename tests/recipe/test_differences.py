"""In what recipes differ, told as it can be typed."""

import pytest

from retinula.errors import InputError
from retinula.recipe.differences import changed_settings, settings_apart
from retinula.recipe.files import load_recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.sections import Inputs


def test_changed_settings_can_be_typed_back() -> None:
    usual = load_recipe("cifar10-fast")
    changed = with_settings(usual, ["steps=5", "crop=[24, 24]", "nesterov=false", "average=0.5", "labels=coarse"])
    told = changed_settings(changed, usual)
    assert "training.steps=5" in told
    assert not any("None" in setting or setting.startswith("training.epochs") for setting in told)
    assert with_settings(usual, told) == changed
    assert changed_settings(usual, changed) == [
        "data.labels=fine",
        "without inputs.crop",
        "optimizer.nesterov=True",
        "training.average=0.0",
        "training.epochs=12",
    ]


def test_what_is_left_open_is_told_in_words() -> None:
    usual = load_recipe("cifar10-fast")
    bare = usual.model_copy(update={"model": usual.model.model_copy(update={"arguments": {}})})
    assert changed_settings(bare, usual) == ["without model.arguments.activation"]
    sized = usual.model_copy(update={"inputs": Inputs(size=(24, 24))})
    assert changed_settings(usual, sized) == ["without inputs.size"]


@pytest.mark.parametrize("settings", [["epochs=4", "steps=10"], ["steps=10", "training.epochs=4"]])
def test_two_lengths_contradict_each_other_in_any_order(settings: list[str]) -> None:
    for name in ("digits", "cifar100-mobilenetv2"):
        with pytest.raises(InputError, match="give either epochs or steps"):
            load_recipe(name, settings)
        assert load_recipe(name, settings[:1]).training != load_recipe(name, settings[1:]).training


def test_of_runs_that_begin_from_a_model_only_that_is_told() -> None:
    """Not the normalisation to 17 digits, the network and the digest, which all come from it."""
    scratch = load_recipe("digits", ["channels=3", "model.arguments.width=0.5"])
    inputs = {"mean": (0.12345678901234567,) * 3, "std": (0.2,) * 3, "size": (24, 24)}
    there = {"weights": "/runs/a/model.safetensors", "weights_sha256": "0" * 64, "freeze": True, "arguments": {}}
    begun = scratch.changed(model={**there, "name": "mobilenetv2"}, inputs=inputs, optimizer={"lr": 0.012345678})
    assert settings_apart(begun, scratch) == [
        "model.freeze=True",
        "model.weights=/runs/a/model.safetensors",
        "optimizer.lr=0.01235",
    ]
    assert "without model.weights" in settings_apart(scratch, begun)
    assert not [each for each in settings_apart(scratch, begun) if "inputs" in each or "sha256" in each]
    other = begun.changed(model={"weights": "/runs/b/model.safetensors", "weights_sha256": "1" * 64})
    assert settings_apart(other, begun) == ["model.weights=/runs/b/model.safetensors"]
    retrained = begun.changed(model={"weights_sha256": "1" * 64}, inputs={"std": (0.123456,) * 3})
    assert settings_apart(retrained, begun) == [f"inputs.std={[0.1235] * 3}", f"model.weights_sha256={'1' * 64}"]
