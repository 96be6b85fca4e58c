"""Measuring a model whose answers are written into the pictures themselves, so that every result is known."""

import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import classification_report
from torch import Tensor, nn

from retinula.datasets.reading import Dataset
from retinula.errors import InputError, RetinulaError
from retinula.evaluation import run_data
from retinula.evaluation.fitting import labels_for
from retinula.evaluation.measuring import evaluate
from retinula.evaluation.results import (
    ClassificationResult,
    Evaluation,
    ReconstructionResult,
    group_numbers,
)
from retinula.evaluation.text import text_report
from retinula.images import ImageSet
from retinula.metrics import binary_entropy_floor, psnr, ssim
from retinula.models.catalog import build
from retinula.trained.model_file import Model
from retinula.training import lines
from retinula.transforms.preprocess import Preprocess

CLASSES = ("ant", "bee", "cat", "dog", "elk", "fox")


class ReadOut(nn.Module):
    """Answers with the first pixels of the picture: pixel `k` is the logit of class `k`, 0 to 10."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 10 * inputs.flatten(1)[:, : len(CLASSES)]


class Copy(nn.Module):
    """Gives every picture back as its logits."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.logit(inputs.double(), eps=1e-12).float()


class Constant(nn.Module):
    def __init__(self, value: float, smaller: int = 0):
        super().__init__()
        self.value, self.smaller = value, smaller

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.full_like(inputs, self.value)[:, :, self.smaller :]


class Broken(nn.Module):
    """Answers to every third picture with NaN."""

    def forward(self, inputs: Tensor) -> Tensor:
        logits = inputs.flatten(1)[:, : len(CLASSES)].clone()
        logits[::3, 1] = torch.nan
        return logits


def classifier(network: nn.Module | None = None, **changes: Any) -> Model:
    model = Model(
        network=network or ReadOut(),
        network_name="cifar10-cnn",
        arguments={},
        classes=CLASSES,
        preprocess=Preprocess(channels=1, size=(3, 4), mean=(0.0,), std=(1.0,)),
    )
    return replace(model, **changes)


def autoencoder(network: nn.Module, crop: tuple[int, int] | None = None) -> Model:
    return Model(
        network=network,
        network_name="cifar10-autoencoder",
        arguments={},
        classes=(),
        preprocess=Preprocess(channels=3, size=(12, 16), mean=(0.0,) * 3, std=(1.0,) * 3, crop=crop),
    )


def pictures(answers: list[int], strength: int = 255) -> np.ndarray[Any, np.dtype[np.uint8]]:
    images = np.zeros((len(answers), 1, 3, 4), dtype=np.uint8)
    images.reshape(len(answers), 12)[np.arange(len(answers)), answers] = strength
    return images


def labelled(answers: list[int], labels: list[int], **changes: Any) -> ImageSet:
    image_set = ImageSet(pictures(answers), np.array(labels, dtype=np.int64), CLASSES, "zoo/test")
    return replace(image_set, **changes)


def classify(model: Model, image_set: ImageSet, **options: Any) -> ClassificationResult:
    result = evaluate(model, image_set, split="test", **options)
    assert isinstance(result, ClassificationResult)
    return result


ANSWERS = [0, 0, 1, 1, 2, 3, 4, 4]
LABELS = [0, 0, 1, 2, 2, 3, 4, 0]


