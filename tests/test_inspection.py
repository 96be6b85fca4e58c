"""A closer look at a finished run: all of it at once on a tiny one, and what it refuses."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from command_line import run_command
from retinula import experiment, inspection, measurement
from retinula.datasets.reading import Dataset
from retinula.errors import InputError
from retinula.evaluation import label_errors, run_data
from retinula.evaluation.asked import Asked, ask, ask_file
from retinula.evaluation.caution import CountedAnswers
from retinula.evaluation.findings import read_inspection
from retinula.evaluation.label_errors import LabelError
from retinula.evaluation.learned import LearnedPictures
from retinula.evaluation.measuring import evaluate
from retinula.evaluation.recognised import Learned
from retinula.evaluation.results import ClassificationResult
from retinula.evaluation.text import inspection_text, text_report
from retinula.experiment import train
from retinula.images import ImageSet
from retinula.inspection import look_closer
from retinula.plots import examination
from retinula.recipe.files import load_recipe
from retinula.runs.run import find_run
from retinula.trained.model_file import Model
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.transforms.preprocess import Preprocess

MakeSet = Callable[..., ImageSet]


@pytest.fixture
def _trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_set: MakeSet) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: Hardware("cpu", 1, False, "float32", "for the test"))
    full, test = make_set(90), make_set(30, seed=7)
    images = test.images.copy()
    images[5] = full.images[8]  # one of the training pictures
    splits = {"train": full, "test": replace(test, images=images, name="made/test")}
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("made", dict(splits), ()))  # type: ignore[arg-type]  # names of splits
    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: None)  # which takes longer than such a training
    train(load_recipe("digits", ["epochs=1", "model.arguments.width=0.25", "batch_size=32", "validation=0"]))


def noticed_loads(patch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that takes the name of each data set that is loaded from now on."""
    loads: list[str] = []
    load = vars(run_data)["load"]

    def watched(name: str, **options: Any) -> Dataset:
        loads.append(name)
        loaded: Dataset = load(name, **options)
        return loaded

    patch.setattr(run_data, "load", watched)
    return loads


@pytest.mark.usefixtures("_trained")
def test_all_of_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = find_run("last")
    found = look_closer(
        ask(run, folder=tmp_path / "out"), corruptions=True, labels=True, duplicates=True, embedding=True, num_images=10
    )
    assert found.robustness is not None
    assert found.robustness.num_images == 10
    assert found.embedding is not None
    assert found.embedding.points.shape == (30, 2)
    assert found.duplicates is not None
    (between,) = (pairs for name, pairs in found.duplicates.items() if name.startswith("between"))
    assert (between[0].index, between[0].other, between[0].exact) == (5, 8, True)
    written = json.loads((tmp_path / "out" / "inspection.json").read_text())
    assert set(written) == {"test"}
    assert {"robustness", "label_errors", "near_duplicates", "embedding"} < set(written["test"])
    for name in ("robustness", "embedding", "duplicates-in-train"):
        assert (tmp_path / "out" / "figures" / f"test-{name}.png").stat().st_size > 1000
    measured = measurement.evaluate_run(run, folder=tmp_path / "out")
    assert isinstance(measured, ClassificationResult)
    assert any(
        line.startswith("Spoilt pictures (15 corruptions, 5 strengths, 10 drawn from 30; single looks)")
        for line in inspection_text(found, measured)
    )
    with monkeypatch.context() as patched:
        loads = noticed_loads(patched)
        assert look_closer(ask(run, folder=tmp_path / "again"), duplicates=True).duplicates == found.duplicates
    assert len(loads) == 1
    assert look_closer(ask(run)).to_dict() == {}
    # One look does not forget another on the same pictures, and what is read back is what was written.
    look_closer(ask(run, folder=tmp_path / "out"), embedding=True)
    assert json.loads((tmp_path / "out" / "inspection.json").read_text()) == written
    again = read_inspection(tmp_path / "out" / "inspection.json", "test")
    assert again is not None
    assert (again.dataset, again.split) == ("made/test", "test")
    read = json.loads(json.dumps(again.found.to_dict()))
    assert read == {key: written["test"][key] for key in read}
    look_closer(ask(run, folder=tmp_path / "out", split="train"), embedding=True)
    both = json.loads((tmp_path / "out" / "inspection.json").read_text())
    assert both["test"] == written["test"], "a look at another split forgets nothing"
    assert set(both["train"]) == {"dataset", "split", "fingerprint", "embedding"}
    # Earlier versions wrote what they found among one split alone.
    (tmp_path / "out" / "inspection.json").write_text(json.dumps(written["test"]))
    look_closer(ask(run, folder=tmp_path / "out", split="train"), embedding=True)
    assert json.loads((tmp_path / "out" / "inspection.json").read_text()) == both
    seen = look_closer(ask(run, split="train"), labels=True).label_errors
    assert seen is not None
    assert seen.method.startswith("5-fold linear head")
    with pytest.raises(InputError, match="no validation pictures"):
        look_closer(ask(run, split="validation"), labels=True)


