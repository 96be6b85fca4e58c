"""The plain networks: layer for layer as published, and initialised as their frameworks did."""

import math

import pytest
import torch
from torch import nn

from retinula.errors import InputError
from retinula.models import catalog
from retinula.models.cnn import cifar10_augmented, cifar10_cnn, cifar100_cnn


def kinds(network: nn.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in network]


def parameters(network: nn.Sequential) -> list[int]:
    """Numbers learned by each layer that learns any."""
    counts = [sum(p.numel() for p in layer.parameters()) for layer in network]
    return [count for count in counts if count]


def weighted(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in network.children() if isinstance(layer, nn.Conv2d | nn.Linear)]


def test_cifar10_cnn_has_the_published_layers() -> None:
    network = cifar10_cnn(10, 3, (32, 32))
    pair = ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]
    assert kinds(network) == pair * 3 + ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert parameters(network) == [896, 18_496, 73_856, 147_584, 295_168, 590_080, 4_195_328, 524_800, 5_130]
    assert sum(parameters(network)) == 5_851_338


def test_cifar100_cnn_has_the_published_layers() -> None:
    network = cifar100_cnn(100, 3, (32, 32))
    stack = ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d", "Dropout"]
    dense = ["Linear", "ReLU", "Dropout"]
    assert kinds(network) == stack * 3 + ["Flatten"] + dense * 2 + ["Linear"]
    convolutions = [3_584, 147_584, 295_168, 590_080, 1_180_160, 2_359_808]
    assert parameters(network) == [*convolutions, 8_193_000, 1_001_000, 100_100]
    assert sum(parameters(network)) == 13_870_484
    assert [layer.p for layer in network if isinstance(layer, nn.Dropout)] == [0.2, 0.5, 0.5, 0.5, 0.5]


def test_cifar10_augmented_has_the_published_layers() -> None:
    network = cifar10_augmented(10, 3, (24, 24))
    convolutions = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d"]
    assert kinds(network) == [*convolutions, "Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    # 5*5*3*64 + 64; a shift without a scale; 5*5*64*64 + 64; 64*6*6*256 + 256; ...
    assert parameters(network) == [4_864, 64, 102_464, 590_080, 32_896, 1_290]
    assert sum(parameters(network)) == 731_658


@pytest.mark.parametrize(
    ("build", "size", "name"),
    [(cifar10_cnn, (32, 32), "pool3"), (cifar100_cnn, (32, 32), "pool3"), (cifar10_augmented, (24, 24), "pool2")],
)
def test_layers_are_named_by_kind_and_number(build: type, size: tuple[int, int], name: str) -> None:
    network = build(10, 3, size)
    names = [name for name, _ in network.named_children()]
    assert names[:2] == ["conv1", "norm1" if build is cifar10_augmented else "relu1"]
    assert name in names
    assert names[-1] == "linear3"


@pytest.mark.parametrize("build", [cifar10_cnn, cifar100_cnn, cifar10_augmented])
@pytest.mark.parametrize(("channels", "size", "classes"), [(1, (8, 8), 2), (3, (33, 47), 5), (1, (28, 28), 369)])
def test_other_sizes_channels_and_classes(build: type, channels: int, size: tuple[int, int], classes: int) -> None:
    network = build(classes, channels, size).eval()
    with torch.inference_mode():
        logits = network(torch.rand(3, channels, *size))
    assert logits.shape == (3, classes)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("build", "size", "least"),
    [
        (cifar10_cnn, (7, 32), "8x8 pixels, not 7x32"),
        (cifar100_cnn, (32, 4), "8x8 pixels, not 32x4"),
        (cifar10_augmented, (3, 3), "4x4 pixels, not 3x3"),
    ],
)
def test_too_small_pictures_are_named(build: type, size: tuple[int, int], least: str) -> None:
    with pytest.raises(InputError, match=least):
        build(10, 3, size)


def test_cifar10_cnn_begins_as_pytorch_does() -> None:
    torch.manual_seed(5)
    network = cifar10_cnn(10, 3, (32, 32))
    torch.manual_seed(5)
    first = nn.Conv2d(3, 32, 3, padding=1)
    assert torch.equal(weighted(network)[0].weight, first.weight)
    assert len(weighted(network)) == 9
    for layer in weighted(network):
        # PyTorch draws weights and biases from +- 1 / sqrt(inputs).
        limit = 1 / math.sqrt(layer.weight[0].numel())
        assert 0.9 * limit < layer.weight.abs().max() <= limit
        assert layer.bias is not None
        assert 0 < layer.bias.abs().max() <= limit


def test_cifar100_cnn_begins_as_keras_does() -> None:
    torch.manual_seed(0)
    layers = weighted(catalog.build("cifar100-cnn", num_classes=100))
    assert len(layers) == 9
    for layer in layers:
        window = layer.weight[0, 0].numel() if isinstance(layer, nn.Conv2d) else 1
        limit = math.sqrt(6 / (window * (layer.weight.shape[0] + layer.weight.shape[1])))
        assert 0.99 * limit < layer.weight.abs().max() <= limit
        assert abs(layer.weight.std().item() / (limit / math.sqrt(3)) - 1) < 0.02
        assert layer.bias is not None
        assert not layer.bias.any()


def test_cifar10_augmented_begins_as_prettytensor_does() -> None:
    torch.manual_seed(0)
    network = catalog.build("cifar10-augmented", num_classes=10, size=(24, 24))
    *hidden, last = weighted(network)
    for layer in hidden:
        deviation = math.sqrt(2 / layer.weight[0].numel())
        assert abs(layer.weight.std().item() / deviation - 1) < 0.03
        assert layer.weight.abs().max() > 2.5 * deviation, "normal, not cut off"
    assert last.weight.abs().max() <= math.sqrt(6 / (128 + 10))
    assert not any(layer.bias.any() for layer in (*hidden, last) if layer.bias is not None)


def test_the_normalisation_of_cifar10_augmented_shifts_without_scaling() -> None:
    norm = cifar10_augmented(10, 3, (24, 24)).get_submodule("norm1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert [name for name, _ in norm.named_parameters()] == ["bias"]
    assert norm.eps == 0.001
    with torch.no_grad():
        norm.bias.fill_(2.0)
    outputs = norm(torch.randn(50, 64, 6, 6) * 7 + 3)
    assert torch.allclose(outputs.mean((0, 2, 3)), torch.tensor(2.0), atol=1e-4)
    assert torch.allclose(outputs.std((0, 2, 3), correction=0), torch.tensor(1.0), atol=1e-3)


def test_pooling_of_cifar10_augmented_keeps_an_odd_row() -> None:
    network = cifar10_augmented(2, 1, (5, 5))
    first = network.get_submodule("pool1")(torch.arange(25.0).view(1, 1, 5, 5))
    assert first.tolist() == [[[[6, 8, 9], [16, 18, 19], [21, 23, 24]]]]
