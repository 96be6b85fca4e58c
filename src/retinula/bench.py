"""What this machine can do: pictures a second of the shipped recipes, beside what its processor could do at most.

Everything is measured on noise in the form of each recipe's pictures, by the very loop that trains. So that nobody
waits, a step that would take long is measured with fewer pictures and counted in proportion, but for the part of the
optimizer and of the average of weights, which is measured by itself: it is the same for any number of pictures. Loading
is measured with all of them. What follows the steps of an epoch is counted by its pictures.
Knows nothing of the terminal.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from retinula.datasets.catalog import CATALOG
from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.models.catalog import build, network_named
from retinula.models.summary import summarize
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Optimizer
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.training.averaging import WeightAverage
from retinula.training.hardware import (
    HOPELESS,
    Hardware,
    available_device,
    available_threads,
    choose_hardware,
    keep_memory,
)
from retinula.training.inputs import prepare
from retinula.training.loop import renewing_steps, train
from retinula.training.optimizers import build_optimizer, take_step
from retinula.training.plan import batches_of, build_network, make_plan, make_preprocess
from retinula.training.validation import validate
from retinula.training.workload import (
    PASSES,
    Sizes,
    classes_of,
    noise_for,
    num_images_of,
    num_steps_of,
    passes_of,
    phases_of,
    shape_of,
)
from retinula.transforms.preprocess import Preprocess

STEPS, WARM_UP = 4, 1  # of a training; the first claims memory and chooses kernels
# A step is measured with as many of its pictures as the processor could do in this time, were it always at its peak.
STEP_SECONDS = 0.2
PLAIN_RATE = 0.001  # of SGD, where nothing but time is asked: noise must not drive the weights away
FEWEST = 16  # pictures; with fewer the library's convolutions are not at their best
PREDICTED = 512  # pictures at most
SIDE = 2048  # of the matrices whose product shows the machine's peak
SMALLER = 8  # times, the side of the matrices that are tried first
LONGEST_PRODUCT = 2.0  # seconds
PEAK_PRECISIONS = ("float32", "bfloat16")
ANSWER = "from retinula.cli.main import main; main()"


@dataclass(frozen=True)
class Speed:
    """What one recipe does here.

    Attributes:
        recipe: its name.
        network: the network's name.
        hardware: what it computes with, in words.
        step_seconds: median of a step; the mean over a training whose pictures change in size.
        trained: pictures a second while training.
        predicted: pictures a second of `Model.outputs`.
        loaded: pictures a second of drawing, augmenting and normalising alone.
        loading_share: of a step, what that takes.
        peak_share: of the machine's own matrix product in the same precision, the multiply-adds of training as plain
            convolutions make them; Winograd's way makes fewer, so that it may be above 1.
        epoch_ends_seconds: of the whole training, what follows the steps of its epochs: renewing the statistics of
            averaged weights, and validation.
        seconds: that the whole training would take, all its steps and ends of epochs, without preparing data before it
            and measuring after it.
    """

    recipe: str
    network: str
    hardware: str
    step_seconds: float
    trained: float
    predicted: float
    loaded: float
    loading_share: float
    peak_share: float
    epoch_ends_seconds: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return asdict(self)


@cache
def matrix_peak(precision: str, side: int = SIDE, rounds: int = 5) -> float:
    """Return the multiply-adds a second of this machine's best matrix product, measured once for each precision.

    Where there are no units for a precision the whole product would take a minute, so that a small one has to do.
    """
    torch.set_num_threads(available_threads())  # as a training does, which may come later
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    small = side // SMALLER
    seconds = _product_seconds(kind, small, rounds)
    if seconds * SMALLER**3 > LONGEST_PRODUCT:
        return small**3 / seconds
    return side**3 / _product_seconds(kind, side, rounds)


def measurable(recipe: Recipe) -> str:
    """Say why a recipe cannot be measured here; nothing where it can."""
    if recipe.model.weights is not None:
        return f"begins from a trained model, {recipe.model.weights}"
    entry = CATALOG.get(recipe.data.name)
    if entry is None or not entry.counts:
        return f"trains on {recipe.data.name}, whose form is not known beforehand"
    if "train" not in entry.counts:
        return f"has nothing to train on: {entry.name} is for evaluation only"
    return ""


def measure_speeds(recipes: Iterable[Recipe]) -> Iterator[Speed]:
    """Measure one `measurable` recipe after another; those of one network and size of pictures share the hardware."""
    chosen: dict[str, Hardware] = {}
    for recipe in recipes:
        network = json.dumps([recipe.model.name, recipe.model.arguments, *shape_of(recipe), recipe.training.precision])
        num_images = measured_batch(recipe)
        if network not in chosen:
            chosen[network] = _choose(recipe, num_images)
        yield measure_speed(recipe, hardware=chosen[network], num_images=num_images)


def measure_speed(
    recipe: Recipe, *, steps: int = STEPS, hardware: Hardware | None = None, num_images: int | None = None
) -> Speed:
    """Train a recipe for a few steps on noise, and predict and load pictures by it.

    Args:
        recipe: one of a data set of the catalog, that begins from first weights.
        steps: to train, more than one.
        hardware: what to compute with; chosen by measurement where None.
        num_images: pictures in a measured step; where they are fewer than the recipe's own, its step is said to take
            longer in proportion, but for the part that is the same for any number. All of the recipe's where None.

    Raises:
        InputError: the recipe is none of these; `measurable` says why.
    """
    reason = measurable(recipe)
    if reason:
        raise InputError(f"recipe {recipe.name} cannot be measured: it {reason}")
    keep_memory()
    batch = recipe.training.batch_size
    few = num_images or batch
    hardware = hardware or _choose(recipe, few)
    whole_noise = noise_for(recipe, batch * steps)
    noise = whole_noise.take(np.arange(few * steps))
    # Muon's part may take longer than the few pictures of a step: it is measured by itself, and no step makes it.
    apart = few < batch and recipe.optimizer.name == "muon"
    plain = Optimizer(name="sgd", lr=PLAIN_RATE)
    stepping = recipe.changed(optimizer=plain, training={"average": 0.0}) if apart else recipe
    # Of a measured step, but loading of a whole one: it costs little, and with few pictures much of that by the call.
    seconds = loading = work = 0.0
    for share, sizes in phases_of(recipe):
        model, median = _train(*_shortened(stepping, few, steps, sizes), noise, hardware)
        seconds += share * median
        loading += share * _loading_seconds(*_shortened(recipe, batch, steps, sizes), whole_noise, hardware)
        channels, height, width = model.preprocess.input_shape
        if sizes:
            height = width = sizes[0][1]
        work += share * passes_of(recipe) * summarize(model.network, (channels, height, width)).multiply_adds * few
    whatever = 0.0 if few == batch else _update_seconds(recipe, hardware)
    of_pictures = seconds if apart else max(seconds - whatever, 0.0)
    step_seconds = whatever + of_pictures * batch / few
    epoch_ends = _epoch_ends_seconds(recipe, few, steps, noise, hardware)
    images = noise.images[: min(PREDICTED, PASSES * few)]
    model.outputs(images[:2])
    predicting = _seconds(model.outputs(part) for part in np.array_split(images, max(1, len(images) // 64)))
    return Speed(
        recipe=recipe.name,
        network=recipe.model.name,
        hardware=hardware.words,
        step_seconds=step_seconds,
        trained=batch / step_seconds,
        predicted=len(images) / predicting,
        loaded=batch / loading,
        loading_share=loading / step_seconds,
        peak_share=work * batch / few / step_seconds / matrix_peak(hardware.precision),
        epoch_ends_seconds=epoch_ends,
        seconds=num_steps_of(recipe) * step_seconds + epoch_ends,
    )


def measured_batch(recipe: Recipe) -> int:
    """Return how many pictures a measured step has: those of the recipe's own, or fewer where they would take long."""
    network, input_shape = _network(recipe)
    multiply_adds = passes_of(recipe) * summarize(network, input_shape).multiply_adds
    affordable = int(STEP_SECONDS * matrix_peak("float32") / multiply_adds)
    return min(recipe.training.batch_size, max(FEWEST, affordable))


