import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from retinula.cli.predict import Filter, Way
from retinula.errors import InputError
from retinula.forms import LARGEST_SIDE, MOST_PARTS, Resample, Resize
from retinula.pictures.views import Views
from retinula.recipe.assignment import parse
from retinula.recipe.files import (
    EXAMPLES,
    brief,
    checked,
    full_key,
    load_recipe,
    override,
    setting_names,
    shipped,
)
from retinula.recipe.recipe import Recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.sections import Augmentation, Data, Inputs, Objective, Prediction, Training
from retinula.recipe.synonyms import ANSWERS, ELSEWHERE, NAMESAKES


@pytest.mark.parametrize("name", shipped())
def test_shipped_recipes_read_and_write_back_equal(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    again = checked(tomllib.loads(recipe.to_toml()), "again")
    assert again == recipe
    assert again.digest() == recipe.digest()


@pytest.mark.parametrize("name", shipped())
def test_shipped_recipes_say_what_they_are(name: str) -> None:
    text = shipped()[name]
    for line in ("# What:", "# Cost:", "# Command: retinula train"):
        assert line in text
    assert ("[[claims]]" in text) == ("# Claim:" in text) == ("source =" in text)


def test_digest_changes_with_what_can_change_the_result_only() -> None:
    recipe = Recipe(name="a")
    assert recipe.digest() == Recipe(name="b", about="other words").digest()
    others = [
        load_recipe("digits", [setting]).digest()
        for setting in (
            "seed=1",
            "lr=0.2",
            "epochs=3",
            "steps=3",
            "flip=random",
            "rotate=10",
            "zoom=[0.9,1.1]",
            "shear=5",
            "data=shapes",
            "crop=[4,4]",
            "crops=3",
            "resample=box",
        )
    ]
    assert len({load_recipe("digits").digest(), *others}) == len(others) + 1


def test_the_digest_of_a_recipe_stays_the_same() -> None:
    # Written down: by it a checkpoint knows its recipe, and a result in a record its experiment.
    assert Recipe(name="a").digest() == "44136fa355b3"
    assert load_recipe("digits").digest() == "6097cb3f97f1"
    assert load_recipe("cifar10-cnn").digest() == "ff4624038d16"


@pytest.mark.parametrize("epochs", [10, 11])
def test_snapshots_do_not_change_the_digest(epochs: int) -> None:
    plain, kept = (Recipe(name="a", training=Training(epochs=epochs, snapshots=kept)) for kept in (False, True))
    assert plain.digest() == kept.digest()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["epoch=3"], "no setting 'epoch'; did you mean 'epochs'"),
        (["epochs=ten"], "recipe digits: training.epochs: expected a whole number, not 'ten'"),
        (["epochs=true"], "training.epochs: expected a whole number, not True"),
        (["epochs=2.5"], "training.epochs: expected a whole number, not 2.5"),
        (["epochs=0"], "training.epochs: .* greater than or equal to 1, not 0"),
        (["lr=nan"], "optimizer.lr: .* finite|optimizer.lr"),
        (["lr=-1"], "optimizer.lr: .* greater than 0, not -1"),
        (["flip=sideways"], "augment.flip: .*'none', 'random' or 'alternating', not 'sideways'"),
        (["resample=nearest"], "inputs.resample: .*'lanczos', not 'nearest'"),
        (["crops=2"], "prediction.crops: .*1, 3 or 5, not 2"),
        (["crops=1", "scales=[0.0]"], "prediction.scales.0: .* greater than 0"),
        (["crops=1", "scales=[]"], "prediction.scales: .* at least 1 item"),
        (["scales=[0.5]"], "prediction: scales are how long the sides of crops are: give prediction.crops"),
        (["zooms=[1.5]"], "prediction.zooms.0: .* less than or equal to 1"),
        (["validation=1"], "data.validation: .* less than 1"),
        (["mean=[0.5]"], "inputs: mean and std belong together"),
        (["momentum=0"], "optimizer: nesterov needs momentum"),
        (["validation=0", "early_stopping=3"], "early stopping needs validation pictures"),
        (["schedule.name=piecewise"], "piecewise needs at least two points"),
        (["schedule=step"], "schedule: step needs milestones, the fractions of the training at which the rate changes"),
        (
            ["schedule=step", "milestones=[0.6,0.3]", "warmup=0.3"],
            "first milestone, 0.3: give a shorter warmup, or 0",
        ),
        (
            ["schedule=one-cycle", "warmup=0.1"],
            "one-cycle rises by itself until its peak, so it has no warmup: schedule.warmup=0",
        ),
        (["sizes=[[0.5,8]]"], "sizes need fractions that begin at 0 and rise"),
        (["sizes=[[0.0,8],[0.0,9]]"], "sizes need fractions that begin at 0 and rise"),
        (["objective.name=mse", "metric=val_loss", "sizes=[[0.0,8]]"], "training.sizes would compare a small"),
        (["objective.name=mse"], "training.metric must be val_loss"),
        (["name=a/b"], "name: .* pattern"),
        (["optimizer.colour=3"], "no setting 'optimizer.colour'"),
        (["batch_size=32.0"], "training.batch_size: expected a whole number, not 32.0"),
        (["lr=fast"], "optimizer.lr: expected a number, not 'fast'"),
        (["lr=inf"], "optimizer.lr: expected a finite number, not inf"),
        (["vertical_flip=1"], "augment.vertical_flip: expected true or false, not 1"),
        (["data=2024"], "data.name: expected text, in quotation marks, not 2024"),
        (["size=32,32"], r"inputs.size: expected a list such as size=\[64, 64\], not '32,32'"),
        (["size=[32]"], r"inputs.size: expected a list such as size=\[64, 64\], not \[32\]"),
        (["crop=[1,2,3]"], r"inputs.crop: expected a list such as crop=\[28, 28\], not \[1, 2, 3\]"),
        (["size=[32.0,32]"], "inputs.size.0: expected a whole number, not 32.0"),
        (["size=true"], "inputs.size: expected a list such as .*, not True"),
        (["size=0"], "inputs.size.0: should be greater than or equal to 1, not 0"),
        (["zoom=0.1"], r"augment.zoom: expected a list such as zoom=\[0.8, 1.25\], not 0.1"),
        (["zoom=[0,1]"], "augment.zoom.0: .* greater than 0"),
        (["rotate=200"], "augment.rotate: .* less than or equal to 180, not 200"),
        (
            ["freeze=10"],
            r"model.freeze: expected true or false, not 10; true trains the head alone; optimizer.body_rate",
        ),
        (
            ["class_weights={a=2}"],
            "class_weights: should be 'none' or 'balanced'; balanced weighs each class by how few",
        ),
        (["schedule=plateau"], "'piecewise', not 'plateau'; no rate waits for a plateau: schedule=cosine"),
        (["sizes=[0.5]"], r"training.sizes: expected a list such as sizes=\[\[0.0, 24\], \[0.5, 32\]\], not 0.5"),
        (["model.arguments.width=[1]"], r"model.arguments.width: expected text or a number, not \[1\]"),
        (["foo=3"], "no setting 'foo'; those of a recipe are shown by: retinula recipes NAME"),
        (["epochs"], "expected key=value"),
        (["=3"], "expected key=value"),
        (["seed=" + "9" * 5000], "recipe digits: seed: expected a whole number"),
        (["seed=0x" + "9" * 5000], "recipe digits: seed: expected a whole number"),
        (["seed=" + "[" * 3000], "recipe digits: seed: expected a whole number"),
        (["model.arguments" + ".a" * 3000 + "=1"], "recipe digits: a number has thousands of digits, or values lie"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(settings: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_recipe("digits", settings)
    assert "\n" not in str(caught.value)


def test_a_last_word_means_one_setting() -> None:
    last_words = [key.rpartition(".")[2] for key in setting_names() if not key.endswith("name")]
    assert len(last_words) == len(set(last_words)) > 30


def test_one_cycle_takes_the_place_of_a_warmup_that_the_recipe_has() -> None:
    schedule = load_recipe("cifar10-code256", ["schedule=one-cycle"]).schedule
    assert (schedule.name, schedule.warmup) == ("one-cycle", 0)
    assert load_recipe("cifar10-code256", ["schedule=constant"]).schedule.warmup == 0.1
    for settings in (["schedule=one-cycle", "warmup=0.1"], ["schedule=step", "milestones=[0.05]"]):
        with pytest.raises(InputError, match=r"has no warmup|give a shorter warmup"):
            load_recipe("cifar10-code256", settings)


def test_settings_by_short_name() -> None:
    recipe = load_recipe("digits", ["steps=7", "lr=0.5", "model=cifar10-cnn", "classes=[1, 'two']", "batch_size=5"])
    assert (recipe.training.steps, recipe.training.epochs) == (7, None)
    assert recipe.optimizer.lr == 0.5
    assert recipe.model.name == "cifar10-cnn"
    assert recipe.data.classes == (1, "two")
    assert override({}, ["model.arguments.width=0.5"]) == {"model": {"arguments": {"width": 0.5}}}
    assert load_recipe("digits", ["model.arguments.width=0.5"]).model.arguments == {"width": 0.5}


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("optimiser", "did you mean 'optimizer'?"),
        ("optim", "did you mean 'optimizer.name'?"),
        ("scheduler", "did you mean 'schedule.name'?"),
        ("learning_rate", "did you mean 'optimizer.lr'?"),
        ("optimizer.learning_rate", "did you mean 'optimizer.lr'?"),
        ("patience", "did you mean 'training.early_stopping'?"),
        ("image_size", "did you mean 'inputs.size'?"),
        ("val", "did you mean 'data.validation'?"),
        ("valid_pct", "did you mean 'data.validation'?"),
        ("augment.colour", "augment has hue, saturation, brightness and contrast"),
        ("dropout", "did you mean 'model.arguments.dropout'?"),
        ("augment", "the section 'augment' has augment.probability, augment.rotate, "),
        ("augmentation", "the section 'augment' has augment.probability, augment.rotate, "),
        ("rotation", "did you mean 'augment.rotate'?"),
        ("degrees", "did you mean 'augment.rotate'?"),
        ("scale", "did you mean 'augment.zoom'?"),
        ("zoom_range", "did you mean 'augment.zoom'?"),
        ("randaugment", "no policy draws what is done: give augment.rotate, zoom"),
        ("cos_lr", "give schedule=cosine"),
        ("save_period", "training.snapshots=true keeps the model after every epoch"),
        ("lr_find", "rates are found by trials: retinula tune RECIPE lr="),
        ("exist_ok", "no run is ever written over: --run takes another name"),
        ("fraction", "a part of the pictures is taken in Python: "),
        ("training.lr", "did you mean 'optimizer.lr'?"),
        ("prediction.zoom", "did you mean 'zooms'?"),
        ("prediction.scale", "did you mean 'scales'?"),
        ("device", "what to compute with is chosen for this machine, by measuring, and written into the run's log.txt"),
        ("workers", "what to compute with is chosen for this machine, "),
    ],
)
def test_what_others_call_a_setting_leads_to_ours(word: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        load_recipe("digits", [f"{word}=1"])
    assert str(refused.value).startswith(f"no setting {word!r}; {hint}")
    if "." not in word and word != "augment":
        (tmp_path / "mine.toml").write_text(f"[training]\n{word} = 1\n")
        with pytest.raises(InputError) as refused:
            load_recipe(tmp_path / "mine.toml")
        assert f"unknown key 'training.{word}'" in str(refused.value)


@pytest.mark.parametrize(
    "word",
    ["rotation", "degrees", "scale", "scales", "zooms", "mirror", "crop", "size", "resize", "lr", "dropout", "x"],
)
def test_no_hint_leads_from_the_augmentation_to_another_section(word: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"[augment]\n{word} = 1\n")
    for source, settings in (("digits", [f"augment.{word}=1"]), (tmp_path / "mine.toml", [])):
        with pytest.raises(InputError) as refused:
            load_recipe(source, settings)
        _, _, hint = str(refused.value).partition("; ")
        named = re.findall(r"\w+(?:\.\w+)*", hint.removeprefix("did you mean ").removeprefix("known: "))
        assert named
        assert {name.removeprefix("augment.") for name in named} <= Augmentation.model_fields.keys()


def test_what_others_call_settings_is_no_setting_of_ours_and_leads_to_one() -> None:
    known = setting_names()
    ours = {*known, *(key.rpartition(".")[2] for key in known), *Recipe.model_fields}
    assert not ours & ELSEWHERE.keys()
    assert not ours & ANSWERS.keys()
    assert not ELSEWHERE.keys() & ANSWERS.keys()
    assert NAMESAKES.keys() <= set(known)
    for meant in ELSEWHERE.values():
        assert meant in ours or meant.startswith("model.arguments."), meant


def test_every_list_has_an_example_that_fits() -> None:
    for key in setting_names():
        section, _, name = key.rpartition(".")
        fields = (Recipe.model_fields[section].annotation if section else Recipe).model_fields  # type: ignore[union-attr]
        kind: Any = fields[name].annotation
        check = TypeAdapter(kind, config={"strict": True})
        if key in EXAMPLES:
            assert check.validate_json(json.dumps(parse(f"{name}={EXAMPLES[key]}")[1]))
        else:
            assert "array" not in json.dumps(check.json_schema()), key


def test_one_number_is_a_square() -> None:
    recipe = load_recipe("digits", ["size=64", "crop=[28, 24]", "random_crop=12"])
    assert (recipe.inputs.size, recipe.inputs.crop, recipe.augment.random_crop) == ((64, 64), (28, 24), (12, 12))
    assert recipe.digest() == load_recipe("digits", ["size=[64, 64]", "crop=[28, 24]", "random_crop=[12, 12]"]).digest()
    assert Inputs(size=(3, 4)).size == (3, 4)


def test_a_brief_name_means_the_same_setting() -> None:
    for key in [*setting_names(), "model.arguments.width"]:
        if key != "name":
            assert full_key(brief(key)) == key


def test_an_own_file_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nepochs = 3\n")
    assert load_recipe(path).name == "mine"
    path.write_text("[training]\nepoch = 3\n")
    with pytest.raises(InputError, match=rf"{path}: unknown key 'training.epoch'; did you mean 'epochs'"):
        load_recipe(path)
    path.write_text("epochs = 3\n")
    with pytest.raises(InputError, match=r"unknown key 'epochs'; did you mean 'training\.epochs'"):
        load_recipe(path)
    path.write_text("training = [")
    with pytest.raises(InputError, match="not valid TOML"):
        load_recipe(path)
    path.write_text("trainings = 3")
    with pytest.raises(InputError, match="unknown key 'trainings'; did you mean 'training'"):
        load_recipe(path)
    for absurd in ("9" * 5000, "0x" + "9" * 5000, "[" * 3000 + "]" * 3000, "1\n" + "a." * 3000 + "a = 1"):
        path.write_text(f"seed = {absurd}")
        with pytest.raises(InputError, match=rf"{path}: a number has thousands of digits, or values lie hundreds deep"):
            load_recipe(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load_recipe(path)
    with pytest.raises(InputError, match=r"missing.toml: no such file"):
        load_recipe(tmp_path / "missing.toml")
    with pytest.raises(InputError, match="no recipe 'cifar10-cn'; did you mean 'cifar10-cnn'"):
        load_recipe("cifar10-cn")


@given(st.text(max_size=30))
def test_any_assignment_is_taken_or_refused_in_words(text: str) -> None:
    with suppress(InputError):
        assert 0 <= load_recipe("digits", [f"seed={text}"]).seed < 2**32


def test_one_length() -> None:
    with pytest.raises(ValueError, match="either epochs or steps"):
        Training()
    with pytest.raises(ValueError, match="either epochs or steps"):
        Training(epochs=1, steps=1)
    with pytest.raises(ValueError, match="least_steps is the least that epochs come to: leave it out where steps are"):
        Training(steps=1, least_steps=1)


@pytest.mark.parametrize(
    ("training", "per_epoch", "steps"),
    [
        (Training(steps=7), 2, 7),
        (Training(epochs=3), 2, 6),
        (Training(epochs=3, least_steps=6), 2, 6),
        (Training(epochs=3, least_steps=7), 2, 8),
        (Training(epochs=3, least_steps=500), 1, 500),
    ],
)
def test_epochs_are_added_whole_until_there_are_the_least_steps(training: Training, per_epoch: int, steps: int) -> None:
    assert training.num_steps(per_epoch) == steps


@pytest.mark.parametrize("word", ["default", "shapes"])
@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ([], (20, None, 500)),
        (["batch_size=8"], (20, None, 500)),
        (["epochs=20"], (20, None, 0)),
        (["steps=30"], (None, 30, 0)),
        (["epochs=4", "least_steps=30"], (4, None, 30)),
        (["least_steps=30"], (20, None, 30)),
    ],
)
def test_who_gives_epochs_or_steps_means_just_that(
    settings: list[str], length: tuple[int | None, int | None, int], word: str
) -> None:
    for recipe in (with_settings(word, settings), with_settings(with_settings(word, []), settings)):
        training = recipe.training
        assert (training.epochs, training.steps, training.least_steps) == length


