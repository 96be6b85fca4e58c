"""How much of a classifier's accuracy is left when pictures are spoilt as the world spoils them.

Knows nothing of files or of figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from retinula.errors import InputError
from retinula.evaluation.fitting import check_pictures, labels_for
from retinula.evaluation.intervals import interval_of_mean
from retinula.evaluation.measuring import Counting
from retinula.forms import Averaging
from retinula.images import ImageSet, copied, drawn
from retinula.trained.model_file import Model
from retinula.transforms.batches import generator_for
from retinula.transforms.corruption import STRENGTHS, corrupt, corruptions_of

SAMPLE = 1000  # pictures: accuracy is known within three points, and hardly better the mean over 80 looks at the same
_AT_ONCE = 500  # pictures: bounds memory


@dataclass(frozen=True)
class Robustness:
    """The share of right answers for every corruption and strength, all on the same pictures.

    Attributes:
        num_images: how many pictures.
        num_available: how many the set has; where it is more, the pictures are a sample.
        clean: the share of right answers on them as they are, 0..1.
        accuracy: for each corruption the shares at strengths 1 to 5, 0..1.
        tta: averaging at test time.
        interval: between which shares the mean corruption accuracy lies on all such pictures, with 95 % confidence, for
            these corruptions; None where an earlier version measured it.
    """

    num_images: int
    num_available: int
    clean: float
    accuracy: dict[str, tuple[float, ...]]
    tta: str = "none"
    interval: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """The mean corruption accuracy, 0..1: over all corruptions and strengths."""
        shares = [share for row in self.accuracy.values() for share in row]
        return sum(shares) / len(shares)

    @property
    def remark(self) -> str:
        """What has to be known to compare strengths, as a sentence; empty where one is always harder than the last."""
        if "saturation" not in self.accuracy:
            return ""
        return "Saturation takes colour away at 1 to 3 and exaggerates it at 4 and 5, which need not be harder than 3."

    def kinds(self, *, worst_first: bool) -> list[str]:
        """Return the corruptions in order: by name, or what costs most first, by name where they cost the same."""
        by_name = sorted(self.accuracy)
        return sorted(by_name, key=lambda kind: sum(self.accuracy[kind])) if worst_first else by_name

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as values that JSON can hold."""
        low, high = self.interval or (None, None)
        return {
            "num_images": self.num_images,
            "num_available": self.num_available,
            "tta": self.tta,
            "clean_accuracy": self.clean,
            "mean_corruption_accuracy": self.mean,
            "mean_corruption_accuracy_low": low,
            "mean_corruption_accuracy_high": high,
            "accuracy": {kind: list(row) for kind, row in self.accuracy.items()},
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Robustness":
        """Build from the value of `to_dict`; others raise `LookupError`, `TypeError`, `ValueError`."""
        rows = {kind: tuple(float(share) for share in row) for kind, row in values["accuracy"].items()}
        low, high = (values.get(f"mean_corruption_accuracy_{end}") for end in ("low", "high"))
        interval = None if low is None or high is None else (float(low), float(high))
        shares = [float(values["clean_accuracy"]), *(share for row in rows.values() for share in row)]
        shares += interval or ()
        if not rows or any(len(row) != len(STRENGTHS) for row in rows.values()) or not all(0 <= s <= 1 for s in shares):
            raise ValueError(f"a corruption has {len(STRENGTHS)} shares of right answers, each 0 to 1")
        return cls(
            int(values["num_images"]), int(values["num_available"]), shares[0], rows, str(values["tta"]), interval
        )


def measure_robustness(
    model: Model,
    image_set: ImageSet,
    *,
    num_images: int = SAMPLE,
    kinds: Sequence[str] | None = None,
    seed: int = 0,
    tta: Averaging = "none",
    progress: Counting | None = None,
) -> Robustness:
    """Ask a classifier about the same pictures under every corruption at every strength.

    Args:
        model: a classifier.
        image_set: labelled, at the model's size.
        num_images: at most so many pictures, drawn at random; 0 for all.
        kinds: names of `CORRUPTIONS`; all that do anything to such pictures where None.
        seed: the same seed draws the same pictures and spoils them in the same way.
        tta: averaging at test time.
        progress: called with the number of pictures done and of all.

    Raises:
        InputError: the set does not fit the model, or the model knows no classes.
    """
    if not model.classifies:
        raise InputError(
            f"corruptions are measured on answers about classes; {model.network_name} reconstructs pictures"
        )
    check_pictures(model, image_set)
    labels = labels_for(model, image_set)
    chosen = drawn(len(image_set), num_images if num_images > 0 else len(image_set), seed)
    labels = labels[chosen]
    kinds = corruptions_of(image_set.shape[0]) if kinds is None else kinds
    measured, total = 0, len(chosen) * (1 + len(kinds) * len(STRENGTHS))

    def right(kind: str | None, strength: int) -> Tensor:
        nonlocal measured
        answers = []
        for start in range(0, len(chosen), _AT_ONCE):
            images = torch.from_numpy(copied(image_set.images, chosen[start : start + _AT_ONCE]))
            if kind is not None:
                images = corrupt(images, kind, strength, generator_for(seed, f"{kind} {strength}", start))
            answers.append(model.outputs(images.numpy(), tta=tta).argmax(dim=1))
            measured += len(images)
            if progress:
                progress(measured, total)
        return (torch.cat(answers) == labels).double()

    clean = right(None, 0).mean().item()
    spoilt = {kind: torch.stack([right(kind, strength) for strength in STRENGTHS]) for kind in kinds}
    each = torch.cat([*spoilt.values()]).mean(dim=0)  # a picture counts once, with the share of times it is right
    return Robustness(
        num_images=len(chosen),
        num_available=len(image_set),
        clean=clean,
        accuracy={kind: tuple(rows.mean(dim=1).tolist()) for kind, rows in spoilt.items()},
        tta=tta,
        interval=interval_of_mean(each.mean().item(), each.var(correction=0).item(), len(each)),
    )
