"""What a model is worth on a set of pictures: measured once, kept as one value.

Knows nothing of training, of files or of figures.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from retinula.errors import InputError, RetinulaError
from retinula.evaluation.denoising import EXAMPLE_LEVEL, Denoising, measure_denoising, noise_for
from retinula.evaluation.fitting import check_pictures, labels_for, size_in_words
from retinula.images import Images, ImageSet
from retinula.metrics import (
    Calibration,
    ClassScores,
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
    wilson_interval,
)
from retinula.model_file import Averaging, Model
from retinula.transforms.noise import noised

CALIBRATION_BINS = 15  # as Guo et al. 2017, so that figures compare
EXAMPLES = 8  # reconstructed pictures kept for a figure

Progress = Callable[[int, int], None]


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

    @property
    def predicted(self) -> Tensor:
        """The classes answered, int64 `[N]`."""
        return self.logits.argmax(dim=1)

    @property
    def num_correct(self) -> int:
        """How many answers are right."""
        return int(self.confusion.trace())

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0..1."""
        return self.num_correct / self.num_images

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Between which shares the accuracy on all such pictures lies, with 95 % confidence."""
        return wilson_interval(self.num_correct, self.num_images)

    @property
    def scores(self) -> ClassScores:
        """Precision, recall and F1 of every class."""
        return class_scores(self.confusion)

    @property
    def superclass_accuracy(self) -> float | None:
        """The share of answers in the right superclass, 0..1, or None where there are none."""
        groups = group_numbers(self.superclasses)
        if groups is None:
            return None
        return accuracy(F.one_hot(groups[self.predicted]), groups[self.labels])

    def mistakes(self) -> list[tuple[int, int, int]]:
        """Return (true class, class answered, how often) of every kind of mistake made, the commonest first."""
        wrong = self.confusion.clone().fill_diagonal_(0)
        kinds = [(true, named, int(wrong[true, named])) for true, named in wrong.nonzero().tolist()]
        return sorted(kinds, key=lambda kind: (-kind[2], kind[0], kind[1]))

    def to_dict(self) -> dict[str, Any]:
        """Return all results but those of single pictures as values that JSON can hold."""
        low, high = self.accuracy_interval
        scores = self.scores
        columns = [values.tolist() for values in scores]
        return super().to_dict() | {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "num_correct": self.num_correct,
            "top5": self.top5,
            "superclass_accuracy": self.superclass_accuracy,
            "loss": self.loss,
            "calibration_error": self.calibration.error,
            "calibration": asdict(self.calibration),
            "classes": list(self.classes),
            "superclasses": None if self.superclasses is None else list(self.superclasses),
            "macro_average": _average(scores, torch.ones_like(scores.support)),
            "weighted_average": _average(scores, scores.support),
            "per_class": {
                name: {"precision": precision, "recall": recall, "f1": f1, "support": support}
                for name, precision, recall, f1, support in zip(self.classes, *columns, strict=True)
            },
            "confusion": self.confusion.tolist(),
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

    def to_dict(self) -> dict[str, Any]:
        """Return all results as values that JSON can hold, without pictures."""
        measures = ("loss", "loss_floor", "mse", "psnr", "ssim")
        values = {name: getattr(self, name) for name in measures}
        return super().to_dict() | values | {"denoising": [asdict(each) for each in self.denoising]}


def evaluate(
    model: Model,
    image_set: ImageSet,
    *,
    split: str,
    batch_size: int = 500,
    tta: Averaging = "none",
    device: torch.device | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """Measure a model: a `ClassificationResult` or a `ReconstructionResult`, by the model's task.

    Args:
        model: what to measure.
        image_set: pictures of the size the model takes. A classifier needs labels, and the model's classes,
            in any order.
        split: what the pictures are to the model: `test`, `validation` or `train`.
        batch_size: pictures at a time.
        tta: averaging at test time; for classifiers only.
        device: where to compute; the processor where none is given.
        progress: called with the number of pictures done and of all.
        clock: gives seconds.

    Raises:
        InputError: the set has no pictures, no labels, other classes or another size than the model.
        RetinulaError: the model's answers are not finite numbers.
    """
    check_pictures(model, image_set)
    runner = _Runner(model, image_set, batch_size, tta, device, progress, clock)
    facts: dict[str, Any] = {
        "dataset": image_set.name.removesuffix(f"/{split}"),
        "split": split,
        "num_images": len(image_set),
        "model": model.network_name,
        "task": model.task,
        "tta": tta,
        "unverified_copy": "unverified" in image_set.provenance.get("copy", ""),
        "provenance": dict(image_set.provenance),
    }
    if model.task == "reconstruction":
        return _reconstruction(runner, facts)
    return _classification(runner, facts)


def group_numbers(superclasses: tuple[str, ...] | None) -> Tensor | None:
    """Return for each class the number of its superclass, in order of their names: int64 `[K]`, or None."""
    if superclasses is None:
        return None
    names = sorted(set(superclasses))
    return torch.tensor([names.index(name) for name in superclasses])


class _Runner:
    """Runs the network over a set, counts the time, and refuses answers that are not finite."""

    def __init__(
        self,
        model: Model,
        image_set: ImageSet,
        batch_size: int,
        tta: Averaging,
        device: torch.device | None,
        progress: Progress | None,
        clock: Callable[[], float],
    ):
        self.model, self.image_set, self.batch_size, self.tta = model, image_set, batch_size, tta
        self.device, self.progress, self.clock = device, progress, clock
        self.done = 0
        self.seconds = 0.0

    def outputs(self, start: int, stop: int) -> Tensor:
        """Return the network's outputs for the pictures from `start` up to `stop`; they count for time and progress."""
        begun = self.clock()
        outputs = self._finite(self.image_set.images[start:stop], self._count)
        self.seconds += self.clock() - begun
        return outputs

    def pictures(self, images: Images) -> Tensor:
        """Return what the network makes of pictures that are none of the set: float in 0..1."""
        return torch.sigmoid(self._finite(images, None))

    def _finite(self, images: Images, on_batch: Callable[[int], None] | None) -> Tensor:
        outputs = self.model.outputs(
            images, batch_size=self.batch_size, tta=self.tta, device=self.device, on_batch=on_batch
        )
        broken = int((~outputs.flatten(1).isfinite().all(dim=1)).sum())
        if broken:
            raise RetinulaError(
                f"{self.image_set.name}: the model's answers to {broken} of {len(outputs)} pictures are not finite "
                "numbers; its training must have diverged"
            )
        return outputs

    def _count(self, number: int) -> None:
        self.done += number
        if self.progress:
            self.progress(self.done, len(self.image_set))


