"""Pictures changed as if they were photos that somebody made small: framed otherwise, squashed, soft, stored as JPEG.

Every picture by amounts of its own, all from one generator. Belongs to training.
"""

import math
from typing import Final

import torch
import torch.nn.functional as F

from retinula.transforms.jpeg import stored_as_jpeg

ZOOM: Final = (0.7, 1.3)  # of the side of what is shown: below 1 a part of the picture, above 1 more than it
STRETCH: Final = 1.25  # width against height, either way: photos are squashed
QUALITY: Final = (30, 95)  # of the JPEG


def as_photos(
    images: torch.Tensor, generator: torch.Generator, drawn: dict[str, torch.Tensor] | None = None
) -> torch.Tensor:
    """Return uint8 `[N, C, H, W]`: pictures reframed, stretched, softened and stored as JPEG; mirrored past borders.

    Args:
        images: uint8 `[N, C, H, W]` with one channel or three; never written to.
        generator: where all chance comes from.
        drawn: told `zoom`, `stretch`, `softness` and `quality` of each picture.
    """
    count = len(images)
    if not count:
        return images.clone()
    zoom, stretch, softness = torch.rand(3, count, generator=generator)
    zoom = torch.exp(math.log(ZOOM[0]) + zoom * math.log(ZOOM[1] / ZOOM[0]))
    stretch = torch.exp((stretch - 0.5) * math.log(STRETCH))
    # What is cut out lies anywhere in the picture; what shows more of it than there is lies about its centre.
    across, down = zoom * stretch, zoom / stretch
    places = 2 * torch.rand(2, count, generator=generator) - 1
    right, below = places[0] * (1 - across).clamp(min=0), places[1] * (1 - down).clamp(min=0)
    none = torch.zeros(count)
    rows = torch.stack((torch.stack((across, none, right), 1), torch.stack((none, down, below), 1)), 1)
    grid = F.affine_grid(rows, [*images.shape], align_corners=False)
    moved = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    shown = torch.lerp(moved, _softened(moved), softness.view(-1, 1, 1, 1))
    qualities = torch.randint(QUALITY[0], QUALITY[1] + 1, (count,), generator=generator)
    if drawn is not None:
        drawn |= {"zoom": zoom, "stretch": stretch**2, "softness": softness, "quality": qualities.float()}
    return stored_as_jpeg(shown.round_().clamp_(0, 255).to(torch.uint8), qualities.tolist())


def _softened(pictures: torch.Tensor) -> torch.Tensor:
    """Weigh each pixel of `[N, C, H, W]` by two and its neighbours by one, across and down; borders are repeated."""
    around = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    across = around[..., :-2] + 2 * around[..., 1:-1] + around[..., 2:]
    return (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 16
