import pytest

from retinula import bench
from retinula.bench import first_answer_seconds, matrix_peak, measurable, measure_speed, untrained
from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.model_file import Model
from retinula.recipe import Recipe
from retinula.recipe_files import load_recipe, shipped
from retinula.training.hardware import Hardware

PLAIN = Hardware("cpu", 1, False, "float32", "for the test")


def test_the_figures_fit_together() -> None:
    recipe = load_recipe("digits", ["batch_size=32", "model.arguments.width=0.25", "epochs=3", "validation=0.1"])
    speed = measure_speed(recipe, steps=4, hardware=PLAIN)
    assert (speed.recipe, speed.network) == ("digits", "residual")
    assert speed.hardware == "cpu with 1 thread in float32"
    assert speed.trained == pytest.approx(32 / speed.step_seconds)
    assert speed.predicted > speed.trained / 2, "a pass forward costs less than one forward and backward"
    assert speed.loaded > speed.trained
    assert speed.loading_share == pytest.approx(speed.trained / speed.loaded)
    assert 0 < speed.peak_share < 2
    # 1,442 digits to train on, a tenth set apart: 1,298 pictures, 40 whole batches of 32 and one of 18, three times.
    assert speed.seconds == pytest.approx(3 * 41 * speed.step_seconds)


def test_steps_count_where_a_recipe_counts_them() -> None:
    recipe = load_recipe("cifar10-autoencoder", ["steps=100", "batch_size=2"])
    speed = measure_speed(recipe, steps=3, hardware=PLAIN)
    assert speed.seconds == pytest.approx(100 * speed.step_seconds)


def test_small_pictures_count_for_as_long_as_they_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(recipe: Recipe, noise: ImageSet, hardware: Hardware | None) -> tuple[Model, Hardware, float]:
        model, used, _ = trains(recipe, noise, hardware)
        return model, used, {16: 0.2, 32: 1.0}[recipe.training.sizes[0][1]]

    trains = bench._train
    monkeypatch.setattr(bench, "_train", trained)
    narrow = [f"model.arguments.width{number}=16" for number in (1, 2, 3)]
    recipe = load_recipe("cifar10-glance", [*narrow, "batch_size=8", "steps=100", "sizes=[[0.0, 16], [0.75, 32]]"])
    speed = measure_speed(recipe, steps=3, hardware=PLAIN)
    assert speed.step_seconds == pytest.approx(0.75 * 0.2 + 0.25 * 1.0)
    assert speed.seconds == pytest.approx(40.0)


def test_a_larger_product_takes_no_less_time() -> None:
    assert 1e8 < matrix_peak("float32", side=256, rounds=2) < 1e14


def test_what_cannot_be_measured_says_why() -> None:
    reasons = {name: measurable(load_recipe(name)) for name in shipped()}
    assert reasons["digits"] == ""
    assert reasons["cifar100-transfer"] == "begins from a trained model, recipe:cifar100-mobilenetv2"
    with pytest.raises(InputError, match="recipe cifar100-transfer cannot be measured: it begins from a trained"):
        measure_speed(load_recipe("cifar100-transfer"))


@pytest.mark.slow
def test_the_first_answer_is_timed() -> None:
    assert 0.2 < first_answer_seconds(untrained("cifar10-augmented")) < 120
