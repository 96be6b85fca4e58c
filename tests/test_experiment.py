import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retinula import experiment, measurement
from retinula.datasets.catalog import CATALOG, OWN_FILES
from retinula.datasets.load import UNVERIFIED, load
from retinula.datasets.reading import Dataset, Skipped
from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.evaluation import run_data
from retinula.evaluation.answered import load_answered
from retinula.evaluation.measuring import evaluate
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.run_data import training_sets
from retinula.experiment import resume, train
from retinula.files.durable import explained, write_json
from retinula.images import ImageSet
from retinula.measurement import evaluate_run
from retinula.models.linear_code import linear_code_psnr
from retinula.recipe.assignment import assignments
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.files import own_evaluation
from retinula.runs.run import Run, create_run, find_run
from retinula.trained.model_file import Model
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.training.reporting import Reporter, StepProgress
from small_runs import SURROUNDINGS, whole_report

MakeSet = Callable[..., ImageSet]
QUICK = ("epochs=2", "model.arguments.width=0.25", "batch_size=32")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: plain)


@pytest.fixture(autouse=True)
def _sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the figures of a measurement be notes of where they would be: drawing takes longer than all the rest."""

    def note(result: Evaluation, _images: ImageSet, folder: Path) -> None:
        if not isinstance(result, ClassificationResult):
            return
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{result.split}-confusion.png").write_text(f"{result.num_correct} of {result.num_images}")

    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: None)
    monkeypatch.setattr(measurement, "draw_evaluation", note)


@pytest.fixture
def source(make_set: MakeSet, monkeypatch: pytest.MonkeyPatch) -> dict[str, ImageSet]:
    """What loading gives, whatever is asked for: splits that a test may change."""
    splits = {"train": make_set(60), "test": make_set(30, seed=7)}
    skipped = (Skipped("bad.png", "it is empty"),)
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("made", dict(splits), skipped))  # type: ignore[arg-type]  # names of splits
    return splits


def recipe(*settings: str) -> Recipe:
    return load_recipe("digits", [*QUICK, *settings])


def stopped(**options: Any) -> Run:
    """A run that was stopped after its third step."""

    class Stops(Reporter):
        def step(self, progress: StepProgress) -> None:
            if progress.step == 3:
                raise Interrupted("stopped here")

    with pytest.raises(Interrupted, match=r"stopped here; go on with: retinula train --resume runs/.*-1"):
        train(recipe(), reporter=Stops(), **options)
    return find_run("last")


def test_validation_pictures_are_a_share_of_every_class(make_set: MakeSet) -> None:
    full = make_set(60)
    sets = training_sets(recipe("validation=0.2"), Dataset("made", {"train": full}))
    assert sets.validation is not None
    assert (len(sets.train), sets.validation.counts()) == (48, {"class 0": 4, "class 1": 4, "class 2": 4})
    pixels = {image.tobytes() for image in (*sets.train.images, *sets.validation.images)}
    assert pixels == {image.tobytes() for image in full.images}
    again = training_sets(recipe("validation=0.2"), Dataset("made", {"train": full})).validation
    other = training_sets(recipe("validation=0.2", "seed=1"), Dataset("made", {"train": full})).validation
    assert again is not None
    assert other is not None
    assert again.fingerprint() == sets.validation.fingerprint() != other.fingerprint()


def test_or_the_last_ones_or_the_sources_own_or_none(make_set: MakeSet) -> None:
    full, own = make_set(60), make_set(9, seed=3)
    last = training_sets(recipe("validation=0.1", "validation_part=last"), Dataset("made", {"train": full}))
    assert last.validation is not None
    assert np.array_equal(last.train.images, full.images[:54])
    assert np.array_equal(last.validation.images, full.images[54:])
    given = Dataset("made", {"train": full, "validation": own, "test": full}, (Skipped("x", "y"),))
    assert training_sets(recipe(), given)[:3] == (full, own, given.skipped)
    assert training_sets(recipe("validation=0"), given)[:3] == (full, None, given.skipped)
    empty = training_sets(recipe(), Dataset("made", {"train": full, "validation": own.take(np.arange(0))}))
    assert empty.validation is not None
    assert len(empty.validation) == 6


def test_too_few_pictures_are_refused(make_set: MakeSet) -> None:
    with pytest.raises(InputError, match="no pictures to train on"):
        training_sets(recipe(), Dataset("made", {"test": make_set()}))
    with pytest.raises(InputError, match=r"3 pictures are too few to set 10 % apart.*validation=0"):
        training_sets(recipe(), Dataset("made", {"train": make_set(3)}))


def test_of_pictures_that_are_given_nothing_is_set_apart_in_silence(make_set: MakeSet) -> None:
    full = make_set(60)
    words = (
        r"^data\.validation=0\.2 sets nothing apart from pictures that are given: split them with "
        r"train_set\.split\(0\.2, seed=0\), and give the second part as validation_set$"
    )
    with pytest.raises(InputError, match=words):
        train(recipe(), full, settings=["validation=0.2"])
    with pytest.raises(InputError, match="early_stopping needs pictures to choose by: give validation_set"):
        train(recipe("early_stopping=1"), full)
    assert not list(Path("runs").glob("*")), "nothing is left of what was refused"
    train(recipe("epochs=1"), full, settings=["validation=0"])
    train(recipe("epochs=1"), *full.split(0.2, seed=0), settings=["validation=0.2", "early_stopping=1"])


def test_only_with_the_same_pictures_a_run_goes_on(source: dict[str, ImageSet], make_set: MakeSet) -> None:
    run = stopped()
    full = source["train"]
    source["train"] = replace(full, images=255 - full.images)
    with pytest.raises(InputError, match="the training pictures have changed since it began"):
        resume("last")
    source["train"] = full
    source["validation"] = make_set(9, seed=3)
    with pytest.raises(InputError, match="pictures have changed since it began"):
        resume("last")
    del source["validation"]
    with pytest.raises(InputError, match="belongs to another recipe"):
        train(recipe("lr=0.3"), run=run)
    resume("last")
    assert run.finished
    assert [row["epoch"] for row in run.metrics()] == [1, 2]
    assert "left out: bad.png: it is empty" in run.log_file.read_text()
    more = r"is finished; train anew with: .*; for five more epochs: retinula train (\S+) --model (\S+) epochs=5$"
    with pytest.raises(InputError, match=more) as caught:
        resume("last")
    own, model = re.findall(more, str(caught.value))[0]
    train(Path(own), settings=[f"weights={model}", "epochs=1"], run="more")
    assert find_run("more").report()["source"]["name"] == run.name
    with pytest.raises(InputError, match="is finished"):
        train(recipe(), run=run)


def test_test_pictures_among_those_to_train_on_are_told_at_the_beginning(source: dict[str, ImageSet]) -> None:
    test = source["test"]
    source["test"] = replace(test, images=np.concatenate([source["train"].images[:3], test.images[3:]]))
    train(recipe("epochs=1", "validation=0"), run="twice")
    line = (
        "3 of the 30 test pictures are equal, pixel by pixel, to pictures to train on: an accuracy on them will flatter"
    )
    told = find_run("twice").log_file.read_text().partition("computing on")
    assert [line in part for part in told] == [True, False, False]
    source["test"] = test
    train(recipe("epochs=1", "validation=0"), run="once")
    assert "equal, pixel by pixel" not in find_run("once").log_file.read_text()


def test_from_python_lines_are_printed_unless_they_shall_not(
    source: dict[str, ImageSet], capsys: pytest.CaptureFixture[str]
) -> None:
    source["test"] = source["train"]  # which is warned of
    train(recipe("epochs=1"), run="told")
    out, err = capsys.readouterr()
    assert out == ""
    assert "flatter" in err
    assert [line[:19] for line in err.splitlines() if line.startswith("epoch")] == ["epoch   1  step    "]
    train(recipe("epochs=1"), run="silent", progress=False)
    train(recipe("epochs=1"), run="own", reporter=Reporter())
    stopped()
    assert capsys.readouterr() == ("", "")
    resume("last")
    assert [line[:9] for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")][-1] == "epoch   2"
    stopped(run="again-1")
    resume("again-1", progress=False)
    assert capsys.readouterr() == ("", "")


def test_what_a_model_learned_before_is_told_and_counted_all_along_the_way(
    source: dict[str, ImageSet], make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, others = source["train"].images, source["test"].images

    def begin(run: str, model: str) -> None:
        train(recipe("epochs=1", f"weights={model}"), run=run, reporter=told)

    told, said = Reporter(), list[str]()
    monkeypatch.setattr(told, "message", said.append)
    train(recipe("epochs=1", "validation=0"), run="first")
    first = source["train"]
    source["train"] = make_set(60, seed=5)
    source["validation"] = replace(first, images=np.concatenate([learned[:4], others, others[:26]]))
    source["test"] = replace(first, images=np.concatenate([learned[:7], others, others[:23]]))
    begin("second", "first")
    source["train"] = make_set(60, seed=6)
    begin("third", "second")
    for name, model in (("second", "first"), ("third", "second")):
        for count, split in ((4, "validation"), (7, "test")):
            line = f"{count} of the 60 {split} pictures are equal, pixel by pixel, to pictures that {model}, which"
            assert len([each for each in said if each.startswith(line)]) == 1
            assert line in find_run(name).log_file.read_text().partition("computing on")[0]
    result = evaluate_run(find_run("third"))
    assert isinstance(result, ClassificationResult)
    assert (result.learned.number, result.learned.from_these) == (7, False)
    assert result.accuracy_of_others == result.right[7:].double().mean()
    assert evaluate_run(find_run("third"), split="validation").learned.number == 4
    source["test"] = first
    assert evaluate_run(find_run("third")).learned.from_these, "though it was the first of three that did"


def test_what_was_learned_is_kept_once_whatever_becomes_of_the_model_begun_from(source: dict[str, ImageSet]) -> None:
    learned = source["train"]
    train(recipe("epochs=1", "validation=0"), run="first")
    run = stopped(settings=["weights=first"])
    kept = run.learned_file.read_bytes()
    shutil.rmtree("runs/first")
    resume("last")
    assert run.learned_file.read_bytes() == kept
    source["test"] = learned
    assert run.log_file.read_text().count("which it begins from, has learned") == 1
    assert evaluate_run(run).learned.from_these


def test_the_pictures_of_a_run_are_those_that_it_was_trained_on_and_chosen_by(source: dict[str, ImageSet]) -> None:
    train(recipe("epochs=1"), run="run")
    run = find_run("run")
    of_then = run.environment()["data"]
    for name in (run, run.path, "run", "last"):
        own = run_data.load_run_pictures(name)
        assert own.train is not None
        assert own.validation is not None
        assert own.train.fingerprint() == of_then["fingerprint"]
        assert own.validation.fingerprint() == of_then["validation_fingerprint"]
        assert own.test is source["test"]
    drawn = source["train"].split(0.1, seed=0)[1]
    assert drawn.fingerprint() != of_then["validation_fingerprint"], "another seed is made of the recipe's"
    source["train"] = replace(source["train"], images=255 - source["train"].images)
    with pytest.raises(InputError, match="runs/run: the training pictures have changed since it began"):
        run_data.load_run_pictures("run")
    train("digits", own.train, own.validation, "given", settings=[*QUICK, "epochs=1"])
    with pytest.raises(InputError, match="runs/given: the training pictures were given from Python"):
        run_data.load_run_pictures("given")
    with pytest.raises(InputError, match="no run 'other'"):
        run_data.load_run_pictures("other")


def test_a_model_begun_from_that_is_not_as_shipped_is_told_at_the_beginning(
    source: dict[str, ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source
    first = load_recipe("digits", [*QUICK, "epochs=1"])
    train(first, run="first")
    said: list[str] = []
    told = Reporter()
    monkeypatch.setattr(told, "message", said.append)
    train(load_recipe("digits", ["epochs=1", "weights='recipe:digits'"]), run="after", reporter=told)
    (line,) = [each for each in said if "as shipped" in each]
    assert line.startswith("begins from first, which is not as shipped: model.arguments.width=0.25, ")
    assert line in find_run("after").log_file.read_text().partition("computing on")[0]
    train(load_recipe("digits", ["epochs=1", "weights=first"]), run="named", reporter=told)
    assert len([each for each in said if "as shipped" in each]) == 1, "which was asked for"


@pytest.mark.parametrize("crop", [(), ("crop=8",)])
def test_an_autoencoder_is_measured_beside_a_linear_code_of_what_it_sees(
    crop: tuple[str, ...], source: dict[str, ImageSet], make_set: MakeSet
) -> None:
    side = 12 if crop else 8
    source.update(train=make_set(60, size=side), test=make_set(30, size=side, seed=7))
    arguments = ("model.arguments.numbers=5", "model.arguments.width=8")
    settings = ("data=digits", "steps=1", "lr=1e-9", "warmup=0", "validation=0", "batch_size=32", *arguments, *crop)
    model = train(load_recipe("cifar10-code256", settings), run="code")
    measured = evaluate_run(find_run("code"))
    assert isinstance(measured, ReconstructionResult)
    assert measured.linear_psnr == linear_code_psnr(source["train"], source["test"], 5, model.preprocess)
    assert measured.psnr == pytest.approx(measured.linear_psnr, abs=0.05), "where training begins"


def test_a_run_that_ended_before_its_first_checkpoint_begins_anew(
    source: dict[str, ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source
    said: list[str] = []

    def killed(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(loop, "make_plan", killed)
        with pytest.raises(RuntimeError, match=r"^killed$"):
            train(recipe("epochs=1"), run="early")
    told = Reporter()
    monkeypatch.setattr(told, "message", said.append)
    here = find_run("early").environment()
    elsewhere(find_run("early"))
    resume("early", reporter=told)
    assert said[0] == f"{Path('runs/early')} has no checkpoint yet: it begins anew"
    assert "instead of" not in " ".join(said)
    assert find_run("early").environment() == {**here, "went_on": []}, "nothing was computed where it began"


def test_of_first_weights_alone_nothing_was_computed_elsewhere(source: dict[str, ImageSet]) -> None:
    assert source
    run = stopped(checkpoint_seconds=1e9)
    assert run.checkpoint_step() == 0
    elsewhere(run)
    resume("last")
    assert (run.report()["went_on"], run.report()["versions"]["torch"]) == ([], torch.__version__)
    assert "instead of" not in run.log_file.read_text()


def test_a_training_that_goes_on_elsewhere_says_so_once(source: dict[str, ImageSet]) -> None:
    assert source
    run = stopped(checkpoint_seconds=0)
    begun = elsewhere(run)
    said: list[str] = []

    class Stops(Reporter):
        def step(self, progress: StepProgress) -> None:
            raise Interrupted("stopped here, too")

        def message(self, text: str) -> None:
            said.append(text)

    with pytest.raises(Interrupted):
        resume("last", reporter=Stops(), checkpoint_seconds=1e9)
    before = run.checkpoint_step()
    (line,) = [each for each in said if "instead of" in each]
    here = run.environment()["went_on"][0]
    cores = here["machine"]["cores"]
    told = (f"torch {torch.__version__} instead of 2.0.0", f"cores {cores} instead of 6400", "Retinula ", "processor ")
    assert line.startswith("goes on with ")
    assert all(each in line for each in told)
    assert "numpy" not in line
    assert "memory" not in line
    resume("last")
    assert run.log_file.read_text().count(line) == 2, "nothing was left of what the first resumption computed"
    report, environment = run.report(), run.environment()
    assert (report["machine"], report["versions"]) == (begun["machine"], begun["versions"])
    assert {**begun, "went_on": environment["went_on"]} == environment
    assert report["went_on"] == environment["went_on"]
    (later,) = report["went_on"]
    assert later["after_step"] == before
    assert later["versions"]["torch"] == torch.__version__


def test_a_training_that_goes_on_where_it_was_says_nothing_of_it(source: dict[str, ImageSet]) -> None:
    assert source
    run = stopped(checkpoint_seconds=0)
    begun = run.environment_file.read_bytes()
    resume("last")
    assert run.environment_file.read_bytes() == begun
    assert "instead of" not in run.log_file.read_text()
    assert run.report()["went_on"] == []


def elsewhere(run: Run) -> dict[str, Any]:
    """Let a run have begun on another machine, with other versions; return its environment."""
    begun = run.environment()
    begun["machine"] |= {"processor": "another one", "cores": 6400, "memory_gib": 0.1}
    begun["versions"]["torch"] = "2.0.0"
    begun["retinula"] = "0.0.1"
    run.environment_file.write_text(json.dumps(begun))
    return begun


def test_the_time_of_a_training_that_went_on_has_the_steps_before(source: dict[str, ImageSet]) -> None:
    assert source
    run = stopped(checkpoint_seconds=0)
    before = run.checkpoint_step()
    assert before > 0
    rows = [line.rsplit(",", 1)[0] + ",100.0" for line in run.steps_file.read_text().splitlines()[1:]]
    run.steps_file.write_text("\n".join([run.steps_file.read_text().splitlines()[0], *rows]) + "\n")
    resume("last")
    assert 100 * before < run.report()["training"]["seconds_in_all"] < 100 * before + 60


def test_what_is_set_in_vain_is_told_once_before_the_first_step(source: dict[str, ImageSet]) -> None:
    run = stopped(settings=["optimizer=adam", "rho=0.1"])
    resume("last")
    told = run.log_file.read_text().partition("computing on")
    line = "optimizer.rho changes nothing: optimizer adam does not use it"
    assert ["change" in part for part in told] == [True, False, False]
    assert told[0].count(line) == 1


def test_a_refused_training_leaves_no_run(source: dict[str, ImageSet], make_set: MakeSet) -> None:
    for settings in (["model.arguments.colour=3"], ["crop=[9,9]"], ["mean=[0.5,0.5]", "std=[1,1]"]):
        with pytest.raises(InputError):
            train(recipe(*settings))
    with pytest.raises(InputError, match="give train_set as well"):
        train(recipe(), validation_set=make_set())
    assert list(Path("runs").iterdir()) == []


def test_pictures_without_labels_are_refused_before_anything_is_begun(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "create_run", lambda *_, **__: pytest.fail("begun"))
    full = make_set(60)
    bare = replace(full, labels=None)
    sets = ((bare, None, "no labels"), (full, bare, "no labels"), (full, full.subset([0]), "same classes"))
    for train_set, validation_set, word in sets:
        with pytest.raises(InputError, match=word):
            train(recipe("keep=last"), train_set, validation_set, run="u1")
    assert not Path("runs").exists()


def test_what_is_no_recipe_and_no_name_is_refused(make_set: MakeSet) -> None:
    for wrong, kind in (
        (make_set(), r"an ImageSet; pictures come second: train\('default', image_set\)"),
        (None, "a NoneType"),
    ):
        with pytest.raises(InputError, match=f"^a recipe is a Recipe, .* folder, not {kind}$"):
            train(wrong)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InputError, match=r"^run must be a name, or a Run to go on with, not an int$"):
        train("digits", run=3)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InputError, match=r"^there is no file or folder '/.*/digits'"):
        train(Path("digits"))


def test_a_training_on_given_pictures_says_how_it_goes_on(source: dict[str, ImageSet], make_set: MakeSet) -> None:
    assert source
    rest, apart = make_set(60, seed=5).split(0.2, seed=0)
    how = r"go on with train\(recipe, train_set, validation_set, run=Run\('runs/cut'\)\)$"

    class Stops(Reporter):
        def step(self, progress: StepProgress) -> None:
            raise Interrupted("stopped here")

    with pytest.raises(Interrupted, match=f"^stopped here; {how}"):
        train(recipe("epochs=1"), rest, apart, run="cut", reporter=Stops())
    for name in ("cut", "last"):
        with pytest.raises(InputError, match=f"^runs/cut: its pictures were given from Python: {how}"):
            resume(name)
    run = find_run("cut")
    with pytest.raises(InputError, match=r"the training pictures have changed since it began; begin a new run"):
        train(run.recipe(), apart, rest, run=run)
    train(run.recipe(), rest, apart, run=Run("runs/cut"))
    assert run.finished
    with pytest.raises(
        InputError, match=r"^runs/cut: the validation pictures were given from Python; measure on pictures"
    ):
        evaluate_run(run, split="validation")


def test_settings_are_a_list_or_a_mapping(source: dict[str, ImageSet]) -> None:
    plain = {"model.arguments.width": 0.25, "optimizer": "sgd", "nesterov": False, "name": "3", "betas": (0.5, 0.9)}
    train("digits", settings={"epochs": 1, "batch_size": 32, **plain}, root="elsewhere")
    assert find_run("3-1", Path("elsewhere")).recipe() == load_recipe(
        "digits",
        [
            "epochs=1",
            "batch_size=32",
            "model.arguments.width=0.25",
            "optimizer=sgd",
            "nesterov=false",
            "name='3'",
            "betas=[0.5, 0.9]",
        ],
    )
    for wrong in ("epochs=1", [("epochs", 1)], 5):  # letters, pairs, a number
        with pytest.raises(InputError, match=r"settings are a list, such as \['epochs=1'\], not .*(epochs|5)"):
            train("digits", settings=wrong)  # type: ignore[arg-type]  # what is refused
    nested = {"optimizer": {"lr": 0.5}, "model.arguments": {"width": 0.25}}
    assert assignments(nested) == ["optimizer.lr=0.5", "model.arguments.width=0.25"]
    for key, value, refusal in (
        ("lr", object(), "lr cannot be <object"),
        ("lr", float("nan"), "lr cannot be nan"),
        ("inputs", {"crop": None}, r"^inputs\.crop cannot be None: leave it out$"),
    ):
        with pytest.raises(InputError, match=refusal):
            train("digits", settings={key: value})
    assert assignments({"data": Path("my photos")}) == ['data="my photos"']
    numbers = {"epochs": np.int64(4), "lr": np.float32(0.5), "mean": [np.float32(0.25)], "seed": torch.tensor(7)}
    assert assignments(numbers) == ["epochs=4", "lr=0.5", "mean=[0.25]", "seed=7"]


def test_measurements_join_the_report(source: dict[str, ImageSet]) -> None:
    train(recipe(), run="mine")
    run = find_run("mine")
    report = run.report()
    assert report["training"]["epochs"] == 2
    assert report["data"]["num_skipped"] == 1

    plain = evaluate_run(run)
    assert evaluate_run(run, tta="mirror").tta == "mirror"
    assert isinstance(plain, ClassificationResult)
    assert list(run.report()["evaluations"]) == ["made/train/test", "made/train/test/mirror"]
    assert run.report()["evaluations"]["made/train/test"]["accuracy"] == plain.accuracy
    kept = load_answered(run.answers_file("test"), Model.load(run.path), source["test"], "none")
    assert kept is not None, "those averaged otherwise than the recipe says do not take its place"
    assert torch.equal(kept.logits, plain.logits)
    before = run.report_file.read_bytes()
    elsewhere = evaluate_run(run, split="validation", folder=Path("elsewhere"))
    assert isinstance(elsewhere, ClassificationResult)
    assert elsewhere.accuracy == pytest.approx(report["training"]["val_accuracy"])  # the very same pictures
    assert json.loads(Path("elsewhere/report.json").read_text())["split"] == "validation"
    assert list(Path("elsewhere/figures").glob("validation-*.png"))
    assert run.report_file.read_bytes() == before
    with pytest.raises(InputError, match="is the folder of a run"):
        evaluate_run(run, folder=run.path)

    del source["test"]
    with pytest.raises(InputError, match="has no test pictures"):
        evaluate_run(run)
    source["test"] = source["train"]
    source["train"] = source["train"].take(np.arange(50))
    with pytest.raises(InputError, match="training pictures have changed since it began, and the test pictures, too"):
        evaluate_run(run)


def test_test_pictures_of_then_are_measured_on_whatever_has_become_of_the_others(source: dict[str, ImageSet]) -> None:
    train(recipe(), run="mine")
    run, said = find_run("mine"), list[str]()
    data = run.environment()["data"]
    assert data["test_fingerprint"] == source["test"].fingerprint()
    assert data["skipped"] == [{"source": "bad.png", "reason": "it is empty"}]
    before = evaluate_run(run, remark=said.append)
    assert said == []
    full, test = source["train"], source["test"]
    labels = full.known_labels().copy()
    labels[7] = (labels[7] + 1) % 3
    source["train"] = replace(full, labels=labels)  # one label corrected
    after = evaluate_run(run, remark=said.append)
    assert isinstance(before, ClassificationResult)
    assert isinstance(after, ClassificationResult)
    assert after.accuracy == before.accuracy
    assert said == ["runs/mine: the training pictures have changed since it began; the test pictures are those of then"]
    with pytest.raises(InputError, match="the training pictures have changed since it began; measure on pictures"):
        evaluate_run(run, split="train")
    with pytest.raises(InputError, match=r"the training pictures have changed since it began$"):
        evaluate_run(run, split="train", remedy="")
    source["test"] = test.take(np.arange(1, 30))
    with pytest.raises(InputError, match="changed since it began, and the test pictures, too; measure on pictures"):
        evaluate_run(run)
    source["train"] = full
    assert evaluate_run(run).num_images == 29, "other test pictures are as good while nothing was learned from them"
    source |= {"train": replace(full, labels=labels), "test": test}
    environment = run.environment()
    del environment["data"]["test_fingerprint"]  # a run of an earlier version
    run.environment_file.write_text(json.dumps(environment))
    with pytest.raises(InputError, match="changed since it began, perhaps the test pictures, too; measure on"):
        evaluate_run(run)


def test_prepared_pictures_that_are_damaged_are_mended_before_they_are_trained_on(
    tmp_path: Path, make_set: MakeSet
) -> None:
    made = make_set(800, size=32)
    np.savez(
        "mid.npz", x_train=made.images, y_train=made.known_labels(), x_test=made.images, y_test=made.known_labels()
    )
    intact = load("mid.npz").splits["train"].fingerprint()
    (path,) = tmp_path.glob("retinula-cache/prepared/mid-*/train.images.npy")
    content = path.read_bytes()
    path.write_bytes(content[:134_000] + bytes(5_000) + content[139_000:])  # between two samples
    assert load("mid.npz").splits["train"].fingerprint() != intact
    told: list[str] = []

    class Listens(Reporter):
        def message(self, text: str) -> None:
            told.append(text)

    run = create_run(recipe(), SURROUNDINGS)
    with pytest.raises(InputError, match="belongs to another recipe"):
        train("mid.npz", run=run, reporter=Listens())
    assert told == [f"mid: the pictures in {path.parent} are not as they were written; they are prepared anew"]
    assert load("mid.npz").splits["train"].fingerprint() == intact


def test_other_pictures_leave_the_own_result_alone(
    source: dict[str, ImageSet], make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    source["test"] = replace(source["test"], name="made/test")
    train(recipe(), run="mine")
    run = find_run("mine")
    evaluate_run(run)
    own, figure = run.report()["evaluations"], (run.figures / "test-confusion.png").read_bytes()
    others = [Path("here/made"), Path("there/made")]
    for folder in others:
        folder.mkdir(parents=True)
    named_alike = replace(make_set(45, seed=5), name="made/test")
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("made", {"test": named_alike}))
    for folder in others:
        evaluate_run(run, data=str(folder))
    report = run.report()
    assert {key: report["evaluations"][key] for key in own} == own
    assert (run.figures / "test-confusion.png").read_bytes() == figure
    assert own_evaluation(report, "none") == own["made/test"]
    for folder in others:
        place = run.other_folder(str(folder))
        assert place.name.startswith("made-")
        assert report["evaluations"][f"{place.name}/test"]["num_images"] == 45
        assert json.loads((place / "report.json").read_text())["num_images"] == 45
        assert (place / "figures" / "test-confusion.png").exists()
    assert run.other_folder("cifar10-c") == run.path / "other" / "cifar10-c"
    for name in (b"caf\xe9", b"x" * 255):
        Path(os.fsdecode(name)).mkdir()
        evaluate_run(run, data=os.fsdecode(name))
        place = run.other_folder(os.fsdecode(name))
        assert run.report()["evaluations"][f"{place.name}/test"]["num_images"] == 45
        assert (place / "report.json").is_file()


@pytest.mark.usefixtures("source")
def test_of_two_measurements_at_once_both_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    train(recipe(), run="mine")
    run, both_read = find_run("mine"), threading.Barrier(2)

    def late(file: Path, values: dict[str, Any]) -> None:
        with suppress(threading.BrokenBarrierError):
            both_read.wait(0.5)  # only one can be here where the other waits for it
        write_json(file, values)

    monkeypatch.setattr("retinula.measurement.write_json", late)
    monkeypatch.setattr("retinula.measurement.draw_evaluation", lambda *_: None)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(evaluate_run, run, split=split) for split in ("test", "train")]:
            done.result()
    assert len(run.report()["evaluations"]) == 2


def test_an_unfinished_run_is_not_measured(source: dict[str, ImageSet]) -> None:
    assert source
    with pytest.raises(InputError, match="not finished; go on with"):
        evaluate_run(stopped())


def test_a_relative_path_is_kept_in_full(source: dict[str, ImageSet], tmp_path: Path) -> None:
    assert source
    (tmp_path / "photos").mkdir()
    train(recipe("data=./photos", "epochs=1"))
    assert find_run("last").recipe().data.name == str((tmp_path / "photos").resolve())


def test_a_set_of_several_conditions_is_measured_under_each(
    source: dict[str, ImageSet], make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe(), run="clean")
    monkeypatch.setitem(CATALOG, "cifar10-c", replace(CATALOG["cifar10-c"], counts={"test": 150}))
    twice = np.tile(np.array([0, 1]), 75)  # of two pictures
    spoilt = replace(make_set(150), labels=twice, name="cifar10-c/test", provenance={"copy": UNVERIFIED})
    own = replace(spoilt, provenance={"copy": OWN_FILES})
    for others in (own, spoilt.take(range(75)), spoilt.take([1, 0, *range(2, 150)])):
        assert evaluate("clean", others, split="test").to_dict()["conditions"] == {}
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("cifar10-c", {"test": spoilt}))
    result = evaluate_run(find_run("clean"), data="cifar10-c")
    assert isinstance(result, ClassificationResult)
    shares = result.condition_accuracy
    assert list(shares) == list(CATALOG["cifar10-c"].conditions)
    assert np.isclose(np.mean(list(shares.values())), result.accuracy)
    report = json.loads((find_run("clean").path / "report.json").read_text())
    assert report["evaluations"]["cifar10-c/test"]["conditions"] == shares
    with pytest.raises(InputError, match=r"cifar10-c has no train pictures; it has test"):
        evaluate_run(find_run("clean"), data="cifar10-c", split="train")


def test_a_model_leaves_calibrated_and_knows_what_it_knows(source: dict[str, ImageSet], make_set: MakeSet) -> None:
    source["train"] = make_set(480)
    model = train(recipe("validation=0.25"))
    fit = model.provenance["calibration"]
    assert fit["num_images"] == 120
    assert fit["temperature"] == model.temperature != 1
    assert model.familiarity is not None
    saved = find_run("last")
    assert Model.load(saved.path).temperature == model.temperature
    assert Model.load(saved.path).familiarity == model.familiarity
    assert saved.report()["calibration"] == fit
    noise = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8), dtype=np.uint8)
    unfamiliar = model.unfamiliar(noise, model.outputs(noise))
    assert unfamiliar is not None
    assert unfamiliar.all()


def test_nothing_is_fitted_on_pictures_that_what_it_began_from_has_learned(
    source: dict[str, ImageSet], make_set: MakeSet
) -> None:
    source["train"] = make_set(480)
    train(recipe("validation=0", "keep=last", "epochs=1"), run="first")
    model = train(recipe("validation=0.25", "epochs=1", "weights=first"), run="second")
    learned = "120 more were learned, here or in what it began from, and left out"
    assert model.provenance["calibration"]["reason"] == f"0 validation pictures are too few (at least 50); {learned}"
    assert model.temperature == 1
    assert model.familiarity is not None
    assert model.familiarity.least_energy is None
    log = find_run("second").log_file.read_text()
    assert f"temperature 1, nothing fitted: 0 validation pictures are too few (at least 50); {learned}" in log
    assert "by the look of pictures alone (no validation pictures that it has not learned)" in log


def test_without_validation_pictures_it_says_that_nothing_is_calibrated(source: dict[str, ImageSet]) -> None:
    model = train(recipe("validation=0", "keep=last", "epochs=1"))
    assert (model.temperature, model.familiarity) == (1.0, None)
    said = find_run("last").log_file.read_text()
    assert "temperature 1, nothing fitted: no validation pictures (validation=0)" in said
    assert "it cannot tell unfamiliar pictures: that needs" in said
    assert model.unfamiliar(source["test"].images, model.outputs(source["test"].images)) is None


def test_without_validation_pictures_it_tells_by_their_look_what_is_unfamiliar(
    source: dict[str, ImageSet], make_set: MakeSet
) -> None:
    source["train"] = make_set(400)
    train(recipe("validation=0", "keep=last", "epochs=1"))
    model = Model.load(find_run("last").path)
    last = find_run("last").log_file.read_text().splitlines()[-1]
    alone = "threshold for unfamiliar pictures set by the look of pictures alone (no validation pictures)"
    assert f"{alone}: 99.0 % of 200 training pictures kept for it count as familiar" in last
    noise = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), dtype=np.uint8)
    flat = np.broadcast_to(np.arange(0, 250, 5, dtype=np.uint8)[:, None, None, None], (50, 1, 8, 8))
    for pictures, least, most in ((noise, 1, 1), (flat, 1, 1), (make_set(500, seed=1).images, 0, 0.03)):
        unfamiliar = model.unfamiliar(pictures, model.outputs(pictures))
        assert unfamiliar is not None
        assert least <= unfamiliar.double().mean() <= most


@pytest.mark.parametrize("cause", [OSError(28, "No space left on device"), None])
def test_where_a_disk_refuses_it_says_how_to_go_on(cause: OSError | None, source: dict[str, ImageSet]) -> None:
    assert source

    class Full(Reporter):
        def step(self, progress: StepProgress) -> None:
            if progress.step == 3:
                raise RetinulaError("cannot write steps.csv: No space left on device") from cause

    with pytest.raises(RetinulaError, match=r"^cannot write steps\.csv: No space left on device") as caught:
        train(recipe(), run="mine", reporter=Full())
    hint = "; go on with: retinula train --resume runs/mine"
    assert str(caught.value).endswith(hint) == (cause is not None), "only a disk can be better the next time"
    resume("mine")
    assert find_run("mine").finished


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_disk_that_may_not_be_written_to_any_more_takes_nothing_away(
    epochs: int, source: dict[str, ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether there is a checkpoint by then or not."""
    assert source

    def refuse(model: Model, path: Path) -> None:
        with explained(path):
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Model, "save", refuse)
    with pytest.raises(RetinulaError, match=r"^cannot write runs/mine/model\.safetensors: Read-only file system"):
        train(recipe(f"epochs={epochs}"), run="mine")
    assert find_run("mine").metrics()


