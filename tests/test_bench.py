from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch

from retinula import bench
from retinula.bench import (
    first_answer_seconds,
    matrix_peak,
    measurable,
    measure_speed,
    measure_speeds,
    measured_batch,
    untrained,
)
from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe, shipped
from retinula.recipe.recipe import Recipe
from retinula.trained.model_file import Model
from retinula.training.averaging import WeightAverage
from retinula.training.hardware import Hardware
from retinula.training.plan import Plan
from retinula.training.validation import validate
from retinula.training.workload import noise_for

PLAIN = Hardware("cpu", 1, False, "float32", "for the test")
UNCHOSEN = ("validation=0", "early_stopping=0")


def steps_take(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[Recipe], float]) -> list[Recipe]:
    """Let steps take so long, however long they take; return the recipes they were made by, in turn."""
    trains, stepped = bench._train, list[Recipe]()

    def trained(recipe: Recipe, num_measured: int, noise: ImageSet, hardware: Hardware) -> tuple[Model, float]:
        stepped.append(recipe)
        model, _ = trains(recipe, num_measured, noise, hardware)
        return model, seconds(recipe)

    monkeypatch.setattr(bench, "_train", trained)
    return stepped


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
    assert speed.seconds == pytest.approx(3 * 41 * speed.step_seconds + speed.epoch_ends_seconds)
    assert speed.epoch_ends_seconds > 0


def test_steps_count_where_a_recipe_counts_them() -> None:
    recipe = load_recipe("cifar10-autoencoder", ["steps=100", "batch_size=2"])
    speed = measure_speed(recipe, steps=3, hardware=PLAIN)
    assert speed.seconds == pytest.approx(100 * speed.step_seconds)


def test_small_pictures_count_for_as_long_as_they_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    steps_take(monkeypatch, lambda recipe: {16: 0.2, 32: 1.0}[recipe.training.sizes[0][1]])
    narrow = [f"model.arguments.width{number}=16" for number in (1, 2, 3)]
    recipe = load_recipe("cifar10-glance", [*narrow, "batch_size=8", "steps=100", "sizes=[[0.0, 16], [0.75, 32]]"])
    speed = measure_speed(recipe, steps=3, hardware=PLAIN)
    assert speed.step_seconds == pytest.approx(0.75 * 0.2 + 0.25 * 1.0)
    assert speed.seconds == pytest.approx(40.0)


def test_a_long_step_is_measured_with_fewer_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    stepped = steps_take(monkeypatch, lambda _: 0.3)
    loads, batches_loaded = bench._loading_seconds, list[int]()

    def loaded(recipe: Recipe, num_measured: int, noise: ImageSet, hardware: Hardware) -> float:
        batches_loaded.append(recipe.training.batch_size)
        return loads(recipe, num_measured, noise, hardware)

    monkeypatch.setattr(bench, "_loading_seconds", loaded)
    monkeypatch.setattr(bench, "_update_seconds", lambda *_: 0.1)
    recipe = load_recipe("digits", ["batch_size=100", "steps=7"])
    speed = measure_speed(recipe, steps=3, hardware=PLAIN, num_images=20)
    assert [each.training.batch_size for each in stepped] == [20]
    assert batches_loaded == [100], "but all of a batch is loaded"
    assert speed.step_seconds == pytest.approx(0.1 + 5 * 0.2)
    assert speed.trained == pytest.approx(100 / 1.1)
    assert speed.loading_share == pytest.approx(speed.trained / speed.loaded)
    assert speed.seconds == pytest.approx(7 * 1.1 + speed.epoch_ends_seconds)


def test_steps_of_fewer_pictures_leave_muons_part_to_its_own_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    stepped = steps_take(monkeypatch, lambda _: 0.3)
    monkeypatch.setattr(bench, "_update_seconds", lambda recipe, _: {"muon": 0.5}[recipe.optimizer.name])
    recipe = load_recipe("digits", ["optimizer=muon", "batch_size=100"])
    assert measure_speed(recipe, steps=3, hardware=PLAIN, num_images=20).step_seconds == pytest.approx(0.5 + 5 * 0.3)
    assert measure_speed(recipe, steps=3, hardware=PLAIN).step_seconds == pytest.approx(0.3)
    assert [each.optimizer.name for each in stepped] == ["sgd", "muon"]
    assert [each.training.average for each in stepped] == [0.0, 0.99], "taking in the weights is in that part"


