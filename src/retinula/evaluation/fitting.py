"""Whether a set of pictures fits a model: their size, their classes, the numbers of their labels."""

import torch
from torch import Tensor

from retinula.errors import InputError
from retinula.images import ImageSet, kind_of
from retinula.text.names import class_called
from retinula.text.words import first_few
from retinula.trained.model_file import Model

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
    expected = model.preprocess.shape
    if image_set.shape != expected:
        raise InputError(
            f"{image_set.name} has pictures of {size_in_words(image_set.shape)}, but the model takes "
            f"{size_in_words(expected)}; load the set at the model's size"
        )


def labels_for(model: Model, image_set: ImageSet) -> Tensor:
    """Return the set's labels as numbers of the model's classes, int64 `[N]`.

    Raises:
        InputError: the set has no labels, or classes that the model does not know.
    """
    labels = torch.from_numpy(image_set.known_labels().copy())
    return torch.tensor(class_numbers(model, image_set))[labels]


def class_numbers(model: Model, image_set: ImageSet) -> list[int]:
    """Return for each class of a set which one of the model's it is: by name, in any case where that is unambiguous.

    The set may lack some of the model's classes.

    Raises:
        InputError: the set has classes that the model does not know.
    """
    numbers = [class_called(name, model.classes) for name in image_set.classes]
    unknown = [name for name, number in zip(image_set.classes, numbers, strict=True) if number is None]
    if unknown:
        raise InputError(
            f"{image_set.name} has classes that the model does not know: {first_few(unknown, LISTED)}; its classes are "
            f"{first_few(model.classes, LISTED)}; leave their pictures out, or ask "
            "with a table, where they are counted and not scored: retinula predict RUN SOURCE --labels TABLE.csv"
        )
    return [number for number in numbers if number is not None]


def size_in_words(shape: tuple[int, ...]) -> str:
    """Write channels, height and width.

    >>> size_in_words((3, 32, 32))
    '32 x 32 pixels in colour'
    """
    channels, height, width = shape
    return f"{height} x {width} pixels in {'colour' if channels == 3 else 'grey'}"