def _classification(runner: _Runner, facts: dict[str, Any]) -> ClassificationResult:
    model = runner.model
    labels = labels_for(model, runner.image_set)  # before the work: a wrong set is refused at once
    logits = runner.outputs(0, len(labels))
    probabilities = F.softmax(logits / model.temperature, dim=1)
    return ClassificationResult(
        **facts,
        seconds=runner.seconds,
        classes=model.classes,
        superclasses=model.superclasses or _superclasses_by_name(model, runner.image_set),
        labels=labels,
        logits=logits,
        probabilities=probabilities,
        confusion=confusion_matrix(logits.argmax(dim=1), labels, len(model.classes)),
        top5=top_k_accuracy(logits, labels, 5),
        loss=cross_entropy(logits / model.temperature, labels),
        calibration=calibration(probabilities, labels, CALIBRATION_BINS),
    )


def _reconstruction(runner: _Runner, facts: dict[str, Any]) -> ReconstructionResult:
    if runner.tta != "none":
        raise InputError(f"tta={runner.tta} averages answers about classes; this model reconstructs pictures")
    number = len(runner.image_set)
    kept = torch.linspace(0, number - 1, min(EXAMPLES, number)).round().long()
    sums = torch.zeros(5, dtype=torch.float64)
    originals, results = [], []
    for start in range(0, number, runner.batch_size):
        stop = min(start + runner.batch_size, number)
        images = runner.model.preprocess.crop_centre(torch.from_numpy(runner.image_set.images[start:stop].copy()))
        targets = images.float() / 255
        logits = runner.outputs(start, stop)
        if logits.shape != targets.shape:
            raise InputError(
                f"{runner.model.network_name} turns pictures of {size_in_words(targets.shape[1:])} into "
                f"{size_in_words(logits.shape[1:])}: they cannot be compared"
            )
        given = torch.sigmoid(logits)
        measures = (
            F.binary_cross_entropy_with_logits(logits.double(), targets.double()),
            torch.tensor(binary_entropy_floor(images), dtype=torch.float64),
            mean_squared_error(given, targets).mean(),
            psnr(given, targets).mean(),
            ssim(given, targets).mean(),
        )
        sums += torch.stack(measures) * (stop - start)
        here = kept[(kept >= start) & (kept < stop)] - start
        originals.append(targets[here])
        results.append(given[here])
    loss, floor, mse, mean_psnr, mean_ssim = (sums / number).tolist()
    everything, crop = runner.image_set.images, runner.model.preprocess.crop_centre
    examples = noised(torch.from_numpy(everything[kept.numpy()].copy()), EXAMPLE_LEVEL, noise_for(EXAMPLE_LEVEL))
    return ReconstructionResult(
        **facts,
        seconds=runner.seconds,
        loss=loss,
        loss_floor=floor,
        mse=mse,
        psnr=mean_psnr,
        ssim=mean_ssim,
        originals=torch.cat(originals),
        results=torch.cat(results),
        noised=crop(examples).float() / 255,
        denoised=runner.pictures(examples.numpy()),
        denoising=measure_denoising(everything, runner.pictures, crop, runner.batch_size),
    )


def _superclasses_by_name(model: Model, image_set: ImageSet) -> tuple[str, ...] | None:
    if image_set.superclasses is None:
        return None
    known = dict(zip(image_set.classes, image_set.superclasses, strict=True))
    return tuple(known[name] for name in model.classes)


def _average(scores: ClassScores, weights: Tensor) -> dict[str, float]:
    shares = weights.double() / weights.sum()
    return {
        "precision": (scores.precision @ shares).item(),
        "recall": (scores.recall @ shares).item(),
        "f1": (scores.f1 @ shares).item(),
    }