@pytest.mark.parametrize("optimizer", ["sgd", "muon", "sam"])
def test_the_optimizer_takes_a_part_of_a_step(optimizer: str) -> None:
    recipe = load_recipe("digits", [f"optimizer={optimizer}", "batch_size=64"])
    whole = measure_speed(recipe, steps=4, hardware=PLAIN)
    assert 0 < bench._update_seconds(recipe, PLAIN) < whole.step_seconds
    few = measure_speed(recipe, steps=4, hardware=PLAIN, num_images=32)
    assert whole.step_seconds / 4 < few.step_seconds < 4 * whole.step_seconds


@pytest.mark.parametrize(("average", "taken_in"), [(0.9, [1, 2, 3, 4]), (0.0, [])])
def test_taking_in_the_weights_is_in_the_part_that_is_the_same_for_any_number_of_pictures(
    average: float, taken_in: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[int]()
    monkeypatch.setattr(WeightAverage, "update", lambda _, network, step: seen.append(step))
    bench._update_seconds(load_recipe("digits", [f"training.average={average}"]), PLAIN)
    assert seen == taken_in


@pytest.mark.parametrize(
    ("name", "settings", "seconds"),
    [
        # Of 1,298 pictures in batches of 32 an average needs all; 144 are set apart.
        ("digits", ["epochs=3"], 3 * (144 * 1.0 + 1298 * 100.0)),
        ("digits", ["epochs=3", "training.average=0"], 3 * 144 * 1.0),
        ("digits", ["epochs=3", *UNCHOSEN], 1442 * 100.0),
        ("digits", ["epochs=3", *UNCHOSEN, "snapshots=true"], 3 * 1442 * 100.0),
        ("digits", ["epochs=3", *UNCHOSEN, "training.average=0"], 0.0),
        ("digits", ["steps=42"], 2 * (144 * 1.0 + 1298 * 100.0)),
        ("digits", ["steps=2"], 144 * 1.0 + 64 * 100.0),
        ("digits", ["epochs=3", "sizes=[[0.0, 8], [0.75, 16]]"], 3 * (144 * 1.0 + 1298 * 100.0)),
        ("digits", ["epochs=3", *UNCHOSEN, "sizes=[[0.0, 8], [0.75, 16]]"], 1442 * 100.0),
        ("cifar10-code256", ["epochs=3", "validation=0.02"], 3 * (1000 * 1.0 + 4096 * 100.0)),
    ],
)
def test_the_ends_of_epochs_count(
    name: str, settings: list[str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_validation_seconds", lambda *_: 1.0)
    monkeypatch.setattr(bench, "_renewal_seconds", lambda *_: 100.0)
    recipe = load_recipe(name, ["batch_size=32", *settings])
    assert bench._epoch_ends_seconds(recipe, 32, 3, noise_for(recipe, 96), PLAIN) == pytest.approx(seconds)


def test_the_end_of_an_epoch_is_measured_by_what_a_training_does_there(monkeypatch: pytest.MonkeyPatch) -> None:
    renews, renewed, validated = WeightAverage.renew_statistics, list[int](), list[int]()

    def renew(self: WeightAverage, batches: Iterable[torch.Tensor], *options: Any) -> int:
        renewed.append(renews(self, batches, *options))
        return renewed[-1]

    def validating(plan: Plan, network: torch.nn.Module, image_set: ImageSet) -> tuple[float, float | None]:
        validated.append(len(image_set))
        return validate(plan, network, image_set)

    monkeypatch.setattr(WeightAverage, "renew_statistics", renew)
    monkeypatch.setattr(bench, "validate", validating)
    recipe = load_recipe("digits", ["batch_size=32"])
    assert bench._epoch_ends_seconds(recipe, 16, 3, noise_for(recipe, 48), PLAIN) > 0
    assert (validated, renewed) == ([16, 48], [16, 16, 16])


def test_sam_works_twice_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    steps_take(monkeypatch, lambda _: 0.5)
    monkeypatch.setattr(bench, "matrix_peak", lambda _: 1e10)
    narrow = ["batch_size=32", "model.arguments.width=0.25"]
    sgd, sam = (load_recipe("digits", [f"optimizer={name}", *narrow]) for name in ("sgd", "sam"))
    of_sgd, of_sam = (measure_speed(recipe, steps=2, hardware=PLAIN).peak_share for recipe in (sgd, sam))
    assert of_sam == pytest.approx(2 * of_sgd)
    affordable = [measured_batch(recipe.changed(training={"batch_size": 10_000})) for recipe in (sgd, sam)]
    assert affordable[0] == pytest.approx(2 * affordable[1], abs=2)


def test_the_measured_pictures_follow_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("cifar10-best")
    whole = recipe.training.batch_size
    pictures = []
    for peak in (1e9, 1e12, 2e12, 1e15):
        monkeypatch.setattr(bench, "matrix_peak", lambda _, peak=peak: peak)
        pictures.append(measured_batch(recipe))
    assert pictures[0] == bench.FEWEST < pictures[1] < pictures[2] < pictures[3] == whole
    assert pictures[2] == pytest.approx(2 * pictures[1], abs=2)


def test_recipes_of_one_network_share_the_choice_of_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(recipe: Recipe, num_images: int) -> Hardware:
        asked.append(recipe.name)
        return PLAIN

    asked = list[str]()
    monkeypatch.setattr(bench, "_choose", chosen)
    narrow = [f"model.arguments.width{number}=16" for number in (1, 2, 3)]
    few = ["batch_size=8", "sizes=[]", "model.arguments.activation=gelu", *narrow]
    recipes = [load_recipe(name, few) for name in ("cifar10-fast", "cifar100-fast")]
    recipes.append(load_recipe("cifar10-fast", [*few, "model.arguments.width1=32"]))
    assert [speed.recipe for speed in measure_speeds(recipes)] == ["cifar10-fast", "cifar100-fast", "cifar10-fast"]
    assert asked == ["cifar10-fast", "cifar10-fast"]


@pytest.mark.parametrize(
    ("peak", "device", "precision", "asked"),
    [
        (1e10, "cpu", "auto", "float32"),
        (3e10, "cpu", "auto", "auto"),
        (1e10, "cuda", "auto", "auto"),
        (1e10, "cpu", "bfloat16", "bfloat16"),
    ],
)
def test_bfloat16_is_not_tried_where_products_show_that_it_is_hopeless(
    peak: float, device: str, precision: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(*_: object, precision: str, **__: object) -> Hardware:
        seen.append(precision)
        return PLAIN

    seen = list[str]()
    monkeypatch.setattr(bench, "matrix_peak", {"float32": 1e11, "bfloat16": peak}.__getitem__)
    monkeypatch.setattr(bench, "available_device", lambda: device)
    monkeypatch.setattr(bench, "choose_hardware", choose)
    bench._choose(load_recipe("digits", [f"training.precision={precision}"]), 16)
    assert seen == [asked]


def test_a_larger_product_takes_no_less_time() -> None:
    assert 1e8 < matrix_peak("float32", side=256, rounds=2) < 1e14


def test_the_peak_is_measured_with_the_threads_that_a_training_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(*_: object) -> float:
        threads.append(torch.get_num_threads())
        return 1e-3

    threads, before = list[int](), torch.get_num_threads()
    monkeypatch.setattr(bench, "_product_seconds", seconds)
    monkeypatch.setattr(bench, "available_threads", lambda: 3)
    try:
        matrix_peak.__wrapped__("float32")
    finally:
        torch.set_num_threads(before)
    assert threads == [3, 3]


def test_a_product_that_would_take_long_is_tried_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(kind: torch.dtype, side: int, rounds: int) -> float:
        sides.append(side)
        return side**3 / {torch.float32: 1e11, torch.bfloat16: 1e8}[kind]

    sides = list[int]()
    monkeypatch.setattr(bench, "_product_seconds", seconds)
    assert matrix_peak.__wrapped__("float32") == pytest.approx(1e11)
    assert sides == [256, 2048]
    assert matrix_peak.__wrapped__("bfloat16") == pytest.approx(1e8)
    assert sides == [256, 2048, 256]


def test_what_cannot_be_measured_says_why() -> None:
    reasons = {name: measurable(load_recipe(name)) for name in shipped()}
    assert reasons["digits"] == ""
    assert reasons["cifar100-transfer"] == "begins from a trained model, recipe:cifar100-mobilenetv2"
    assert reasons["default"] == ""
    assert (
        measurable(load_recipe("default", ["data=cifar10-c"]))
        == "has nothing to train on: cifar10-c is for evaluation only"
    )
    with pytest.raises(InputError, match="recipe cifar100-transfer cannot be measured: it begins from a trained"):
        measure_speed(load_recipe("cifar100-transfer"))


@pytest.mark.slow
def test_the_first_answer_is_timed() -> None:
    assert 0.2 < first_answer_seconds(untrained("cifar10-augmented")) < 120
