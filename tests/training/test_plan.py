from collections.abc import Callable

import pytest

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.recipe_files import load_recipe
from retinula.shrinking import Views
from retinula.training.hardware import Hardware
from retinula.training.plan import make_plan, make_preprocess


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
