"""What a classifier answered about pictures, kept in a file so that nobody has to ask once more.

Answers belong to a model, to pictures and to a way of averaging: where one of them is another now, they are none.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from retinula.errors import InputError
from retinula.evaluation.results import ClassificationResult
from retinula.files.tensor_file import checksum, load_tensors, save_tensors
from retinula.forms import Averaging
from retinula.images import ImageSet
from retinula.trained.model_file import Model

_LOGITS = "logits"


@dataclass(frozen=True, eq=False)
class Answered:
    """A classifier's answers about all pictures of a set.

    Attributes:
        logits: float32 `[N, K]`, not divided by a temperature.
        tta: how they are averaged.
        plain_accuracy: without averaging, 0..1; None where there was none.
        seconds: how long the network ran.
    """

    logits: Tensor
    tta: Averaging
    plain_accuracy: float | None
    seconds: float


def save_answered(file: Path, model: Model, image_set: ImageSet, result: ClassificationResult) -> None:
    """Write the answers of a measurement.

    Args:
        file: to write, whole or not at all.
        model: that was measured.
        image_set: that it was measured on.
        result: what came out.

    Raises:
        RetinulaError: the file cannot be written.
    """
    about = _about(model, image_set, result.tta)
    found = {"plain_accuracy": result.plain_accuracy, "seconds": result.seconds}
    save_tensors(file, {_LOGITS: result.logits}, {"about": about, "found": found})


def load_answered(file: Path, model: Model, image_set: ImageSet, tta: Averaging) -> Answered | None:
    """Return the answers of a model about pictures; None where the file has none of these, or is not whole.

    Args:
        file: that `save_answered` wrote, if it did.
        model: of the answers.
        image_set: that they are about.
        tta: how they are averaged.
    """
    if not file.is_file():
        return None
    try:
        tensors, header = load_tensors(file)
        if header["about"] != _about(model, image_set, tta):
            return None
        return Answered(tensors[_LOGITS], tta, **header["found"])
    except (InputError, LookupError, TypeError):  # damaged, or of another version
        return None


def _about(model: Model, image_set: ImageSet, tta: str) -> dict[str, Any]:
    """Return what changes with any weight, with how pictures are prepared for the network, with them and with `tta`."""
    form = repr((model.network_name, model.arguments, model.classes, model.preprocess.to_dict()))
    return {
        "model": checksum(model.network.state_dict(), form),
        "pictures": image_set.fingerprint(),
        "tta": tta,
    }
