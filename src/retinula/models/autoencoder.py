"""The convolutional autoencoder of a published work: pictures to a code a twelfth of their size, and back.

Fully convolutional, so one trained network takes pictures of any size. Knows nothing of data or training.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    """Two convolutions with pooling down, two transposed convolutions up: 1,495 parameters for colour pictures.

    `forward` gives logits, whose sigmoid is the picture: binary cross entropy is computed from logits without
    loss of precision. `reconstruct` gives the picture itself. The weights begin as PyTorch's own, since the work
    was written in it (Cherkashin 2023, listing 4.1 of the work on autoencoders).
    """

    reach = 6

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.t_conv1 = nn.ConvTranspose2d(4, 16, 2, stride=2)
        self.t_conv2 = nn.ConvTranspose2d(16, channels, 2, stride=2)
        self.relu = nn.ReLU()
        self.sigmoid = nn.Sigmoid()

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        """Turn float inputs `[N, C, H, W]` into codes `[N, 4, ceil(H / 4), ceil(W / 4)]`, zero or above.

        Sides that are no multiple of four are filled up by repeating the last row or column.
        """
        height, width = inputs.shape[2:]
        if height % 4 or width % 4:
            inputs = F.pad(inputs, (0, -width % 4, 0, -height % 4), mode="replicate")
        maps = self.pool(self.relu(self.conv1(inputs)))
        code: torch.Tensor = self.pool(self.relu(self.conv2(maps)))
        return code

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Turn codes `[N, 4, h, w]` into the logits `[N, C, 4 * h, 4 * w]` of pictures."""
        logits: torch.Tensor = self.t_conv2(self.relu(self.t_conv1(code)))
        return logits

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the logits `[N, C, H, W]` of what is left of the inputs after the code, for any H and W.

        What `encode` fills up is cut off again.
        """
        height, width = inputs.shape[2:]
        return self.decode(self.encode(inputs))[:, :, :height, :width]

    def reconstruct(self, inputs: torch.Tensor) -> torch.Tensor:
        """Give the pictures `[N, C, H, W]`, 0..1, that the network makes of the inputs."""
        pictures: torch.Tensor = self.sigmoid(self(inputs))
        return pictures


def cifar10_autoencoder(num_classes: int, channels: int, size: tuple[int, int]) -> Autoencoder:
    """Build the autoencoder; neither the number of classes nor the size of the pictures changes it."""
    del num_classes, size
    return Autoencoder(channels)