@pytest.mark.usefixtures("_trained")
def test_other_pictures_are_compared_with_the_training_pictures_too(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = find_run("last")
    own_file = run.inspection_file
    look_closer(ask(run), embedding=True)
    before = own_file.read_bytes()
    loaded, others = vars(run_data)["load"], replace(make_set(90).take(np.arange(20, 40)), name="photos/test")
    changed = others.images.copy()
    changed[0] = 255 - changed[0]  # all as they are would be called learned from
    others = replace(others, images=changed)
    given = Dataset("photos", {"test": others})
    monkeypatch.setattr(run_data, "load", lambda name, **rest: given if name == "photos" else loaded(name, **rest))
    found = look_closer(ask(run, data="photos"), duplicates=True)
    assert found.duplicates is not None
    pairs = found.duplicates["between photos/test and made/train"]
    assert sum(pair.exact for pair in pairs) == 19
    assert (run.other_folder("photos") / "inspection.json").exists()
    assert own_file.read_bytes() == before
    monkeypatch.setattr(run_data, "load", lambda *_, **__: given)
    again = look_closer(ask(run, data="photos"), duplicates=True, embedding=True)
    assert again.impossible.keys() == {"between"}
    assert again.duplicates == {"within photos/test": found.duplicates["within photos/test"]}
    kept = read_inspection(run.other_folder("photos") / "inspection.json", "test")
    assert kept is not None
    assert kept.found.duplicates == found.duplicates, "what was found between them is not forgotten"
    assert "impossible" not in (run.other_folder("photos") / "inspection.json").read_text()
    alone = look_closer(ask_file(Model.load(run.path), data="photos"), duplicates=True)
    assert alone.duplicates == again.duplicates
    measured = measurement.evaluate_run(run, data="photos")
    assert isinstance(measured, ClassificationResult)
    assert inspection_text(alone, measured)[0] == (
        "Near-duplicates between these and the training pictures left out: "
        "a model file alone does not have these; name its run."
    )


@pytest.mark.usefixtures("_trained")
def test_pictures_of_some_of_the_classes_are_measured_and_looked_at(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose classes are the model's last two, in other case and other order."""
    run, some = find_run("last"), make_set(40, num_classes=2, seed=5)
    others = replace(some, classes=("Class 2", "CLASS 1"), name="photos/test")
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("photos", {"test": others}))
    measured = measurement.evaluate_run(run, data="photos")
    assert isinstance(measured, ClassificationResult)
    assert measured.confusion.sum(dim=1).tolist() == [0, 20, 20]
    assert "No pictures of 1 of the 3 classes: class 0. " in " ".join(text_report(measured))
    assert (run.other_folder("photos") / "figures" / "test-examples.png").exists()
    found = look_closer(
        ask(run, data="photos"), corruptions=True, labels=True, duplicates=True, embedding=True, num_images=4
    )
    assert found.unlooked == ()
    assert found.label_errors is not None
    assert {each.label for each in found.label_errors.errors} <= {"class 1", "class 2"}
    assert inspection_text(found, measured)


@pytest.mark.usefixtures("_trained")
def test_its_own_training_pictures_are_known_under_another_name_too() -> None:
    run = find_run("last")
    found = look_closer(ask(run, data="digits", split="train"), labels=True, duplicates=True)
    assert found.label_errors is not None
    assert found.label_errors.method.startswith("5-fold linear head"), "not held out: it has learned them by heart"
    assert found.duplicates is not None
    assert list(found.duplicates) == ["within made/train"], "not compared with themselves"
    assert measurement.evaluate_run(run, data="digits", split="train").learned.from_these
    assert not measurement.evaluate_run(run, data="digits").learned.from_these


@pytest.mark.usefixtures("_trained")
def test_pictures_are_known_by_their_pixels_whatever_their_split_is_called(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, model = find_run("last"), Model.load(find_run("last").path)
    train, new = run_data.own_pictures(run, "train"), make_set(12, seed=31)
    labels = np.concatenate([train.known_labels()[:5], new.known_labels()])
    mixed = replace(new, images=np.concatenate([train.images[:5], new.images]), labels=labels)
    loaded = vars(run_data)["load"]
    given = {"own": train, "mixed": mixed, "new": new}

    def load(name: str, **rest: Any) -> Dataset:
        return Dataset(name, {"test": given[name]}) if name in given else loaded(name, **rest)

    monkeypatch.setattr(run_data, "load", load)
    for name, number in (("own", len(train)), ("mixed", 5), ("new", 0)):
        result = measurement.evaluate_run(run, data=name)
        assert isinstance(result, ClassificationResult)
        assert (result.learned.number, result.learned.from_these) == (number, name == "own")
        again = evaluate(run.path, given[name], split="test")
        assert (again.learned.number, again.learned.from_these) == (number, name == "own")
        assert evaluate(model, given[name], split="test").learned.from_these == (name == "own")
    result = measurement.evaluate_run(run, data="mixed")
    assert isinstance(result, ClassificationResult)
    assert result.accuracy_of_others == (result.predicted == result.labels)[5:].double().mean()
    assert run.report()["evaluations"]["mixed/test"]["num_learned"] == 5
    with monkeypatch.context() as patched:
        loads = noticed_loads(patched)
        assert evaluate(run.path, mixed, split="test").learned.number == 5
        assert loads == [], "the run itself knows"
    run.learned_file.unlink()  # as those of earlier versions are
    assert evaluate(run.path, mixed, split="test").learned.number is None
    assert measurement.evaluate_run(run, data="mixed").learned.number is None
    assert measurement.evaluate_run(run, data="own").learned.from_these


@pytest.mark.usefixtures("_trained")
def test_where_not_all_that_was_learned_can_be_compared_no_picture_is_called_new(make_set: MakeSet) -> None:
    run = find_run("last")
    train, new = run_data.own_pictures(run, "train"), make_set(12, seed=31)
    mixed = train.take(range(5))
    mixed = replace(mixed, images=np.concatenate([mixed.images, new.images[:1]]), labels=train.known_labels()[:6])
    kept = LearnedPictures.read(run)
    assert kept is not None
    assert evaluate(run.path, new, split="test").learned.number == 0
    others = {**kept.by_form, "3x9x9": np.arange(2)}
    for more in (LearnedPictures(kept.by_form, ("theirs",)), LearnedPictures(others)):
        more.write(run)
        assert evaluate(run.path, new, split="test").learned.number is None
        result = evaluate(run.path, mixed, split="test")
        assert isinstance(result, ClassificationResult)
        assert (result.learned.number, result.accuracy_of_others, result.learned.from_these) == (5, None, False)
        assert text_report(result)[-1] == "At least 5 of the 6 are equal, pixel by pixel, to pictures it learned from."


@pytest.mark.usefixtures("_trained")
def test_training_pictures_at_hand_tell_what_a_run_of_an_earlier_version_did_not_keep() -> None:
    run = find_run("last")
    run.learned_file.unlink()
    assert measurement.evaluate_run(run).learned.number == 1
    assert measurement.evaluate_run(run, split="train").learned.from_these
    begun = run.recipe()
    run.recipe_file.write_text(begun.changed(model={"weights": "theirs"}).to_toml())
    assert ask(run).learned.at_least, "of what it began from nobody knows"


@pytest.mark.usefixtures("_trained")
def test_what_a_run_kept_of_what_it_learned_is_told_where_it_is_damaged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], make_set: MakeSet
) -> None:
    run = find_run("last")
    run.learned_file.write_bytes(b"torn")
    with pytest.raises(InputError, match="not a safetensors file, or cut short") as torn:
        LearnedPictures.read(run)
    told = f"{torn.value}: the pictures to train on tell what {run.name} has learned"
    damage = f"{torn.value}: which pictures {run.name} has learned cannot be told"
    said: list[str] = []
    assert ask(run, remark=said.append).learned.number == 1, "its training pictures tell"
    assert said == [told]
    assert evaluate(run.path, make_set(12, seed=31), split="test").learned.number is None
    assert capsys.readouterr().err == f"{damage}\n"
    monkeypatch.setattr(measurement, "draw_evaluation", lambda *_: None)
    said_out, complaint = run_command(monkeypatch, capsys, "evaluate", "last")
    assert "accuracy" in said_out
    assert told in complaint


