"""A channel that counts brightness in one colour is excited by what is bright in that colour."""

import numpy as np
import pytest
import torch
from torch import nn

from retinula.errors import InputError
from retinula.explanation.exciting import exciting_pictures
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess


def colour_counter(crop: tuple[int, int] | None = None) -> Model:
    convolution = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
    network = nn.Sequential(convolution, nn.Flatten(), nn.LazyLinear(2)).eval()
    form = Preprocess(3, (6, 6), (0.0,) * 3, (1.0,) * 3, crop=crop)
    network(torch.zeros(1, *form.input_shape))
    return Model(network, "residual", {}, ("a", "b"), form)


def test_the_brightest_pixel_counts() -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (600, 3, 6, 6), dtype=np.uint8)
    found = exciting_pictures(colour_counter(), images, "0", number=5)
    highest = images.max(axis=(2, 3))
    assert found.pictures.shape == found.outputs.shape == (3, 5)
    for channel in range(3):
        expected = np.sort(highest[:, channel])[::-1][:5] / 255
        assert np.allclose(found.outputs[channel], expected, atol=1e-6)
        assert np.array_equal(highest[found.pictures[channel], channel], np.rint(255 * expected))


def test_only_what_the_network_sees_counts_and_small_sets_do() -> None:
    images = np.zeros((2, 3, 6, 6), dtype=np.uint8)
    images[0, :, 0, 0] = 255  # outside the crop
    images[1, :, 3, 3] = 9
    found = exciting_pictures(colour_counter(crop=(4, 4)), images, "0")
    assert found.pictures.tolist() == [[1, 0]] * 3


def test_other_layers_are_refused_and_no_hook_stays() -> None:
    model = colour_counter()
    with pytest.raises(InputError, match="no layer 'conv9'"):
        exciting_pictures(model, np.zeros((2, 3, 6, 6), dtype=np.uint8), "conv9")
    exciting_pictures(model, np.zeros((2, 3, 6, 6), dtype=np.uint8), "0")
    assert not any(layer._forward_hooks for layer in model.network.modules())