def test_counts_are_those_written_into_the_pictures() -> None:
    result = classify(classifier(), labelled(ANSWERS, LABELS))
    assert result.predicted.tolist() == ANSWERS
    assert result.labels.tolist() == LABELS
    assert (result.num_images, result.num_correct, result.accuracy) == (8, 6, 0.75)
    assert result.accuracy_interval == pytest.approx((0.409275, 0.928521), abs=1e-6)
    assert result.confusion.tolist() == [
        [2, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert result.mistakes() == [(0, 4, 1), (2, 1, 1)]
    assert (result.dataset, result.split, result.model) == ("zoo", "test", "cifar10-cnn")


def test_the_surest_mistakes_come_first() -> None:
    images = pictures([0, 1, 2, 3])
    images[2] //= 2  # less sure
    files = ["a.png", "b.png", "c.png", "d.png"]
    image_set = ImageSet(images, np.array([5, 5, 5, 3]), CLASSES, "zoo/test", sources=files)
    result = classify(classifier(temperature=2.0), image_set)
    first, second, third = result.surest_mistakes()
    assert (first.index, first.source, first.label, first.answer) == (0, "a.png", "fox", "ant")
    assert (second.index, third.index) == (1, 2)
    rest = math.exp(5) + 5
    assert (first.probability, first.label_probability) == pytest.approx((math.exp(5) / rest, 1 / rest), rel=1e-5)
    assert first.probability == second.probability > third.probability
    values = result.to_dict()
    assert [each["index"] for each in values["mistakes"]] == [0, 1, 2]
    assert values["temperature"] == 2.0
    assert values["calibration_error_before"] == pytest.approx(
        classify(classifier(), image_set).calibration.error, abs=1e-6
    )
    assert len(result.surest_mistakes(2)) == 2


def test_loss_and_calibration_are_those_of_the_probabilities() -> None:
    result = classify(classifier(), labelled(ANSWERS, LABELS))
    rest = math.exp(10) + 5
    # Right: the label's logit is 10. Wrong: the label's logit is 0, as all others but one.
    assert result.loss == pytest.approx(math.log(rest) - 10 * 6 / 8, abs=1e-5)
    sure = math.exp(10) / rest
    assert result.probabilities.max(dim=1).values.tolist() == pytest.approx([sure] * 8, abs=1e-6)
    assert result.calibration.error == pytest.approx(sure - 0.75, abs=1e-6)
    assert len(result.calibration.bins) == 15
    assert result.calibration.bins[-1].count == 8


def test_temperature_softens_probabilities_and_loss_but_not_answers() -> None:
    result = classify(classifier(temperature=10.0), labelled(ANSWERS, LABELS))
    rest = math.e + 5
    assert result.accuracy == 0.75
    assert result.logits.max().item() == 10
    assert result.loss == pytest.approx(math.log(rest) - 6 / 8, abs=1e-6)
    assert result.calibration.error == pytest.approx(abs(math.e / rest - 0.75), abs=1e-6)


def test_top5_is_there_only_for_more_than_five_classes() -> None:
    # Among equal logits the first classes count, so the fifth class is missed where it was not named.
    image_set = labelled([0, 0, 5], [0, 5, 5])
    assert classify(classifier(), image_set).top5 == pytest.approx(2 / 3)
    few = ("ant", "bee", "cat", "dog", "elk")
    model = classifier(FirstFive(), classes=few)
    result = classify(model, replace(labelled([0, 1], [0, 1]), classes=few))
    assert result.top5 is None
    assert result.to_dict()["top5"] is None


class FirstFive(ReadOut):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs)[:, :5]


def test_the_dictionary_holds_scikit_learns_report_and_is_json() -> None:
    result = classify(classifier(), labelled(ANSWERS, LABELS))
    values = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = classification_report(
            LABELS, ANSWERS, labels=range(5), target_names=CLASSES[:5], output_dict=True, zero_division=0
        )
    for name in CLASSES[:5]:
        expected = report[name]
        assert values["per_class"][name] == pytest.approx(
            {
                "precision": expected["precision"],
                "recall": expected["recall"],
                "f1": expected["f1-score"],
                "support": expected["support"],
            }
        )
    assert values["per_class"]["fox"]["recall"] is None, "no picture is of it or was called so"
    for ours, theirs in (("macro_average", "macro avg"), ("weighted_average", "weighted avg")):
        for key, name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert values[ours][key] == pytest.approx(report[theirs][name], abs=1e-12)
    assert values["confusion"] == result.confusion.tolist()
    assert values["classes"] == list(CLASSES)
    assert values["calibration"]["bins"][0]["confidence"] is None
    flat = {key: values[key] for key in ("accuracy", "num_correct", "num_images", "split", "dataset", "task", "tta")}
    assert flat == {
        "accuracy": 0.75,
        "num_correct": 6,
        "num_images": 8,
        "split": "test",
        "dataset": "zoo",
        "task": "classification",
        "tta": "none",
    }
    assert values["accuracy_low"] < 0.75 < values["accuracy_high"]
    assert values["calibration_error"] == result.calibration.error
    assert values["loss"] == result.loss


def test_classes_that_do_not_occur_do_not_count() -> None:
    result = classify(classifier(), labelled([0, 1, 1, 3], [0, 1, 1, 1]))
    values = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = classification_report([0, 1, 1, 1], [0, 1, 1, 3], output_dict=True, zero_division=0)["macro avg"]
    assert values["macro_average"] == pytest.approx(
        {"precision": expected["precision"], "recall": expected["recall"], "f1": expected["f1-score"]}
    )
    assert values["per_class"]["dog"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}, "it was answered"
    assert values["per_class"]["elk"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    perfect = classify(classifier(), labelled([0, 1], [0, 1])).to_dict()
    assert perfect["macro_average"] == perfect["weighted_average"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_superclasses_come_from_the_model_or_else_from_the_set() -> None:
    groups = ("insect", "insect", "beast", "beast", "beast", "beast")
    image_set = labelled(ANSWERS, LABELS)
    assert classify(classifier(), image_set).superclass_accuracy is None
    # Wrong are ant for elk (another group) and cat for bee (another group).
    of_model = classify(classifier(superclasses=groups), image_set)
    assert of_model.superclass_accuracy == 0.75
    of_set = classify(classifier(), replace(image_set, superclasses=("x", "y", "y", "z", "z", "z")))
    assert of_set.superclasses == ("x", "y", "y", "z", "z", "z")
    assert of_set.superclass_accuracy == 0.875
    numbers = group_numbers(groups)
    assert numbers is not None
    assert numbers.tolist() == [1, 1, 0, 0, 0, 0]
    assert group_numbers(None) is None


def test_classes_in_another_order_are_matched_by_name() -> None:
    order = [3, 0, 5, 1, 4, 2]
    names = tuple(CLASSES[number] for number in order)
    superclasses = tuple(name.upper() for name in names)
    labels = [order.index(label) for label in LABELS]
    shuffled = labelled(ANSWERS, labels, classes=names, superclasses=superclasses)
    result = classify(classifier(), shuffled)
    assert result.labels.tolist() == LABELS
    assert result.classes == CLASSES
    assert result.superclasses == tuple(name.upper() for name in CLASSES)
    assert labels_for(classifier(), shuffled).tolist() == LABELS


def test_pictures_of_some_of_the_classes_are_measured_whatever_their_case() -> None:
    """Of six classes three were photographed; one of the answers is a class that was not."""
    image_set = labelled([4, 4, 1, 5, 0], [0, 0, 2, 1, 1], classes=("ELK", "Fox", "bee"), superclasses=("x", "x", "y"))
    result = classify(classifier(), image_set)
    assert result.classes == CLASSES
    assert result.labels.tolist() == [4, 4, 1, 5, 5]
    assert (result.num_correct, result.num_images) == (4, 5)
    assert result.confusion.sum(dim=1).tolist() == [0, 1, 0, 0, 2, 2]
    assert result.without_pictures == ("ant", "cat", "dog")
    assert result.superclasses is None, "nobody knows those of the others"
    assert result.top5 is not None
    assert text_report(result)[1] == (
        "No pictures of 3 of the 6 classes: ant, cat, dog. Those answered all the same count as 0 in the mean of the "
        "classes."
    )
    values = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert values["per_class"]["cat"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert values["per_class"]["fox"]["recall"] == 0.5


@pytest.mark.parametrize(
    ("classes", "of_model", "unknown"),
    [
        ((*CLASSES, "gnu"), CLASSES, "gnu"),
        (("ant", "cow"), CLASSES, "cow"),
        (("a", "b", "c", "d", "e", "f", "g"), CLASSES, "a, b, c, d, e and 2 more"),
        (("0", "1"), CLASSES, "0, 1"),  # numbers in a table may mean classes, not the names of other classes
        (("ANT", "bee"), ("ant", "Ant", "bee", "cat", "dog", "elk"), "ANT"),
    ],
)
def test_other_classes_are_refused_by_name(classes: tuple[str, ...], of_model: tuple[str, ...], unknown: str) -> None:
    image_set = labelled([0, 1], [0, 1], classes=classes)
    with pytest.raises(InputError) as refused:
        evaluate(replace(classifier(), classes=of_model), image_set, split="test")
    assert str(refused.value) == (
        f"zoo/test has classes that the model does not know: {unknown}; its classes are "
        f"{', '.join(of_model[:5])} and 1 more; leave their pictures out, or ask with a table, "
        "where they are counted and not scored: retinula predict RUN SOURCE --labels TABLE.csv"
    )


def test_a_model_may_be_named_by_its_file_or_folder(tmp_path: Path) -> None:
    network = build("residual", num_classes=2, channels=1, size=(8, 8), width=0.25)
    model = Model(network.eval(), "residual", {"width": 0.25}, ("a", "b"), Preprocess(1, (8, 8), (0.0,), (1.0,)))
    model.save(tmp_path / "model.safetensors")
    image_set = ImageSet(np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]), ("a", "b"), "zoo/test")
    measured = evaluate(model, image_set, split="test", clock=count().__next__).to_dict()
    for named in (tmp_path, str(tmp_path), tmp_path / "model.safetensors"):
        assert evaluate(named, image_set, split="test", clock=count().__next__).to_dict() == measured
    with pytest.raises(InputError, match="gone"):
        evaluate("gone", image_set, split="test")


def test_pictures_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image_set = classifier(), labelled(ANSWERS, LABELS)
    asked: list[tuple[Any, ...]] = []

    def load(name: Any, **form: Any) -> Dataset:
        asked.append((name, form["channels"], form["size"]))
        return Dataset("zoo", {"test": image_set, "train": labelled([0], [0])})

    monkeypatch.setattr(run_data, "load", load)
    measured = evaluate(model, image_set, split="test", clock=count().__next__).to_dict()
    for named in ("zoo", Path("zoo")):
        assert evaluate(model, named, clock=count().__next__).to_dict() == measured
    assert asked == [(named, *model.preprocess.shape[:1], model.preprocess.size) for named in ("zoo", Path("zoo"))]
    assert evaluate(model, "zoo", split="train").num_images == 1
    with pytest.raises(InputError, match="zoo has no validation pictures; it has test, train"):
        evaluate(model, "zoo", split="validation")


def test_of_a_users_own_pictures_it_is_told_how_many_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, image_set = classifier(), labelled(ANSWERS, LABELS)
    whole = Dataset("photos", {"test": image_set, "train": labelled([0], [0])})
    monkeypatch.setattr(run_data, "load", lambda *_, **form: whole)
    evaluate(model, tmp_path)
    number = len(image_set)
    assert capsys.readouterr().err == (
        f"{tmp_path}: {number} of {number + 1} pictures are measured, its test pictures\n"
    )
    evaluate(model, tmp_path, progress=False)
    evaluate(model, image_set)
    assert capsys.readouterr().err == ""


def test_what_takes_long_is_told_in_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model, image_set = classifier(), labelled(ANSWERS, LABELS)
    evaluate(model, image_set)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(lines, "PATIENCE", 0)
    evaluate(model, image_set)
    assert capsys.readouterr() == ("", "evaluating 100 %\n")
    evaluate(model, image_set, progress=False)
    evaluate(model, image_set, progress=lambda done, total: None)
    assert capsys.readouterr() == ("", "")


def test_a_whole_data_set_is_no_set_of_pictures() -> None:
    for wrong, kind in (
        (Dataset("zoo", {"test": labelled([0], [0])}), "a Dataset"),
        (Dataset("zoo", {}).test, "a NoneType"),
        (np.zeros((2, 3, 8, 8), np.uint8), r"uint8 \[2, 3, 8, 8\]"),
    ):
        with pytest.raises(InputError, match=rf"to evaluate on are an ImageSet, .* not {kind}$"):
            evaluate(classifier(), wrong, split="test")  # type: ignore[arg-type]  # what is refused


def test_a_wrong_set_is_refused_before_the_network_runs() -> None:
    class NeverRun(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            raise AssertionError

    model = classifier(NeverRun())
    with pytest.raises(InputError, match=r"^zoo/test has no labels$"):
        evaluate(model, replace(labelled([0], [0]), labels=None), split="test")
    with pytest.raises(InputError, match=r"^zoo/test has no pictures to evaluate on$"):
        evaluate(model, labelled([], []), split="test")
    wide = np.zeros((1, 1, 3, 5), dtype=np.uint8)
    with pytest.raises(InputError, match="pictures of 3 x 5 pixels in grey, but the model takes 3 x 4 pixels in grey"):
        evaluate(model, replace(labelled([0], [0]), images=wide), split="test")
    colour = np.zeros((1, 3, 3, 4), dtype=np.uint8)
    with pytest.raises(InputError, match="pictures of 3 x 4 pixels in colour"):
        evaluate(model, replace(labelled([0], [0]), images=colour), split="test")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "tset"}, r"^there is no split 'tset'; did you mean 'test'\?$"),
        ({"split": None}, "^there is no split None; known: test, train, validation$"),
        ({"tta": "mirrr"}, r"^there is no averaging tta='mirrr'; did you mean 'mirror'\?$"),
        ({"tta": None}, r"^there is no averaging tta=None; did you mean 'none'\?$"),
        ({"batch_size": 0}, "^a batch holds at least one picture, not 0$"),
        ({"batch_size": 2.5}, r"^a batch holds at least one picture, not 2\.5$"),
    ],
)
@pytest.mark.parametrize("reconstructs", [False, True])
def test_what_is_asked_for_wrongly_is_refused(wrong: dict[str, Any], message: str, reconstructs: bool) -> None:
    model, image_set = (autoencoder(Copy()), noise()) if reconstructs else (classifier(), labelled(ANSWERS, LABELS))
    with pytest.raises(InputError, match=message):
        evaluate(model, image_set, **{"split": "test", **wrong})
    if "split" not in wrong:
        with pytest.raises(InputError, match=message):
            model.outputs(image_set.images, **wrong)


