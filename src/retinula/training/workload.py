"""The work that a recipe asks for, as the catalog foretells it: form and number of its pictures, steps, passes.

Knows no picture of the data set itself, and of no machine.
"""

import numpy as np

from retinula.datasets.catalog import CATALOG
from retinula.datasets.split_record import TEST_FRACTION
from retinula.images import ImageSet
from retinula.recipe.recipe import Recipe
from retinula.training.plan import batches_of

PASSES = 3  # forward, and backward to inputs and weights, cost about the same each
Sizes = tuple[tuple[float, int], ...]  # as of `training.sizes`


def classes_of(recipe: Recipe) -> tuple[str, ...]:
    """Return the classes that a recipe is trained on."""
    return tuple(map(str, recipe.data.classes)) or _all_classes(recipe)


def shape_of(recipe: Recipe) -> tuple[int, int, int]:
    """Return channels, height and width of the recipe's pictures."""
    entry = CATALOG[recipe.data.name]
    return (recipe.inputs.channels or entry.channels, *(recipe.inputs.size or entry.size))


def noise_for(recipe: Recipe, number: int) -> ImageSet:
    """Make pictures of noise in the form that a recipe trains on: its time does not depend on what they show."""
    classes = classes_of(recipe)
    images = np.random.default_rng(0).integers(0, 256, (number, *shape_of(recipe)), dtype=np.uint8)
    return ImageSet(images, np.arange(number, dtype=np.int64) % len(classes), classes, "noise/train")


def num_images_of(recipe: Recipe) -> tuple[int, int]:
    """Return the pictures to train on and those to validate on; classes count as if all were equally large."""
    entry = CATALOG[recipe.data.name]
    count = entry.fold_train if recipe.data.fold and entry.fold_train else entry.counts["train"]
    if entry.carved:
        count -= round(count * TEST_FRACTION)
    elif "test" not in entry.counts:  # another share of these in every fold
        count -= round(count / entry.folds)
    count = count * len(classes_of(recipe)) // len(_all_classes(recipe))
    num_validated = round(count * recipe.data.validation)
    return count - num_validated, num_validated


def num_steps_of(recipe: Recipe) -> int:
    """Return the steps of a whole training, were it not to stop early."""
    num_images, _ = num_images_of(recipe)
    return recipe.training.num_steps(batches_of(recipe, num_images).steps_per_epoch)


def passes_of(recipe: Recipe) -> int:
    """Return how many times the multiply-adds of a forward pass one step has; SAM asks for gradients twice."""
    return PASSES * (2 if recipe.optimizer.name == "sam" else 1)


def phases_of(recipe: Recipe) -> list[tuple[float, Sizes]]:
    """Return the parts of a training through which its pictures keep their size: the share of each, and that size."""
    sizes = recipe.training.sizes
    if not sizes:
        return [(1.0, ())]
    ends = [fraction for fraction, _ in sizes[1:]] + [1.0]
    return [(end - begun, ((0.0, side),)) for (begun, side), end in zip(sizes, ends, strict=True)]


def _all_classes(recipe: Recipe) -> tuple[str, ...]:
    entry = CATALOG[recipe.data.name]
    if recipe.data.labels == "coarse" and entry.superclasses:
        return tuple(dict.fromkeys(entry.superclasses))
    return entry.classes or tuple(map(str, range(entry.num_listed)))
