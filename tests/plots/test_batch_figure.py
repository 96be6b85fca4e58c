from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from figure_checks import assert_repeats, assert_whole, words
from retinula.images import ImageSet
from retinula.plots.batch import batch
from retinula.recipe.files import load_recipe
from retinula.training.shown import fed_batch

LONG = "a class whose name is far too long for any picture, " * 3


@pytest.mark.parametrize("number", [1, 5, 24])
def test_nothing_is_cut_and_it_repeats(number: int, make_set: Callable[..., ImageSet], tmp_path: Path) -> None:
    settings = ["augment.flip=random", "augment.hue=0.1", "augment.photo=0.5", "batch_size=30"]
    train_set = replace(make_set(60, channels=3), classes=("owl", LONG, "$x_1$"))
    fed = fed_batch(load_recipe("digits", settings), train_set, most=number)
    figure = batch(fed, name="made", recipe="digits")
    assert_whole(figure)
    said = " ".join(words(figure).split())
    assert f"The first {'1 picture' if number == 1 else f'{min(number, 12)} pictures'} that training" in said
    assert "Batch 1, 30 pictures" in said
    assert "hue" in said
    if number > 4:
        assert " ".join(LONG.split()) in said
    assert_repeats(lambda: batch(fed, name="made", recipe="digits"), tmp_path)


@pytest.mark.parametrize("at", ["class", "name", "nowhere"])
def test_boxes_are_explained_where_they_are_drawn(at: str, make_set: Callable[..., ImageSet]) -> None:
    nushu = chr(0x1B170)  # in no font of an ordinary system
    train_set = replace(make_set(60), classes=("owl", "hen", nushu if at == "class" else "tit"))
    fed = fed_batch(load_recipe("digits"), train_set)
    figure = batch(fed, name=nushu if at == "name" else "made", recipe="digits")
    explained = "\u25a1 is a letter that no font here has" in words(figure)
    assert explained == ("\u25a1" in words(figure)) == (at != "nowhere")
    assert_whole(figure)
