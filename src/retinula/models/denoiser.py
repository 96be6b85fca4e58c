"""A small network that takes noise out of pictures: it computes the noise, and gives the picture without it.

Fully convolutional, so one trained network takes pictures of any size. Knows nothing of data or training.
"""

import torch
import torch.nn.functional as F
from torch import nn

from retinula.errors import InputError

# A quarter of a step of 256 grey values: as near to black and white as logits have to come.
NEAREST = 1 / 1020


class Denoiser(nn.Module):
    """Convolutions that compute what to take away from the picture; there is no bottleneck.

    As in DnCNN (Zhang et al. 2017) the network computes the noise and not the picture, and as in FFDNet (Zhang et al.
    2018) it works on the four pixels of every 2x2 square at once, which reaches twice as far for a quarter of the
    work. A network that `draw_denoiser` began gives back what it gets.

    Inputs must be pictures in 0..1 (`unit_inputs` of the catalog): the noise is taken away from them as they are.
    `forward` gives logits, whose sigmoid is the picture, so that every objective for pictures fits.
    """

    def __init__(self, channels: int = 3, *, width: int = 64, layers: int = 5) -> None:
        super().__init__()
        self.reach = 2 * layers + 1
        self.apart = nn.PixelUnshuffle(2)
        self.first = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.relu = nn.ReLU()
        self.middle = nn.Sequential()
        for _ in range(layers - 2):
            self.middle.append(nn.Conv2d(width, width, 3, padding=1))
            self.middle.append(nn.ReLU())
        self.last = nn.Conv2d(width, 4 * channels, 3, padding=1)
        self.together = nn.PixelShuffle(2)
        self.sigmoid = nn.Sigmoid()

    def noise(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute the noise in float inputs `[N, C, H, W]`, both sides even: the same shape, on the scale 0..1."""
        # About zero: with inputs that are all positive the first steps of training go astray.
        maps = self.middle(self.relu(self.first(self.apart(inputs - 0.5))))
        noise: torch.Tensor = self.together(self.last(maps))
        return noise

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits `[N, C, H, W]` of the inputs without their noise, for any H and W.

        An odd side is filled up by repeating the last row or column, which is cut off after.
        """
        height, width = inputs.shape[2:]
        filled = F.pad(inputs, (0, width % 2, 0, height % 2), mode="replicate") if height % 2 or width % 2 else inputs
        clean = inputs - self.noise(filled)[:, :, :height, :width]
        return torch.logit(clean.float(), eps=NEAREST)

    def reconstruct(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the pictures `[N, C, H, W]`, 0..1, without their noise."""
        pictures: torch.Tensor = self.sigmoid(self(inputs))
        return pictures


def cifar10_denoise(
    num_classes: int, channels: int, size: tuple[int, int], *, width: int = 64, layers: int = 5
) -> Denoiser:
    """Build the denoiser; neither the number of classes nor the size of the pictures changes it.

    Args:
        num_classes: not used.
        channels: 1 or 3.
        size: not used.
        width: channels of the maps inside, 1 to 512.
        layers: convolutions in all, 2 to 32.

    Raises:
        InputError: a width or a number of layers outside these bounds.
    """
    del num_classes, size
    if not 1 <= width <= 512:
        raise InputError(f"width must lie between 1 and 512, not {width}")
    if not 2 <= layers <= 32:
        raise InputError(f"layers must lie between 2 and 32, not {layers}")
    return Denoiser(channels, width=width, layers=layers)


def draw_denoiser(network: nn.Module) -> None:
    """Draw the first weights: normal with variance 2 / inputs (He et al. 2015), biases and the last convolution 0."""
    for name, parameter in network.named_parameters():
        if name.endswith("bias") or name.startswith("last"):
            nn.init.zeros_(parameter)
        else:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
