"""What a measurement of a model found: one value a task, with all that is derived from it.

Knows nothing of how it is measured, of training, of files or of figures.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from retinula.evaluation.denoising import Denoising
from retinula.evaluation.intervals import interval_of_mean, wilson_interval
from retinula.evaluation.recognised import NOTHING_KNOWN, Learned
from retinula.metrics import Calibration, ClassScores, accuracy, calibration, class_scores

SUREST = 24  # mistakes that are kept one by one


@dataclass(frozen=True)
class Mistake:
    """One picture whose answer is wrong.

    Attributes:
        index: its position in the set that was measured, from 0.
        source: the file it came from, or None where the set does not know.
        label: the true class.
        answer: the class answered.
        probability: of the answer, 0..1.
        label_probability: of the true class, 0..1.
    """

    index: int
    source: str | None
    label: str
    answer: str
    probability: float
    label_probability: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """What every measurement knows, whatever the task.

    Attributes:
        dataset: the name of the set, without its split.
        split: `test`, `validation` or `train`.
        num_images: how many pictures were measured.
        model: the network's name.
        task: `classification` or `reconstruction`.
        tta: averaging at test time.
        seconds: how long the network ran over all pictures.
        unverified_copy: whether the pictures came from a copy whose hash is not the official one.
        provenance: where the pictures came from, as words.
        learned: what the model has learned of the pictures.
    """

    dataset: str
    split: str
    num_images: int
    model: str
    task: str
    tta: str
    seconds: float
    unverified_copy: bool
    provenance: dict[str, str]
    learned: Learned = NOTHING_KNOWN

    @property
    def images_per_second(self) -> float:
        """Pictures a second through the network, loading and measuring not counted."""
        return self.num_images / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return all results as values that JSON can hold; shares in 0..1, times in seconds."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "num_images": self.num_images,
            "model": self.model,
            "task": self.task,
            "tta": self.tta,
            "seconds": self.seconds,
            "images_per_second": self.images_per_second,
            "unverified_copy": self.unverified_copy,
            "provenance": self.provenance,
            "learned_from": self.learned.from_these,
            "num_learned": self.learned.number,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassificationResult(Evaluation):
    """How often a classifier is right, where it errs, and how far its probabilities can be believed.

    Attributes:
        classes: the model's class names, in the order of all that follows.
        superclasses: for each class the name of its group, or None.
        labels: int64 `[N]`, the true classes.
        logits: float32 `[N, K]`.
        probabilities: float32 `[N, K]`, with the model's temperature.
        confusion: int64 `[K, K]`, rows are true classes.
        top5: share whose class is among the five likeliest, or None where there are five classes or fewer.
        loss: cross entropy of the probabilities, in nats.
        calibration: how sure the answers are against how often they are right.
        plain_accuracy: share of right answers without averaging at test time, where there was averaging; else None.
        conditions: names of the equal stretches of the pictures that were taken under other conditions each, as
            `fog/3`; none where all are alike.
        temperature: what the logits were divided by.
        sources: for each picture the file it came from, or None.
    """

    classes: tuple[str, ...]
    superclasses: tuple[str, ...] | None
    labels: Tensor
    logits: Tensor
    probabilities: Tensor
    confusion: Tensor
    top5: float | None
    loss: float
    calibration: Calibration
    plain_accuracy: float | None = None
    conditions: tuple[str, ...] = ()
    temperature: float = 1.0
    sources: Sequence[str] | None = None

    @property
    def predicted(self) -> Tensor:
        """The classes answered, int64 `[N]`."""
        return self.logits.argmax(dim=1)

    @property
    def right(self) -> Tensor:
        """Of each picture whether its answer is right, bool `[N]`."""
        return self.predicted == self.labels

    @property
    def sure(self) -> Tensor:
        """How sure each answer is, `[N]` in 0..1."""
        return self.probabilities.max(dim=1).values

    @property
    def num_correct(self) -> int:
        """How many answers are right."""
        return int(self.confusion.trace())

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0..1."""
        return self.num_correct / self.num_images

    @property
    def chance(self) -> float:
        """What the best blind guess gets right, 0..1: the share of the commonest class."""
        return int(self.confusion.sum(dim=1).max()) / self.num_images

    @property
    def accuracy_of_others(self) -> float | None:
        """The share of right answers among pictures that the model has not learned.

        None where there are none such, or where nobody knows.
        """
        each = self.learned.each
        if each is None or self.learned.at_least or each.all():
            return None
        return self.right[torch.from_numpy(~each)].double().mean().item()

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Between which shares the accuracy on all such pictures lies, with 95 % confidence.

        The same picture under several conditions counts once, with the share of them under which it is right.
        """
        if self.conditions:
            values = self.right.double().view(len(self.conditions), -1).mean(dim=0)
            return interval_of_mean(values.mean().item(), values.var(correction=0).item(), len(values))
        return wilson_interval(self.num_correct, self.num_images)

    @property
    def scores(self) -> ClassScores:
        """Precision, recall and F1 of every class."""
        return class_scores(self.confusion)

    @property
    def per_class(self) -> dict[str, dict[str, Any]]:
        """By class `precision`, `recall`, `f1`, all None of a class that does not occur, and `support`."""
        columns = (self._occurs, *self.scores)
        return {
            name: {
                "precision": precision if occurs else None,
                "recall": recall if occurs else None,
                "f1": f1 if occurs else None,
                "support": support,
            }
            for name, occurs, precision, recall, f1, support in zip(
                self.classes, *(values.tolist() for values in columns), strict=True
            )
        }

    @property
    def _occurs(self) -> Tensor:
        """Of each class whether a picture is of it or was called so: bool `[K]`."""
        return (self.confusion.sum(dim=0) + self.confusion.sum(dim=1)) > 0

    @property
    def without_pictures(self) -> tuple[str, ...]:
        """The classes that none of the pictures is of."""
        return tuple(
            name for name, number in zip(self.classes, self.scores.support.tolist(), strict=True) if not number
        )

    @property
    def superclass_accuracy(self) -> float | None:
        """The share of answers in the right superclass, 0..1, or None where there are none."""
        groups = group_numbers(self.superclasses)
        if groups is None:
            return None
        return accuracy(F.one_hot(groups[self.predicted]), groups[self.labels])

    @property
    def condition_accuracy(self) -> dict[str, float]:
        """The share of right answers under each condition, 0..1; their mean is the accuracy."""
        if not self.conditions:
            return {}
        right = self.right.double().view(len(self.conditions), -1).mean(dim=1)
        return dict(zip(self.conditions, right.tolist(), strict=True))

    @property
    def uncalibrated_error(self) -> float:
        """The calibration error that the same answers have at temperature 1, 0..1."""
        if self.temperature == 1:
            return self.calibration.error
        return calibration(F.softmax(self.logits, dim=1), self.labels, len(self.calibration.bins)).error

    def surest_mistakes(self, number: int = SUREST) -> tuple[Mistake, ...]:
        """Return the wrong answers, the surest first; of equally sure ones the earlier picture first."""
        wrong = (~self.right).nonzero()[:, 0]
        order = torch.argsort(self.sure[wrong], descending=True, stable=True)[:number]
        return tuple(self._mistake(index) for index in wrong[order].tolist())

    def _mistake(self, index: int) -> Mistake:
        label, answer = int(self.labels[index]), int(self.predicted[index])
        return Mistake(
            index=index,
            source=None if self.sources is None else self.sources[index],
            label=self.classes[label],
            answer=self.classes[answer],
            probability=float(self.probabilities[index, answer]),
            label_probability=float(self.probabilities[index, label]),
        )

    def mistakes(self) -> list[tuple[int, int, int]]:
        """Return (true class, class answered, how often) of every kind of mistake made, the commonest first."""
        wrong = self.confusion.clone().fill_diagonal_(0)
        kinds = [(true, named, int(wrong[true, named])) for true, named in wrong.nonzero().tolist()]
        return sorted(kinds, key=lambda kind: (-kind[2], kind[0], kind[1]))

    def to_dict(self) -> dict[str, Any]:
        """Return all results as values that JSON can hold; of single pictures only the surest mistakes."""
        low, high = self.accuracy_interval
        return super().to_dict() | {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "num_correct": self.num_correct,
            "accuracy_of_others": self.accuracy_of_others,
            "chance": self.chance,
            "plain_accuracy": self.accuracy if self.plain_accuracy is None else self.plain_accuracy,
            "top5": self.top5,
            "superclass_accuracy": self.superclass_accuracy,
            "loss": self.loss,
            "temperature": self.temperature,
            "calibration_error": self.calibration.error,
            "calibration_error_before": self.uncalibrated_error,
            "calibration": asdict(self.calibration),
            "conditions": self.condition_accuracy,
            "classes": list(self.classes),
            "superclasses": None if self.superclasses is None else list(self.superclasses),
            "macro_average": _average(self.scores, self._occurs),
            "weighted_average": _average(self.scores, self.scores.support),
            "per_class": self.per_class,
            "confusion": self.confusion.tolist(),
            "mistakes": [asdict(each) for each in self.surest_mistakes()],
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class ReconstructionResult(Evaluation):
    """How well a network gives pictures back, and how much noise it takes out of them.

    Attributes:
        loss: binary cross entropy against the pictures, in nats a value.
        loss_floor: the least it could be, reached by a perfect copy: grey values are neither 0 nor 1.
        mse: mean squared error, values in 0..1.
        psnr: mean over pictures of the peak signal-to-noise ratio, in decibels, at most 100.
        ssim: mean over pictures of the structural similarity.
        originals: float32 `[n, C, H, W]` in 0..1, some pictures from all over the set.
        results: the same pictures as the network gives them back.
        noised: the same pictures with noise of deviation 0.1.
        denoised: what the network makes of those.
        denoising: what is left of noise, for each strength of it.
        code_numbers: how many numbers a picture is kept as, or None of a network without a code.
        linear_psnr: the same mean PSNR of the best linear code of as many numbers, or None where it was not asked for.
    """

    loss: float
    loss_floor: float
    mse: float
    psnr: float
    ssim: float
    originals: Tensor
    results: Tensor
    noised: Tensor
    denoised: Tensor
    denoising: tuple[Denoising, ...]
    code_numbers: int | None = None
    linear_psnr: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all results as values that JSON can hold, without pictures."""
        measures = ("loss", "loss_floor", "mse", "psnr", "ssim", "code_numbers", "linear_psnr")
        values = {name: getattr(self, name) for name in measures}
        return super().to_dict() | values | {"denoising": [asdict(each) for each in self.denoising]}


def group_numbers(superclasses: tuple[str, ...] | None) -> Tensor | None:
    """Return for each class the number of its superclass, in order of their names: int64 `[K]`, or None."""
    if superclasses is None:
        return None
    names = sorted(set(superclasses))
    return torch.tensor([names.index(name) for name in superclasses])


def _average(scores: ClassScores, weights: Tensor) -> dict[str, float]:
    shares = weights.double() / weights.sum()
    return {
        "precision": (scores.precision @ shares).item(),
        "recall": (scores.recall @ shares).item(),
        "f1": (scores.f1 @ shares).item(),
    }
