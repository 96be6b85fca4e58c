"""In what recipes differ, told as it can be typed."""

import pytest

from retinula.differences import changed_settings
from retinula.errors import InputError
from retinula.recipe_files import load_recipe
from retinula.resetting import with_settings
from retinula.sections import Inputs


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
