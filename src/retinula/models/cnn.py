"""The plain convolutional networks of three published works, layer for layer and initialised as theirs were.

Each takes inputs `[N, channels, height, width]` and gives logits `[N, num_classes]`. What the works wrote as a
softmax layer is part of the loss here. Knows nothing of data or training.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator

from torch import nn

from retinula.errors import InputError

_SHORT_NAMES: dict[type[nn.Module], str] = {
    nn.BatchNorm2d: "norm",
    nn.Conv2d: "conv",
    nn.Dropout: "dropout",
    nn.Flatten: "flatten",
    nn.Linear: "linear",
    nn.MaxPool2d: "pool",
    nn.ReLU: "relu",
}


def cifar10_cnn(num_classes: int, channels: int, size: tuple[int, int]) -> nn.Sequential:
    """Six 3x3 convolutions in three pairs and three linear layers: 5,851,338 parameters for CIFAR-10.

    The weights begin as PyTorch's own, since the work was written in it (Cherkashin 2023, listing 4.1).

    Raises:
        InputError: the pictures are smaller than 8x8 pixels.
    """
    height, width = _halved("cifar10-cnn", size, times=3)

    def layers() -> Iterator[nn.Module]:
        wide = channels
        for first, second in ((32, 64), (128, 128), (256, 256)):
            yield from (nn.Conv2d(wide, first, 3, padding=1), nn.ReLU())
            yield from (nn.Conv2d(first, second, 3, padding=1), nn.ReLU())
            yield nn.MaxPool2d(2)
            wide = second
        yield nn.Flatten()
        yield from (nn.Linear(wide * height * width, 1024), nn.ReLU())
        yield from (nn.Linear(1024, 512), nn.ReLU())
        yield nn.Linear(512, num_classes)

    return _named(layers())


def cifar100_cnn(num_classes: int, channels: int, size: tuple[int, int]) -> nn.Sequential:
    """Six 3x3 convolutions in three pairs and three linear layers, with dropout: 13,870,484 parameters for CIFAR-100.

    Raises:
        InputError: the pictures are smaller than 8x8 pixels.
    """
    height, width = _halved("cifar100-cnn", size, times=3)

    def layers() -> Iterator[nn.Module]:
        wide = channels
        for filters, dropped in ((128, 0.2), (256, 0.5), (512, 0.5)):
            yield from (nn.Conv2d(wide, filters, 3, padding=1), nn.ReLU())
            yield from (nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU())
            yield from (nn.MaxPool2d(2), nn.Dropout(dropped))
            wide = filters
        yield nn.Flatten()
        yield from (nn.Linear(wide * height * width, 1000), nn.ReLU(), nn.Dropout(0.5))
        yield from (nn.Linear(1000, 1000), nn.ReLU(), nn.Dropout(0.5))
        yield nn.Linear(1000, num_classes)

    return _named(layers())


def draw_cifar100_cnn(network: nn.Module) -> None:
    """Draw the first weights of `cifar100_cnn`: Glorot uniform, biases 0.

    So Keras begins, in which the work was written (Lavrov's lab work, after Khanna and Braun).
    """
    for layer in _weighted(network):
        nn.init.xavier_uniform_(layer.weight)


def cifar10_augmented(num_classes: int, channels: int, size: tuple[int, int]) -> nn.Sequential:
    """Two 5x5 convolutions, the first batch-normalised, and three linear layers: 731,658 parameters at 24x24.

    What the work's text leaves to its library is as PrettyTensor had it: zero padding that keeps the size;
    normalisation between a convolution's bias and its ReLU, with a learned shift but no learned scale
    (`scale_after_normalization=False`) and 0.001 added to the variance; pooling that keeps an odd row or column.
    One thing is not: the running mean and variance move by a tenth a step, not by 0.0003, with
    which three quarters of their arbitrary start would still be in them after a thousand steps.

    Raises:
        InputError: the pictures are smaller than 4x4 pixels.
    """
    _halved("cifar10-augmented", size, times=2)
    height, width = (-(-side // 4) for side in size)
    norm = nn.BatchNorm2d(64, eps=1e-3)
    norm.register_parameter("weight", None)
    return _named(
        (
            *(nn.Conv2d(channels, 64, 5, padding=2), norm, nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)),
            *(nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)),
            nn.Flatten(),
            *(nn.Linear(64 * height * width, 256), nn.ReLU()),
            *(nn.Linear(256, 128), nn.ReLU()),
            nn.Linear(128, num_classes),
        )
    )


def draw_cifar10_augmented(network: nn.Module) -> None:
    """Draw the first weights of `cifar10_augmented`, as PrettyTensor did.

    Normal with variance 2 / inputs before a ReLU (He et al. 2015), Glorot uniform in the last layer, biases 0.
    """
    *hidden, last = _weighted(network)
    for layer in hidden:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.xavier_uniform_(last.weight)


def _halved(name: str, size: tuple[int, int], times: int) -> tuple[int, int]:
    """Return the size after so many halvings, where a picture survives them."""
    least = 2**times
    if min(size) < least:
        raise InputError(
            f"{name} halves its maps {times} times, so pictures need at least {least}x{least} pixels, "
            f"not {size[0]}x{size[1]}; choose a larger size, or the network 'residual', which takes any"
        )
    return size[0] // least, size[1] // least


def _named(layers: Iterable[nn.Module]) -> nn.Sequential:
    """Chain the layers under names that count each kind: conv1, relu1, conv2, relu2, pool1, ..."""
    counts: Counter[str] = Counter()
    named: OrderedDict[str, nn.Module] = OrderedDict()
    for layer in layers:
        short = _SHORT_NAMES[type(layer)]
        counts[short] += 1
        named[f"{short}{counts[short]}"] = layer
    return nn.Sequential(named)


def _weighted(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Return the layers with weights in order, their biases set to zero as Keras and PrettyTensor do."""
    layers = [layer for layer in network.children() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layers