def test_answers_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(RetinulaError, match="answers to 3 of 8 pictures are not finite") as refused:
        evaluate(classifier(Broken()), labelled(ANSWERS, LABELS), split="test")
    assert refused.value.exit_code == 1


def test_progress_and_time() -> None:
    seen: list[tuple[int, int]] = []
    ticks: Iterator[int] = count()
    result = classify(
        classifier(),
        labelled(ANSWERS, LABELS),
        batch_size=3,
        progress=lambda done, total: seen.append((done, total)),
        clock=lambda: 2.0 * next(ticks),
    )
    assert seen == [(3, 8), (6, 8), (8, 8)]
    assert (result.seconds, result.images_per_second) == (2.0, 4.0)
    instant = classify(classifier(), labelled(ANSWERS, LABELS), clock=lambda: 1.0)
    assert (instant.seconds, instant.images_per_second) == (0.0, 0.0)


def test_batch_size_does_not_change_the_result() -> None:
    whole = classify(classifier(), labelled(ANSWERS, LABELS), clock=lambda: 0.0)
    parts = classify(classifier(), labelled(ANSWERS, LABELS), batch_size=3, clock=lambda: 0.0)
    assert parts.to_dict() == whole.to_dict()


def test_averaging_goes_through_to_the_network() -> None:
    # Mirrored, class 0 (left end of the first row) looks like class 3 (its right end) and the other way round.
    plain = classify(classifier(), labelled([0, 3], [0, 3]))
    mirrored = classify(classifier(), labelled([0, 3], [0, 3]), tta="mirror")
    assert plain.logits[0].tolist() == [10, 0, 0, 0, 0, 0]
    assert mirrored.logits.tolist() == [[5, 0, 0, 5, 0, 0]] * 2
    assert mirrored.to_dict()["tta"] == "mirror"


