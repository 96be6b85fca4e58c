"""How well a network takes noise out of pictures: measured on noise that is the same every time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from retinula.images import Images, evenly_spread
from retinula.metrics import psnr, ssim
from retinula.portions import portions
from retinula.transforms.batches import generator_for
from retinula.transforms.levels import unit
from retinula.transforms.noise import noised

NOISE_LEVELS = (0.05, 0.1, 0.2)  # deviations on the scale 0..1
EXAMPLE_LEVEL = 0.1
MOST_IMAGES = 2000  # so many, spread over the set, give a mean PSNR to a tenth of a decibel

Answer = Callable[[Images], Tensor]
Crop = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Denoising:
    """What is left of noise of one strength.

    Attributes:
        noise: deviation of the noise that was added, on the scale 0..1.
        num_images: how many pictures were measured.
        psnr_noised: mean PSNR of the pictures with noise, in decibels.
        ssim_noised: their mean structural similarity.
        psnr: mean PSNR of what the network makes of them, in decibels.
        ssim: its mean structural similarity.
    """

    noise: float
    num_images: int
    psnr_noised: float
    ssim_noised: float
    psnr: float
    ssim: float


def measure_denoising(images: Images, answer: Answer, crop: Crop, batch_size: int | None) -> tuple[Denoising, ...]:
    """Measure every level of noise, on at most 2,000 pictures spread evenly over the set.

    Args:
        images: uint8 `[N, C, H, W]`, at least one picture.
        answer: turns uint8 pictures into what the network makes of them, float in 0..1.
        crop: cuts out of uint8 pictures what the network sees of them.
        batch_size: pictures at a time, by their size where None.
    """
    chosen = evenly_spread(len(images), MOST_IMAGES)
    return tuple(_measure(images, chosen, level, answer, crop, batch_size) for level in NOISE_LEVELS)


def noise_for(level: float) -> torch.Generator:
    """Return the generator of a level's noise, the same at every call."""
    return generator_for(0, "denoising", round(1000 * level))


def _measure(
    images: Images,
    chosen: np.ndarray[tuple[int], np.dtype[np.int64]],
    level: float,
    answer: Answer,
    crop: Crop,
    size: int | None,
) -> Denoising:
    chances = noise_for(level)
    sums = torch.zeros(4, dtype=torch.float64)
    for part in portions(len(chosen), images.shape[1:], size):
        clean = torch.from_numpy(np.array(images[chosen[part]]))
        spoiled = noised(clean, level, chances)
        answers = answer(spoiled.numpy())
        targets, seen = unit(crop(clean)), unit(crop(spoiled))
        measures = (psnr(seen, targets), ssim(seen, targets), psnr(answers, targets), ssim(answers, targets))
        sums += torch.stack([measure.sum() for measure in measures])
    return Denoising(level, len(chosen), *(sums / len(chosen)).tolist())
