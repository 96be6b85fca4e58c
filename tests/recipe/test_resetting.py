import json

import pytest

from command_line import run_command
from retinula.recipe.files import load_recipe
from retinula.recipe.resetting import recipe_named, with_settings


@pytest.mark.parametrize(
    ("name", "settings", "arguments"),
    [
        ("cifar10-fast", ["model=residual"], {}),
        ("cifar10-fast", ["model=residual", "model.arguments.width=0.5"], {"width": 0.5}),
        ("cifar10-fast", ["model=residual", "model.arguments.activation=relu"], {"activation": "relu"}),
        ("cifar10-fast", ["model=whitened"], {"activation": "gelu"}),
        ("cifar10-fast", ["lr=0.1"], {"activation": "gelu"}),
        ("cifar100-mobilenetv2", ["model=mobilenetv2-bsconv-u"], {"dropout": 0.0}),
        ("cifar10-fast", ["model=unknown"], {"activation": "gelu"}),
    ],
)
def test_another_network_keeps_what_it_has_and_what_was_assigned(
    name: str, settings: list[str], arguments: dict[str, object]
) -> None:
    assert recipe_named(name, settings).model.arguments == arguments
    assert with_settings(load_recipe(name), settings).model.arguments == arguments


def test_the_command_shows_what_would_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown, _ = run_command(monkeypatch, capsys, "recipes", "cifar10-fast", "model=residual", "epochs=3", "--json")
    model = json.loads(shown)["model"]
    assert (model["name"], model["arguments"]) == ("residual", {})
