"""The feature maps are what the network itself computes on the way to its answer."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from retinula.errors import InputError
from retinula.explanation.features import feature_maps, seen_picture
from retinula.explanation.layers import convolutions
from retinula.models.catalog import build
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

PICTURE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (3, 20, 20), dtype=np.uint8)
CROPPED = Preprocess(3, (20, 20), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), crop=(16, 16))


def model_of(name: str, network: nn.Module | None = None, preprocess: Preprocess = CROPPED) -> Model:
    channels, height, width = preprocess.input_shape
    network = network or build(name, num_classes=3, channels=channels, size=(height, width))
    return Model(network.eval(), name, {}, ("a", "b", "c"), preprocess)


def test_the_maps_lead_to_the_answer() -> None:
    model = model_of("cifar10-augmented")
    maps = feature_maps(model, PICTURE)
    assert list(maps) == ["conv1", "conv2"]
    assert {name: each.shape for name, each in maps.items()} == {"conv1": (64, 16, 16), "conv2": (64, 8, 8)}
    assert all(each.dtype == np.float32 for each in maps.values())
    assert isinstance(model.network, nn.Sequential)
    layers = list(model.network)
    with torch.no_grad():
        inputs = (torch.from_numpy(PICTURE[None, :, 2:18, 2:18]) / 255 - torch.tensor(CROPPED.mean).view(-1, 1, 1)) / (
            torch.tensor(CROPPED.std).view(-1, 1, 1)
        )
        first = layers[0](inputs)
        rest = nn.Sequential(*layers[layers.index(model.network.get_submodule("conv2")) + 1 :])
        answer = rest(torch.from_numpy(maps["conv2"])[None])
    np.testing.assert_allclose(maps["conv1"], first[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(answer.numpy(), model.outputs(PICTURE[None]).numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["residual", "mobilenetv2", "cifar10-autoencoder"])
def test_every_convolution_of_every_kind_of_network(name: str) -> None:
    model = model_of(name)
    before = model.outputs(PICTURE[None])
    maps = feature_maps(model, PICTURE)
    assert set(maps) == set(convolutions(model.network))
    assert all(np.isfinite(each).all() and each.ndim == 3 for each in maps.values())
    assert torch.equal(model.outputs(PICTURE[None]), before)  # and no hook is left behind
    assert not any(layer._forward_hooks for layer in model.network.modules())


def test_an_activation_in_place_does_not_write_over_the_maps() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(3))
    network(torch.zeros(1, 3, 16, 16))
    assert feature_maps(model_of("residual", network), PICTURE)["0"].min() < 0


def test_a_picture_of_any_size_and_kind_is_made_small_as_for_prediction() -> None:
    model = model_of("cifar10-augmented")
    assert np.array_equal(seen_picture(model, PICTURE), PICTURE[:, 2:18, 2:18])
    large = np.kron(PICTURE, np.ones((1, 3, 4), dtype=np.uint8))
    assert seen_picture(model, large).shape == (3, 16, 16)
    assert feature_maps(model, large)["conv1"].shape == (64, 16, 16)
    grey = seen_picture(model, PICTURE[:1])
    assert np.array_equal(grey, np.repeat(PICTURE[:1, 2:18, 2:18], 3, axis=0))
    one_channel = model_of("residual", preprocess=Preprocess(1, (20, 20), (0.0,), (1.0,)))
    assert seen_picture(one_channel, PICTURE).shape == (1, 20, 20)


@pytest.mark.parametrize(
    "picture",
    [PICTURE.astype(np.float32), PICTURE[None], PICTURE[:2], PICTURE[:, :0], PICTURE.transpose(1, 2, 0)],
    ids=["float", "batch", "two channels", "empty", "channels last"],
)
def test_what_is_no_picture_is_refused(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match=r"a picture is uint8 \[1, H, W\] or \[3, H, W\], not "):
        feature_maps(model_of("cifar10-augmented"), picture)


def test_a_network_without_convolutions_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
    with pytest.raises(InputError, match="has no convolution"):
        feature_maps(model_of("residual", network), PICTURE)
