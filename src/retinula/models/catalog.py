"""The networks this program can build, each with its published setting; `build` and `build_outline` build them.

A plain dict: nothing registers itself. Knows nothing of data or training.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from retinula.errors import InputError, nearest
from retinula.models.autoencoder import cifar10_autoencoder
from retinula.models.blueprint import mobilenetv2_bsconv_s, mobilenetv2_bsconv_u
from retinula.models.cnn import (
    cifar10_augmented,
    cifar10_cnn,
    cifar100_cnn,
    draw_cifar10_augmented,
    draw_cifar100_cnn,
)
from retinula.models.code_autoencoder import code_autoencoder, draw_code_autoencoder
from retinula.models.denoiser import cifar10_denoise, draw_denoiser
from retinula.models.elsewhere import known_elsewhere
from retinula.models.grouped import mobilenetv2_grouped
from retinula.models.mobilenet import draw_mobilenetv2, mobilenetv2
from retinula.models.network import Network
from retinula.models.residual import draw_residual, residual
from retinula.models.timm_networks import is_of_timm, timm_network
from retinula.models.whitened import draw_whitened, whitened

_CATALOG = (
    Network(
        name="cifar10-cnn",
        task="classification",
        build=cifar10_cnn,
        about="Six 3x3 convolutions in three pairs, three linear layers.",
        source="A. M. Cherkashin, Training the model to determine the class of images on the example of CIFAR-10, "
        "Sholom-Aleichem Priamursky State University, 2023",
        parameters=5_851_338,
        multiply_adds=137_729_024,
        num_classes=10,
    ),
    Network(
        name="cifar100-cnn",
        task="classification",
        build=cifar100_cnn,
        first_weights=draw_cifar100_cnn,
        about="Six wide 3x3 convolutions in three pairs, three linear layers, dropout.",
        source="M. V. Lavrov, CIFAR-100 image recognition by a convolutional network (lab work, in Ukrainian), after "
        "C. Khanna and J. J. Braun, CIFAR-100: Object Recognition",
        parameters=13_870_484,
        multiply_adds=616_810_720,
        num_classes=100,
    ),
    Network(
        name="cifar10-augmented",
        task="classification",
        build=cifar10_augmented,
        first_weights=draw_cifar10_augmented,
        about="Two 5x5 convolutions, the first batch-normalised, three linear layers; takes 24x24 crops.",
        source="lab work 1, Image classification (in Russian), in TensorFlow 1 and PrettyTensor",
        parameters=731_658,
        multiply_adds=18_134_272,
        num_classes=10,
        size=(24, 24),
    ),
    Network(
        name="cifar10-autoencoder",
        task="reconstruction",
        build=cifar10_autoencoder,
        about="Fully convolutional autoencoder: 3x32x32 to a code of 4x8x8 and back.",
        source="A. M. Cherkashin, Neural network autoencoder on the example of CIFAR-10, "
        "Sholom-Aleichem Priamursky State University, 2023",
        parameters=1_495,
        multiply_adds=655_360,
        num_classes=10,
    ),
    Network(
        name="code-autoencoder",
        task="reconstruction",
        build=code_autoencoder,
        first_weights=draw_code_autoencoder,
        about="Autoencoder that starts from principal components: 3x32x32 to 256 numbers and back.",
        source="this project",
        parameters=2_941_068,
        multiply_adds=69_271_552,
        num_classes=10,
        unit_inputs=True,
    ),
    Network(
        name="cifar10-denoise",
        task="reconstruction",
        build=cifar10_denoise,
        first_weights=draw_denoiser,
        about="Fully convolutional network that takes noise out of pictures of any size; no bottleneck.",
        source="this project; after K. Zhang et al., Beyond a Gaussian Denoiser, TIP 2017, and FFDNet, TIP 2018",
        parameters=124_684,
        multiply_adds=31_850_496,
        num_classes=10,
        unit_inputs=True,
    ),
    Network(
        name="mobilenetv2",
        task="classification",
        build=mobilenetv2,
        first_weights=draw_mobilenetv2,
        about="MobileNetV2 at half width with the first strides 1, for small pictures.",
        source="M. Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018; at width 0.5 as "
        "in O. O. Elizarov's home work on CIFAR-100, Bauman Moscow State Technical University, 2022",
        parameters=815_780,
        multiply_adds=28_084_224,
        num_classes=100,
    ),
    Network(
        name="mobilenetv2-bsconv-u",
        task="classification",
        build=mobilenetv2_bsconv_u,
        first_weights=draw_mobilenetv2,
        about="mobilenetv2 that narrows before it filters: blueprint separable convolutions, unconstrained.",
        source="D. Haase and M. Amthor, Rethinking Depthwise Separable Convolutions: How Intra-Kernel Correlations "
        "Lead to Improved MobileNets, CVPR 2020; carried from MobileNetV1 to MobileNetV2 by this project",
        parameters=782_844,
        multiply_adds=28_436_736,
        num_classes=100,
    ),
    Network(
        name="mobilenetv2-bsconv-s",
        task="classification",
        build=mobilenetv2_bsconv_s,
        first_weights=draw_mobilenetv2,
        about="mobilenetv2 whose narrowing matrices learn orthonormal rows: blueprint separable, subspace.",
        source="D. Haase and M. Amthor, Rethinking Depthwise Separable Convolutions: How Intra-Kernel Correlations "
        "Lead to Improved MobileNets, CVPR 2020",
        parameters=815_780,
        multiply_adds=28_084_224,
        num_classes=100,
    ),
    Network(
        name="mobilenetv2-grouped",
        task="classification",
        build=mobilenetv2_grouped,
        first_weights=draw_mobilenetv2,
        about="mobilenetv2 of grouped 1x1 convolutions with interleaved channels, a third of the parameters.",
        source="J. P. Schwarz Schuler et al., Grouped Pointwise Convolutions Reduce Parameters in Convolutional "
        "Neural Networks, MENDEL 28 (1), 2022",
        parameters=279_380,
        multiply_adds=12_942_080,
        num_classes=100,
    ),
    Network(
        name="residual",
        task="classification",
        build=residual,
        first_weights=draw_residual,
        about="Small residual network that adapts to pictures of any size from 8 pixels; the default.",
        source="this project; blocks after K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
        parameters=904_234,
        multiply_adds=48_400_256,
        num_classes=10,
    ),
    Network(
        name="whitened",
        task="classification",
        build=whitened,
        first_weights=draw_whitened,
        about="Six 3x3 convolutions behind a layer that whitens patches; what the quick recipes train.",
        source="this project; after K. Jordan, 94% on CIFAR-10 in 3.29 seconds on a single GPU, 2024",
        parameters=1_971_352,
        multiply_adds=118_147_360,
        num_classes=10,
    ),
)

NETWORKS: dict[str, Network] = {network.name: network for network in _CATALOG}


def is_network(name: str) -> bool:
    """Tell whether a name is that of a network, or is formed as those of timm are."""
    return name in NETWORKS or is_of_timm(name)


def network_named(name: str) -> Network:
    """Return a network's entry in the catalog, or what is known of one of timm by a name such as `timm/resnet18`.

    Raises:
        InputError: there is none; the nearest name is in the message.
    """
    if is_of_timm(name):
        return timm_network(name)
    if name not in NETWORKS:
        raise InputError(f"there is no network {name!r}{known_elsewhere(name) or nearest(name, NETWORKS)}")
    return NETWORKS[name]


def build(
    name: str, /, *, num_classes: int, channels: int = 3, size: tuple[int, int] = (32, 32), **arguments: Any
) -> nn.Module:
    """Build a network with new weights, drawn from torch's global generator.

    Args:
        name: of the network, as `network_named` takes it.
        num_classes: the number of logits; a network that reconstructs does not use it.
        channels: of the inputs, 1 or 3.
        size: height and width of the inputs.
        arguments: the network's own, such as `width`.

    Raises:
        InputError: an unknown name or argument, or a value the network cannot be built with.
    """
    network = _constructed(name, num_classes, channels, size, arguments)
    draw = network_named(name).first_weights
    if draw is not None:
        draw(network)
    return network


def build_outline(
    name: str, /, *, num_classes: int, channels: int = 3, size: tuple[int, int] = (32, 32), **arguments: Any
) -> nn.Module:
    """Build a network without memory for its weights, which have names and shapes alone; as `build` otherwise."""
    with torch.random.fork_rng(devices=()), torch.device("meta"):  # some of timm draw numbers even so
        return _constructed(name, num_classes, channels, size, arguments)


def _constructed(
    name: str, num_classes: int, channels: int, size: tuple[int, int], arguments: Mapping[str, Any]
) -> nn.Module:
    network = network_named(name)
    if channels not in (1, 3):
        raise InputError(f"a network takes 1 or 3 channels, not {channels}")
    least = 2 if network.task == "classification" else 0
    if num_classes < least:
        raise InputError(f"{name} needs at least {least} classes to tell apart, not {num_classes}")
    height, width = size
    if min(height, width) < 1:
        raise InputError(f"{name}: pictures of {height}x{width} pixels are empty")
    for argument, value in arguments.items():
        _check_argument(network, argument, value)
    return network.build(num_classes=num_classes, channels=channels, size=(height, width), **arguments)


def _check_argument(network: Network, name: str, value: Any) -> None:
    known = network.arguments
    if name not in known:
        hint = nearest(name, known) if known else "; it has no arguments of its own"
        raise InputError(f"{network.name} has no argument {name!r}{hint}")
    # The default's type is the argument's type; a whole number is as good as a fraction, but true is no number.
    expected = type(known[name])
    fits = isinstance(value, int | float if expected is float else expected)
    if not fits or isinstance(value, bool) != (expected is bool):
        raise InputError(f"{network.name}: {name} must be of type {expected.__name__}, as {known[name]}, not {value!r}")
