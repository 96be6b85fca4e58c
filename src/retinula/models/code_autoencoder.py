"""An autoencoder whose code begins as the best linear one and learns what convolutions can add to it.

It works on squares of one size, each with a code of its own; larger pictures are cut into such squares. The code is
linear in the square plus a correction, the square linear in the code plus a refinement; correction and refinement begin
at zero. So training starts from principal components, which no linear code beats, and can only gain. Knows nothing of
data or training: `start_from` is given the components.
"""

import torch
import torch.nn.functional as F
from torch import nn

from retinula.errors import InputError

SIDES = (8, 16, 32, 64)  # of the squares; all of them go evenly into `reconstructing.ALIGNMENT`
MARGIN = 2e-3  # a picture's values stay so far inside 0..1, where their logits are finite


class Refinement(nn.Module):
    """Two 3x3 convolutions, added to what they are given; `[N, width, H, W]` stays `[N, width, H, W]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Add the refinement."""
        refined: torch.Tensor = maps + self.conv2(F.gelu(self.conv1(maps)))
        return refined


class CodeAutoencoder(nn.Module):
    """Squares of one side to vectors of `numbers`, and back.

    `forward` gives logits, whose sigmoid is the picture, as every network for reconstruction here does. All
    convolutions work on maps of half the side, with four pixels beside each other as channels.

    Attributes:
        reach: how many pixels away from a place its input can change the output there: within a square.
    """

    def __init__(self, channels: int, side: int, *, numbers: int, width: int, blocks: int) -> None:
        super().__init__()
        values, folded = channels * side**2, 4 * channels
        self.channels, self.side, self.numbers, self.reach = channels, side, numbers, side - 1
        self.to_code = nn.Linear(values, numbers)
        self.from_code = nn.Linear(numbers, values)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            *(nn.Conv2d(folded, width, 3, padding=1), nn.GELU()),
            *(nn.Conv2d(width, width, 3, padding=1, stride=2), nn.GELU()),
            *(nn.Conv2d(width, width, 3, padding=1), nn.GELU()),
            nn.Flatten(),
        )
        self.correction = nn.Linear(width * (side // 4) ** 2, numbers, bias=False)
        self.decoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(folded, width, 3, padding=1),
            *(Refinement(width) for _ in range(blocks)),
            nn.Conv2d(width, folded, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def start_from(self, mean: torch.Tensor, components: torch.Tensor) -> None:
        """Make code and picture those of a linear code.

        Args:
            mean: float32 `[D]`, D the values of a square in 0..1, channels first.
            components: orthonormal, float32 `[numbers, D]`.
        """
        with torch.no_grad():
            self.to_code.weight.copy_(components)
            self.to_code.bias.copy_(-(components @ mean))
            self.from_code.weight.copy_(components.T)
            self.from_code.bias.copy_(mean)

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        """Turn inputs in 0..1 `[N, C, H, W]` into codes `[N, numbers, ceil(H / side), ceil(W / side)]`.

        Sides that are no multiple of the squares' are filled up by repeating the last row or column.
        """
        height, width = inputs.shape[2:]
        if height % self.side or width % self.side:
            inputs = F.pad(inputs, (0, -width % self.side, 0, -height % self.side), mode="replicate")
        down, across = inputs.shape[2] // self.side, inputs.shape[3] // self.side
        squares = inputs.reshape(-1, self.channels, down, self.side, across, self.side)
        squares = squares.permute(0, 2, 4, 1, 3, 5).reshape(-1, self.channels, self.side, self.side)
        code: torch.Tensor = self.to_code(squares.flatten(1)) + self.correction(self.encoder(squares))
        return code.view(-1, down, across, self.numbers).permute(0, 3, 1, 2)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Turn codes `[N, numbers, h, w]` into the logits `[N, C, side * h, side * w]` of pictures."""
        down, across = code.shape[2:]
        linear = self.from_code(code.permute(0, 2, 3, 1).reshape(-1, self.numbers))
        linear = linear.view(-1, self.channels, self.side, self.side)
        squares = (linear + self.decoder(linear)).float()
        pictures = squares.view(-1, down, across, self.channels, self.side, self.side).permute(0, 3, 1, 4, 2, 5)
        pictures = pictures.reshape(-1, self.channels, down * self.side, across * self.side)
        return torch.logit(pictures.clamp(MARGIN, 1 - MARGIN))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits `[N, C, H, W]` of what is left of the inputs after the code, for any H and W."""
        return self.decode(self.encode(inputs))[:, :, : inputs.shape[2], : inputs.shape[3]]

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
        size: height and width of the inputs, which the squares take: 8, 16, 32 or 64, both the same.
        numbers: that a square becomes.
        width: channels of the convolutions, 1 to 512.
        blocks: refinements on the way back, 0 to 32.

    Raises:
        InputError: another size, or an argument out of its range.
    """
    del num_classes
    if size[0] != size[1] or size[0] not in SIDES:
        raise InputError(f"code-autoencoder takes squares of {', '.join(map(str, SIDES))}, not {size[0]}x{size[1]}")
    values = channels * size[0] ** 2
    if not 1 <= numbers <= values:
        raise InputError(f"code-autoencoder: numbers must be 1 to {values}, the values of a picture, not {numbers}")
    if not 1 <= width <= 512:
        raise InputError(f"code-autoencoder: width must lie between 1 and 512, not {width}")
    if not 0 <= blocks <= 32:
        raise InputError(f"code-autoencoder: blocks must lie between 0 and 32, not {blocks}")
    return CodeAutoencoder(channels, size[0], numbers=numbers, width=width, blocks=blocks)


def draw_code_autoencoder(network: nn.Module) -> None:
    """Set to zero what correction and refinements end with, so that `start_from` gives the linear code itself."""
    for part in network.modules():
        if isinstance(part, CodeAutoencoder):
            nn.init.zeros_(part.correction.weight)
            for parameter in part.decoder[-2].parameters():
                nn.init.zeros_(parameter)
        elif isinstance(part, Refinement):
            nn.init.zeros_(part.conv2.weight)
