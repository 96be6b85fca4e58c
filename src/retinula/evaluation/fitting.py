"""Whether a set of pictures fits a model: their size, their classes, the numbers of their labels."""

import torch
from torch import Tensor

from retinula.errors import InputError
from retinula.images import ImageSet, kind_of
from retinula.model_file import Model

LISTED = 5  # class names named in a message before it says how many more there are


def check_pictures(model: Model, image_set: ImageSet) -> None:
    """Refuse what is no set, such as a whole data set or a split that it lacks, an empty one, and another size.

    Raises:
        InputError: naming the set and both sizes.
    """
    if not isinstance(image_set, ImageSet):
        raise InputError(
            f"pictures to evaluate on are an ImageSet, such as the test part of a data set, not {kind_of(image_set)}"
        )
    if not len(image_set):
        raise InputError(f"{image_set.name} has no pictures to evaluate on")
    expected = (model.preprocess.channels, *model.preprocess.size)
    if image_set.shape != expected:
        raise InputError(
            f"{image_set.name} has pictures of {size_in_words(image_set.shape)}, but the model takes "
            f"{size_in_words(expected)}; load the set at the model's size"
        )


def labels_for(model: Model, image_set: ImageSet) -> Tensor:
    """Return the set's labels as numbers of the model's classes, int64 `[N]`.

    Raises:
        InputError: the set has no labels, or its classes are not the model's.
    """
    labels = torch.from_numpy(image_set.known_labels().copy())
    if image_set.classes == model.classes:
        return labels
    unknown = [name for name in image_set.classes if name not in model.classes]
    lacking = [name for name in model.classes if name not in image_set.classes]
    if unknown or lacking or len(image_set.classes) != len(model.classes):
        complaints = [
            f"{len(image_set.classes)} classes against the model's {len(model.classes)}",
            *([f"unknown to the model: {_listed(unknown)}"] if unknown else []),
            *([f"missing: {_listed(lacking)}"] if lacking else []),
        ]
        raise InputError(f"{image_set.name} has other classes than the model: {'; '.join(complaints)}")
    return torch.tensor([model.classes.index(name) for name in image_set.classes])[labels]


def size_in_words(shape: tuple[int, ...]) -> str:
    """Write channels, height and width.

    >>> size_in_words((3, 32, 32))
    '32 x 32 pixels in colour'
    """
    channels, height, width = shape
    return f"{height} x {width} pixels in {'colour' if channels == 3 else 'grey'}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
