"""Beginning from a trained model: where it is found, what it brings, what it must not contradict."""

import hashlib
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError
from retinula.files.durable import write_json
from retinula.models.catalog import build
from retinula.models.head import head_of
from retinula.pictures.views import Views
from retinula.recipe.files import checked, load_recipe, override
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run, create_run
from retinula.trained.model_file import Model
from retinula.transfer import Source, begin_from, find_weights
from retinula.transforms.preprocess import Preprocess
from small_runs import whole_report
from small_timm import load_timm, publish

FORM = Preprocess(1, (8, 8), (0.25,), (0.5,), resize="pad")


def trained(name: str = "residual", num_classes: int = 4, form: Preprocess = FORM, **arguments: Any) -> Model:
    """A model with weights of chance, which is as good as a trained one here."""
    if name == "residual":
        arguments.setdefault("width", 0.25)
    channels, height, width = form.input_shape
    network = build(name, num_classes=num_classes, channels=channels, size=(height, width), **arguments)
    classes = tuple(f"old {n}" for n in range(num_classes))
    return Model(network.eval(), name, arguments, classes, form, provenance={"recipe": "theirs"})


def saved(path: Path, model: Model | None = None) -> Path:
    (model or trained()).save(path)
    return path


def finished(root: Path, name: str, recipe: str = "digits", *settings: str) -> Run:
    run = create_run(load_recipe("digits", [f"name={recipe}", *settings]), {}, name, root)
    saved(run.model_file)
    write_json(run.report_file, whole_report(recipe=recipe))
    return run


def recipe(weights: str | Path, *settings: str) -> Recipe:
    return load_recipe("digits", [f"weights={json.dumps(str(weights))}", *settings])


@pytest.mark.parametrize("name", ["residual", "mobilenetv2", "cifar10-cnn", "cifar100-cnn", "cifar10-augmented"])
def test_the_head_is_what_gives_the_logits(name: str) -> None:
    network = build(name, num_classes=7, size=(32, 32))
    assert network.get_submodule(head_of(network)).out_features == 7
    with pytest.raises(InputError, match="Autoencoder has no linear layer"):
        head_of(build("cifar10-autoencoder", num_classes=0))


def test_the_recipe_says_all_that_comes_from_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "their.safetensors")
    settled, source = begin_from(recipe(path, "freeze=true"))
    assert (settled.model.name, settled.model.arguments, settled.model.freeze) == ("residual", {"width": 0.25}, True)
    inputs = settled.inputs
    assert (inputs.channels, inputs.size, inputs.mean, inputs.std) == (1, (8, 8), (0.25,), (0.5,))
    assert (inputs.resize, inputs.crop) == ("pad", None)
    assert settled.model.weights_sha256 == source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert source.to_dict() == {"name": path.name, "sha256": source.sha256, "provenance": {"recipe": "theirs"}}
    again = checked(tomllib.loads(settled.to_toml()), "again")
    assert again == settled
    assert begin_from(again)[0] == settled  # a recipe that is written in full begins from the same once more


def test_a_recipe_that_is_given_a_model_to_begin_from_leaves_its_own_normalisation(tmp_path: Path) -> None:
    run = finished(tmp_path, "mine")
    assert "normalise" in run.recipe_file.read_text(), "every key is written out"
    given = [f"weights={json.dumps(str(run.model_file))}"]
    settled, _ = begin_from(load_recipe(run.recipe_file, given))
    assert (settled.inputs.mean, settled.inputs.std) == ((0.25,), (0.5,))
    again = create_run(settled, {}, "again", tmp_path)
    assert begin_from(load_recipe(again.recipe_file, given))[0].inputs == settled.inputs
    with pytest.raises(InputError, match=r"leave inputs\.normalise out"):
        begin_from(load_recipe(run.recipe_file, [*given, "normalise=dataset"]))


