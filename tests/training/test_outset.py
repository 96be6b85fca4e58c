"""What a training says of itself before anything else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.runs.run import create_run
from retinula.training.hardware import Hardware
from retinula.training.loop import train
from retinula.training.outset import set_out
from retinula.training.reporting import Reporter

MakeSet = Callable[..., ImageSet]


def said(train_set: ImageSet, *settings: str, validation_set: ImageSet | None = None, width: int = 300) -> list[str]:
    recipe = load_recipe("digits", ["batch_size=16", *settings])
    return set_out(recipe, train_set, validation_set, nn.Linear(width, 1000, bias=False)).split("; ")


def test_a_training_says_first_what_it_trains_on(make_set: MakeSet, tmp_path: Path) -> None:
    recipe = load_recipe("digits", ["epochs=2", "batch_size=16", "model.arguments.width=0.25"])
    told: list[str] = []

    class Listens(Reporter):
        def message(self, text: str) -> None:
            told.append(text)

    run = create_run(recipe, {}, root=tmp_path)
    hardware = Hardware("cpu", 1, False, "float32", "for the test")
    model = train(recipe, make_set(), make_set(24, seed=9), run, reporter=Listens(), hardware=hardware)
    number = sum(weights.numel() for weights in model.network.parameters())
    line = (
        "60 training pictures, 24 for validation; 3 classes (class 0, class 1, class 2); 8x8 in grey; "
        f"residual, {number:,} parameters; 2 epochs of 4 steps"
    )
    assert told[0] == line
    assert run.log_file.read_text().splitlines()[0].endswith(line)


def test_of_many_classes_the_first_are_named(make_set: MakeSet) -> None:
    named = ", ".join(f"class {number}" for number in range(10))
    assert said(make_set(num_classes=10))[1] == f"10 classes ({named})"
    assert said(make_set(num_classes=60))[1] == f"60 classes ({named} and 50 more)"


def test_pictures_without_labels_have_no_classes(make_set: MakeSet) -> None:
    bare = replace(make_set(30, channels=3), labels=None)
    assert said(bare)[:2] == ["30 training pictures, none for validation", "8x8 in colour"]


def test_pictures_that_are_shown_mirrored(make_set: MakeSet) -> None:
    for flip, when in (("random", "at random"), ("alternating", "every other epoch")):
        words = f"8x8 in grey, mirrored left to right {when} (flip=none if left and right matter)"
        assert said(make_set(), f"flip={flip}")[2] == words
    assert said(make_set(), "flip=none")[2] == "8x8 in grey"


@pytest.mark.parametrize(("width", "words"), [(99, "99,000 parameters"), (900, "0.9 million parameters")])
def test_parameters_in_words(width: int, words: str, make_set: MakeSet) -> None:
    assert said(make_set(), width=width)[3] == f"residual, {words}"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["epochs=1"], "1 epoch of 4 steps"),
        (["epochs=3", "early_stopping=2"], "at most 3 epochs of 4 steps"),
        (["steps=10"], "10 steps, 2.5 epochs"),
        (["steps=1"], "1 step, 0.25 epochs"),
        (["steps=10001"], "10,001 steps, 2,500 epochs"),
        (["epochs=1", "training.least_steps=5"], "2 epochs of 4 steps"),
    ],
)
def test_length_in_words(settings: list[Any], words: str, make_set: MakeSet) -> None:
    assert said(make_set(), *settings)[-1] == words
