"""Ranges and choices are read as they are written, and refused before anything is trained."""

import pytest

from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.recipe.resetting import with_settings
from retinula.tuning.space import (
    Choices,
    Range,
    Value,
    check_space,
    of_one_course,
    own_values,
    read_space,
    settings_for,
)

DIGITS = load_recipe("digits")


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("lr=1e-4..1e-1", Range("optimizer.lr", 1e-4, 1e-1, False, True)),
        ("lr=0.1..0.5", Range("optimizer.lr", 0.1, 0.5, False, False)),
        ("lr=1..10", Range("optimizer.lr", 1.0, 10.0, False, True)),
        ("lr=linear:1e-4..1e-1", Range("optimizer.lr", 1e-4, 1e-1, False, False)),
        ("lr=log:0.1..0.5", Range("optimizer.lr", 0.1, 0.5, False, True)),
        ("weight_decay=0..0.9", Range("optimizer.weight_decay", 0.0, 0.9, False, False)),
        ("batch_size=16..512", Range("training.batch_size", 16, 512, True, False)),
        ("batch_size=log:16..512", Range("training.batch_size", 16, 512, True, True)),
        ("cutmix=0..1", Range("augment.cutmix", 0.0, 1.0, False, False)),
        ("model.arguments.width=1..4", Range("model.arguments.width", 1, 4, True, False)),
        ("model.arguments.width=0.25..2", Range("model.arguments.width", 0.25, 2.0, False, False)),
        ("clip_norm= 1 .. 5 ", Range("optimizer.clip_norm", 1.0, 5.0, False, False)),
        ("optimizer=sgd|adamw|muon", Choices("optimizer.name", ("sgd", "adamw", "muon"))),
        ("crop=[6, 6] | [7, 7]", Choices("inputs.crop", ("[6, 6]", "[7, 7]"))),
    ],
)
def test_a_range_is_what_is_written(text: str, dimension: Range | Choices) -> None:
    space, fixed = read_space([text])
    assert space == (dimension,)
    assert fixed == []
    assert read_space([str(dimension)])[0] == space, "what is written down reads back"
    check_space(DIGITS, space)


def test_all_else_stands() -> None:
    settings = ["epochs=3", "data.name=../photos", "metric=val_loss", "size=[8, 8]"]
    assert read_space(settings) == ((), settings)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["lr=0.1..0.01"], r"optimizer\.lr=0\.1\.\.0\.01: the low end comes first"),
        (["lr=0.1..0.1"], "the low end comes first, and below"),
        (["lr=a..1"], "expected two numbers, as in"),
        (["lr=..1"], "expected two numbers"),
        (["lr=0..inf"], "expected two numbers"),
        (["lr=nan..1"], "expected two numbers"),
        (["lr=log:0..1"], "a logarithmic range begins above 0"),
        (["batch_size=1.5..8"], "training.batch_size=1.5..8: it takes whole numbers"),
        (["optimizer=1..3"], "optimizer.name=1..3: it takes no numbers between others"),
        (["optimizer=sgd|"], "expected different choices"),
        (["optimizer=sgd|sgd"], "expected different choices"),
        (["lrr=0.1..1"], "no setting 'lrr'; did you mean 'lr'"),
        (["lr"], "expected key=value"),
        (["lr=0.1..1", "optimizer.lr=0.5"], "optimizer.lr is given twice"),
        (["lr=0.1..1", "lr=0.1..2"], "optimizer.lr is given twice"),
    ],
)
def test_what_is_no_range_is_named(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_space(texts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "nothing to choose: give a range"),
        (["epochs=3"], "nothing to choose: give a range"),
        (["lr=-1..1"], r"optimizer\.lr: .* greater than 0, not -1"),
        (["momentum=0.5..1.5"], r"optimizer\.momentum: .* less than 1, not 1.5"),
        (["batch_size=0..8"], r"training\.batch_size: .* greater than or equal to 1, not 0"),
        (["optimizer=sgd|adamm"], r"optimizer\.name: .*not 'adamm'"),
        (["nesterov=true|maybe"], r"optimizer\.nesterov: expected true or false"),
        (["momentum=0..0.9"], "nesterov needs momentum above 0"),
        (["seed=0..9"], "seed cannot be chosen by trials: the luckiest seed"),
        (["data=digits|shapes"], "data.name cannot be chosen by trials"),
        (["validation=0.1..0.3"], "data.validation cannot be chosen by trials"),
        (["objective=mse|bce"], "objective.name cannot be chosen"),
        (["metric=val_loss|val_accuracy"], "trials are compared by it"),
        (["tta=none|mirror"], "it changes nothing that is learned"),
        (["track=csv|tensorboard"], "it changes nothing that is learned"),
        (["weights=last|other"], "a study begins from one model"),
    ],
)
def test_what_cannot_be_chosen_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_space(DIGITS, read_space(texts)[0])