def test_photos_are_looked_at_as_the_trained_model_does_unless_told(tmp_path: Path) -> None:
    model = trained()
    form = replace(model.preprocess, resample="lanczos", views=Views(crops=3, zooms=(0.9,)))
    path = saved(tmp_path / "their.safetensors", replace(model, preprocess=form))
    settled = begin_from(recipe(path))[0]
    assert settled.inputs.resample == "lanczos"
    assert (settled.prediction.crops, settled.prediction.zooms) == (3, (0.9,))
    other = begin_from(recipe(path, "resample=box", "crops=5"))[0]
    assert other.inputs.resample == "box"
    assert (other.prediction.crops, other.prediction.zooms) == (5, ())


def test_the_digest_is_of_the_content_and_not_of_the_place(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "one.safetensors"), saved(tmp_path / "other.safetensors")
    same = tmp_path / "same.safetensors"
    same.write_bytes(one.read_bytes())
    digests = [begin_from(recipe(path))[0].digest() for path in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]
    before = begin_from(recipe(one))[0]
    saved(one)
    assert begin_from(recipe(one))[0].digest() != before.digest()
    with pytest.raises(InputError, match=r"is not the file that model\.weights_sha256 names"):
        begin_from(before)
    for setting in ("freeze=true", "body_rate=0.1", "probability=0.5"):
        assert recipe(one, setting).digest() != recipe(one).digest()


def test_a_run_as_shipped_comes_before_newer_ones_with_other_settings(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    changed = finished(root, "changed", "digits", "epochs=1")
    assert find_weights("recipe:digits", root) == changed.model_file
    assert begin_from(recipe("recipe:digits"), root)[1].changed == ("training.epochs=1",)
    assert begin_from(recipe(changed.model_file), root)[1].changed == ()  # as was asked for
    usual = finished(root, "usual", "digits", "seed=7")
    finished(root, "newer", "digits", "model.name=mobilenetv2")
    assert begin_from(recipe("recipe:digits"), root)[1].changed == ()
    assert find_weights("recipe:digits", root) == usual.model_file


def test_a_model_is_whole_whatever_became_of_the_recipe_of_its_run(tmp_path: Path) -> None:
    run = finished(tmp_path / "runs", "mine")
    run.recipe_file.write_text(f"of_another_version = 1\n{run.recipe_file.read_text()}")
    assert begin_from(recipe("recipe:digits"), tmp_path / "runs")[1].changed == ()


def test_runs_are_found_by_name_folder_last_and_recipe(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    old, new = finished(root, "old", "theirs"), finished(root, "new", "theirs")
    begun = create_run(load_recipe("digits", ["name=theirs"]), {}, "begun", root)
    broken = finished(root, "broken", "theirs")
    broken.report_file.write_text("no JSON")
    assert find_weights("old", root) == find_weights(str(old.path), root) == old.model_file
    assert find_weights("recipe:theirs", root) == new.model_file  # neither one that is not finished, nor a broken one
    assert begin_from(recipe("recipe:theirs"), root)[1].name == "new"
    assert begin_from(recipe(old.model_file), root)[1].name == "old"
    latest = finished(root, "latest")
    unfinished = create_run(load_recipe("digits"), {}, "unfinished", root)
    told: list[str] = []
    assert begin_from(recipe("last"), root, told.append)[1].name == "latest"
    assert told == [f"last: {latest.path}, since {unfinished.path} is not finished"]
    for weights, message in (
        ("begun", f"{begun.path} has no model yet; go on with: retinula train --resume"),
        ("recipe:mine", "no finished run of mine in .* train it first with: retinula train mine"),
        ("olb", "there is no network 'olb', nor a run or model file; did you mean 'old'"),
        (str(tmp_path), "no run "),
    ):
        with pytest.raises(InputError, match=message) as caught:
            find_weights(weights, root)
        assert "\n" not in str(caught.value)


def test_a_size_that_leaves_the_layers_as_they_are_is_taken(tmp_path: Path) -> None:
    path = saved(tmp_path / "their.safetensors", trained("mobilenetv2", width=0.1))
    settings = ("size=[24,20]", "crop=[16,16]", "resize=crop", "model.arguments.dropout=0.5")
    settled = begin_from(recipe(path, *settings))[0]
    assert (settled.inputs.size, settled.inputs.crop, settled.inputs.resize) == ((24, 20), (16, 16), "crop")
    assert settled.model.arguments == {"width": 0.1, "dropout": 0.5}


def test_a_crop_is_taken_over_with_the_size_it_was_cut_from(tmp_path: Path) -> None:
    form = replace(FORM, size=(28, 26), crop=(24, 24))
    path = saved(tmp_path / "their.safetensors", trained("mobilenetv2", form=form, width=0.1))
    for settings, crop in (((), (24, 24)), (("size=[28,26]",), (24, 24)), (("size=[32,32]",), None)):
        assert begin_from(recipe(path, *settings))[0].inputs.crop == crop


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model.name=mobilenetv2"], "has weights of residual, but model.name is 'mobilenetv2'"),
        (["inputs.mean=[0.5]", "inputs.std=[0.5]"], "brings the normalisation .* leave inputs.mean out"),
        (["inputs.normalise=dataset"], "leave inputs.normalise out"),
        (["inputs.channels=3"], "takes pictures of 1 channels: leave inputs.channels out"),
        (["inputs.size=[32,32]"], "trained on inputs of 8x8 .* with 32x32 .* has other layers: leave inputs.size"),
        (["inputs.size=[4,4]"], "residual takes pictures of at least 8x8"),
        (["inputs.crop=[9,9]"], r"the crop \[9, 9\] is larger"),
        (["model.arguments.width=0.5"], "with arguments {'width': 0.25}; with 8x8 and {'width': 0.5} .* other layers"),
        (["model.arguments.colour=1"], "has no argument 'colour'"),
        ([f"weights_sha256={'0' * 64}"], "is not the file that model.weights_sha256 names"),
    ],
)
def test_what_contradicts_the_weights_is_refused(settings: list[str], message: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "their.safetensors")
    with pytest.raises(InputError, match=message) as caught:
        begin_from(recipe(path, *settings))
    assert "\n" not in str(caught.value)


