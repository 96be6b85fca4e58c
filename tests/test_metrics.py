"""The measures against values worked out by hand, scikit-learn, and plain loops over the formulas."""

import math
import os
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import convolve2d
from sklearn.metrics import confusion_matrix as reference_confusion
from sklearn.metrics import log_loss, precision_recall_fscore_support, top_k_accuracy_score
from torch import Tensor

from retinula import metrics
from retinula.metrics import (
    accuracy,
    binary_entropy_floor,
    calibration,
    class_scores,
    confusion_matrix,
    cross_entropy,
    mean_squared_error,
    psnr,
    ssim,
    top_k_accuracy,
)

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 2.0], [0.0, 1.0, 4.0]])
LABELS = torch.tensor([0, 1, 0, 2])


def random_answers(num_images: int = 300, num_classes: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(num_images, num_classes, generator=generator)
    return logits, torch.randint(num_classes, (num_images,), generator=generator)


def test_accuracy_counts_the_largest_logit() -> None:
    assert accuracy(LOGITS, LABELS) == 0.75


def test_a_network_that_always_says_the_same_is_right_only_for_the_first_class() -> None:
    same = torch.zeros(4, 3)
    assert accuracy(same, torch.tensor([0, 1, 2, 1])) == 0.25
    assert top_k_accuracy(same, torch.tensor([0, 1, 2, 1]), 2) == 0.75


def test_top_k_counts_by_hand() -> None:
    assert top_k_accuracy(LOGITS, LABELS, 1) == 0.75
    assert top_k_accuracy(LOGITS, LABELS, 2) == 1.0
    assert top_k_accuracy(LOGITS, torch.tensor([2, 0, 1, 0]), 2) == 0.0


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_top_k_agrees_with_scikit_learn(k: int) -> None:
    logits, labels = random_answers()
    expected = top_k_accuracy_score(labels.numpy(), logits.numpy(), k=k, labels=range(8))
    assert top_k_accuracy(logits, labels, k) == pytest.approx(expected, abs=1e-12)


def test_top_k_is_nothing_where_it_could_not_be_missed() -> None:
    assert top_k_accuracy(LOGITS, LABELS, 3) is None
    assert top_k_accuracy(LOGITS, LABELS, 5) is None


def test_cross_entropy_of_a_blind_guess_is_the_logarithm_of_the_classes() -> None:
    assert cross_entropy(torch.zeros(7, 10), torch.arange(7)) == pytest.approx(math.log(10), abs=1e-6)


def test_cross_entropy_agrees_with_scikit_learn() -> None:
    logits, labels = random_answers()
    probabilities = logits.double().softmax(1).numpy()
    expected = log_loss(labels.numpy(), probabilities, labels=range(8))
    assert cross_entropy(logits, labels) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("number", "least"), [(5, 0.5), (60, 0.5), (400, 0.9), (5000, 0.34)])
def test_a_calibrated_classifier_has_on_average_the_error_that_chance_gives(number: int, least: float) -> None:
    generator = torch.Generator().manual_seed(0)
    measured = []
    for _ in range(400):
        sure = least + (1 - least) * torch.rand(number, generator=generator)
        wrong = (torch.rand(number, generator=generator) > sure).long()
        measured.append(calibration(torch.stack((sure, 1 - sure), dim=1), wrong))
    error, by_chance = (np.mean([getattr(each, name) for each in measured]) for name in ("error", "error_by_chance"))
    assert by_chance == pytest.approx(error, rel=0.05)


def test_nothing_is_left_to_chance_where_answers_are_certain() -> None:
    assert calibration(torch.eye(3), torch.tensor([0, 1, 0])).error_by_chance == 0


@pytest.mark.parametrize("measure", [accuracy, cross_entropy, calibration])
def test_logits_and_labels_must_fit(measure: Callable[[Tensor, Tensor], Any]) -> None:
    with pytest.raises(ValueError, match=r"logits \[N, K\] and labels \[N\]"):
        measure(LOGITS, LABELS[:3])
    with pytest.raises(ValueError, match="not \\[0, 3\\]"):
        measure(LOGITS[:0], LABELS[:0])


def test_top_k_needs_a_k() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        top_k_accuracy(LOGITS, LABELS, 0)


