"""Plan: a recipe brought together with its data and machine, all that does not change while training runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.models.catalog import build, network_named
from retinula.pictures.views import Views
from retinula.recipe.recipe import Recipe
from retinula.text.words import plural
from retinula.training.hardware import Hardware
from retinula.training.objectives import Loss, loss_function, mean_weights
from retinula.training.schedules import Multiplier, multiplier
from retinula.transforms.augment import Augment
from retinula.transforms.batches import BatchPlan
from retinula.transforms.preprocess import Preprocess


@dataclass(frozen=True)
class Plan:
    """Everything about a training that does not change while it runs.

    `origin` is the model it begins from; `weights` are float32 `[K]`, by which a batch's mean loss counts the pictures
    of each class, or None where all count alike.
    """

    recipe: Recipe
    train_set: ImageSet
    validation_set: ImageSet | None
    preprocess: Preprocess
    augment: Augment
    batches: BatchPlan
    num_steps: int
    rate: Multiplier
    loss: Loss
    hardware: Hardware
    origin: dict[str, Any] | None = None
    weights: torch.Tensor | None = None

    @property
    def num_epochs(self) -> int:
        """Epochs begun, the last perhaps not whole."""
        return -(-self.num_steps // self.batches.steps_per_epoch)

    @property
    def lengthened(self) -> str:
        """Say that there are more epochs than the recipe names, and why; nothing where there are not."""
        epochs, least = self.recipe.training.epochs, self.recipe.training.least_steps
        if epochs is None or self.num_epochs <= epochs:
            return ""
        return (
            f"{plural(len(self.train_set), 'picture')}: {self.num_epochs:,} epochs instead of {epochs:,}, "
            f"so that there are at least {plural(least, 'step')} (training.least_steps)"
        )

    @property
    def mixes(self) -> bool:
        """Whether pictures and labels are mixed, so that accuracy while training says nothing."""
        return self.augment.mixes


def make_preprocess(recipe: Recipe, train_set: ImageSet) -> Preprocess:
    """Return how the recipe's pictures become inputs; means and deviations come from the training pictures.

    Raises:
        InputError: the pictures are not at the recipe's size, or the network takes them in 0..1 alone.
    """
    inputs = recipe.inputs
    channels, height, width = train_set.shape
    if inputs.size not in (None, (height, width)) or inputs.channels not in (None, channels):
        raise InputError(
            f"{train_set.name} has pictures of {channels}x{height}x{width}, the recipe wants "
            f"{inputs.channels or channels} channels and size {list(inputs.size or (height, width))}"
        )
    if inputs.mean is not None and inputs.std is not None:
        mean, std = inputs.mean, inputs.std
    elif inputs.normalise == "dataset":
        mean, std = train_set.statistics()
        std = tuple(max(value, 1 / 255) for value in std)  # a channel that never changes has no deviation
    else:
        mean, std = (0.0,) * channels, (1.0,) * channels
    if network_named(recipe.model.name).unit_inputs and (any(mean) or set(std) != {1.0}):
        raise InputError(f"{recipe.model.name} takes pictures in 0..1: give inputs.normalise=unit, no mean and no std")
    asked = recipe.prediction
    views = Views(asked.crops, asked.scales, asked.zooms, asked.mirror)
    return Preprocess(
        channels,
        (height, width),
        mean,
        std,
        resize=inputs.resize,
        crop=inputs.crop,
        resample=inputs.resample,
        views=views,
    )


def augment_of(recipe: Recipe) -> Augment:
    """Return what a recipe does to pictures while training."""
    return Augment(**recipe.augment.model_dump())


def batches_of(recipe: Recipe, num_images: int) -> BatchPlan:
    """Return how so many pictures are cut into the recipe's batches."""
    settings = recipe.training
    return BatchPlan(num_images, settings.batch_size, recipe.seed, settings.drop_last, settings.sampling)


def side_at(sizes: Sequence[tuple[float, int]], done: float) -> int | None:
    """Return the side of the inputs at a fraction of the training that is done; None where they stay as they are.

    >>> side_at([(0.0, 24), (0.5, 32)], 0.5)
    32
    """
    begun = [side for fraction, side in sizes if fraction <= done]
    return begun[-1] if begun else None


def build_network(recipe: Recipe, num_classes: int, preprocess: Preprocess) -> nn.Module:
    """Build the network that a recipe names, with weights drawn anew.

    Raises:
        InputError: its arguments do not fit it or the pictures.
    """
    return build(
        recipe.model.name,
        num_classes=num_classes,
        channels=preprocess.channels,
        size=preprocess.input_shape[1:],
        **recipe.model.arguments,
    )