class ByHeart(nn.Module):
    """Sees the class in the first row of pixels; where the second has another by heart, it says that."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3, bias=False)
        self.head.weight.data = 4 * torch.eye(3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = self.head(inputs[:, 0, 0, :3])
        return seen + 20 * inputs[:, 0, 1, :3]


@pytest.mark.parametrize("number", [0, 3, 60, 117, 120])
def test_labels_that_it_knows_by_heart_are_doubted_by_answers_that_do_not(number: int) -> None:
    """Of 120 pictures it has learned so many, wrong labels and all."""
    truth, learned = np.arange(120) // 2 % 3, np.arange(120) < number
    wrong = np.arange(120) % 10 == 1
    labels = np.where(wrong, (truth + 1) % 3, truth)
    images = np.zeros((120, 1, 8, 8), dtype=np.uint8)
    images[np.arange(120), 0, 0, truth] = 255
    images[learned, 0, 1, labels[learned]] = 255
    pictures = ImageSet(images, labels, ("ant", "bee", "cat"), "zoo/test")
    model = Model(ByHeart(), "cifar10-cnn", {}, pictures.classes, Preprocess(1, (8, 8), (0.0,), (1.0,)))
    known = Learned(from_these=number == 120, each=learned)
    asked = Asked(None, None, model, pictures, "test", known, None, False, None)
    found = look_closer(asked, labels=True).label_errors
    assert found is not None
    assert {error.index for error in found.errors} == set(np.flatnonzero(wrong).tolist())
    assert (found.num_images, found.num_rare) == (120, 0)
    head = "5-fold linear head on the embeddings"
    mixed = f"held out: {120 - number}; {head}: {number}"
    assert found.method == {0: "held out", 120: head}.get(number, mixed)
    assert [error.label_probability for error in found.errors] == sorted(e.label_probability for e in found.errors)
    if number < 120:
        unsure = look_closer(replace(asked, learned=replace(known, at_least=True)), labels=True).label_errors
        assert unsure is not None
        assert unsure.method == found.method.replace("held out", "held out, as far as is known")


@pytest.mark.usefixtures("_trained")
def test_where_only_the_training_pictures_have_changed_the_others_are_looked_at(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, loaded = find_run("last"), vars(run_data)["load"]
    splits = dict(loaded().splits)
    splits["train"] = splits["train"].take(np.arange(1, 90))
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("made", splits))
    found = look_closer(ask(run), duplicates=True, embedding=True)
    assert found.embedding is not None
    assert found.impossible["between"].endswith("the training pictures have changed since it began")
    assert list(found.duplicates or ()) == ["within made/test"]
    with pytest.raises(InputError, match=r"the training pictures have changed since it began; measure on pictures"):
        look_closer(ask(run, split="train"), embedding=True)
    splits["test"] = splits["test"].take(np.arange(1, 30))
    with pytest.raises(InputError, match=r"changed since it began, and the test pictures, too; measure on pictures"):
        look_closer(ask(run), embedding=True)


@pytest.mark.usefixtures("_trained")
def test_pictures_that_are_measured_and_looked_at_closer_are_loaded_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loads = noticed_loads(monkeypatch)
    monkeypatch.setattr(measurement, "draw_evaluation", lambda *_: None)
    said, _ = run_command(monkeypatch, capsys, "evaluate", "last", "--duplicates")
    assert "accuracy" in said
    assert "Near-duplicates between" in said
    assert loads == ["digits"]


@pytest.mark.usefixtures("_trained")
def test_a_look_that_is_impossible_takes_nothing_from_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise InputError("nothing can be said of these")

    monkeypatch.setattr(inspection, "out_of_fold", refused)
    monkeypatch.setattr(measurement, "draw_evaluation", lambda *_: None)
    said, _ = run_command(monkeypatch, capsys, "evaluate", "last", "--split", "train", "--labels", "--duplicates")
    assert "\nWrong labels left out: nothing can be said of these.\n" in said
    assert "Near-duplicates within made/train" in said
    kept = read_inspection(find_run("last").inspection_file, "train")
    assert kept is not None
    assert kept.found.unlooked == ("corruptions", "labels", "embedding")
    said, complaint = run_command(monkeypatch, capsys, "evaluate", "last", "--split", "train", "--labels", code=2)
    assert "accuracy" in said
    assert complaint.endswith("retinula: nothing can be said of these\n")
    said, _ = run_command(monkeypatch, capsys, "evaluate", "last", "--split=train", "--labels", "--map", "--json")
    told = json.loads(said)
    assert told["impossible"] == {"labels": "nothing can be said of these"}
    assert "embedding" in told


@pytest.mark.usefixtures("_trained")
def test_the_figure_of_wrong_labels_knows_how_right_the_answers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(_: object, labels: np.ndarray, num_classes: int) -> np.ndarray:
        answers = 0.1 + 0.7 * np.eye(num_classes)[np.where(np.arange(90) < 25, (labels + 1) % 3, labels)]
        answers[80:] = 0  # of too rare classes
        return answers

    def noticed(_: object, errors: Sequence[LabelError], counted: CountedAnswers, classes: Sequence[str]) -> Figure:
        told.append(counted)
        return Figure()

    told: list[CountedAnswers] = []
    monkeypatch.setattr(inspection, "out_of_fold", answered)
    monkeypatch.setattr(examination, "label_errors", noticed)
    assert look_closer(ask(find_run("last"), split="train"), labels=True).label_errors is not None
    assert told == [CountedAnswers(80, 55, 27)]


@pytest.mark.usefixtures("_trained")
def test_what_was_found_stays_whatever_ends_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    told: list[str] = []
    monkeypatch.setattr(inspection, "find_near_duplicates", stopped)
    with pytest.raises(KeyboardInterrupt):
        look_closer(ask(find_run("last")), duplicates=True, embedding=True, progress=lambda what, *_: told.append(what))
    kept = read_inspection(find_run("last").inspection_file, "test")
    assert kept is not None
    assert kept.found.unlooked == ("corruptions", "labels", "duplicates")
    assert told == ["asking the model", "mapping", "looking for near-duplicates"]


@pytest.mark.usefixtures("_trained")
@pytest.mark.parametrize("option", ["--labels", "--deep"])
def test_a_broken_cleanlab_is_found_before_other_work(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: str) -> None:
        raise InputError("cleanlab cannot be loaded (torn): install it anew")

    loads = noticed_loads(monkeypatch)
    monkeypatch.setattr(label_errors, "load", broken)
    _, complaint = run_command(monkeypatch, capsys, "evaluate", "last", option, code=2)
    assert complaint == "retinula: cleanlab cannot be loaded (torn): install it anew\n"
    with pytest.raises(InputError, match="torn"):
        look_closer(ask(find_run("last")), corruptions=True, labels=True, progress=lambda *_: pytest.fail("it began"))
    assert loads == ["digits"], "by Python alone"
    assert find_run("last").report()["evaluations"] == {}


@pytest.mark.usefixtures("_trained")
def test_a_model_file_alone_is_looked_at_without_pictures_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(find_run("last").model_file)
    files = set(Path().rglob("*"))
    words = ("evaluate", file, "--data", "made", "--map", "--duplicates")
    said, _ = run_command(monkeypatch, capsys, *words, "--json")
    found = json.loads(said)
    assert (found["num_images"], found["embedding"] is not None) == (30, True)
    told, _ = run_command(monkeypatch, capsys, *words)
    assert "Near-duplicates within made/test: " in told
    assert "a model file alone does not have these; name its run." in told
    assert "figures: " not in told
    assert set(Path().rglob("*")) == files
    told, _ = run_command(monkeypatch, capsys, *words, "--split", "train", "--out", "out")
    assert "These are the pictures that it learned from" in told
    assert "figures: out/figures" in told
    shown = {path.name for path in Path("out").iterdir() if not path.name.startswith(".")}  # but for a lock
    assert shown == {"figures", "inspection.json", "report.json"}
    assert list(Path("out/figures").glob("train-*.png"))
    _, complaint = run_command(monkeypatch, capsys, *words, "--out", "runs/digits-1", code=2)
    assert "runs/digits-1 is the folder of a run" in complaint


@pytest.mark.usefixtures("_trained")
def test_what_reconstructs_is_refused_before_it_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Model, "classifies", property(lambda _: False))
    _, complaint = run_command(monkeypatch, capsys, "evaluate", "last", "--map", code=2)
    assert complaint.startswith(f"retinula: {find_run('last').path}: ")
    assert "only classifiers are looked at closer" in complaint
    assert find_run("last").report()["evaluations"] == {}
