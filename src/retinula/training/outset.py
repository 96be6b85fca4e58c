"""What a training sets out with, in one line: who reads it sees at once that folders were read otherwise than meant."""

from typing import Final

from torch import nn

from retinula.images import ImageSet
from retinula.recipe.recipe import Recipe
from retinula.text.words import first_few, plural
from retinula.training.plan import batches_of

_IN_FULL: Final = 100_000  # numbers that a network learns are counted one by one up to here


def set_out(recipe: Recipe, train_set: ImageSet, validation_set: ImageSet | None, network: nn.Module) -> str:
    """Say what is trained on and chosen by, what is trained, and for how long; of many classes, the first are named.

    Args:
        recipe: of the training.
        train_set: pictures to train on.
        validation_set: pictures to choose by, or None.
        network: that learns.
    """
    apart = "none" if validation_set is None else f"{len(validation_set):,}"
    parts = [f"{plural(len(train_set), 'training picture')}, {apart} for validation"]
    if train_set.labels is not None:
        classes = train_set.classes
        parts.append(f"{plural(len(classes), 'class', 'classes')} ({first_few(classes)})")
    channels, height, width = train_set.shape
    parts.append(f"{height}x{width} in {'colour' if channels == 3 else 'grey'}{_mirrored(recipe)}")
    parts.append(f"{recipe.model.name}, {_parameters(sum(weights.numel() for weights in network.parameters()))}")
    parts.append(_length(recipe, batches_of(recipe, len(train_set)).steps_per_epoch))
    return "; ".join(parts)


def _mirrored(recipe: Recipe) -> str:
    """Say that pictures are mirrored, which nobody may have asked for, and which is wrong of arrows or letters."""
    if recipe.augment.flip == "none":
        return ""
    when = "at random" if recipe.augment.flip == "random" else "every other epoch"
    return f", mirrored left to right {when} (flip=none if left and right matter)"


def _parameters(number: int) -> str:
    return plural(number, "parameter") if number < _IN_FULL else f"{number / 1e6:,.1f} million parameters"


def _length(recipe: Recipe, steps_per_epoch: int) -> str:
    num_steps = recipe.training.num_steps(steps_per_epoch)
    at_most = "at most " if recipe.training.early_stopping else ""
    epochs, rest = divmod(num_steps, steps_per_epoch)
    if rest:
        exact = num_steps / steps_per_epoch
        return f"{at_most}{plural(num_steps, 'step')}, {f'{exact:,.0f}' if exact >= 100 else f'{exact:.3g}'} epochs"
    return f"{at_most}{plural(epochs, 'epoch')} of {plural(steps_per_epoch, 'step')}"
