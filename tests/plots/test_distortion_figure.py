"""The figure of a distorted picture shows what training does to it."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figure_checks import assert_repeats, assert_whole, words
from retinula.errors import InputError
from retinula.plots.distortion import _WORDS, distortions
from retinula.recipe.files import load_recipe
from retinula.transforms.augment import Augment, augment_images
from retinula.transforms.batches import generator_for

PICTURE = np.random.default_rng(0).integers(0, 200, (3, 32, 32), dtype=np.uint8)
PUBLISHED = Augment(**load_recipe("cifar10-augmented").augment.model_dump())


def shown(figure: Figure) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Return the picture and the nine made of it, each `[H, W, 3]`."""
    left, right = (np.asarray(axes.images[0].get_array()) for axes in figure.axes)
    side, gap = (24, 2) if "24 x 24" in figure.axes[1].get_title() else (32, 2)
    places = [number * (side + gap) for number in range(3)]
    return left, [right[top : top + side, start : start + side] for top in places for start in places]


def test_nine_pictures_of_the_augmentation_itself_beside_the_original() -> None:
    figure = distortions(PICTURE, PUBLISHED, name="frog", recipe="cifar10-augmented", seed=3)
    left, nine = shown(figure)
    assert np.array_equal(left, PICTURE.transpose(1, 2, 0))
    expected = augment_images(
        torch.from_numpy(np.repeat(PICTURE[None], 9, axis=0)),
        PUBLISHED,
        generator_for(3, "augment"),
        indices=torch.arange(9),
        epoch=0,
        seed=3,
    )
    for got, wanted in zip(nine, expected.numpy(), strict=True):
        np.testing.assert_allclose(got / 255, wanted.transpose(1, 2, 0), atol=0.5 / 255 + 1e-6)
    assert [axes.get_title() for axes in figure.axes] == ["as it is, 32 x 32", "in training, 24 x 24"]
    assert words(figure) == (
        "frog as training with cifar10-augmented shows it Each time anew: flipped left to right, cut to 24 x 24, "
        "hue \u00b10.05, contrast 0.3 to 1, brightness \u00b10.2, saturation 0 to 2."
    )
    assert_whole(figure)


def test_only_what_is_done_is_named_and_bytes_stay_bytes() -> None:
    figure = distortions(PICTURE, Augment(flip="alternating", cutout=8), name="a long name " * 9, recipe="x")
    assert words(figure).endswith("Each time anew: flipped left to right, a square of 8 x 8 pixels covered.")
    _, nine = shown(figure)
    covered = [(picture == 128).all(axis=2).sum() for picture in nine]
    assert all(16 <= number <= 64 for number in covered)
    assert_whole(figure)


def test_noise_is_drawn_and_how_often_nothing_is_changed_is_told() -> None:
    figure = distortions(PICTURE, Augment(noise=(0.1, 0.1)), name="frog", recipe="x")
    assert words(figure).endswith("Each time anew: noise of deviation 0.1 to 0.1.")
    for picture in shown(figure)[1]:
        difference = picture / 255 - PICTURE.transpose(1, 2, 0) / 255
        assert 0.07 < difference.std() < 0.11
    seldom = distortions(PICTURE, Augment(vertical_flip=True, probability=0.25), name="frog", recipe="x")
    assert words(seldom).endswith("With probability 0.75 a picture is neither moved nor recoloured.")
    assert_whole(seldom)


def test_making_pictures_look_like_photos_is_named_and_drawn() -> None:
    figure = distortions(PICTURE, Augment(photo=0.5), name="frog", recipe="x")
    assert words(figure).endswith("Each time anew: reframed, softened and stored as JPEG in 50 % of cases.")
    left, nine = shown(figure)
    assert 0 < sum(np.array_equal(picture, left) for picture in nine) < 9
    assert_whole(figure)


def test_turns_scales_and_leans_are_named_and_drawn() -> None:
    figure = distortions(PICTURE, Augment(rotate=15.0, zoom=(0.8, 1.25), shear=5.0), name="frog", recipe="x")
    assert words(figure).endswith(
        "Each time anew: turned by up to 15\u00b0 either way, made 0.8 to 1.25 times as large, "
        "leaned by up to 5\u00b0 either way."
    )
    left, nine = shown(figure)
    assert not any(np.array_equal(picture, left) for picture in nine)
    assert_whole(figure)


def test_whatever_may_happen_to_a_single_picture_has_its_words() -> None:
    of_all = {"probability", "mixup", "cutmix"}
    assert set(_WORDS) == {field.name for field in fields(Augment)} - of_all


def test_grey_pictures_are_drawn_too() -> None:
    _, nine = shown(distortions(PICTURE[:1], Augment(crop_padding=2), name="3", recipe="x"))
    assert nine[0].shape == (32, 32, 3)


def test_another_seed_gives_other_pictures_and_the_same_seed_the_same_files(tmp_path: Path) -> None:
    first, other = (shown(distortions(PICTURE, PUBLISHED, name="a", recipe="b", seed=seed))[1] for seed in (0, 1))
    assert not any(np.array_equal(one, two) for one, two in zip(first, other, strict=True))
    assert_repeats(lambda: distortions(PICTURE, PUBLISHED, name="a", recipe="b"), tmp_path)


def test_an_augmentation_that_does_nothing_to_one_picture_is_refused() -> None:
    for augment in (Augment(), Augment(mixup=0.2)):
        with pytest.raises(InputError, match="plain shows every picture as it is"):
            distortions(PICTURE, augment, name="frog", recipe="plain")
    with pytest.raises(InputError, match="larger than the pictures"):
        distortions(PICTURE[:, :8, :8], PUBLISHED, name="frog", recipe="x")