def test_confusion_has_true_classes_in_its_rows() -> None:
    matrix = confusion_matrix(torch.tensor([0, 1, 2, 2]), LABELS, 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert matrix.dtype == torch.int64


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_confusion_and_scores_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = (torch.tensor(values) for values in zip(*pairs, strict=True))
    matrix = confusion_matrix(predicted, labels, 5)
    assert matrix.tolist() == reference_confusion(labels, predicted, labels=range(5)).tolist()
    expected = precision_recall_fscore_support(labels.numpy(), predicted.numpy(), labels=range(5), zero_division=0)
    for measured, reference in zip(class_scores(matrix), expected, strict=True):
        assert measured.tolist() == pytest.approx(reference.tolist(), abs=1e-12)


def test_confusion_refuses_classes_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="from 0 to 3, but there are 3"):
        confusion_matrix(torch.tensor([3]), torch.tensor([0]), 3)
    with pytest.raises(ValueError, match="predictions but"):
        confusion_matrix(torch.tensor([1, 2]), torch.tensor([0]), 3)


def test_calibration_by_hand() -> None:
    # Two answers at 0.9 of which one is right, one at 0.6 that is right, one at 0.55 that is wrong.
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.55, 0.45]], dtype=torch.float64)
    measured = calibration(probabilities, torch.tensor([0, 1, 1, 1]), bins=4)
    # Bin 0.5..0.75 holds the last two: confidence 0.575, accuracy 0.5. Bin 0.75..1: 0.9 and 0.5.
    assert [row.count for row in measured.bins] == [0, 0, 2, 2]
    assert astuple(measured.bins[2]) == pytest.approx((0.5, 0.75, 2, 0.575, 0.5))
    assert astuple(measured.bins[3]) == pytest.approx((0.75, 1.0, 2, 0.9, 0.5))
    assert measured.bins[0].confidence is None
    assert measured.bins[0].accuracy is None
    assert measured.error == pytest.approx(0.5 * 0.075 + 0.5 * 0.4)
    assert measured.confidence == pytest.approx(0.7375)
    assert measured.accuracy == 0.5


def test_calibration_bins_own_their_upper_edge_and_the_first_owns_zero() -> None:
    sure = calibration(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), bins=15)
    assert [row.count for row in sure.bins] == [0] * 14 + [1]
    assert sure.error == 0
    half = calibration(torch.tensor([[0.5, 0.5]]), torch.tensor([0]), bins=2)
    assert [row.count for row in half.bins] == [1, 0]
    with pytest.raises(ValueError, match="at least 1 bin"):
        calibration(torch.tensor([[0.5, 0.5]]), torch.tensor([0]), bins=0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_calibration_agrees_with_a_plain_loop(seed: int, bins: int) -> None:
    logits, labels = random_answers(60, 4, seed)
    probabilities = logits.softmax(1)
    rows = [
        (float(row.max()), int(row.argmax()) == label)
        for row, label in zip(probabilities.double().numpy(), labels.tolist(), strict=True)
    ]
    error = 0.0
    for index in range(bins):
        inside = [(sure, right) for sure, right in rows if index / bins < sure <= (index + 1) / bins]
        if inside:
            gap = sum(right for _, right in inside) - sum(sure for sure, _ in inside)
            error += abs(gap) / len(rows)
    measured = calibration(probabilities, labels, bins)
    assert measured.error == pytest.approx(error, abs=1e-9)
    assert sum(row.count for row in measured.bins) == 60


def test_psnr_by_hand() -> None:
    black, grey = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.1)
    grey[1] = 0.01
    assert mean_squared_error(black, grey).tolist() == pytest.approx([0.01, 0.0001])
    assert psnr(black, grey).tolist() == pytest.approx([20.0, 40.0], abs=1e-5)
    assert psnr(grey, grey).tolist() == [100.0, 100.0]


def test_mean_squared_error_agrees_with_numpy() -> None:
    images, other = np.random.default_rng(0).random((2, 5, 3, 7, 4))
    expected = ((images - other) ** 2).mean(axis=(1, 2, 3)).tolist()
    assert mean_squared_error(torch.from_numpy(images), torch.from_numpy(other)).tolist() == pytest.approx(expected)


