"""MobileNetV2 of grouped 1x1 convolutions, interleaved (Schwarz Schuler et al. 2022).

A 1x1 convolution is cut into groups that see some of the channels each. Then the channels are interleaved, so that each
new group holds some of every old one, and where the layer does not widen a second grouped convolution mixes them and
is added to the first. A layer with too few channels to cut stays whole.
"""

import math
from functools import partial

import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.mobilenet import Form, MobileNetV2, clipped, filtered, in_form


class GroupedPointwise(nn.Module):
    """Two grouped 1x1 convolutions, the channels interleaved between them, the second added to the first."""

    def __init__(self, channels_in: int, channels_out: int, groups: int) -> None:
        super().__init__()
        self.first = _convolution(channels_in, channels_out, groups)
        self.interleave = nn.ChannelShuffle(groups)
        self.second = _convolution(channels_out, channels_out, groups)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `[N, channels_in, H, W]` to `[N, channels_out, H, W]`."""
        outputs: torch.Tensor = self.first(inputs)
        mixed: torch.Tensor = self.second(self.interleave(outputs))
        return outputs + mixed


def mobilenetv2_grouped(
    num_classes: int,
    channels: int,
    size: tuple[int, int],
    *,
    width: float = 0.5,
    dropout: float = 0.2,
    group_channels: int = 16,
) -> MobileNetV2:
    """Build MobileNetV2 with its 1x1 convolutions grouped, the last one before the mean among them.

    Args:
        num_classes: the number of logits.
        channels: of the inputs.
        size: of the inputs; any.
        width: as of `mobilenetv2`.
        dropout: as of `mobilenetv2`.
        group_channels: the fewest input channels of a group, 1 to 4096; the paper takes 16 and 32 for such networks.

    Raises:
        InputError: an argument is out of its range.
    """
    del size
    if not 1 <= group_channels <= 4096:
        raise InputError(f"mobilenetv2-grouped: group_channels must lie between 1 and 4096, not {group_channels}")
    form = Form("mobilenetv2-grouped", partial(_widen, group_channels), partial(_narrow, group_channels))
    return in_form(form, num_classes, channels, width=width, dropout=dropout)


def num_groups(channels_in: int, channels_out: int, group_channels: int) -> int:
    """Return the most groups that divide both numbers of channels and leave each `group_channels` inputs.

    >>> num_groups(480, 80, 16), num_groups(48, 16, 16), num_groups(8, 48, 16)
    (20, 2, 1)
    """
    common = math.gcd(channels_in, channels_out)
    most = channels_in // group_channels
    return max((groups for groups in range(1, most + 1) if common % groups == 0), default=1)


def _widen(group_channels: int, channels_in: int, channels_out: int) -> list[nn.Module]:
    groups = num_groups(channels_in, channels_out, group_channels)
    convolution = nn.Conv2d(channels_in, channels_out, 1, groups=groups, bias=False)
    interleave = [nn.ChannelShuffle(groups)] if groups > 1 else []
    return [convolution, *clipped(channels_out), *interleave]


def _narrow(group_channels: int, channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
    groups = num_groups(channels_in, channels_out, group_channels)
    if groups == 1:
        return [filtered(channels_in, stride), *_convolution(channels_in, channels_out, 1)]
    return [filtered(channels_in, stride), GroupedPointwise(channels_in, channels_out, groups)]


def _convolution(channels_in: int, channels_out: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, groups=groups, bias=False), nn.BatchNorm2d(channels_out)
    )