def untrained(name: str) -> Model:
    """Return a model of a network with its first weights, which takes as long as one that was trained."""
    entry = network_named(name)
    network = build(name, num_classes=entry.num_classes, channels=entry.channels, size=entry.size).eval()
    nothing = (0.0,) * entry.channels, (1.0,) * entry.channels
    classes = tuple(map(str, range(entry.num_classes)))
    return Model(network, name, {}, classes, Preprocess(entry.channels, entry.size, *nothing))


def first_answer_seconds(model: Model) -> float:
    """Return how long `retinula predict` takes from its start to its answer about one photo."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "model.safetensors")
        Image.new("RGB", (640, 480), (200, 120, 40)).save(folder / "photo.jpg")
        command = [
            sys.executable,
            "-c",
            ANSWER,
            "predict",
            str(folder / "model.safetensors"),
            str(folder / "photo.jpg"),
        ]
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own command, no input of anybody
        return time.perf_counter() - begun


def _shortened(recipe: Recipe, batch: int, steps: int, sizes: Sizes) -> tuple[Recipe, int]:
    """Return the recipe of a short training, and how many of its first steps are measured."""
    made = steps
    if sizes:  # one step more, which is not measured: a training has to end on the side that the network is asked with
        sizes, made = (*sizes, (steps / (steps + 1), recipe.training.sizes[-1][1])), steps + 1
    whole = {"epochs": None, "least_steps": 0, "keep": "last", "early_stopping": 0, "snapshots": False}
    changes = {"steps": made, "batch_size": batch, "sizes": sizes, **whole}
    return recipe.changed(training=changes), steps


def _choose(recipe: Recipe, num_images: int) -> Hardware:
    """Choose hardware as a training would, by trials of no more than so many pictures."""
    network, input_shape = _network(recipe)
    precision = recipe.training.precision
    # Where products of matrices show that there are no units for bfloat16, a network would take seconds to say it too.
    if precision == "auto" and available_device() == "cpu" and _bfloat16_is_hopeless():
        precision = "float32"
    return choose_hardware(network, input_shape, precision=precision, num_images=num_images)


def _bfloat16_is_hopeless() -> bool:
    return matrix_peak("bfloat16") * HOPELESS < matrix_peak("float32")


def _network(recipe: Recipe) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the recipe's network with first weights, and channels, height and width of its inputs."""
    preprocess = make_preprocess(recipe, noise_for(recipe, 2))
    return build_network(recipe, len(classes_of(recipe)), preprocess), preprocess.input_shape


