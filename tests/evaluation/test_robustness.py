"""Robustness of a network whose accuracy under every corruption is known: it tells dark pictures from bright ones."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from retinula.errors import InputError
from retinula.evaluation.intervals import interval_of_mean
from retinula.evaluation.robustness import Robustness, measure_robustness
from retinula.images import ImageSet
from retinula.trained.model_file import Model
from retinula.transforms.corruption import CORRUPTIONS
from retinula.transforms.preprocess import Preprocess


class Bright(nn.Module):
    """Answers with class 1 where the mean is above 0.45."""

    def forward(self, inputs: Tensor) -> Tensor:
        mean = inputs.mean(dim=(1, 2, 3)) - 0.45
        return torch.stack((-mean, mean), dim=1)


MODEL = Model(Bright(), "cifar10-cnn", {}, ("dark", "bright"), Preprocess(1, (8, 8), (0.0,), (1.0,)))


def made(number: int = 40) -> ImageSet:
    labels = np.arange(number, dtype=np.int64) % 2
    images = np.broadcast_to((70 + 80 * labels).astype(np.uint8)[:, None, None, None], (number, 1, 8, 8))
    return ImageSet(np.ascontiguousarray(images), labels, ("dark", "bright"), "made/test")


def test_what_changes_brightness_costs_accuracy_and_what_does_not_costs_none() -> None:
    done: list[tuple[int, int]] = []
    result = measure_robustness(MODEL, made(), progress=lambda *both: done.append(both))
    assert result.clean == 1
    assert set(result.accuracy) == set(CORRUPTIONS) - {"saturation"}, "grey pictures have none"
    for kind in ("gaussian blur", "pixelation", "shift", "rotation", "jpeg", "contrast"):
        assert result.accuracy[kind] == (1.0,) * 5
    assert result.accuracy["brightness"] == (1.0, 1.0, 0.5, 0.5, 0.5)  # 70 / 255 and 0.22 are more than 0.45
    assert result.accuracy["darkness"] == (1.0, 0.5, 0.5, 0.5, 0.5)
    shares = [share for row in result.accuracy.values() for share in row]
    assert result.mean == pytest.approx(np.mean(shares))
    assert done[-1] == (40 * 76, 40 * 76)
    assert measure_robustness(MODEL, made()) == result
    assert result.to_dict()["mean_corruption_accuracy"] == result.mean


def test_the_mean_is_known_as_well_as_so_many_pictures_tell() -> None:
    result = measure_robustness(MODEL, made(), kinds=("brightness",))  # dark ones at two strengths right, others always
    assert result.interval == pytest.approx(interval_of_mean(0.7, 0.09, 40))
    values = result.to_dict()
    assert (values["mean_corruption_accuracy_low"], values["mean_corruption_accuracy_high"]) == result.interval
    assert Robustness.from_dict(values) == result
    with pytest.raises(ValueError, match="each 0 to 1"):
        Robustness.from_dict(values | {"mean_corruption_accuracy_high": 1.5})
    for end in ("low", "high"):  # as earlier versions wrote it
        del values[f"mean_corruption_accuracy_{end}"]
    assert Robustness.from_dict(values).interval is None


def test_a_sample_says_so() -> None:
    result = measure_robustness(MODEL, made(), num_images=7, kinds=("fog",), seed=3)
    assert (result.num_images, result.num_available) == (7, 40)
    assert measure_robustness(MODEL, made(), num_images=0, kinds=("fog",)).num_images == 40
    assert measure_robustness(MODEL, made(), num_images=-3, kinds=("fog",)).num_images == 40
    with pytest.raises(InputError, match="no corruption 'smog'"):
        measure_robustness(MODEL, made(), kinds=("smog",))
