"""Settings that the chosen part does not use: which these are is what the parts themselves do, and it is told."""

import tomllib
from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np
import pytest
import torch

from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.recipe.files import checked, load_recipe, shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.sections import Objective, Optimizer, Schedule, Section
from retinula.training.objectives import OBJECTIVES, loss_function
from retinula.training.optimizers import OPTIMIZERS, build_optimizer
from retinula.training.parts import own_settings
from retinula.training.schedules import SCHEDULES, multiplier
from retinula.training.unused import said_in_vain

Doing = Callable[[Any], object]


def groups(settings: Optimizer) -> object:
    """All that an optimizer goes by, but for the weights."""
    torch.manual_seed(0)
    network = build("residual", num_classes=2, size=(8, 8), width=0.25)
    optimizer = build_optimizer(settings, network, torch.device("cpu"))
    rest = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    return optimizer.defaults, rest


def rates(settings: Schedule) -> object:
    return list(map(multiplier(settings), np.linspace(0, 1, 41).tolist()))


def losses(settings: Objective) -> object:
    images = np.zeros((4, 3, 8, 8), dtype=np.uint8)
    train_set = ImageSet(images, np.array([0, 0, 0, 1]), ("a", "b"), "uneven")
    loss = loss_function(settings, train_set)
    outputs = torch.tensor([[2.0, -1.0], [0.5, 0.0]])
    return loss(outputs, outputs.sigmoid() if settings.reconstructs else torch.tensor([0, 1]))


CHOICES: list[tuple[Mapping[str, Callable[..., Any]], Section, Doing, dict[str, object]]] = [
    (
        OPTIMIZERS,
        Optimizer(momentum=0.5),
        groups,
        {"momentum": 0.9, "nesterov": True, "betas": (0.8, 0.9), "eps": 1e-6, "rho": 0.2, "rest_rate": 0.5},
    ),
    (
        SCHEDULES,
        Schedule(milestones=(0.5,), points=((0.0, 1.0), (1.0, 0.0))),
        rates,
        {"milestones": (0.2,), "factor": 0.3, "peak": 0.6, "points": ((0.0, 1.0), (1.0, 0.5))},
    ),
    (OBJECTIVES, Objective(), losses, {"label_smoothing": 0.2, "class_weights": "balanced"}),
]


@pytest.mark.parametrize(
    ("parts", "name", "section", "doing", "others"),
    [(parts, name, section, doing, others) for parts, section, doing, others in CHOICES for name in parts],
    ids=[name for parts, *_ in CHOICES for name in parts],
)
def test_a_part_uses_its_own_settings_and_no_other_part_s(
    parts: Mapping[str, Callable[..., Any]],
    name: str,
    section: Section,
    doing: Doing,
    others: dict[str, object],
) -> None:
    assert {own for part in parts.values() for own in own_settings(part)} == set(others)
    chosen = section.model_copy(update={"name": name})
    before = doing(chosen)
    used = {key for key, value in others.items() if doing(chosen.model_copy(update={key: value})) != before}
    assert used == set(own_settings(parts[name]))


@pytest.mark.parametrize(
    ("parts", "section"), [(OPTIMIZERS, Optimizer), (SCHEDULES, Schedule), (OBJECTIVES, Objective)]
)
def test_every_part_that_a_recipe_can_name_is_there(parts: Mapping[str, object], section: type[Section]) -> None:
    assert set(parts) == set(get_args(section.model_fields["name"].annotation))


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ([], []),
        (["optimizer=adam", "momentum=0"], []),
        (["optimizer=sgd", "momentum=0.9", "nesterov=true"], []),
        (
            ["optimizer=adam", "momentum=0.9", "nesterov=true"],
            ["optimizer.momentum and optimizer.nesterov change nothing: optimizer adam does not use them"],
        ),
        (
            ["optimizer=adam", "momentum=0.9", "nesterov=true", "rho=0.1"],
            [
                "optimizer.momentum, optimizer.nesterov and optimizer.rho change nothing: "
                "optimizer adam does not use them"
            ],
        ),
        (
            ["schedule=cosine", "peak=0.4", "rho=0.1"],
            [
                "optimizer.rho changes nothing: optimizer adamw does not use it",
                "schedule.peak changes nothing: schedule cosine does not use it",
            ],
        ),
    ],
)
def test_what_is_said_in_vain_is_told_in_a_line(settings: list[str], lines: list[str]) -> None:
    plain = checked({"name": "plain"}, "a recipe")
    recipe = with_settings(plain, settings)
    assert said_in_vain(recipe, settings) == said_in_vain(recipe) == lines


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (["optimizer=adam"], []),
        (["optimizer=adam", "schedule=cosine"], []),
        (
            ["optimizer=adam", "momentum=0.9"],
            ["optimizer.momentum changes nothing: optimizer adam does not use it"],
        ),
        (["rho=0.1"], ["optimizer.rho changes nothing: optimizer sgd does not use it"]),
    ],
)
@pytest.mark.parametrize("word", ["digits", "shapes"])
def test_what_a_recipe_brought_along_is_not_told(word: str, settings: list[str], lines: list[str]) -> None:
    # `digits` is a recipe of its own, `shapes` are trained on by the default one.
    recipe = with_settings(word, settings)
    assert said_in_vain(recipe, settings) == lines
    brought = [line for line in lines if "rho" in line]
    assert said_in_vain(checked(tomllib.loads(recipe.to_toml()), "a run's recipe")) == brought
    mine = recipe.changed(name="mine", about="of my own")
    assert said_in_vain(mine), "there it is somebody's own doing"


@pytest.mark.parametrize("name", shipped())
def test_no_shipped_recipe_says_anything_in_vain(name: str) -> None:
    recipe: Recipe = load_recipe(name)
    assert said_in_vain(recipe) == []