def _train(recipe: Recipe, num_measured: int, noise: ImageSet, hardware: Hardware) -> tuple[Model, float]:
    """Return the model and the median seconds of a measured step."""
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(recipe, {}, root=Path(folder))
        model = train(recipe, noise, None, run, hardware=hardware)
        return model, statistics.median(row["seconds"] for row in run.steps()[WARM_UP:num_measured])


def _loading_seconds(recipe: Recipe, num_measured: int, noise: ImageSet, hardware: Hardware) -> float:
    """Return the median seconds of drawing, augmenting and normalising a batch."""
    plan = make_plan(recipe, noise, None, make_preprocess(recipe, noise), hardware)
    return _median_seconds(prepare(plan, portion) for portion in plan.batches.batches(0, num_measured))


def _update_seconds(recipe: Recipe, hardware: Hardware) -> float:
    """Return the median seconds of a step whose gradients cost nothing: what is the same whatever the batch."""
    network = hardware.place(_network(recipe)[0])
    optimizer = build_optimizer(recipe.optimizer, network, torch.device(hardware.device))
    decay = recipe.training.average
    average = WeightAverage(network, decay) if decay else None

    def backward() -> torch.Tensor:
        for weights in network.parameters():
            weights.grad = torch.ones_like(weights) if weights.requires_grad else None
        return torch.zeros(())

    def updates() -> Iterator[None]:
        for step in range(1, STEPS + 1):
            take_step(optimizer, network, backward, recipe.optimizer.clip_norm)
            if average:
                average.update(network, step)
            yield

    return _median_seconds(updates())


def _epoch_ends_seconds(recipe: Recipe, few: int, steps: int, noise: ImageSet, hardware: Hardware) -> float:
    """Return how long all that follows the steps of its epochs takes in a whole training."""
    num_images, num_validated = num_images_of(recipe)
    batches, num_steps = batches_of(recipe, num_images), num_steps_of(recipe)
    num_epochs = -(-num_steps // batches.steps_per_epoch)
    seconds = 0.0
    if num_validated:
        seconds += num_epochs * num_validated * _validation_seconds(recipe, few, noise, hardware)
    if recipe.training.average:
        # Where nothing is chosen or kept on the way, the last weights alone are asked; all at the full size.
        times = num_epochs if num_validated or recipe.training.snapshots else 1
        num_renewed = min(min(renewing_steps(batches), num_steps) * batches.batch_size, num_images)
        of_a_picture = _renewal_seconds(*_shortened(recipe, few, steps, ()), noise, hardware)
        seconds += times * num_renewed * of_a_picture
    return seconds


def _validation_seconds(recipe: Recipe, few: int, noise: ImageSet, hardware: Hardware) -> float:
    """Return the seconds of validation for each picture."""
    plan = make_plan(recipe, noise, None, make_preprocess(recipe, noise), hardware)
    network = hardware.place(_network(recipe)[0])
    # Of the second time all of them: validation takes more pictures at once than a step.
    shown = [noise.take(np.arange(few)), noise]
    return _median_seconds(validate(plan, network, images) for images in shown) / len(noise)


def _renewal_seconds(recipe: Recipe, num_measured: int, noise: ImageSet, hardware: Hardware) -> float:
    """Return the seconds of renewing an average's statistics for each picture, loading it included."""
    plan = make_plan(recipe, noise, None, make_preprocess(recipe, noise), hardware)
    average = WeightAverage(hardware.place(_network(recipe)[0]), recipe.training.average)
    inputs = ([prepare(plan, batch).inputs] for batch in plan.batches.batches(0, num_measured))
    seconds = _median_seconds(average.renew_statistics(each, hardware.autocast) for each in inputs)
    return seconds / recipe.training.batch_size


def _product_seconds(kind: torch.dtype, side: int, rounds: int) -> float:
    one, two = (torch.randn(side, side).to(kind) for _ in range(2))
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        torch.mm(one, two)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _median_seconds(work: Iterator[Any]) -> float:
    """Return the median time of an item, the first ones left out."""
    seconds = []
    begun = time.perf_counter()
    for _ in work:
        now = time.perf_counter()
        seconds.append(now - begun)
        begun = now
    return statistics.median(seconds[WARM_UP:])


def _seconds(work: Iterator[Any]) -> float:
    begun = time.perf_counter()
    for _ in work:
        pass
    return time.perf_counter() - begun
