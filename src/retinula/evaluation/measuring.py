"""Measuring a model on a set of pictures.

Knows nothing of how a training goes or of figures; of a run only its model, and which pictures it has learned from.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from retinula.datasets.catalog import conditions_of
from retinula.datasets.reading import SplitName
from retinula.errors import InputError, RetinulaError, nearest
from retinula.evaluation.answered import Answered
from retinula.evaluation.denoising import EXAMPLE_LEVEL, measure_denoising, noise_for
from retinula.evaluation.fitting import check_pictures, class_numbers, labels_for, size_in_words
from retinula.evaluation.recognised import Learned
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.run_data import learned_of, other_pictures
from retinula.forms import Averaging
from retinula.images import Images, ImageSet, copied, evenly_spread
from retinula.metrics import (
    accuracy,
    binary_entropy_floor,
    calibration,
    confusion_matrix,
    cross_entropy,
    mean_squared_error,
    psnr,
    ssim,
    top_k_accuracy,
)
from retinula.models.reconstructing import Encodes
from retinula.portions import portions
from retinula.runs.run import Run
from retinula.text.remarks import remark
from retinula.trained.asking import check_batches_and_averaging
from retinula.trained.finding import find_trained
from retinula.trained.model_file import Model
from retinula.training.lines import Lines
from retinula.transforms.levels import unit
from retinula.transforms.noise import noised

EXAMPLES = 8  # reconstructed pictures kept for a figure
Counting = Callable[[int, int], None]


def evaluate(
    model: Model | str | Path,
    image_set: ImageSet | str | Path,
    *,
    split: str = "test",
    batch_size: int | None = None,
    tta: Averaging = "none",
    device: torch.device | str | None = None,
    progress: Counting | bool | None = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """Measure a model: a `ClassificationResult` or a `ReconstructionResult`, by the model's task.

    Args:
        model: what to measure; or its file, or the folder or name of its run.
        image_set: pictures of the size the model takes; or a data set's name, a folder or file, as of `load`, of which
            those of that split are brought to its form. A classifier needs labels, and all or some of the model's
            classes, in any order.
        split: what the pictures are to the model: `test`, `validation` or `train`.
        batch_size: pictures at a time, by their size where None.
        tta: averaging at test time; for classifiers only.
        device: where to compute; the processor where none is given.
        progress: called with the number of pictures done and of all; or whether to print lines on standard error,
            where it takes more than a few seconds.
        clock: gives seconds.

    Raises:
        InputError: the set has no pictures, no labels, classes that the model lacks, or another size; the file cannot
            be read; or there is no such split, averaging or number of pictures at a time.
        RetinulaError: the model's answers are not finite numbers.
    """
    run = None
    if not isinstance(model, Model):
        file = find_trained(model).file
        run, model = Run(file.parent), Model.load(file)
        run = run if run.model_file == file else None
    check_batches_and_averaging(batch_size, tta)
    lines = Lines() if progress is True else None
    remarked = remark if lines else None
    if isinstance(image_set, str | Path):
        image_set = other_pictures(image_set, model, _known_split(split), lines, remarked)
    check_pictures(model, image_set)
    told = partial(lines, "evaluating") if lines else progress if callable(progress) else None
    if run is not None and not run.environment_file.exists():  # nothing but its model file has come here
        run = None
    learned = learned_of(run, model, image_set, split, remark=remarked)
    return evaluate_known(
        model,
        image_set,
        learned,
        split=split,
        batch_size=batch_size,
        tta=tta,
        device=device,
        progress=told,
        clock=clock,
    )


def evaluate_known(
    model: Model,
    image_set: ImageSet,
    learned: Learned,
    *,
    split: str,
    batch_size: int | None = None,
    tta: Averaging = "none",
    device: torch.device | str | None = None,
    progress: Counting | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """Give what `evaluate` gives, where it is known already what the model has learned of the pictures.

    Args:
        model: what to measure.
        image_set: pictures of the size the model takes.
        learned: what the model has learned of them.
        split: as of `evaluate`, like all that follows.
        batch_size: pictures at a time.
        tta: averaging at test time.
        device: where to compute.
        progress: told how far it is.
        clock: gives seconds.

    Raises:
        InputError: the pictures do not fit the model.
        RetinulaError: the model's answers are not finite numbers.
    """
    check_pictures(model, image_set)
    runner = _Runner(model, image_set, batch_size, tta, device, progress, clock)
    facts = _facts(model, image_set, split, tta) | {"learned": learned}
    if not model.classifies:
        return _reconstruction(runner, facts)
    labels = labels_for(model, image_set)  # before the work: a wrong set is refused at once
    return _classification(model, image_set, labels, facts, _ask(runner, labels))


def evaluate_answered(model: Model, image_set: ImageSet, answered: Answered, *, split: str) -> ClassificationResult:
    """Give what `evaluate` gives of a classifier that was asked already.

    Args:
        model: that was asked.
        image_set: about all of these pictures.
        answered: what it answered.
        split: what the pictures are to the model: `test`, `validation` or `train`.

    Raises:
        InputError: the set has no labels, or classes that the model does not know.
    """
    labels = labels_for(model, image_set)
    return _classification(model, image_set, labels, _facts(model, image_set, split, answered.tta), answered)


class _Runner:
    """Runs the network over a set, counts the time, and refuses answers that are not finite."""

    def __init__(
        self,
        model: Model,
        image_set: ImageSet,
        batch_size: int | None,
        tta: Averaging,
        device: torch.device | str | None,
        progress: Counting | None,
        clock: Callable[[], float],
    ):
        self.model, self.image_set, self.batch_size, self.tta = model, image_set, batch_size, tta
        self.device, self.progress, self.clock = device, progress, clock
        self.done = 0
        self.seconds = 0.0

    def outputs(self, start: int, stop: int) -> Tensor:
        """Return the network's outputs for the pictures from `start` up to `stop`; they count for time and progress."""
        begun = self.clock()
        outputs = self._finite(self.image_set.images[start:stop], self._count, self.tta)
        self.seconds += self.clock() - begun
        return outputs

    def plain_outputs(self) -> Tensor:
        """Return the outputs for all pictures without averaging; they count for nothing."""
        return self._finite(self.image_set.images, None, "none")

    def pictures(self, images: Images) -> Tensor:
        """Return what the network makes of pictures that are none of the set: float in 0..1."""
        return torch.sigmoid(self._finite(images, None, self.tta))

    def _finite(self, images: Images, on_batch: Callable[[int], None] | None, tta: Averaging) -> Tensor:
        outputs = self.model.outputs(images, batch_size=self.batch_size, tta=tta, device=self.device, on_batch=on_batch)
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


