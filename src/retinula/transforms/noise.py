"""Noise as a sensor makes it: Gaussian, independent in every value, clipped where the sensor saturates."""

import torch

from retinula.transforms.levels import to_bytes, unit


def add_noise(images: torch.Tensor, deviations: float | torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return float32 `[N, C, H, W]` in 0..1: the pictures with Gaussian noise added and clipped.

    Args:
        images: uint8 `[N, C, H, W]`, or float in 0..1; never written to.
        deviations: of the noise on the scale 0..1, one for all pictures or float `[N]`.
        generator: where all chance comes from.
    """
    noise = torch.randn(images.shape, generator=generator)
    if isinstance(deviations, torch.Tensor):
        deviations = deviations.view(-1, 1, 1, 1)
    return noise.mul_(deviations).add_(unit(images)).clamp_(0, 1)


def noised(images: torch.Tensor, deviation: float, generator: torch.Generator) -> torch.Tensor:
    """Return uint8 `[N, C, H, W]`: uint8 pictures with noise, as a camera's file with 8 bits a value holds them."""
    return to_bytes(add_noise(images, deviation, generator))