def reference_ssim(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Wang et al. 2004, a window at a time, straight from the formula."""
    sizes = [min(11, length - 1 + length % 2) for length in first.shape]
    down, across = (np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * 1.5**2)) for size in sizes)
    window = np.outer(down, across) / np.outer(down, across).sum()

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return convolve2d(values, window, mode="valid")

    a, b = mean(first), mean(second)
    aa, bb, ab = mean(first**2) - a * a, mean(second**2) - b * b, mean(first * second) - a * b
    top = (2 * a * b + 0.01**2) * (2 * ab + 0.03**2)
    return float((top / ((a * a + b * b + 0.01**2) * (aa + bb + 0.03**2))).mean())


@pytest.mark.parametrize("size", [(3, 3), (8, 20), (11, 11), (90, 16)])
def test_ssim_agrees_with_the_formula(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(1)
    images = generator.random((4, 3, *size))
    other = np.clip(images + generator.normal(0, 0.2, images.shape), 0, 1)
    measured = ssim(torch.from_numpy(images), torch.from_numpy(other))
    expected = [
        np.mean([reference_ssim(a, b) for a, b in zip(one, two, strict=True)])
        for one, two in zip(images, other, strict=True)
    ]
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


def test_ssim_of_equal_and_of_flat_pictures() -> None:
    images = torch.rand(3, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    assert ssim(images, images).tolist() == pytest.approx([1.0] * 3, abs=1e-9)
    # Flat pictures have no deviation: only the comparison of means is left, 0.0001 / (1 + 0.0001).
    flat = ssim(torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16))
    assert flat.item() == pytest.approx(0.0001 / 1.0001, abs=1e-12)


@pytest.mark.parametrize("measure", [psnr, ssim, mean_squared_error])
def test_pictures_must_fit(measure: Callable[[Tensor, Tensor], Any]) -> None:
    with pytest.raises(ValueError, match=r"two times \[N, C, H, W\]"):
        measure(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"two times \[N, C, H, W\]"):
        measure(torch.zeros(0, 3, 4, 4), torch.zeros(0, 3, 4, 4))


def test_measures_do_not_depend_on_how_many_pictures_are_held_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So high that SSIM takes them in two bands, of at least 64 rows.
    images = torch.rand(7, 3, 90, 12, generator=torch.Generator().manual_seed(0))
    other = torch.rand(7, 3, 90, 12, generator=torch.Generator().manual_seed(1))
    grey = (images * 255).byte()
    whole = psnr(images, other), ssim(images, other), binary_entropy_floor(images), binary_entropy_floor(grey)
    monkeypatch.setattr(metrics, "VALUES_AT_ONCE", 1000)
    assert len(metrics._chunks(images)) == 7, "or nothing would be tested here"
    assert psnr(images, other).tolist() == pytest.approx(whole[0].tolist(), abs=1e-12)
    assert ssim(images, other).tolist() == pytest.approx(whole[1].tolist(), abs=1e-12)
    assert binary_entropy_floor(images) == pytest.approx(whole[2], abs=1e-12)
    assert binary_entropy_floor(grey) == pytest.approx(whole[3], abs=1e-12)


def test_entropy_floor_by_hand() -> None:
    assert binary_entropy_floor(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)) == 0
    assert binary_entropy_floor(torch.full((2, 1, 2, 2), 0.5)) == pytest.approx(math.log(2))
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert binary_entropy_floor(torch.tensor([[[[0.25, 0.5]]]])) == pytest.approx((quarter + math.log(2)) / 2)
    with pytest.raises(ValueError, match="no pictures"):
        binary_entropy_floor(torch.zeros(0, 3, 2, 2))


def test_entropy_floor_is_what_a_perfect_copy_costs() -> None:
    images = torch.randint(256, (5, 3, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    unit = images.double() / 255
    perfect = torch.nn.functional.binary_cross_entropy(unit, unit).item()
    assert binary_entropy_floor(images) == pytest.approx(perfect, abs=1e-12)
    assert binary_entropy_floor(unit) == pytest.approx(perfect, abs=1e-12)


@pytest.mark.data
def test_entropy_floor_of_the_cifar10_training_pictures() -> None:
    folders = [Path(folder) for folder in os.environ.get("RETINULA_DATA", "").split(os.pathsep) if folder]
    archives = [folder / "cifar-10-python.tar.gz" for folder in folders]
    archive = next((path for path in archives if path.is_file()), None)
    if archive is None:
        pytest.skip("no cifar-10-python.tar.gz in RETINULA_DATA")
    images = []
    with tarfile.open(archive) as tar:
        for member in tar:
            if "data_batch_" in member.name:
                content = tar.extractfile(member)
                assert content is not None
                batch = pickle.load(content, encoding="bytes")
                images.append(torch.from_numpy(batch[b"data"]).view(-1, 3, 32, 32))
    assert len(torch.cat(images)) == 50_000
    assert binary_entropy_floor(torch.cat(images)) == pytest.approx(0.5465, abs=5e-5)