def _known_split(split: str) -> SplitName:
    known: tuple[SplitName, ...] = get_args(SplitName)
    for each in known:
        if split == each:
            return each
    raise InputError(f"there is no split {split!r}{nearest(str(split), known)}")


def _facts(model: Model, image_set: ImageSet, split: str, tta: Averaging) -> dict[str, Any]:
    return {
        "dataset": image_set.name.removesuffix(f"/{split}"),
        "split": _known_split(split),
        "num_images": len(image_set),
        "model": model.network_name,
        "task": model.task,
        "tta": tta,
        "unverified_copy": "unverified" in image_set.provenance.get("copy", ""),
        "provenance": dict(image_set.provenance),
    }


def _ask(runner: _Runner, labels: Tensor) -> Answered:
    logits = runner.outputs(0, len(labels))
    plain_accuracy = None if runner.tta == "none" else accuracy(runner.plain_outputs(), labels)
    return Answered(logits, runner.tta, plain_accuracy, runner.seconds)


def _classification(
    model: Model, image_set: ImageSet, labels: Tensor, facts: dict[str, Any], answered: Answered
) -> ClassificationResult:
    logits = answered.logits
    probabilities = model.calibrated(logits)
    return ClassificationResult(
        **facts,
        seconds=answered.seconds,
        classes=model.classes,
        superclasses=model.superclasses or _superclasses_by_name(model, image_set),
        labels=labels,
        logits=logits,
        probabilities=probabilities,
        confusion=confusion_matrix(logits.argmax(dim=1), labels, len(model.classes)),
        top5=top_k_accuracy(logits, labels, 5),
        loss=cross_entropy(logits / model.temperature, labels),
        calibration=calibration(probabilities, labels),
        plain_accuracy=answered.plain_accuracy,
        temperature=model.temperature,
        sources=image_set.sources,
        conditions=conditions_of(image_set),
    )


def _reconstruction(runner: _Runner, facts: dict[str, Any]) -> ReconstructionResult:
    if runner.tta != "none":
        raise InputError(f"tta={runner.tta} averages answers about classes; this model reconstructs pictures")
    number = len(runner.image_set)
    kept = torch.from_numpy(evenly_spread(number, EXAMPLES))
    sums = torch.zeros(5, dtype=torch.float64)
    originals, results = [], []
    for part in portions(number, runner.image_set.shape, runner.batch_size):
        start, stop = part.start, part.stop
        images = runner.model.preprocess.centre(torch.from_numpy(copied(runner.image_set.images, part)))
        targets = unit(images)
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
    everything, centre = runner.image_set.images, runner.model.preprocess.centre
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
        noised=unit(centre(examples)),
        denoised=runner.pictures(examples.numpy()),
        denoising=measure_denoising(everything, runner.pictures, centre, runner.batch_size),
        code_numbers=_code_numbers(runner.model),
    )


def _code_numbers(model: Model) -> int | None:
    if not isinstance(model.network, Encodes):
        return None
    with torch.inference_mode():
        device = next(model.network.parameters()).device
        return model.network.encode(torch.zeros(1, *model.preprocess.input_shape, device=device)).numel()


def _superclasses_by_name(model: Model, image_set: ImageSet) -> tuple[str, ...] | None:
    if image_set.superclasses is None:
        return None
    known = dict(zip(class_numbers(model, image_set), image_set.superclasses, strict=True))
    if len(known) < len(model.classes):
        return None  # nobody knows what the classes that the set lacks belong to
    return tuple(known[number] for number in range(len(model.classes)))
