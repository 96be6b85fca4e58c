"""The network of the quick recipes: a frozen layer that whitens patches, three blocks of convolutions, a linear layer.

The kind of network that the public speed records on CIFAR-10 were made with (K. Jordan, 94% on CIFAR-10 in 3.29 seconds
on a single GPU, 2024). Its first layer is not learnt but worked out from patches, whose directions `start_from` is
given. Takes inputs `[N, channels, height, width]` of any size from 12 pixels and gives logits `[N, num_classes]`. Knows
nothing of data or training.
"""

from collections.abc import Mapping
from typing import Final

import torch
from torch import nn

from retinula.errors import InputError

LEAST_SIDE = 12
# Few steps are made, so the running statistics have to follow quickly (Jordan 2024).
_NORM_MOMENTUM = 0.4
_LARGEST_WIDTH = 2048
ACTIVATIONS: Final[Mapping[str, type[nn.Module]]] = {"relu": nn.ReLU, "gelu": nn.GELU}


class Whitening(nn.Conv2d):
    """A convolution whose filters are given, not learnt; what is learnt is the constant added to each of its maps.

    Every direction in the space of patches has two filters, itself and its negative, so that the activation behind them
    loses nothing. They are arbitrary until `draw_whitened` or `start_from` sets them.
    """

    def __init__(self, channels: int, *, patch: int, stride: int) -> None:
        values = channels * patch**2
        super().__init__(channels, 2 * values, patch, stride)
        given = self.weight.detach()
        del self.weight
        self.register_buffer("weight", given)


class ShiftNorm(nn.BatchNorm2d):
    """Batch normalisation that learns a constant to add, but no factor: the next layer can scale as well."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=_NORM_MOMENTUM)
        del self.weight
        self.register_buffer("weight", torch.ones(channels))


class Block(nn.Module):
    """A convolution that may shrink the map, then one or two that keep it; from the second on around a shortcut.

    With two convolutions there is no shortcut. With three, the last two are added to what they are given.
    """

    def __init__(
        self, channels_in: int, channels_out: int, *, convolutions: int, shrinks: bool, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False))
        if shrinks:
            self.enter.append(nn.MaxPool2d(2))
        self.enter.extend([ShiftNorm(channels_out), activation()])
        self.stay = nn.Sequential()
        for number in range(convolutions - 1):
            if number:
                self.stay.append(activation())
            self.stay.extend([nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False), ShiftNorm(channels_out)])
        self.has_shortcut = convolutions > 2
        self.leave = activation()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `[N, channels_in, H, W]` to `[N, channels_out, H, W]`, or to half of H and W where it shrinks."""
        entered = self.enter(inputs)
        stayed = self.stay(entered)
        outputs: torch.Tensor = self.leave(stayed + entered if self.has_shortcut else stayed)
        return outputs


class WhitenedNetwork(nn.Module):
    """Whitening, activation, three blocks, the largest value of every map, one linear layer whose logits are scaled."""

    def __init__(
        self,
        num_classes: int,
        channels: int,
        *,
        widths: tuple[int, int, int],
        convolutions: int,
        patch: int,
        stride: int,
        scale: float,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        self.patch, self.scale = patch, scale
        self.whitening = Whitening(channels, patch=patch, stride=stride)
        self.activation = activation()
        self.blocks = nn.Sequential()
        wide = self.whitening.out_channels
        for number, width in enumerate(widths):
            # Patches two pixels apart have halved the map already.
            shrinks = number > 0 or stride == 1
            self.blocks.append(Block(wide, width, convolutions=convolutions, shrinks=shrinks, activation=activation))
            wide = width
        self.head = nn.Linear(wide, num_classes, bias=False)

    def start_from(self, eigenvalues: torch.Tensor, eigenvectors: torch.Tensor, floor: float) -> None:
        """Make the first layer whiten patches: every direction gets the same variance, what is mere noise less.

        Args:
            eigenvalues: of the covariance of patches of inputs, float32 `[D]`, D the values of a patch, channels first.
            eigenvectors: float32 `[D, D]`, one a row.
            floor: added to the eigenvalues, above 0.
        """
        directions = eigenvectors / (eigenvalues + floor).sqrt()[:, None]
        with torch.no_grad():
            filters = torch.cat((directions, -directions))
            self.whitening.weight.copy_(filters.view_as(self.whitening.weight))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map inputs `[N, channels, H, W]` to logits `[N, num_classes]`."""
        maps = self.blocks(self.activation(self.whitening(inputs)))
        logits: torch.Tensor = self.head(maps.amax((2, 3))) * self.scale
        return logits


def whitened(
    num_classes: int,
    channels: int,
    size: tuple[int, int],
    *,
    width1: int = 64,
    width2: int = 256,
    width3: int = 256,
    convolutions: int = 2,
    patch: int = 2,
    stride: int = 1,
    scale: float = 0.125,
    activation: str = "relu",
) -> WhitenedNetwork:
    """Build the network: 1,971,352 parameters for 10 classes and three channels.

    Args:
        num_classes: the number of logits.
        channels: of the inputs.
        size: of the inputs; any from 12 pixels.
        width1: channels of the first block.
        width2: of the second.
        width3: of the third.
        convolutions: in each block, 2, or 3 with a shortcut around the last two.
        patch: side of the patches that are whitened.
        stride: pixels from patch to patch, 1 or 2; with 2 the first block does not halve the map.
        scale: what the logits are multiplied by.
        activation: behind every layer, `relu` or `gelu`.

    Raises:
        InputError: pictures below 12 pixels, or an argument out of its range.
    """
    if min(size) < LEAST_SIDE:
        raise InputError(
            f"whitened takes pictures of at least {LEAST_SIDE}x{LEAST_SIDE} pixels, not {size[0]}x{size[1]}"
        )
    ranges = {
        "width1": (width1, 1, _LARGEST_WIDTH),
        "width2": (width2, 1, _LARGEST_WIDTH),
        "width3": (width3, 1, _LARGEST_WIDTH),
        "convolutions": (convolutions, 2, 3),
        "patch": (patch, 1, 5),
        "stride": (stride, 1, 2),
    }
    for name, (value, least, most) in ranges.items():
        if not least <= value <= most:
            raise InputError(f"whitened: {name} must lie between {least} and {most}, not {value}")
    if not 0 < scale <= 1:
        raise InputError(f"whitened: scale must be above 0 and at most 1, not {scale}")
    if activation not in ACTIVATIONS:
        raise InputError(f"whitened: activation must be {' or '.join(ACTIVATIONS)}, not {activation!r}")
    return WhitenedNetwork(
        num_classes,
        channels,
        widths=(width1, width2, width3),
        convolutions=convolutions,
        patch=patch,
        stride=stride,
        scale=scale,
        activation=ACTIVATIONS[activation],
    )


def draw_whitened(network: nn.Module) -> None:
    """Set the first weights.

    The first layer begins with the patches and their negatives. Every other convolution passes its input maps on in its
    first outputs (Jordan 2024); the rest stay as PyTorch drew them.
    """
    for layer in network.modules():
        if isinstance(layer, Whitening):
            directions = torch.eye(layer.out_channels // 2)
            layer.weight.copy_(torch.cat((directions, -directions)).view_as(layer.weight))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Conv2d):
            nn.init.dirac_(layer.weight[: layer.in_channels].detach())
