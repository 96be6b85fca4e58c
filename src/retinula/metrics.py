"""Measures of logits, probabilities, labels and pictures: pure functions of tensors.

Knows nothing of models, data sets or files; training and evaluation both measure with these.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

HIGHEST_PSNR = 100.0  # decibels; equal pictures would have infinitely many, and no mean could hold them

CALIBRATION_BINS = 15  # as Guo et al. 2017, so that figures compare

# The window and the two constants of Wang et al. 2004, for pictures whose values span 0..1.
SSIM_WINDOW = 11
SSIM_DEVIATION = 1.5
SSIM_MEANS = 0.01**2
SSIM_DEVIATIONS = 0.03**2

VALUES_AT_ONCE = 2**21  # bounds the memory of a measure over pictures, whatever their number and size
_SSIM_AT_ONCE = 2**16  # values of small pictures whose sums stay in the processor's cache
_SSIM_ROWS = 64  # at least so many rows at once of a large picture, since ten of them are looked at twice


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of pictures, 0..1, whose largest logit is that of their label.

    Of equal logits the first class counts, so that a network that always says the same earns nothing by it.

    Args:
        logits: `[N, K]`; probabilities do as well.
        labels: int64 `[N]`.

    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    0.5
    """
    _check(logits, labels)
    return (logits.argmax(dim=1) == labels).double().mean().item()


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int) -> float | None:
    """Return the share of pictures, 0..1, whose label is among the `k` largest logits.

    None where there are `k` classes or fewer: it would be 1 whatever the network does. Of equal logits the
    first classes count.

    Args:
        logits: `[N, K]`.
        labels: int64 `[N]`.
        k: how many answers are allowed, at least 1.
    """
    _check(logits, labels)
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if k >= logits.shape[1]:
        return None
    own = logits.gather(1, labels[:, None])
    before = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & before)).sum(dim=1)
    return (rank < k).double().mean().item()


def cross_entropy(logits: Tensor, labels: Tensor) -> float:
    """Return the mean over pictures of `-log softmax(logits)[label]`, in nats.

    Args:
        logits: `[N, K]`.
        labels: int64 `[N]`.
    """
    _check(logits, labels)
    return F.cross_entropy(logits.float(), labels, reduction="none").double().mean().item()


