"""A measurement in words: exact lines for results that are known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from retinula.evaluation.caution import caution, is_near_chance, is_too_few
from retinula.evaluation.denoising import Denoising
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.findings import Inspection
from retinula.evaluation.intervals import wilson_interval
from retinula.evaluation.label_errors import LabelError, LabelErrors
from retinula.evaluation.recognised import Learned
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.robustness import Robustness
from retinula.evaluation.text import error_by_chance, inspection_text, is_few, text_report, verdict
from retinula.metrics import Calibration, CalibrationBin, calibration, confusion_matrix

LABELS = torch.tensor([0, 0, 1, 1, 2, 2])
PROBABILITIES = torch.tensor(
    [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]]
)


def result(classes: tuple[str, ...] = ("ant", "bee", "cat")) -> ClassificationResult:
    return ClassificationResult(
        dataset="zoo",
        split="test",
        num_images=6,
        model="cifar10-cnn",
        task="classification",
        tta="none",
        seconds=0.5,
        unverified_copy=False,
        provenance={},
        classes=classes,
        superclasses=None,
        labels=LABELS,
        logits=PROBABILITIES.log(),
        probabilities=PROBABILITIES,
        confusion=confusion_matrix(PROBABILITIES.argmax(1), LABELS, 3),
        top5=None,
        loss=0.5,
        calibration=calibration(PROBABILITIES, LABELS),
    )


def test_the_accuracy_under_each_condition() -> None:
    names = ("fog/1", "fog/2", "fog/3", "snow/1", "snow/2", "snow/3")
    spoilt = replace(result(), conditions=names)
    assert spoilt.condition_accuracy == dict.fromkeys(names, 1.0) | {"fog/2": 0.0}
    assert spoilt.to_dict()["conditions"] == spoilt.condition_accuracy
    lines = text_report(spoilt)
    start = lines.index("")
    assert lines[start : start + 5] == [
        "",
        "right, in %, at strength      1      2      3   mean",
        "fog                       100.0    0.0  100.0   66.7",
        "snow                      100.0  100.0  100.0  100.0",
        "",
    ]


def test_a_classification_in_words() -> None:
    assert text_report(result()) == [
        "zoo, test pictures: accuracy 83.33 % (5 of 6 right; 95 % interval 43.6 to 97.0 %)",
        "Loss 0.5000; a blind guess has 1.0986.",
        "On average it is 80.0 % sure and right for 83.3 %: as far as 6 pictures can tell, its probabilities can be "
        "believed (calibration error 3.3 %; chance alone would give a perfectly calibrated model about 13.1 % on as "
        "many pictures).",
        "Most often mistaken:",
        "  ant taken for bee: 1 of 2",
        "Most confident mistakes:",
        "  picture 1: ant taken for bee, 80.0 % sure",
        "",
        "class                 precision     recall         F1   pictures",
        "ant                       1.000      0.500      0.667          2",
        "bee                       0.667      1.000      0.800          2",
        "cat                       1.000      1.000      1.000          2",
        "mean of the classes       0.889      0.833      0.822          6",
        "mean of the pictures      0.889      0.833      0.822          6",
        "precision: of all pictures given this answer, the share that really belong to the class",
        "recall: of the class's pictures, the share that is found; F1: the harmonic mean of both",
        "",
        "0.5 s, 12 pictures a second",
    ]


def test_what_is_known_besides_is_said() -> None:
    more = replace(
        result(),
        top5=0.99,
        superclasses=("insect", "insect", "beast"),
        split="train",
        learned=Learned(from_these=True),
        unverified_copy=True,
        tta="mirror",
        plain_accuracy=0.9417,
    )
    lines = text_report(more)
    assert lines[1:4] == [
        "These are averaged answers (mirror); a single look at each picture is right for 94.17 %.",
        "Top-5 accuracy 99.0 %: the right class is among the five likeliest.",
        "The superclass is right for 100.0 %.",
    ]
    assert lines[-3:] == [
        "0.5 s, 12 pictures a second, averaged (mirror)",
        "These are the pictures that it learned from: expect less on new ones.",
        "The pictures come from an unverified copy: its hash is not the official one.",
    ]


def test_pictures_that_it_learned_from_are_counted() -> None:
    learned = np.array([True, False, True, False, False, False])

    def known(each: np.ndarray | None) -> ClassificationResult:
        return replace(result(), learned=Learned(each=each))

    lines = text_report(known(learned))
    assert lines[-1] == (
        "2 of the 6 are equal, pixel by pixel, to pictures it learned from; right for 75.0 % of the others."
    )
    (line,) = set(text_report(known(np.arange(6) == 1))) - set(lines)
    assert line == "1 of the 6 is equal, pixel by pixel, to pictures it learned from; right for 100.0 % of the others."
    assert known(learned).to_dict()["accuracy_of_others"] == 0.75
    for none in (None, learned & False):
        assert text_report(known(none)) == text_report(result())
    assert known(learned & False).accuracy_of_others == result().accuracy
    assert known(learned | True).accuracy_of_others is None
    assert result().accuracy_of_others is None


def test_unequal_classes_are_told_with_what_a_blind_guess_has() -> None:
    unequal = replace(result(), confusion=torch.tensor([[3, 0, 0], [1, 0, 0], [2, 0, 0]]))
    lines = text_report(unequal)
    place = lines.index("Always naming ant would be right for 50.0 %.")
    assert lines[place + 1] == (
        "It never answers bee and cat: where others have more pictures to train on, "
        "objective.class_weights=balanced makes each class count the same."
    )
    nearly = replace(result(), confusion=torch.tensor([[3, 0, 0], [0, 3, 0], [3, 0, 0]]), num_images=9)
    assert not [line for line in text_report(nearly) if "Always" in line or "never" in line]
    absent = replace(result(), confusion=torch.tensor([[3, 0, 0], [0, 3, 0], [0, 0, 0]]))
    assert not [line for line in text_report(absent) if "Always" in line], "the two that occur are equal"


def test_a_temperature_and_the_files_of_mistakes_are_said() -> None:
    files = tuple(f"{number}.png" for number in range(6))
    lines = text_report(replace(result(), temperature=2.0, sources=files))
    (line,) = [line for line in lines if "temperature" in line]
    assert line.startswith(
        "Its logits are divided by the temperature 2.000, fitted on validation pictures; without that"
    )
    assert "  picture 1 (1.png): ant taken for bee, 80.0 % sure" in lines


def test_without_mistakes_none_are_listed() -> None:
    perfect = replace(result(), confusion=torch.eye(3, dtype=torch.int64) * 2)
    assert not [line for line in text_report(perfect) if "mistaken" in line or "taken for" in line]


def test_the_table_leaves_open_what_does_not_occur() -> None:
    absent = replace(result(), confusion=torch.diag(torch.tensor([4, 2, 0])))
    rows = {line[:20].strip(): line.split() for line in text_report(absent)}
    assert rows["cat"] == ["cat", "-", "-", "-", "0"]
    assert rows["ant"][1:] == ["1.000", "1.000", "1.000", "4"]
    assert rows["mean of the classes"][-4:] == ["1.000", "1.000", "1.000", "6"]


def test_the_table_is_straight_with_wide_letters_and_combining_marks() -> None:
    # Two columns a Chinese letter; the accent of the last name is a letter of its own that takes none.
    lines = text_report(result(("\u732b\u732b", "bee", "cafe\u0301")))
    header = next(line for line in lines if line.startswith("class "))
    row = next(line for line in lines if line.startswith("\u732b\u732b "))
    accented = next(line for line in lines if line.startswith("cafe\u0301 "))
    assert len(row) == len(header) - 2
    assert len(accented) == len(header) + 1


def test_a_reconstruction_in_words() -> None:
    picture = torch.zeros(1, 3, 4, 4)
    reconstruction = ReconstructionResult(
        dataset="cifar10",
        split="test",
        num_images=10_000,
        model="cifar10-autoencoder",
        task="reconstruction",
        tta="none",
        seconds=2.0,
        unverified_copy=False,
        provenance={},
        loss=0.574,
        loss_floor=0.5465,
        mse=0.00731,
        psnr=21.36,
        ssim=0.7812,
        originals=picture,
        results=picture,
        noised=picture,
        denoised=picture,
        denoising=(Denoising(0.1, 2000, 20.22, 0.7, 24.5, 0.8), Denoising(0.2, 2000, 14.5, 0.5, 14.25, 0.45)),
    )
    assert text_report(reconstruction) == [
        "cifar10, test pictures: 10,000 pictures reconstructed",
        "Loss (binary cross entropy) 0.5740; a perfect copy has 0.5465, so 0.0275 could still be gained.",
        "Mean squared error 0.00731, PSNR 21.36 dB, SSIM 0.7812 (a perfect copy: 1).",
        "Noise added to 2,000 pictures, and what is left of it (PSNR, SSIM):",
        "  deviation 0.10: 20.22 dB, 0.7000 with the noise; 24.50 dB, 0.8000 after the network (+4.28 dB)",
        "  deviation 0.20: 14.50 dB, 0.5000 with the noise; 14.25 dB, 0.4500 after the network (-0.25 dB)",
        "",
        "2.0 s, 5,000 pictures a second",
    ]


def calibrated(confidence: float, number: int) -> Calibration:
    """Of so many pictures, 76 % of them right."""
    bins = (CalibrationBin(0.0, 1.0, number, confidence, 0.76),)
    return Calibration(error=0.0, confidence=confidence, accuracy=0.76, bins=bins)


@pytest.mark.parametrize(
    ("confidence", "number", "words"),
    [
        (0.75, 10_000, "its probabilities can be believed on the whole"),
        (0.73, 10_000, "it could be surer than it is"),
        (0.80, 10_000, "it is surer than it should be"),
        (0.75, 30, "as far as 30 pictures can tell, its probabilities can be believed"),
        (0.70, 30, "as far as 30 pictures can tell, its probabilities can be believed"),
        (0.99, 30, "it is surer than it should be"),
    ],
)
def test_verdict(confidence: float, number: int, words: str) -> None:
    assert verdict(calibrated(confidence, number)) == words


@pytest.mark.parametrize(
    ("number", "right", "words"),
    [
        (1, 1, "as far as 1 picture can tell, its probabilities can be believed"),
        (5, 4, "as far as 5 pictures can tell, its probabilities can be believed"),
        (5, 1, "it is surer than it should be"),
        (50, 50, "as far as 50 pictures can tell, its probabilities can be believed"),
        (500, 500, "its probabilities can be believed on the whole"),
    ],
)
def test_a_few_very_sure_answers_tell_little(number: int, right: int, words: str) -> None:
    bins = (CalibrationBin(0.0, 1.0, number, 0.9999, right / number),)
    measured = Calibration(abs(0.9999 - right / number), 0.9999, right / number, bins)
    assert verdict(measured) == words
    assert is_few(measured) == (number < 500)


def test_what_chance_adds_to_a_calibration_error_is_said_where_it_is_much() -> None:
    def measured(error: float, number: int) -> Calibration:
        return Calibration(error, 0.9, 0.9 - error, (CalibrationBin(0.0, 1.0, number, 0.9, 0.9 - error),))

    few, many = measured(0.03, 100), measured(0.03, 10_000)
    assert error_by_chance(few) == (
        "; chance alone would give a perfectly calibrated model about 2.4 % on as many pictures"
    )
    assert error_by_chance(many) == "", "0.24 % of 3 %"
    assert error_by_chance(measured(0.2, 100)) == "", "2.4 % of 20 %, however few they are"


def test_sure_and_unsure_answers_together_vary_less_than_answers_that_are_all_quite_sure() -> None:
    halves = (CalibrationBin(0.4, 0.5, 100, 0.5, 0.39), CalibrationBin(0.9, 1.0, 100, 1.0, 1.0))
    surplus = Calibration(0.055, 0.75, 0.695, halves)
    assert verdict(surplus) == "it is surer than it should be"
    alike = Calibration(0.055, 0.75, 0.695, (CalibrationBin(0.7, 0.8, 200, 0.75, 0.695),))
    assert verdict(alike) == "as far as 200 pictures can tell, its probabilities can be believed"


@pytest.mark.parametrize("number", [30, 360, 5000])
def test_a_calibrated_classifier_is_hardly_ever_called_too_sure_or_not_sure_enough(number: int) -> None:
    generator = torch.Generator().manual_seed(0)
    sure = 0.5 + 0.5 * torch.rand(400, number, generator=generator)
    right = (torch.rand(sure.shape, generator=generator) < sure).double()
    blamed = 0
    for confidence, accuracy in zip(sure.mean(1).tolist(), right.mean(1).tolist(), strict=True):
        bins = (CalibrationBin(0.0, 1.0, number, confidence, accuracy),)
        blamed += "surer" in verdict(Calibration(0.0, confidence, accuracy, bins))
    assert blamed <= 0.06 * 400


def test_pictures_of_others_are_not_called_learned_from() -> None:
    assert not [line for line in text_report(replace(result(), split="train")) if "learned from" in line]


def test_nothing_wrong_is_certain() -> None:
    sure = PROBABILITIES.clone()
    sure[1] = torch.tensor([1e-6, 1 - 2e-6, 1e-6])
    (line,) = [line for line in text_report(replace(result(), probabilities=sure)) if "picture 1:" in line]
    assert line.endswith("ant taken for bee, over 99.9 % sure")


def test_pictures_under_many_conditions_do_not_count_as_so_many_pictures() -> None:
    # Ten pictures under 95 conditions, five always right and five always wrong: that is known of ten, not of 950.
    labels = torch.zeros(950, dtype=torch.int64)
    answers = (torch.arange(950) % 10 >= 5).long()
    probabilities = F.one_hot(answers, 3).float() * 0.9 + 0.03
    spoilt = replace(
        result(),
        num_images=950,
        labels=labels,
        logits=probabilities.log(),
        probabilities=probabilities,
        confusion=confusion_matrix(answers, labels, 3),
        calibration=calibration(probabilities, labels),
        conditions=tuple(f"fog/{number}" for number in range(1, 96)),
    )
    assert spoilt.accuracy == 0.5
    low, high = spoilt.accuracy_interval
    assert (low, high) == pytest.approx(wilson_interval(5, 10), abs=1e-4)
    right = replace(spoilt, logits=F.one_hot(labels, 3).float(), confusion=confusion_matrix(labels, labels, 3))
    assert right.accuracy_interval == pytest.approx((wilson_interval(10, 10)[0], 1.0), abs=1e-4), "an 11th may be wrong"
    assert text_report(spoilt)[1] == (
        "They are 10 pictures under 95 conditions each; the interval is about the pictures, and holds for these "
        "conditions."
    )
    assert replace(spoilt, conditions=()).accuracy_interval[0] > 0.46


def test_a_kind_without_words_is_our_mistake() -> None:
    bare = Evaluation(
        dataset="zoo",
        split="test",
        num_images=1,
        model="x",
        task="else",
        tta="none",
        seconds=1.0,
        unverified_copy=False,
        provenance={},
    )
    with pytest.raises(TypeError, match="no words for a Evaluation"):
        text_report(bare)


def test_how_many_pictures_have_a_near_duplicate_is_said() -> None:
    pairs = tuple(NearDuplicate(one, two, True, 1.0, (0, 0)) for one in range(5) for two in range(one + 1, 5))
    found = {"within a": pairs, "between a and b": pairs[:4], "within b": ()}
    lines = inspection_text(Inspection(duplicates=found), result())
    assert lines == [
        "Near-duplicates within a: 5 pictures in 10 pairs, 10 of them equal in every pixel.",
        "  picture 0 and picture 1: equal",
        "  picture 0 and picture 2: equal",
        "  picture 0 and picture 3: equal",
        "Near-duplicates between a and b: 1 picture of the first in 4 pairs, 4 of them equal in every pixel.",
        "  picture 0 and picture 1: equal",
        "  picture 0 and picture 2: equal",
        "  picture 0 and picture 3: equal",
        "Near-duplicates within b: none.",
    ]


def test_what_is_to_be_corrected_is_named_by_its_file() -> None:
    errors = tuple(LabelError(n, f"cats/{n}.png", "cat", "dog", 0.02, 0.97) for n in range(1000, 1004))
    pair = NearDuplicate(1, 7, False, 0.9712, (0, 1), "cats/1.png", "dogs/7.png")
    found = Inspection(label_errors=LabelErrors(2000, "held out", errors), duplicates={"between a and b": (pair,)})
    assert inspection_text(found, result()) == [
        "Labels likely wrong: 4 of 2,000 (held out).",
        "  picture 1,000 (cats/1000.png): called cat, likely dog (97.0 %)",
        "  picture 1,001 (cats/1001.png): called cat, likely dog (97.0 %)",
        "  picture 1,002 (cats/1002.png): called cat, likely dog (97.0 %)",
        caution(result()),
        "Near-duplicates between a and b: 1 picture of the first in 1 pair, 0 of them equal in every pixel.",
        "  picture 1 (cats/1.png) and picture 7 (dogs/7.png): agree by 0.971",
    ]
    written = json.loads(json.dumps(found.to_dict()))
    assert written["near_duplicates"]["between a and b"][0]["other_source"] == "dogs/7.png"
    assert inspection_text(Inspection.from_dict(written), result()) == inspection_text(found, result())
    rare = replace(found.label_errors, num_rare=4) if found.label_errors else None
    assert inspection_text(Inspection(label_errors=rare, impossible={"embedding": "no numbers"}), result())[:2] == [
        "The map of pictures left out: no numbers.",
        f"{inspection_text(found, result())[0]} "
        "4 more labels were not looked at, because fewer than 5 pictures have each.",
    ]
    for each in written["near_duplicates"]["between a and b"]:
        del each["source"], each["other_source"]  # as earlier versions wrote it
    assert Inspection.from_dict(written).duplicates == {
        "between a and b": (replace(pair, source=None, other_source=None),)
    }


def answered(*rows: tuple[int, int]) -> ClassificationResult:
    """How often two classes are told from each other: true ones in rows."""
    confusion = torch.tensor(rows)
    return replace(result(("ant", "bee")), num_images=int(confusion.sum()), confusion=confusion)


@pytest.mark.parametrize(
    ("measured", "by_chance"),
    [
        (answered((900, 100), (100, 900)), False),
        (answered((620, 380), (380, 620)), False),
        (answered((1000, 0), (900, 100)), True),
        (answered((950, 0), (50, 0)), True),
        (answered((945, 5), (5, 45)), False),
        (answered((3, 0), (0, 2)), True),  # of so few it could be
    ],
)
def test_what_a_model_near_chance_finds_is_not_to_be_believed(measured: ClassificationResult, by_chance: bool) -> None:
    assert is_near_chance(measured) == by_chance
    labels = LabelErrors(9, "held out", (LabelError(1, None, "ant", "bee", 0.4, 0.6),))
    spoilt = Robustness(9, 9, 0.5, {"snow": (0.5,) * 5, "fog": (0.4,) * 5})
    lines = inspection_text(Inspection(spoilt, labels), measured)
    assert lines.count(caution(measured)) == 1
    assert ("fog costs most" in " ".join(lines)) != by_chance
    assert lines.index(caution(measured)) == (0 if by_chance else len(lines) - 1)
    known = inspection_text(Inspection(replace(spoilt, interval=(0.415, 0.486))), measured)
    assert "45.0 % right on average (95 % interval 41.5 to 48.6 %), 50.0 % unspoilt" in " ".join(known)
    none = inspection_text(Inspection(duplicates={"within a": ()}), measured)
    assert len(none) == 1, "near-duplicates are found by pixels"


def test_the_caution_names_what_the_model_and_a_blind_guess_get_right() -> None:
    assert caution(answered((1000, 0), (900, 100))) == (
        "With 55.0 % of 2,000 pictures right (a blind guess: 50.0 %) it is right too seldom: what is found by its "
        "answers is mostly its own mistakes."
    )
    assert caution(answered((510, 490), (490, 510))) == (
        "With 51.0 % of 2,000 pictures right it can hardly be told from a blind guess (50.0 %): what is found by its "
        "answers means nothing."
    )
    assert "hardly be told" not in caution(answered((100, 900), (900, 100))), "it can: it is wrong nearly always"


@pytest.mark.parametrize(("times", "by_chance"), [(1, True), (100, False)])
def test_of_few_pictures_nobody_can_tell_how_far_what_is_found_is_to_be_believed(times: int, by_chance: bool) -> None:
    measured = answered((7 * times, times), (2 * times, 5 * times))
    assert is_near_chance(measured) == is_too_few(measured) == by_chance
    assert caution(measured) == (
        "With 80.0 % of 15 pictures right (a blind guess: 53.3 %) it may be hardly better than guesses: these are too "
        "few to tell whether what is found by its answers means anything."
        if by_chance
        else caution(result())
    )
    assert "15 pictures" in caution(answered((6, 2), (3, 4))), "though a guess may be as good"
    assert "too few to tell" in caution(answered((6, 2), (3, 4)))
    assert not is_too_few(answered((5, 3), (4, 3)))
