"""Every recipe that comes with the package takes two steps, one on each size, on made pictures of its data's form."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.recipe.files import load_recipe, shipped
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.training.inputs import Prepared, prepare
from retinula.training.loop import train
from retinula.training.plan import make_preprocess, side_at
from retinula.transfer import Source

FORMS = {
    "digits": (10, 1, 8),
    "cifar10": (10, 3, 32),
    "cifar100": (100, 3, 32),
    "fashion-mnist": (10, 1, 28),
    "mnist": (10, 1, 28),
}


def made(num_images: int, form: tuple[int, int, int], classes: int) -> ImageSet:
    _, channels, side = form
    images = np.random.default_rng(0).integers(0, 256, (num_images, channels, side, side), dtype=np.uint8)
    names = tuple(f"class {number}" for number in range(classes))
    return ImageSet(images, np.arange(num_images, dtype=np.int64) % classes, names, "made/train")


@pytest.mark.parametrize("name", shipped())
def test_it_takes_two_steps(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(name, ["steps=2", "batch_size=4", "precision=float32"])
    form = FORMS[recipe.data.name]
    classes = len(recipe.data.classes) or form[0]
    run = create_run(recipe, {}, root=tmp_path)
    validation = made(6, form, classes) if recipe.data.validation else None
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    train_set = made(8, form, classes)
    source = None
    if recipe.model.weights:
        network = build(recipe.model.name, num_classes=7)
        trained = Model(network, recipe.model.name, {}, tuple("abcdefg"), make_preprocess(recipe, train_set))
        source = Source(trained, "trained before", "0" * 64)
    seen: list[tuple[int, int]] = []

    def noting(*given: Any, **named: Any) -> Prepared:
        prepared = prepare(*given, **named)
        seen.append((prepared.inputs.shape[2], prepared.inputs.shape[3]))
        return prepared

    monkeypatch.setattr(loop, "prepare", noting)
    train(recipe, train_set, validation, run, source=source, hardware=plain)
    sides = [side_at(recipe.training.sizes, step / 2) for step in range(2)]
    whole = make_preprocess(recipe, train_set).input_shape[1:]
    assert seen[:2] == [whole if side is None else (side, side) for side in sides]
    assert seen[1] == whole
    assert (seen[0] != whole) == (len(recipe.training.sizes) > 1)
    row = run.metrics()[-1]
    assert row["step"] == 2
    assert math.isfinite(row["loss"])
    assert (row["val_loss"] is None) == (validation is None)
    assert run.model_file.exists()
