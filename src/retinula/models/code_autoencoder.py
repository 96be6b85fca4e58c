"""An autoencoder whose code begins as the best linear one and learns what convolutions can add to it.

The code is linear in the picture plus a correction, the picture linear in the code plus a refinement; correction and
refinement begin at zero. So training starts from principal components, which no linear code beats, and can only
gain. Knows nothing of data or training: `start_from` is given the components.
"""

import torch
import torch.nn.functional as F
from torch import nn

from retinula.errors import InputError

MARGIN = 2e-3  # a picture's values stay so far inside 0..1, where their logits are finite


class Refinement(nn.Module):
    """Two 3x3 convolutions, added to what they are given; `[N, width, H, W]` stays `[N, width, H, W]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Add the refinement."""
        refined: torch.Tensor = maps + self.conv2(F.gelu(self.conv1(maps)))
        return refined


class CodeAutoencoder(nn.Module):
    """Pictures of one size to a vector of `numbers`, and back.

    `forward` gives logits, whose sigmoid is the picture, as every network for reconstruction here does. All
    convolutions work on maps of half the side, with four pixels beside each other as channels.
    """

    def __init__(self, channels: int, size: tuple[int, int], *, numbers: int, width: int, blocks: int) -> None:
        super().__init__()
        height, self.shape = size[0], (channels, *size)
        values, folded = channels * height * size[1], 4 * channels
        self.numbers = numbers
        self.to_code = nn.Linear(values, numbers)
        self.from_code = nn.Linear(numbers, values)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            *(nn.Conv2d(folded, width, 3, padding=1), nn.GELU()),
            *(nn.Conv2d(width, width, 3, padding=1, stride=2), nn.GELU()),
            *(nn.Conv2d(width, width, 3, padding=1), nn.GELU()),
            nn.Flatten(),
        )
        self.correction = nn.Linear(width * (height // 4) * (size[1] // 4), numbers, bias=False)
        self.decoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(folded, width, 3, padding=1),
            *(Refinement(width) for _ in range(blocks)),
            nn.Conv2d(width, folded, 3, padding=1),
            nn.PixelShuffle(2),
        )
        nn.init.zeros_(self.correction.weight)
        last = self.decoder[-2]
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def start_from(self, mean: torch.Tensor, components: torch.Tensor) -> None:
        """Make code and picture those of a linear code.

        Args:
            mean: float32 `[D]`, D the values of a picture in 0..1, channels first.
            components: orthonormal, float32 `[numbers, D]`.
        """
        with torch.no_grad():
            self.to_code.weight.copy_(components)
            self.to_code.bias.copy_(-(components @ mean))
            self.from_code.weight.copy_(components.T)
            self.from_code.bias.copy_(mean)

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        """Turn inputs in 0..1 `[N, C, H, W]` into codes `[N, numbers]`."""
        # Channels first in memory, as the components have them, whatever the format of the convolutions.
        flat = inputs.contiguous().flatten(1)
        code: torch.Tensor = self.to_code(flat) + self.correction(self.encoder(inputs))
        return code

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Turn codes `[N, numbers]` into the logits `[N, C, H, W]` of pictures."""
        linear = self.from_code(code).view(-1, *self.shape)
        picture = linear + self.decoder(linear)
        return torch.logit(picture.float().clamp(MARGIN, 1 - MARGIN))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits `[N, C, H, W]` of what is left of the inputs after the code."""
        return self.decode(self.encode(inputs))

    def reconstruct(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the pictures `[N, C, H, W]`, 0..1, that the network makes of the inputs."""
        return torch.sigmoid(self(inputs))


def code_autoencoder(
    num_classes: int,
    channels: int,
    size: tuple[int, int],
    *,
    numbers: int = 256,
    width: int = 64,
    blocks: int = 3,
) -> CodeAutoencoder:
    """Build the autoencoder: with 256 numbers for 3x32x32 pictures 2,941,068 parameters.

    Args:
        num_classes: not used; a reconstruction has none.
        channels: of the inputs.
        size: height and width of the inputs, multiples of 4.
        numbers: that a picture becomes.
        width: channels of the convolutions.
        blocks: refinements on the way back.

    Raises:
        InputError: a size that is no multiple of 4, or an argument out of its range.
    """
    del num_classes
    if size[0] % 4 or size[1] % 4:
        raise InputError(f"code-autoencoder takes sides that are multiples of 4, not {size[0]}x{size[1]}")
    values = channels * size[0] * size[1]
    if not 1 <= numbers <= values:
        raise InputError(f"code-autoencoder: numbers must be 1 to {values}, the values of a picture, not {numbers}")
    if width < 1 or blocks < 0:
        raise InputError(f"code-autoencoder: width must be above 0 and blocks 0 or above, not {width} and {blocks}")
    return CodeAutoencoder(channels, size, numbers=numbers, width=width, blocks=blocks)
