"""MobileNetV2 for pictures of 32 pixels: inverted residual blocks, thin at their ends (Sandler et al. 2018).

The first two strides of 2 are 1 here, as in the published work's table, so that 32x32 stays 32x32 until the
fourth block. Layers are named as torchvision and its relatives name them, so weights trained there fit. The
network takes inputs `[N, channels, height, width]`, normalised before, and gives logits `[N, num_classes]`.

What a block is made of is a `Form`, so that other convolutions can stand in the same network; this file knows
the plain one only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.depthwise import Depthwise

# For each stage: expansion, channels at width 1, number of blocks, stride of the first block.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_FIRST, _LAST = 32, 1280


@dataclass(frozen=True)
class Form:
    """The layers that a block is made of.

    Attributes:
        name: of the network, for messages.
        widen: from channels in and out to the layers of a 1x1 convolution, normalised and clipped to 0..6.
        narrow: from channels in, channels out and stride to the layers that filter by 3x3 and narrow; normalised,
            not clipped.
    """

    name: str
    widen: Callable[[int, int], list[nn.Module]]
    narrow: Callable[[int, int, int], list[nn.Module]]


class InvertedResidual(nn.Module):
    """Widen by a 1x1 convolution, filter each channel by 3x3, narrow again; added to its input where shapes agree."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int, expansion: int, form: Form) -> None:
        super().__init__()
        hidden = channels_in * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers.append(nn.Sequential(*form.widen(channels_in, hidden)))
        self.conv = nn.Sequential(*layers, *form.narrow(hidden, channels_out, stride))
        self.added = stride == 1 and channels_in == channels_out

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `[N, channels_in, H, W]` to `[N, channels_out, H / stride, W / stride]`."""
        outputs: torch.Tensor = self.conv(inputs)
        return inputs + outputs if self.added else outputs


class MobileNetV2(nn.Module):
    """Seventeen inverted residual blocks between two plain convolutions, mean over the map, one linear layer."""

    def __init__(
        self, num_classes: int, channels: int = 3, *, form: Form, width: float = 0.5, dropout: float = 0.2
    ) -> None:
        super().__init__()
        wide = _scaled(_FIRST, width)
        features: list[nn.Module] = [nn.Sequential(nn.Conv2d(channels, wide, 3, padding=1, bias=False), *clipped(wide))]
        for expansion, planned, blocks, first_stride in _STAGES:
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                narrow = _scaled(planned, width)
                features.append(InvertedResidual(wide, narrow, stride=stride, expansion=expansion, form=form))
                wide = narrow
        last = _scaled(_LAST, max(1.0, width))
        features.append(nn.Sequential(*form.widen(wide, last)))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map inputs `[N, channels, H, W]` to logits `[N, num_classes]`."""
        maps: torch.Tensor = self.features(inputs)
        logits: torch.Tensor = self.classifier(maps.mean((2, 3)))
        return logits


def mobilenetv2(
    num_classes: int, channels: int, size: tuple[int, int], *, width: float = 0.5, dropout: float = 0.2
) -> MobileNetV2:
    """Build MobileNetV2: at width 0.5 and 100 classes 815,780 parameters, in the order of the published table.

    Args:
        num_classes: the number of logits.
        channels: of the inputs.
        size: of the inputs; any, for the mean over the map takes what is left of it.
        width: how many channels each layer has, as a fraction of the paper's; rounded to multiples of 8.
        dropout: the fraction of features left out before the last layer while training.

    Raises:
        InputError: width or dropout is out of its range.
    """
    del size
    return in_form(PLAIN, num_classes, channels, width=width, dropout=dropout)


def in_form(form: Form, num_classes: int, channels: int, *, width: float, dropout: float) -> MobileNetV2:
    """Build MobileNetV2 of a form's layers; the arguments are those of `mobilenetv2`.

    Raises:
        InputError: width or dropout is out of its range.
    """
    if not 0 < width <= 4:
        raise InputError(f"{form.name}: width must be above 0 and at most 4, not {width}")
    if not 0 <= dropout < 1:
        raise InputError(f"{form.name}: dropout must be at least 0 and below 1, not {dropout}")
    return MobileNetV2(num_classes, channels, form=form, width=width, dropout=dropout)


def widen(channels_in: int, channels_out: int) -> list[nn.Module]:
    """Return a 1x1 convolution without bias, its normalisation and clipping."""
    return [nn.Conv2d(channels_in, channels_out, 1, bias=False), *clipped(channels_out)]


def filtered(channels: int, stride: int) -> nn.Sequential:
    """Return a 3x3 convolution of each channel by itself, without bias, its normalisation and clipping."""
    return nn.Sequential(Depthwise(channels, stride), *clipped(channels))


def clipped(channels: int) -> list[nn.Module]:
    """Return a normalisation and the clipping to 0..6."""
    return [nn.BatchNorm2d(channels), nn.ReLU6()]


def _narrow(channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels_out, 1, bias=False)
    return [filtered(channels_in, stride), convolution, nn.BatchNorm2d(channels_out)]


PLAIN = Form("mobilenetv2", widen, _narrow)


def _scaled(channels: int, width: float) -> int:
    """Scale a number of channels to a multiple of 8, at least 8, and never more than a tenth below what was asked."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def draw_mobilenetv2(network: nn.Module) -> None:
    """Draw the first weights as torchvision and the pretrained relatives do."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
