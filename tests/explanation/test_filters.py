"""The weights that are shown are those the network computes with."""

import numpy as np
import pytest
import torch
from torch import nn

from retinula.errors import InputError
from retinula.explanation.filters import filters, shaped_convolutions
from retinula.explanation.layers import convolutions
from retinula.models.catalog import build
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess


def model_of(name: str, network: nn.Module | None = None) -> Model:
    preprocess = Preprocess(3, (16, 16), (0.0,) * 3, (1.0,) * 3)
    network = network or build(name, num_classes=3, channels=3, size=(16, 16))
    return Model(network.eval(), name, {}, ("a", "b", "c"), preprocess)


def test_the_weights_of_one_input_channel_by_filter() -> None:
    model = model_of("cifar10-augmented")
    weights = dict(model.network.named_parameters())
    for layer, channel, number in (("conv1", 2, 64), ("conv2", 63, 64)):
        found = filters(model, layer, channel)
        assert found.shape == (number, 5, 5)
        assert found.dtype == np.float32
        assert np.array_equal(found, weights[f"{layer}.weight"][:, channel].detach().numpy())


def test_what_is_returned_is_no_view_of_the_weights() -> None:
    model = model_of("cifar10-augmented")
    before = filters(model, "conv1").copy()
    filters(model, "conv1")[:] = 7
    assert np.array_equal(filters(model, "conv1"), before)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_filter_is_what_its_output_is_made_with(kind: type[nn.Conv2d | nn.ConvTranspose2d], groups: int) -> None:
    convolution = kind(4, 8, 3, groups=groups, bias=False)
    model = model_of("residual", nn.Sequential(convolution))
    impulse = torch.zeros(1, 4, 5, 5)
    impulse[0, :: 4 // groups, 2, 2] = 1  # the first channel of every group
    with torch.no_grad():
        answer = convolution(impulse)[0].numpy()
    expected = answer[:, ::-1, ::-1] if kind is nn.Conv2d else answer[:, 2:5, 2:5]
    np.testing.assert_allclose(filters(model, "0", 0), expected, atol=1e-6)


def test_wrong_names_and_channels_are_one_line_with_the_nearest() -> None:
    model = model_of("cifar10-augmented")
    for layer, channel, message in (
        ("conv3", 0, "no layer 'conv3'; did you mean 'conv2'"),
        ("", 0, "no layer ''; known: conv1, conv2"),
        ("linear1", 0, "layer 'linear1' is no convolution, but a Linear; known: conv1, conv2"),
        ("conv1", 3, "the filters of conv1 see channels 0 to 2, not 3"),
        ("conv1", -1, "the filters of conv1 see channels 0 to 2, not -1"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            filters(model, layer, channel)
        assert "\n" not in str(caught.value)
    depthwise = model_of("residual", nn.Sequential(nn.Conv2d(3, 3, 3, groups=3)))
    with pytest.raises(InputError, match="see channel 0 only, not 1"):
        filters(depthwise, "0", 1)


def test_convolutions_of_one_pixel_have_no_shape() -> None:
    model = model_of("mobilenetv2")
    shaped = shaped_convolutions(model)
    assert 0 < len(shaped) < len(convolutions(model.network))
    assert all(filters(model, name).shape[1:] != (1, 1) for name in shaped)
    with pytest.raises(InputError, match="no convolution larger than 1x1"):
        shaped_convolutions(model_of("residual", nn.Sequential(nn.Conv2d(3, 4, 1))))
