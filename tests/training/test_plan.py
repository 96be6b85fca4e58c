from collections.abc import Callable
from dataclasses import asdict

import pytest

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.pictures.views import Views
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.training.hardware import Hardware
from retinula.training.plan import augment_of, check_worth_beginning, make_plan, make_preprocess
from retinula.transforms.augment import Augment


def test_the_filter_and_the_views_of_photos_go_from_the_recipe_into_the_model(
    make_set: Callable[..., ImageSet],
) -> None:
    settings = ["resample=lanczos", "crops=5", "scales=[1.0, 0.8]", "zooms=[0.9]", "prediction.mirror=true"]
    form = make_preprocess(load_recipe("digits", settings), make_set(20))
    assert form.resample == "lanczos"
    assert form.views == Views(5, (1.0, 0.8), (0.9,), mirror=True)
    assert not form.plain


@pytest.mark.parametrize("name", ["digits", "cifar10-cnn"])
def test_unless_told_the_whole_is_looked_at_by_the_bicubic_filter(name: str, make_set: Callable[..., ImageSet]) -> None:
    assert make_preprocess(load_recipe(name), make_set(20)).plain


def test_a_recipe_has_every_setting_of_augmentation_at_the_same_default() -> None:
    recipe = Recipe(name="plain")
    assert recipe.augment.model_dump() == asdict(Augment())
    assert augment_of(recipe) == Augment()


def test_an_unknown_network_is_named_with_the_nearest(make_set: Callable[..., ImageSet]) -> None:
    recipe, train_set = load_recipe("digits", ["model=residul"]), make_set(20)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    with pytest.raises(InputError, match="no network 'residul'; did you mean 'residual'"):
        make_plan(recipe, train_set, None, make_preprocess(recipe, train_set), plain)


@pytest.mark.parametrize("name", ["cifar10-denoise", "code-autoencoder"])
def test_networks_that_give_their_inputs_back_take_them_in_0_to_1_alone(
    name: str, make_set: Callable[..., ImageSet]
) -> None:
    settings = [f"model={name}", "objective=mse", "metric=val_loss"]
    for unfit in (["normalise=dataset"], ["normalise=unit", "mean=[0.5]", "std=[1]"], ["mean=[0]", "std=[0.5]"]):
        with pytest.raises(InputError, match=f"{name} takes pictures in 0..1: give inputs.normalise=unit"):
            make_preprocess(load_recipe("digits", [*settings, *unfit]), make_set(20))
    for fit in (["normalise=unit"], ["mean=[0]", "std=[1]"]):
        assert make_preprocess(load_recipe("digits", [*settings, *fit]), make_set(20)).mean == (0.0,)


def test_a_network_that_learns_its_inputs_takes_them_on_any_scale(make_set: Callable[..., ImageSet]) -> None:
    settings = ["model=cifar10-autoencoder", "objective=bce", "metric=val_loss", "normalise=dataset"]
    train_set = make_set(20)
    assert make_preprocess(load_recipe("digits", settings), train_set).mean == train_set.statistics()[0]


@pytest.mark.parametrize(
    ("num_images", "settings", "epochs", "words"),
    [
        (
            100,
            [],
            250,
            "100 pictures: 250 epochs instead of 20, so that there are at least 500 steps (training.least_steps)",
        ),
        (
            65,
            [],
            500,
            "65 pictures: 500 epochs instead of 20, so that there are at least 500 steps (training.least_steps)",
        ),
        (1600, [], 20, ""),
        (100, ["epochs=3"], 3, ""),
        (100, ["steps=3"], 2, ""),
    ],
)
def test_few_pictures_are_seen_more_often_and_that_is_said(
    num_images: int, settings: list[str], epochs: int, words: str, make_set: Callable[..., ImageSet]
) -> None:
    recipe, train_set = load_recipe("default", settings), make_set(num_images)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    plan = make_plan(recipe, train_set, None, make_preprocess(recipe, train_set), plain)
    assert (plan.num_epochs, plan.lengthened) == (epochs, words)


def see_worth(train_set: ImageSet, *settings: str) -> None:
    recipe = load_recipe("digits", list(settings))
    check_worth_beginning(recipe, train_set, None, make_preprocess(recipe, train_set))


def test_early_stopping_needs_pictures_to_choose_by(make_set: Callable[..., ImageSet]) -> None:
    recipe, train_set = load_recipe("digits", ["early_stopping=2"]), make_set(20)
    form = make_preprocess(recipe, train_set)
    words = "^training.early_stopping needs pictures to choose by: give validation_set as well, or training.early_stop"
    with pytest.raises(InputError, match=words):
        check_worth_beginning(recipe, train_set, None, form)
    check_worth_beginning(recipe, train_set, make_set(20, seed=9), form)


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        (["sizes=[[0.0, 6]]"], "6x6"),
        (["sizes=[[0.0, 8], [0.5, 6]]"], "6x6"),
        (["sizes=[[0.0, 6], [0.5, 9]]"], "9x9"),
        (["sizes=[[0.0, 6], [0.91, 8]]"], "6x6"),
        (["sizes=[[0.0, 6], [1.0, 8]]", "steps=100"], "6x6"),
    ],
)
def test_a_training_ends_on_the_side_that_the_network_is_asked_with(
    settings: list[str], side: str, make_set: Callable[..., ImageSet]
) -> None:
    words = f"^training would end on inputs of {side}, but the network is asked with 8x8: training.sizes must come to"
    with pytest.raises(InputError, match=words):
        see_worth(make_set(20), "steps=10", *settings)
    see_worth(make_set(20), "steps=10", "sizes=[[0.0, 6], [0.9, 8]]")  # its very last step is


@pytest.mark.parametrize(
    "settings",
    [
        ["schedule=constant", "warmup=0.1"],
        ["schedule=piecewise", "points=[[0.0, 0.0], [0.5, 1.0], [1.0, 0.0]]"],
        ["schedule=piecewise", "points=[[0.0, 0.0], [1.0, 0.0]]"],
    ],
)
def test_a_training_that_would_move_no_weight_is_refused(
    settings: list[str], make_set: Callable[..., ImageSet]
) -> None:
    words = "^the learning rate would be 0 through the whole training of 1 step, so that no weight would move: train"
    with pytest.raises(InputError, match=words):
        see_worth(make_set(20), "steps=1", *settings)


def test_a_rate_that_rises_from_0_moves_the_weights_in_the_second_step(make_set: Callable[..., ImageSet]) -> None:
    see_worth(make_set(20), "steps=2", "schedule=constant", "warmup=0.1")


def test_cutout_larger_than_the_pictures_is_refused(make_set: Callable[..., ImageSet]) -> None:
    see_worth(make_set(20), "cutout=8")
    with pytest.raises(InputError, match=r"augment\.cutout=9 is larger than the pictures, 8x8: nothing would be left"):
        see_worth(make_set(20), "cutout=9")
    see_worth(make_set(20, size=12), "cutout=10", "random_crop=[10,6]", "crop=[10,6]")
    with pytest.raises(InputError, match=r"augment\.cutout=11 is larger than the pictures, 10x6"):
        see_worth(make_set(20, size=12), "cutout=11", "random_crop=[10,6]", "crop=[10,6]")