def test_the_accuracy_without_averaging_stands_beside_the_averaged_one() -> None:
    # Mirrored, a picture of class 0 or 3 is as likely either of both, and the first of equal answers counts.
    mirrored = classify(classifier(), labelled([0, 3], [0, 3]), tta="mirror", clock=lambda: 0.0)
    assert (mirrored.accuracy, mirrored.plain_accuracy) == (0.5, 1.0)
    assert mirrored.to_dict()["plain_accuracy"] == 1.0
    plain = classify(classifier(), labelled([0, 3], [0, 0]))
    assert plain.plain_accuracy is None
    assert plain.to_dict()["plain_accuracy"] == plain.accuracy == 0.5


@pytest.mark.parametrize(
    ("copy", "unverified"), [({}, False), ({"copy": "official"}, False), ({"copy": "unverified copy"}, True)]
)
def test_an_unverified_copy_is_said_to_be_one(copy: dict[str, str], unverified: bool) -> None:
    provenance = {"source": "somewhere", **copy}
    result = classify(classifier(), labelled(ANSWERS, LABELS, provenance=provenance))
    assert result.unverified_copy is unverified
    assert result.to_dict()["unverified_copy"] is unverified
    assert result.to_dict()["provenance"] == provenance


def test_a_name_without_its_split_is_kept() -> None:
    image_set = labelled(ANSWERS, LABELS, name="photos")
    assert evaluate(classifier(), image_set, split="validation").dataset == "photos"