def test_a_run_that_is_moved_while_it_is_trained_says_how_to_go_on(source: dict[str, ImageSet]) -> None:
    assert source

    class Moves(Reporter):
        def step(self, progress: StepProgress) -> None:
            if progress.step == 3:
                Path("runs/mine").rename("runs/other")

    with pytest.raises(RetinulaError, match=r"^runs/mine was moved or removed while .* --resume ITS-NEW-PLACE$"):
        train(recipe(), run="mine", reporter=Moves())
    resume("runs/other")
    assert find_run("other").finished


@pytest.mark.parametrize("change", [{"evaluations": [1]}, {"data": None}, {"parameters": "x"}])
def test_a_damaged_report_is_refused_before_the_work(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(recipe(), SURROUNDINGS, "mine")
    run.report_file.write_text(json.dumps(whole_report() | change))
    monkeypatch.setattr("retinula.trained.model_file.Model.load", lambda _: pytest.fail("the work has begun"))
    with pytest.raises(InputError, match=r"runs/mine/report\.json: "):
        evaluate_run(run)


def test_where_a_run_is_taken_it_does_not_say_to_go_on(source: dict[str, ImageSet]) -> None:
    run = stopped()
    with run.lock(), pytest.raises(RetinulaError, match=r"another process is training in this folder$"):
        resume("last")


def test_another_network_comes_without_the_arguments_of_the_one_it_replaces() -> None:
    settled, _ = experiment._settled("cifar10-fast", ("model=residual",), None, Path("runs"), True, Reporter())
    assert (settled.model.name, settled.model.arguments) == ("residual", {})
    settings = ("model=mobilenetv2", "model.arguments.width=0.25")
    settled, _ = experiment._settled(load_recipe("cifar10-fast"), settings, None, Path("runs"), True, Reporter())
    assert settled.model.arguments == {"width": 0.25}


def test_what_is_no_image_set_is_refused_before_anything_is_read(make_set: MakeSet) -> None:
    dataset = Dataset("made", {"train": make_set(60)})
    said = "must be an ImageSet, not a Dataset: give one of its splits, dataset.train or dataset.validation"
    with pytest.raises(InputError, match=f"train_set {said}"):
        train("no such recipe", dataset)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InputError, match=f"validation_set {said}"):
        train("no such recipe", make_set(60), dataset)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InputError, match=r"train_set must be an ImageSet, not a str: retinula\.load reads them"):
        train("no such recipe", "photos")  # type: ignore[arg-type]  # what is refused
    assert not Path("runs").exists()


def test_a_training_says_first_which_classes_are_lost_or_look_like_none(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    classes = ("cat", "dog", "owl", "cat|dog", "cat|owl", "dog|owl")
    for number in range(30):
        Image.new("RGB", (8, 8), (8 * number,) * 3).save(tmp_path / f"pictures/{number}.png")
    rows = [f"{number}.png,{classes[number % 6]}" for number in range(30)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows, "30.png,bee"]))
    told: list[str] = []

    class Stops(Reporter):
        def step(self, progress: StepProgress) -> None:
            raise Interrupted("stopped here")

        def message(self, text: str) -> None:
            told.append(text)

    with pytest.raises(Interrupted):
        train("labels.csv", run="own", settings=[*QUICK, "data.root=pictures"], reporter=Stops())
    assert told[:2] == [
        "of these classes no picture is left, so that nothing learns them: bee",
        "'cat|dog' looks like several labels of one picture: each combination is learned as its own class",
    ]
    assert "30.png: there is no such file" in find_run("own").log_file.read_text()
    assert find_run("own").recipe().data.root == str(tmp_path / "pictures")
    before = len(told)
    with pytest.raises(Interrupted):
        resume("own", reporter=Stops())
    assert not {*told[:2]} & {*told[before:]}
