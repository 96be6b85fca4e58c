"""The default network for folders of pictures and digits: a small residual network that adapts to their size.

Made for processors: every map has a multiple of 32 channels, and most of the work is done on maps of about 16
pixels, where convolutions run fastest. Takes inputs `[N, channels, height, width]` of any size from 8 pixels and
gives logits `[N, num_classes]`. Knows nothing of data or training.
"""

from math import log2

import torch
from torch import nn

from retinula.errors import InputError

LEAST_SIDE = 8
_STAGES = (64, 128, 192)  # channels at width 1


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions added to their input (He et al. 2016), the first with a stride where the map shrinks.

    Where the shape changes, the input is averaged and mapped by a 1x1 convolution, which unlike a strided one looks at
    every pixel (He et al. 2019, ResNet-D).
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.relu2 = nn.ReLU()
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if channels_in != channels_out:
            self.shortcut.append(nn.Conv2d(channels_in, channels_out, 1, bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels_out))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `[N, channels_in, H, W]` to `[N, channels_out, ceil(H / stride), ceil(W / stride)]`."""
        maps = self.relu1(self.norm1(self.conv1(inputs)))
        maps = self.norm2(self.conv2(maps))
        outputs: torch.Tensor = self.relu2(maps + self.shortcut(inputs))
        return outputs


class ResidualNetwork(nn.Module):
    """A stem that brings pictures to maps of about 16 pixels, up to three stages of blocks, mean, one linear layer."""

    def __init__(
        self, num_classes: int, channels: int, size: tuple[int, int], *, width: float = 1.0, blocks: int = 1
    ) -> None:
        super().__init__()
        # So many halvings leave a last map of 4 to 7 pixels on the shorter side. Two of them lie between the
        # three stages, the others in the stem; pictures below 16 pixels have one halving and two stages.
        halvings = int(log2(min(size) / 4))
        stages = [_scaled(wide, width) for wide in _STAGES[: halvings + 1]]
        self.stem = _stem(channels, stages[0], halvings=max(0, halvings - 2))
        self.stages = nn.Sequential()
        wide = stages[0]
        for number, channels_out in enumerate(stages):
            stage = nn.Sequential()
            for block in range(blocks):
                stride = 2 if number > 0 and block == 0 else 1
                stage.append(ResidualBlock(wide, channels_out, stride=stride))
                wide = channels_out
            self.stages.append(stage)
        self.head = nn.Linear(wide, num_classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map inputs `[N, channels, H, W]` to logits `[N, num_classes]`."""
        maps: torch.Tensor = self.stages(self.stem(inputs))
        logits: torch.Tensor = self.head(maps.mean((2, 3)))
        return logits


def residual(
    num_classes: int, channels: int, size: tuple[int, int], *, width: float = 1.0, blocks: int = 1
) -> ResidualNetwork:
    """Build the residual network: 904,234 parameters for 10 classes at 32x32, 306,122 for grey 8x8.

    Args:
        num_classes: the number of logits.
        channels: of the inputs.
        size: of the inputs; decides how often maps are halved.
        width: scales the channels of every layer; rounded to multiples of 32, at least 32.
        blocks: residual blocks in each stage.

    Raises:
        InputError: the pictures are smaller than 8x8 pixels, or width or blocks are out of their range.
    """
    if min(size) < LEAST_SIDE:
        raise InputError(
            f"residual takes pictures of at least {LEAST_SIDE}x{LEAST_SIDE} pixels, not {size[0]}x{size[1]}"
        )
    if not 0 < width <= 8:
        raise InputError(f"residual: width must be above 0 and at most 8, not {width}")
    if not 1 <= blocks <= 32:
        raise InputError(f"residual: blocks must lie between 1 and 32, not {blocks}")
    return ResidualNetwork(num_classes, channels, size, width=width, blocks=blocks)


def _stem(channels: int, channels_out: int, *, halvings: int) -> nn.Sequential:
    """Chain convolutions that halve the map so many times; only the last has all the channels."""
    # Small pictures are first looked at in full; from two halvings on, the first convolution already halves.
    strides = {0: [1], 1: [1, 2]}.get(halvings, [2] * halvings)
    stem = nn.Sequential()
    wide = channels
    for number, stride in enumerate(strides, start=1):
        narrow = channels_out if number == len(strides) else _scaled(channels_out // 2, 1.0)
        stem.append(nn.Conv2d(wide, narrow, 3, stride, 1, bias=False))
        stem.append(nn.BatchNorm2d(narrow))
        stem.append(nn.ReLU())
        wide = narrow
    return stem


def _scaled(channels: int, width: float) -> int:
    return max(32, round(channels * width / 32) * 32)


def draw_residual(network: nn.Module) -> None:
    """Draw the first weights: normal with variance 2 / outputs (He et al. 2015).

    The last normalisation of each block begins at scale 0, so that a new block passes its input on unchanged (Goyal et
    al. 2017).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, ResidualBlock):
            nn.init.zeros_(layer.norm2.weight)