def test_only_a_whole_model_for_classes_is_taken(tmp_path: Path) -> None:
    broken, foreign = tmp_path / "broken.safetensors", tmp_path / "foreign.safetensors"
    broken.write_bytes(saved(tmp_path / "whole.safetensors").read_bytes()[:-9])
    foreign.write_bytes(b"\x89PNG\r\n")
    pictures = saved(tmp_path / "pictures.safetensors", trained("cifar10-autoencoder"))
    for path, message in (
        (broken, "not a safetensors file, or cut short"),
        (foreign, "not a safetensors file, or cut short"),
        (pictures, "cifar10-autoencoder reconstructs pictures; begin from a model that tells classes"),
        (tmp_path / "missing.safetensors", "there is no network .*missing.safetensors', nor a run or model file"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            begin_from(recipe(path))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["freeze=true"], "freeze needs a trained model to begin from: give model.weights"),
        ([f"weights_sha256={'0' * 64}"], "weights_sha256 needs a trained model"),
        (["weights=last", "weights_sha256=3"], "weights_sha256"),
        (["weights=''"], "model.weights: .* at least 1 character"),
        (["body_rate=0.1"], "optimizer.body_rate is for a trained model to begin from"),
        (["weights=last", "body_rate=0"], "optimizer.body_rate: .* greater than 0"),
        (["weights=last", "body_rate=0.1", "freeze=true"], "model.freeze leaves the body as it is"),
        (["weights=last", "objective=mse", "metric=val_loss"], "model.weights begin a network for classes"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(settings: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_recipe("digits", settings)
    assert "\n" not in str(caught.value)


def test_a_network_and_a_model_to_begin_from_replace_each_other(tmp_path: Path) -> None:
    settled = begin_from(recipe(saved(tmp_path / "their.safetensors"), "freeze=true"))[0]
    values = settled.model_dump(mode="json", exclude_none=True)
    other = override(values, ["weights=last"])["model"]
    assert other == {"weights": "last", "freeze": True}
    assert override(values, ["weights=last", "model=residual", "model.arguments.width=1"])["model"] == {
        "name": "residual",
        "weights": "last",
        "freeze": True,
        "arguments": {"width": 1},
    }
    assert override(values, ["model=mobilenetv2"])["model"] == {"name": "mobilenetv2", "arguments": {"width": 0.25}}
    assert load_recipe("digits", ["weights=last"]).model.name == ""
    assert Recipe(name="plain").model.name == "residual"


def test_the_published_transfer_is_as_published() -> None:
    published = load_recipe("cifar100-transfer")
    assert published.data.classes == (5, 21, 35)
    assert published.model.weights == "recipe:cifar100-mobilenetv2"
    assert published.model.freeze
    num_steps = 60 * -(-1350 // 128)
    rates = [published.schedule.factor ** sum(step / num_steps >= m for m in published.schedule.milestones)
             for step in range(num_steps)]  # fmt: skip
    assert rates == [0.5 ** (step // (num_steps // 3)) for step in range(num_steps)]
    assert published.claims[0].value == 0.9467
    best = load_recipe("cifar100-transfer-best")
    assert (best.data.name, best.data.classes, best.model.weights) == ("cifar100", (5, 21, 35), published.model.weights)
    # The model it begins from has seen all training pictures: none of them can choose.
    assert (best.data.validation, best.training.keep) == (0.0, "last")


def test_published_weights_of_timm_are_begun_from_as_from_a_model_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_timm()
    publish(tmp_path, "test_resnet.r160_in1k")
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path))
    settled, source = begin_from(recipe("timm/test_resnet", "inputs.size=32"), tmp_path)
    file = Path(settled.model.weights or "")
    assert settled.model.name == "timm/test_resnet"
    assert file.name.endswith("-test_resnet.r160_in1k.safetensors")
    assert (settled.inputs.size, settled.inputs.mean, settled.inputs.resample) == ((32, 32), (0.5,) * 3, "bilinear")
    assert str(source).startswith(f"{file.name} (timm/test_resnet, 1000 classes, licence apache-2.0, SHA-256 ")
    again, _ = begin_from(settled, tmp_path)
    assert again == settled


def test_a_model_file_in_a_folder_that_is_called_as_timm_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("timm").mkdir()
    path = saved(Path("timm/mine.safetensors"))
    assert find_weights(str(path)) == path
    Path("timm/resnet18").mkdir()
    with pytest.raises(InputError, match="timm has no network 'mine'"):
        find_weights("timm/mine")


@pytest.mark.parametrize(
    ("provenance", "licence"),
    [
        ({"licence": "free"}, "free"),
        ({"source": {"provenance": {"licence": "free"}}}, "free"),
        ({"licence": "", "source": {"provenance": {"source": {"provenance": {"licence": "free"}}}}}, "free"),
        ({"licence": "mine", "source": {"provenance": {"licence": "theirs"}}}, "mine"),
        ({"licence": 7, "source": {"provenance": [1]}}, ""),
        ({"source": "theirs"}, ""),
        ({}, ""),
    ],
)
def test_the_licence_of_weights_is_told_however_long_ago_they_were_begun_from(
    provenance: dict[str, Any], licence: str
) -> None:
    source = Source(replace(trained(), provenance=provenance), "theirs", "0" * 64)
    assert source.model.weights_licence == licence
    told = f"licence {licence}, " if licence else ""
    assert str(source) == f"theirs (residual, 4 classes, {told}SHA-256 000000000000)"