def confusion_matrix(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count how often a picture of class `row` was taken for class `column`: int64 `[K, K]`.

    Args:
        predicted: int64 `[N]`, the classes named.
        labels: int64 `[N]`, the true classes.
        num_classes: K, above every number in both.
    """
    if predicted.shape != labels.shape:
        raise ValueError(f"{tuple(predicted.shape)} predictions but {tuple(labels.shape)} labels")
    both = torch.stack((predicted, labels))
    if both.numel() and not 0 <= both.min() <= both.max() < num_classes:
        raise ValueError(f"classes run from {both.min()} to {both.max()}, but there are {num_classes}")
    pairs = labels * num_classes + predicted
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


class ClassScores(NamedTuple):
    """For each class precision, recall, F1 (float64 `[K]` in 0..1) and number of pictures (int64 `[K]`)."""

    precision: Tensor
    recall: Tensor
    f1: Tensor
    support: Tensor


def class_scores(confusion: Tensor) -> ClassScores:
    """Return precision, recall and F1 of every class; as scikit-learn, 0 where the divisor is 0.

    Args:
        confusion: int64 `[K, K]`, rows are true classes.
    """
    right = confusion.diagonal().double()
    named = confusion.sum(dim=0)
    support = confusion.sum(dim=1)
    return ClassScores(
        precision=right / named.clamp(min=1),
        recall=right / support.clamp(min=1),
        f1=2 * right / (named + support).clamp(min=1),
        support=support,
    )


@dataclass(frozen=True)
class CalibrationBin:
    """The pictures answered with a confidence above `low` and up to `high`; None where there are none."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities can be believed.

    Attributes:
        error: expected calibration error, 0..1: mean over pictures of |accuracy - confidence| of their bin.
        confidence: mean probability of the answers given, 0..1.
        accuracy: share of answers that are right, 0..1.
        bins: equally wide, from 0 to 1.
    """

    error: float
    confidence: float
    accuracy: float
    bins: tuple[CalibrationBin, ...]

    @property
    def error_by_chance(self) -> float:
        """The error to be expected of a perfectly calibrated model that is as sure of as many pictures, 0..1.

        In a bin the number of right answers is binomial then; its mean distance from the mean is de Moivre's.
        """
        counted = [(row.count, row.confidence) for row in self.bins if row.confidence is not None]
        return math.fsum(_mean_deviation(*each) for each in counted) / sum(count for count, _ in counted)


def calibration(probabilities: Tensor, labels: Tensor, bins: int = CALIBRATION_BINS) -> Calibration:
    """Compare how sure the answers are with how often they are right (Guo et al. 2017, arXiv:1706.04599).

    Args:
        probabilities: float `[N, K]`, each row summing to 1.
        labels: int64 `[N]`.
        bins: number of equally wide bins of confidence, at least 1.
    """
    _check(probabilities, labels)
    if bins < 1:
        raise ValueError(f"calibration needs at least 1 bin, not {bins}")
    highest, predicted = probabilities.double().max(dim=1)
    right = (predicted == labels).double()
    number = (highest * bins).ceil().long().sub(1).clamp(0, bins - 1)
    counts = torch.bincount(number, minlength=bins)
    confidences = torch.bincount(number, weights=highest, minlength=bins)
    rights = torch.bincount(number, weights=right, minlength=bins)
    return Calibration(
        error=((confidences - rights).abs().sum() / len(labels)).item(),
        confidence=highest.mean().item(),
        accuracy=right.mean().item(),
        bins=tuple(
            CalibrationBin(
                low=index / bins,
                high=(index + 1) / bins,
                count=count,
                confidence=confidence / count if count else None,
                accuracy=correct / count if count else None,
            )
            for index, (count, confidence, correct) in enumerate(
                zip(counts.tolist(), confidences.tolist(), rights.tolist(), strict=True)
            )
        ),
    )


def mean_squared_error(images: Tensor, other: Tensor) -> Tensor:
    """Return for each picture the mean squared difference of its values: float64 `[N]`.

    Args:
        images: float `[N, C, H, W]` in 0..1.
        other: the same shape and range.
    """
    _check_pictures(images, other)
    parts = zip(_chunks(images), _chunks(other), strict=True)
    return torch.cat([_mean_square(a, b) for a, b in parts])


def psnr(images: Tensor, other: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each picture in decibels: float64 `[N]`, at most 100.

    Args:
        images: float `[N, C, H, W]` in 0..1.
        other: the same shape and range.
    """
    floor = 10 ** (-HIGHEST_PSNR / 10)
    return -10 * mean_squared_error(images, other).clamp(min=floor).log10()


def ssim(images: Tensor, other: Tensor) -> Tensor:
    """Return the structural similarity of each picture: float64 `[N]`, 1 for equal pictures.

    Wang et al. 2004: Gaussian window of 11 pixels and deviation 1.5, only where it lies inside the picture,
    mean over positions and channels. In pictures below 11 pixels the window is the largest odd one that fits.

    Args:
        images: float `[N, C, H, W]` in 0..1.
        other: the same shape and range.
    """
    _check_pictures(images, other)
    together = _SSIM_AT_ONCE
    return torch.cat([_ssim(a, b) for a, b in zip(_chunks(images, together), _chunks(other, together), strict=True)])


def binary_entropy_floor(images: Tensor) -> float:
    """Return the least binary cross entropy that any reconstruction can have, in nats a value.

    Grey values are neither 0 nor 1, so even a perfect copy keeps the mean entropy of a coin that shows heads
    with the value's probability.

    Args:
        images: uint8 `[N, C, H, W]`, or float in 0..1.

    >>> f"{binary_entropy_floor(torch.tensor([[[[0.0, 0.5]]]])):.4f}"
    '0.3466'
    """
    if not images.numel():
        raise ValueError("there are no pictures to measure")
    if images.dtype == torch.uint8:
        counts = torch.zeros(256, dtype=torch.float64)
        for part in _chunks(images):
            counts += torch.bincount(part.flatten(), minlength=256).cpu()
        values = torch.arange(256, dtype=torch.float64) / 255
        return (counts @ _coin_entropy(values) / images.numel()).item()
    return math.fsum(_coin_entropy(part.double()).sum().item() for part in _chunks(images)) / images.numel()


def _mean_deviation(number: int, share: float) -> float:
    """Return how far the number of successes in so many trials lies from its mean on average (de Moivre 1730).

    >>> round(_mean_deviation(1, 0.9), 12), round(_mean_deviation(2, 0.5), 12)
    (0.18, 0.5)
    """
    if not 0 < share < 1:
        return 0.0
    above = int(number * share) + 1
    chosen = math.lgamma(number + 1) - math.lgamma(above + 1) - math.lgamma(number - above + 1)
    return 2 * above * math.exp(chosen + above * math.log(share) + (number - above + 1) * math.log1p(-share))


def _coin_entropy(share: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(share) + torch.special.entr(1 - share)
    return entropy


def _mean_square(images: Tensor, other: Tensor) -> Tensor:
    """Return the mean squared difference of each picture, in bands of rows where pictures are large."""
    rows = max(1, VALUES_AT_ONCE // images[0, :, 0].numel())
    bands = zip(torch.split(images, rows, dim=2), torch.split(other, rows, dim=2), strict=True)
    sums = [(a.double() - b.double()).square().sum(dim=(1, 2, 3)) for a, b in bands]
    return torch.stack(sums).sum(dim=0) / images[0].numel()


def _ssim(images: Tensor, other: Tensor) -> Tensor:
    """Return the SSIM of each picture, in bands of rows where pictures are large."""
    _, channels, height, width = images.shape
    down, across = _gaussian(height), _gaussian(width)
    positions = height - len(down) + 1
    step = max(_SSIM_ROWS, VALUES_AT_ONCE // 4 // images[0, :, 0].numel())
    sums = torch.zeros(len(images), dtype=torch.float64, device=images.device)
    for top in range(0, positions, step):
        band = slice(top, min(top + step, positions) + len(down) - 1)
        sums += _similarities(images[:, :, band], other[:, :, band], down, across).sum(dim=(1, 2, 3))
    return sums / (channels * positions * (width - len(across) + 1))


def _similarities(images: Tensor, other: Tensor, down: list[float], across: list[float]) -> Tensor:
    """Return the structural similarity around every position at which the window fits: `[N, C, h, w]`."""
    first, second = images.double(), other.double()
    maps = torch.stack((first, second, first * first, second * second, first * second))
    mean, other_mean, square, other_square, product = _weighed(_weighed(maps, down, 3), across, 4)
    means = mean * other_mean
    squares = mean.square() + other_mean.square()
    similarity: Tensor = (2 * means + SSIM_MEANS) * (2 * (product - means) + SSIM_DEVIATIONS)
    similarity /= (squares + SSIM_MEANS) * (square + other_square - squares + SSIM_DEVIATIONS)
    return similarity


def _weighed(maps: Tensor, weights: list[float], dim: int) -> Tensor:
    """Sum every run of neighbours by weight; shifting whole maps is ten times as fast as torch's convolution here."""
    length = maps.shape[dim] - len(weights) + 1
    sums = maps.narrow(dim, 0, length) * weights[0]
    for place, weight in enumerate(weights[1:], start=1):
        sums.add_(maps.narrow(dim, place, length), alpha=weight)
    return sums


def _gaussian(length: int) -> list[float]:
    size = min(SSIM_WINDOW, length - 1 + length % 2)
    weights = [math.exp(-((place - (size - 1) / 2) ** 2) / (2 * SSIM_DEVIATION**2)) for place in range(size)]
    return [weight / math.fsum(weights) for weight in weights]


def _chunks(images: Tensor, values: int | None = None) -> tuple[Tensor, ...]:
    return torch.split(images, max(1, (values or VALUES_AT_ONCE) // max(1, images[0].numel())))


def _check(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not logits.numel():
        raise ValueError(f"expected logits [N, K] and labels [N], not {[*logits.shape]} and {[*labels.shape]}")


def _check_pictures(images: Tensor, other: Tensor) -> None:
    if images.ndim != 4 or images.shape != other.shape or not images.numel():
        raise ValueError(f"expected two times [N, C, H, W], not {[*images.shape]} and {[*other.shape]}")
