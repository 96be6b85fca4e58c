"""The 3x3 convolution of each channel by itself, kept away from a kernel that takes far too long."""

import torch
from torch import nn


class Depthwise(nn.Conv2d):
    """Filter each channel by a 3x3 window of its own, without bias, with padding 1.

    On the processor a stride above 1 is computed in float32 even where all else is in bfloat16: the library's bfloat16
    kernel for its gradient takes 11 to 35 times as long (172, 77 and 112 ms against 16, 4 and 3 for the three of
    MobileNetV2 at half width and batch 128).
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(channels, channels, 3, stride, 1, groups=channels, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `[N, channels, H, W]` to `[N, channels, H / stride, W / stride]`, of the same dtype."""
        if self.stride == (1, 1) or inputs.device.type != "cpu" or inputs.dtype == self.weight.dtype:
            return super().forward(inputs)
        with torch.autocast("cpu", enabled=False):
            return super().forward(inputs.to(self.weight.dtype)).to(inputs.dtype)