def noise(number: int = 5) -> ImageSet:
    images = np.random.default_rng(0).integers(0, 256, (number, 3, 12, 16), dtype=np.uint8)
    return ImageSet(images, None, (), "noise/test")


def reconstruct(model: Model, image_set: ImageSet, **options: Any) -> ReconstructionResult:
    result = evaluate(model, image_set, split="test", **options)
    assert isinstance(result, ReconstructionResult)
    return result


def test_a_perfect_copy_reaches_the_floor() -> None:
    result = reconstruct(autoencoder(Copy()), noise(), batch_size=2)
    assert result.loss_floor == pytest.approx(binary_entropy_floor(torch.from_numpy(noise().images)), abs=1e-12)
    assert result.loss == pytest.approx(result.loss_floor, abs=1e-6)
    assert result.mse == pytest.approx(0, abs=1e-12)
    assert result.ssim == pytest.approx(1, abs=1e-6)
    assert result.psnr > 90
    assert torch.allclose(result.originals, result.results, atol=1e-6)


def test_a_grey_picture_for_every_picture() -> None:
    image_set = noise()
    result = reconstruct(autoencoder(Constant(0.0)), image_set, batch_size=2)
    targets = torch.from_numpy(image_set.images).double() / 255
    grey = torch.full_like(targets, 0.5)
    assert result.loss == pytest.approx(math.log(2), abs=1e-7)
    assert result.mse == pytest.approx((targets - 0.5).square().mean().item(), abs=1e-7)
    assert result.psnr == pytest.approx(psnr(grey, targets).mean().item(), abs=1e-5)
    assert result.ssim == pytest.approx(ssim(grey, targets).mean().item(), abs=1e-6)


