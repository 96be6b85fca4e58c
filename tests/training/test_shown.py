"""The pictures shown as what training begins with are those it is fed, and the words are what happened to them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.training.hardware import Hardware
from retinula.training.inputs import prepare
from retinula.training.plan import make_plan, make_preprocess
from retinula.training.shown import fed_batch
from retinula.transforms.augment import Drawn
from retinula.transforms.geometry import crop_and_flip, warp, warps

MakeSet = Callable[..., ImageSet]
PLAIN = Hardware("cpu", 1, False, "float32", "for the test")
ALL = (
    "augment.rotate=15",
    "augment.zoom=[0.8,1.25]",
    "augment.shear=10",
    "augment.flip=random",
    "augment.vertical_flip=true",
    "augment.crop_padding=2",
    "augment.photo=0.5",
    "augment.hue=0.1",
    "augment.contrast=[0.5,1.5]",
    "augment.brightness=0.2",
    "augment.saturation=[0.5,1.5]",
    "augment.cutout=3",
    "augment.noise=[0.01,0.1]",
    "augment.mixup=0.5",
    "augment.cutmix=0.5",
    "augment.probability=0.7",
    "batch_size=40",
)


@pytest.mark.parametrize("setting", ["early_stopping=2", "sizes=[[0.0, 6]]", "steps=1"])
def test_whether_training_would_be_worth_it_is_no_matter(setting: str, make_set: MakeSet) -> None:
    recipe = load_recipe("digits", ["schedule=constant", "warmup=0.1", setting])
    assert len(fed_batch(recipe, make_set(20), most=3).pictures) == 3


def test_what_is_told_is_what_was_done(make_set: MakeSet) -> None:
    train_set = make_set(60, channels=3)
    settings = ["augment.flip=random", "augment.vertical_flip=true", "augment.crop_padding=2", "batch_size=40"]
    recipe = load_recipe("digits", settings)
    fed = fed_batch(recipe, train_set, most=40)
    assert (fed.step, fed.size, len(fed.pictures)) == (0, 40, 40)
    for each in fed.pictures:
        assert np.array_equal(each.original, train_set.images[each.index])
        assert train_set.labels is not None
        assert each.label == train_set.classes[train_set.labels[each.index]]
        moves = {"up": 0, "down": 0, "left": 0, "right": 0}
        for words in each.words:
            if words.startswith("moved "):
                for step in words.removeprefix("moved ").split(", "):
                    number, way = step.split()
                    moves[way] = int(number)
        again = crop_and_flip(
            torch.from_numpy(each.original[None].copy()),
            size=(8, 8),
            top=torch.tensor([moves["up"] - moves["down"]]),
            left=torch.tensor([moves["left"] - moves["right"]]),
            mirrored=torch.tensor(["mirrored" in each.words]),
            upside_down=torch.tensor(["upside down" in each.words]),
        )
        assert np.array_equal(again[0].numpy(), each.fed), each.words
    assert len({each.words for each in fed.pictures}) > 20


def test_which_way_a_picture_is_turned_is_told(make_set: MakeSet) -> None:
    ways = {"left": 1, "right": -1}
    fed = fed_batch(load_recipe("digits", ["crop_padding=0", "rotate=90"]), make_set(60), most=24)
    for each in fed.pictures:
        _, degrees, way = (each.words or ("turned 0 left",))[0].split()
        exact = torch.tensor([float(degrees.removesuffix("\u00b0"))]) * ways[way]
        again = warp(torch.from_numpy(each.original[None].copy()), warps(1, turned=exact), size=(8, 8))[0].numpy()
        assert abs(again.astype(int) - each.fed).mean() < 3, "told to whole degrees"
    said = {words.split()[2] for each in fed.pictures for words in each.words}
    assert said == set(ways)


def test_telling_what_was_drawn_changes_nothing(make_set: MakeSet) -> None:
    train_set = make_set(60, channels=3)
    recipe = load_recipe("digits", ALL)
    plan = make_plan(recipe, train_set, None, make_preprocess(recipe, train_set), PLAIN)
    (batch,) = plan.batches.batches(1, 2)
    drawn: Drawn = {}
    told, untold = prepare(plan, batch, drawn), prepare(plan, batch)
    assert torch.equal(told.inputs, untold.inputs)
    assert torch.equal(told.targets, untold.targets)
    assert len(drawn) > 12
    assert all(values.shape == (len(batch.indices),) for values in drawn.values())


def test_every_kind_of_change_has_its_words(make_set: MakeSet) -> None:
    fed = fed_batch(load_recipe("digits", ALL), make_set(60, channels=3), most=40)
    said = " ".join(words for each in fed.pictures for words in each.words)
    for word in ("moved", "mirrored", "upside down", "zoom", "JPEG", "hue", "contrast", "brightness", "saturation"):
        assert word in said
    for word in ("turned", "times as large", "leaned", "\u00b0 left", "\u00b0 right"):
        assert word in said
    for word in ("covered at", "noise 0.0", "mixed with class", "a box of class"):
        assert word in said
    assert "-0" not in said
    # Those that the coin leaves alone are neither moved nor recoloured.
    assert 4 < sum(not any("hue" in words for words in each.words) for each in fed.pictures) < 25


def test_what_is_cut_and_what_is_left_as_it_is(make_set: MakeSet) -> None:
    cut = fed_batch(load_recipe("digits", ["random_crop=[6,6]", "crop=[6,6]", "crop_padding=0"]), make_set(60))
    for each in cut.pictures:
        (words,) = each.words
        top, left = map(int, words.removeprefix("cut at ").split(", "))
        assert np.array_equal(each.fed, each.original[:, top : top + 6, left : left + 6])
    plain = fed_batch(load_recipe("digits", ["crop_padding=0"]), make_set(60))
    assert all(not each.words and np.array_equal(each.fed, each.original) for each in plain.pictures)


def test_a_recipe_that_begins_from_a_model_and_one_that_does_not_fit(make_set: MakeSet) -> None:
    transfer = load_recipe("cifar100-transfer")
    assert {"mirrored"} <= {words for each in fed_batch(transfer, make_set(60)).pictures for words in each.words}
    with pytest.raises(InputError, match="training would show pictures of"):
        fed_batch(load_recipe("digits", ["random_crop=[9,9]", "crop=[8,8]"]), make_set(60))
