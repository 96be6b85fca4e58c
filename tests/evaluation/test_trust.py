"""What is fitted to a trained model is said as it is."""

import numpy as np
import torch
from torch import Tensor, nn

from retinula.evaluation.trust import made_trustworthy
from retinula.images import ImageSet
from retinula.model_file import Model
from retinula.transforms.preprocess import Preprocess

CLASSES = ("ant", "bee")


class Sure(nn.Module):
    """Names the class that the first pixel has, by so much."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        bright = inputs[:, 0, 0, 0] - 0.5
        return self.factor * torch.stack((-bright, bright), dim=1)


def lines(factor: float, number: int = 120) -> list[str]:
    """What is said of a network that is sure by so much, on pictures whose labels are right every time."""
    images = np.random.default_rng(0).integers(0, 256, (number, 1, 8, 8), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(number) % 2 * 255
    image_set = ImageSet(images, np.arange(number) % 2, CLASSES, "zoo")
    preprocess = Preprocess(channels=1, size=(8, 8), mean=(0.0,), std=(1.0,))
    model = Model(network=Sure(factor), network_name="residual", arguments={}, classes=CLASSES, preprocess=preprocess)
    said: list[str] = []
    made_trustworthy(model, image_set, image_set, said.append)
    return said


def test_the_share_of_familiar_pictures_is_called_what_the_limits_were_set_for() -> None:
    assert lines(4.0)[1] == "limits of what is familiar set so that 99.2 % of the validation pictures pass"
    assert lines(4.0, 60)[1] == "it cannot tell unfamiliar pictures: that needs at least 100 validation pictures"


def test_a_fit_that_ran_away_is_called_so() -> None:
    assert lines(-400.0)[0].startswith(
        "temperature 20.000 (the fit ran away and was stopped there), fitted on 120 validation pictures: calibration"
    )
    assert "ran away" not in lines(4.0)[0]
    assert lines(0.0)[0] == "temperature 1, nothing fitted: no other temperature makes its answers better"