def test_reconstructions_are_compared_with_what_the_network_saw() -> None:
    image_set = noise(3)
    result = reconstruct(autoencoder(Copy(), crop=(8, 10)), image_set)
    centre = torch.from_numpy(image_set.images)[:, :, 2:10, 3:13].float() / 255
    assert result.originals.tolist() == centre.tolist()
    assert result.mse == pytest.approx(0, abs=1e-12)


def test_examples_come_from_all_over_the_set() -> None:
    image_set = noise(15)
    result = reconstruct(autoencoder(Copy()), image_set, batch_size=4)
    kept = [0, 2, 4, 6, 8, 10, 12, 14]
    assert result.originals.tolist() == (torch.from_numpy(image_set.images[kept]).float() / 255).tolist()
    assert len(result.results) == 8


def test_reconstruction_as_json() -> None:
    seen: list[tuple[int, int]] = []
    ticks: Iterator[int] = count()
    result = reconstruct(
        autoencoder(Copy()),
        noise(),
        batch_size=2,
        progress=lambda done, total: seen.append((done, total)),
        clock=lambda: float(next(ticks)),
    )
    values = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert {key: values[key] for key in ("loss", "loss_floor", "mse", "psnr", "ssim")} == {
        "loss": result.loss,
        "loss_floor": result.loss_floor,
        "mse": result.mse,
        "psnr": result.psnr,
        "ssim": result.ssim,
    }
    assert (values["task"], values["num_images"]) == ("reconstruction", 5)
    assert "originals" not in values
    assert [(each["noise"], each["num_images"]) for each in values["denoising"]] == [(0.05, 5), (0.1, 5), (0.2, 5)]
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert result.seconds == 3.0


def test_reconstruction_refuses_what_cannot_be() -> None:
    with pytest.raises(InputError, match="tta=mirror averages answers about classes"):
        evaluate(autoencoder(Copy()), noise(), split="test", tta="mirror")
    with pytest.raises(InputError, match="turns pictures of 12 x 16 pixels in colour into 10 x 16 pixels in colour"):
        evaluate(autoencoder(Constant(0.0, smaller=2)), noise(), split="test")
    with pytest.raises(RetinulaError, match="answers to 5 of 5 pictures are not finite"):
        evaluate(autoencoder(Constant(math.inf)), noise(), split="test")


def test_an_evaluation_of_neither_kind_has_only_what_all_have() -> None:
    common = Evaluation(
        dataset="zoo",
        split="test",
        num_images=4,
        model="x",
        task="classification",
        tta="none",
        seconds=2.0,
        unverified_copy=False,
        provenance={},
    )
    assert common.to_dict()["images_per_second"] == 2.0
    assert "accuracy" not in common.to_dict()