def test_ways_of_looking_at_photos_are_the_same_in_recipes_on_the_command_line_and_where_they_are_made() -> None:
    assert get_args(Resample) == tuple(Filter)
    assert get_args(Resize) == tuple(Way)[:3]
    for crops in get_args(Prediction.model_fields["crops"].annotation):
        assert Views(crops=crops).number == 1 + crops


def test_a_recipe_is_changed_by_sections_and_not_checked() -> None:
    recipe = load_recipe("cifar10-fast")
    changed = recipe.changed(seed=3, training={"epochs": None, "steps": 7}, data=Data(name="shapes"), model={})
    assert (changed.seed, changed.training.steps, changed.data) == (3, 7, Data(name="shapes"))
    assert changed.training.batch_size == recipe.training.batch_size
    assert (changed.model, changed.optimizer) == (recipe.model, recipe.optimizer)
    assert recipe == load_recipe("cifar10-fast"), "the first stays as it is"
    assert recipe.changed(training={"steps": 7}).training.epochs is not None, "two lengths would be refused if checked"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": {"learning_rate": 5.0}}, "^optimizer has no 'learning_rate'; known: betas, .*lr, "),
        ({"optimiser": {"lr": 5.0}}, "^a recipe has no 'optimiser'; did you mean 'optimizer'?"),
        ({"seed": {"first": 1}}, "^seed is no section"),
    ],
)
def test_what_a_recipe_does_not_have_cannot_be_changed(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(name="a").changed(**changes)


def test_shipped_recipes_are_read_once_and_nobody_alters_them() -> None:
    assert shipped() is shipped()
    with pytest.raises(TypeError, match="does not support item assignment"):
        shipped()["mine"] = ""  # type: ignore[index]


def test_every_objective_but_that_for_classes_reconstructs() -> None:
    names = get_args(Objective.model_fields["name"].annotation)
    assert [name for name in names if not Objective(name=name).reconstructs] == ["cross_entropy"]


def test_sides_and_parts_have_the_bounds_of_what_makes_pictures_small() -> None:
    for key, value in (("size", f"[{LARGEST_SIDE}, 1]"), ("sizes", f"[[0.0, {LARGEST_SIDE}]]")):
        load_recipe("digits", [f"{key}={value}"])
        with pytest.raises(InputError, match=f"less than or equal to {LARGEST_SIDE}"):
            load_recipe("digits", [f"{key}={value.replace(str(LARGEST_SIDE), str(LARGEST_SIDE + 1))}"])
    load_recipe("digits", [f"zooms={[0.5] * MOST_PARTS}"])
    with pytest.raises(InputError, match="zooms"):
        load_recipe("digits", [f"zooms={[0.5] * (MOST_PARTS + 1)}"])


def test_recipes_are_read_without_what_is_slow_to_load() -> None:
    code = (
        "import sys, retinula.recipe.files; print(sorted({'numpy', 'PIL', 'torch', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_the_epsilon_of_adam_is_that_of_the_work_and_at_its_default_no_other_experiment() -> None:
    assert load_recipe("cifar100-cnn").optimizer.eps == 1e-7
    fast = load_recipe("cifar10-fast")
    assert load_recipe("cifar10-fast", ["eps=1e-8"]).digest() == fast.digest()
    assert load_recipe("cifar10-fast", ["optimizer.eps=1e-7"]).digest() != fast.digest()
    with pytest.raises(InputError, match=r"optimizer\.eps"):
        load_recipe("cifar10-fast", ["eps=0"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Recipe(name="x", epochs=3),  # type: ignore[call-arg]  # what is refused
            r"Recipe: epochs: there is no such part; "
            r"give training=retinula\.recipe\.sections\.Training\(epochs=\.\.\.\)",
        ),
        (lambda: Recipe(name="x", sead=3), "Recipe: sead: .*; did you mean 'seed'\\?"),  # type: ignore[call-arg]  # likewise
        (lambda: Recipe(name="x", seed=-1), "Recipe: seed: should be greater than or equal to 0, not -1"),
        (lambda: Recipe(), "Recipe: name: Field required"),  # type: ignore[call-arg]  # likewise
        (lambda: Training(epochs=1, steps=2), "Training: give either epochs or steps"),
        (lambda: Recipe("x"), r"Recipe: give its parts by name, such as name=\.\.\."),  # type: ignore[call-arg]  # likewise
        (
            lambda: Recipe(name="x", optimizer={"momentun": 1}),  # type: ignore[arg-type]  # likewise
            r"Recipe: optimizer\.momentun: there is no such part; did you mean 'momentum'\?",
        ),
    ],
)
def test_a_recipe_made_wrongly_in_python_is_refused_in_one_line(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        make()
