"""What this machine can do: pictures a second of the shipped recipes, beside what its processor could do at most.

Everything is measured on noise in the form of each recipe's pictures, by the very loop that trains; knows nothing of
the terminal.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from retinula.datasets.catalog import CATALOG
from retinula.errors import InputError, RetinulaError
from retinula.images import ImageSet
from retinula.model_file import Model
from retinula.models.catalog import build, network_named
from retinula.models.summary import summarize
from retinula.recipe import Recipe
from retinula.run import create_run
from retinula.training.checkpoint import load_checkpoint
from retinula.training.hardware import Hardware, keep_memory
from retinula.training.inputs import prepare
from retinula.training.loop import train
from retinula.training.plan import make_plan, make_preprocess
from retinula.transforms.preprocess import Preprocess

STEPS, WARM_UP = 6, 2  # of a training; the first claim memory and choose kernels
PREDICTED = 512  # pictures
SIDE = 2048  # of the matrices whose product shows the machine's peak
PASSES = 3  # forward, and backward to inputs and weights, cost about the same each
PEAK_PRECISIONS = ("float32", "bfloat16")
Sizes = tuple[tuple[float, int], ...]  # as of `training.sizes`
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
        peak_share: of the machine's own matrix product in the same precision, the multiply-adds of training.
        seconds: that the whole training would take to its last step, without preparing data and measuring.
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
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return asdict(self)


@cache
def matrix_peak(precision: str, side: int = SIDE, rounds: int = 5) -> float:
    """Return the multiply-adds a second of this machine's best matrix product, measured once for each precision."""
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    one, two = (torch.randn(side, side).to(kind) for _ in range(2))
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        torch.mm(one, two)
        seconds.append(time.perf_counter() - begun)
    return float(side**3 / min(seconds))


def measurable(recipe: Recipe) -> str:
    """Say why a recipe cannot be measured here; nothing where it can."""
    if recipe.model.weights is not None:
        return f"begins from a trained model, {recipe.model.weights}"
    if recipe.data.name not in CATALOG or not CATALOG[recipe.data.name].counts:
        return f"the form of {recipe.data.name} is not known beforehand"
    return ""


def measure_speed(recipe: Recipe, *, steps: int = STEPS, hardware: Hardware | None = None) -> Speed:
    """Train a recipe for a few steps on noise, and predict and load pictures by it.

    Args:
        recipe: one of a data set of the catalog, that begins from first weights.
        steps: to train, more than two.
        hardware: what to compute with; chosen by measurement where None.

    Raises:
        InputError: the recipe is none of these; `measurable` says why.
    """
    reason = measurable(recipe)
    if reason:
        raise InputError(f"recipe {recipe.name} cannot be measured: it {reason}")
    keep_memory()
    batch = recipe.training.batch_size
    noise = _noise(recipe, batch * steps)
    step_seconds = loading = work = 0.0
    for share, sizes in _phases(recipe):
        short = _shortened(recipe, steps, sizes)
        model, used, seconds = _train(short, noise, hardware)
        hardware = used
        step_seconds += share * seconds
        plan = make_plan(short, noise, None, make_preprocess(short, noise), used)
        loading += share * _median_seconds(prepare(plan, portion) for portion in plan.batches.batches(0, steps))
        channels, height, width = model.preprocess.input_shape
        if sizes:
            height = width = sizes[0][1]
        work += share * PASSES * summarize(model.network, (channels, height, width)).multiply_adds * batch
    images = noise.images[: min(PREDICTED, len(noise))]
    model.outputs(images[:2])
    predicting = _seconds(model.outputs(part) for part in np.array_split(images, max(1, len(images) // 64)))
    return Speed(
        recipe=recipe.name,
        network=recipe.model.name,
        hardware=used.words,
        step_seconds=step_seconds,
        trained=batch / step_seconds,
        predicted=len(images) / predicting,
        loaded=batch / loading,
        loading_share=loading / step_seconds,
        peak_share=work / step_seconds / matrix_peak(used.precision),
        seconds=_num_steps(recipe) * step_seconds,
    )


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


def _phases(recipe: Recipe) -> list[tuple[float, Sizes]]:
    """Return the parts of a training through which its pictures keep their size: the share of each, and that size."""
    sizes = recipe.training.sizes
    if not sizes:
        return [(1.0, ())]
    ends = [fraction for fraction, _ in sizes[1:]] + [1.0]
    return [(end - begun, ((0.0, side),)) for (begun, side), end in zip(sizes, ends, strict=True)]


def _shortened(recipe: Recipe, steps: int, sizes: Sizes) -> Recipe:
    changes: dict[str, Any] = {"steps": steps, "epochs": None, "keep": "last", "early_stopping": 0, "snapshots": False}
    training = recipe.training.model_copy(update={**changes, "sizes": sizes})
    return recipe.model_copy(update={"training": training})


def _train(recipe: Recipe, noise: ImageSet, hardware: Hardware | None) -> tuple[Model, Hardware, float]:
    """Return the model, what it was trained with, and the median seconds of a step."""
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(recipe, {}, root=Path(folder))
        model = train(recipe, noise, None, run, hardware=hardware)
        seconds = statistics.median(row["seconds"] for row in run.steps()[WARM_UP:])
        state = load_checkpoint(run.checkpoints, on_damage=lambda _: None)
    if state is None:
        raise RetinulaError(f"{recipe.name}: the trial left no checkpoint")
    return model, Hardware(**state["hardware"]), seconds


def _noise(recipe: Recipe, number: int) -> ImageSet:
    """Make pictures of noise in the form that a recipe trains on: its time does not depend on what they show."""
    entry = CATALOG[recipe.data.name]
    size, channels = recipe.inputs.size or entry.size, recipe.inputs.channels or entry.channels
    classes = tuple(map(str, recipe.data.classes)) or entry.classes or tuple(map(str, range(entry.num_listed)))
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (number, channels, *size), dtype=np.uint8)
    return ImageSet(images, np.arange(number, dtype=np.int64) % len(classes), classes, "noise/train")


def _num_steps(recipe: Recipe) -> int:
    """Return the steps of a whole training, were it not to stop early."""
    training, data = recipe.training, recipe.data
    if training.steps:
        return training.steps
    count = CATALOG[data.name].counts["train"]
    whole, rest = divmod(count - round(count * data.validation), training.batch_size)
    return (training.epochs or 1) * max(whole + (rest > 1 and not training.drop_last), 1)


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