def check_worth_beginning(
    recipe: Recipe, train_set: ImageSet, validation_set: ImageSet | None, preprocess: Preprocess
) -> None:
    """See that a training would not be in vain; one that has begun already goes on all the same.

    Raises:
        InputError: it would stop by pictures that there are not, end on inputs of another size than the network is
            asked with, cut more out of pictures than there is, or move no weight.
    """
    if recipe.training.early_stopping and validation_set is None:
        raise InputError(
            "training.early_stopping needs pictures to choose by: give validation_set as well, "
            "or training.early_stopping=0"
        )
    height, width = preprocess.input_shape[1:]
    if recipe.augment.cutout > max(height, width):
        raise InputError(
            f"augment.cutout={recipe.augment.cutout} is larger than the pictures, {height}x{width}: nothing "
            "would be left of many of them"
        )
    num_steps = recipe.training.num_steps(batches_of(recipe, len(train_set)).steps_per_epoch)
    _check_last_side(recipe.training.sizes, num_steps, preprocess)
    rate = multiplier(recipe.schedule)
    if not any(rate(step / num_steps) for step in range(num_steps)):
        raise InputError(
            f"the learning rate would be 0 through the whole training of {plural(num_steps, 'step')}, "
            "so that no weight would move: train longer, or give another schedule"
        )


def check_sets(recipe: Recipe, train_set: ImageSet, validation_set: ImageSet | None) -> None:
    """See that pictures fit a recipe and each other, which costs nothing.

    Raises:
        InputError: too few pictures or none, other ones to choose by, no labels, or a network for something else.
    """
    if len(train_set) < 2:
        raise InputError(f"{train_set.name}: {len(train_set)} pictures are too few to train on")
    if validation_set is not None:
        _check_validation(train_set, validation_set)
    task = network_named(recipe.model.name).task
    if recipe.objective.reconstructs != (task == "reconstruction"):
        raise InputError(
            f"{recipe.model.name} is for {task}, which objective {recipe.objective.name!r} does not measure"
        )
    for given in (train_set, validation_set):
        if given is not None and given.labels is None and not recipe.objective.reconstructs:
            raise InputError(f"{given.name} has no labels, and {recipe.model.name} learns classes by them: give labels")


def make_plan(
    recipe: Recipe,
    train_set: ImageSet,
    validation_set: ImageSet | None,
    preprocess: Preprocess,
    hardware: Hardware,
    origin: dict[str, Any] | None = None,
) -> Plan:
    """Work out number of steps, schedule and batches.

    Raises:
        InputError: too few pictures, or parts of the recipe that do not fit each other or the data.
    """
    check_sets(recipe, train_set, validation_set)
    batches = batches_of(recipe, len(train_set))
    augment = augment_of(recipe)
    seen = recipe.augment.random_crop or train_set.shape[1:]
    if preprocess.crop is not None and recipe.augment.random_crop is None:
        seen = preprocess.crop
    if tuple(seen) != preprocess.input_shape[1:]:
        raise InputError(
            f"training would show pictures of {list(seen)}, but the network is asked with "
            f"{list(preprocess.input_shape[1:])}: inputs.crop and augment.random_crop must be equal"
        )
    return Plan(
        recipe=recipe,
        train_set=train_set,
        validation_set=validation_set,
        preprocess=preprocess,
        augment=augment,
        batches=batches,
        num_steps=recipe.training.num_steps(batches.steps_per_epoch),
        rate=multiplier(recipe.schedule),
        loss=loss_function(recipe.objective, train_set),
        hardware=hardware,
        origin=origin,
        weights=mean_weights(recipe.objective, train_set, mixes=augment.mixes),
    )


def _check_last_side(sizes: Sequence[tuple[float, int]], num_steps: int, preprocess: Preprocess) -> None:
    _, height, width = preprocess.input_shape
    side = side_at(sizes, (num_steps - 1) / num_steps)
    if side is not None and (side, side) != (height, width):
        raise InputError(
            f"training would end on inputs of {side}x{side}, but the network is asked with {height}x{width}: "
            f"training.sizes must come to these by the last of {plural(num_steps, 'step')}; "
            "with training.sizes=[] they are so from the first"
        )


def _check_validation(train_set: ImageSet, validation_set: ImageSet) -> None:
    if not len(validation_set):
        raise InputError(f"{validation_set.name} has no pictures to choose by; leave the set out")
    if validation_set.shape != train_set.shape:
        raise InputError(
            f"{validation_set.name} has pictures of {list(validation_set.shape)}, "
            f"{train_set.name} of {list(train_set.shape)}"
        )
    if validation_set.classes != train_set.classes:
        raise InputError(f"{validation_set.name} and {train_set.name} must have the same classes in the same order")