def test_values_may_need_each_other() -> None:
    plain = load_recipe("digits", ["momentum=0", "nesterov=false"])
    check_space(plain, read_space(["nesterov=true|false", "momentum=0.5..0.9"])[0])
    with pytest.raises(InputError, match="nesterov needs momentum"):
        check_space(plain, read_space(["nesterov=true|false"])[0])


def test_reconstructions_are_compared_on_what_stays_the_same() -> None:
    with pytest.raises(InputError, match="noise cannot be chosen by trials"):
        check_space(load_recipe("cifar10-denoise"), read_space(["noise=[0.1, 0.1]|[0.2, 0.2]"])[0])
    check_space(DIGITS, read_space(["noise=[0.1, 0.1]|[0.2, 0.2]"])[0])


def test_a_trial_is_a_recipe() -> None:
    space, _ = read_space(["lr=1e-5..1", "batch_size=16..64", "optimizer=sgd|adamw", "crop=[6, 6]|[7, 7]"])
    values: dict[str, Value] = {
        "optimizer.lr": 1e-5,
        "training.batch_size": 32,
        "optimizer.name": "adamw",
        "inputs.crop": "[7, 7]",
    }
    settings = settings_for(space, values)
    assert settings[:2] == ["optimizer.lr=1e-05", "training.batch_size=32"]
    recipe = with_settings(DIGITS, ["nesterov=false", *settings])
    assert (recipe.optimizer.lr, recipe.training.batch_size, recipe.inputs.crop) == (1e-5, 32, (7, 7))


def test_the_recipes_own_values_are_known_where_they_are_held() -> None:
    texts = ["lr=0.01..1", "batch_size=100..200", "optimizer=adamw|sgd", "nesterov=true|false", "peak=0.5..0.6"]
    space, _ = read_space(texts)
    assert own_values(DIGITS, space) == {"optimizer.lr": 0.1, "optimizer.name": "sgd", "optimizer.nesterov": "true"}


@pytest.mark.parametrize(
    ("base", "text", "own"),
    [
        ([], "model.arguments.width=0.5|1.0", "1.0"),
        ([], "model.arguments.width=1|2", "1"),
        ([], "model.arguments.width=0.5..2.0", 1.0),
        ([], "model.arguments.width=1..2", 1),
        (["model.arguments.width=1.5"], "model.arguments.width=1..2", None),
        (["model.arguments.width=0.5"], "model.arguments.width=0.5|1.0", "0.5"),
        ([], "model.arguments.width=0.25|0.5", None),
        (["random_crop=6"], "random_crop=6|7", "6"),
        (["random_crop=6"], "random_crop=[7, 7]|[6, 6]", "[6, 6]"),
        (["momentum=0", "nesterov=false"], "nesterov=true|false", "false"),
        (["size=8"], "size=[8, 8]|[9, 9]", "[8, 8]"),
        ([], "size=[8, 8]|[9, 9]", None),
    ],
)
def test_own_values_are_compared_as_they_are_checked(base: list[str], text: str, own: Value | None) -> None:
    space, _ = read_space([text])
    found = own_values(load_recipe("digits", base), space)
    assert found == ({} if own is None else {space[0].key: own})
    assert [type(value) for value in found.values()] == ([] if own is None else [type(own)])


@pytest.mark.parametrize(
    ("text", "comparable"),
    [
        ("lr=0.01..1", True),
        ("model=residual|whitened", True),
        ("early_stopping=2|3", True),
        ("epochs=4..12", False),
        ("steps=10..20", False),
        ("least_steps=10..20", False),
        ("batch_size=16|32", False),
        ("average=0|0.99", False),
        ("sizes=[[0, 8]]|[[0, 6], [0.5, 8]]", False),
        ("schedule=cosine|constant", False),
        ("peak=0.2..0.4", False),
    ],
)
def test_trials_of_other_courses_are_not_compared_on_their_way(text: str, comparable: bool) -> None:
    assert of_one_course(read_space(["weight_decay=0..0.1", text])[0]) == comparable
