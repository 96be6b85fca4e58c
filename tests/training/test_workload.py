import pytest

from retinula.recipe.files import load_recipe
from retinula.training.workload import num_images_of, num_steps_of, passes_of

UNCHOSEN = ("validation=0", "early_stopping=0")


@pytest.mark.parametrize(
    ("name", "settings", "steps"),
    [
        ("cifar10-cnn", ["epochs=2", "batch_size=100"], 1000),
        ("cifar10-cnn", ["epochs=2", "batch_size=100", "data.classes=['cat', 'dog']"], 200),
        ("cifar10-cnn", ["epochs=2", "batch_size=100", "data.classes=[0]", "validation=0.1"], 90),
        ("cifar10-cnn", ["epochs=1", "batch_size=300", "drop_last=true"], 166),
        ("cifar100-cnn", ["labels=coarse", *UNCHOSEN, "epochs=1", "batch_size=100", "data.classes=[0, 1]"], 50),
        ("cifar10-cnn", ["steps=7", "data.classes=[0]"], 7),
        ("cifar10-cnn", ["epochs=1", "batch_size=100", "least_steps=501"], 1000),
    ],
)
def test_the_steps_of_a_training_follow_its_classes(name: str, settings: list[str], steps: int) -> None:
    assert num_steps_of(load_recipe(name, settings)) == steps


@pytest.mark.parametrize(
    ("data", "num_images"),
    [
        ("digits", 1442),
        ("caltech101", 8677 - 1735),
        ("caltech256-clutter", 30_607 - 6121),
        ("hasyv2", 168_233 - 16_823),
        ("stl10", 5000),
    ],
)
def test_what_is_set_apart_for_testing_is_not_trained_on(data: str, num_images: int) -> None:
    assert num_images_of(load_recipe("default", [f"data={data}", *UNCHOSEN])) == (num_images, 0)


def test_a_fold_may_have_fewer_pictures_than_the_usual_split() -> None:
    assert num_images_of(load_recipe("default", ["data=stl10", "data.fold=3", *UNCHOSEN])) == (1000, 0)


def test_what_is_validated_on_is_not_trained_on() -> None:
    assert num_images_of(load_recipe("default", ["data=caltech101", "validation=0.1"])) == (6942 - 694, 694)


def test_sam_asks_for_gradients_twice() -> None:
    assert [passes_of(load_recipe("digits", [f"optimizer={name}"])) for name in ("sgd", "sam")] == [3, 6]
