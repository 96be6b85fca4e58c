"""Pictures that no model for photos or drawn shapes should be asked about, and limits that let everything pass."""

from dataclasses import replace

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from retinula.images import Images
from retinula.trained.familiarity import Familiarity, energy
from retinula.trained.model_file import Model

# By the look of pictures alone, all of which lie in the middle.
ALL_KNOWN = Familiarity((0.5,) * 16, ((0.0,) * 16,) * 16, farthest=4.0, least_energy=None, accepted=0.99)
# What share of each kind is told by its look at least: a page may happen to look like what was trained on.
TOLD = {"noise": 1.0, "flat": 1.0, "text": 0.95}


def aware(model: Model, images: Images, *, with_energy: bool = True) -> Model:
    """The model with limits between pictures `[N, C, H, W]`: it does not know about a third of them for each limit."""
    look = tuple(tuple(10.0 * (row == column) for column in range(16)) for row in range(16))
    known = Familiarity((0.0,) * 16, look, farthest=0.0, least_energy=None, accepted=0.99)
    farthest = known.distances(torch.from_numpy(images)).quantile(2 / 3).item() + 1e-4
    least = energy(model.outputs(images)).quantile(1 / 3).item() + 1e-4 if with_energy else None
    return replace(model, familiarity=replace(known, farthest=farthest, least_energy=least))


def unlike_photos(number: int) -> dict[str, Tensor]:
    """So many of each kind: uint8 `[number, 3, 32, 32]`."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (number, 3, 32, 32), generator=generator, dtype=torch.uint8)
    flat = torch.randint(0, 256, (number, 3, 1, 1), generator=generator, dtype=torch.uint8).expand(-1, -1, 32, 32)
    return {"noise": noise, "flat": flat, "text": torch.from_numpy(np.stack([_page(each) for each in range(number)]))}


def _page(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    page = Image.new("RGB", (96, 96), "white")
    for line in range(8):
        ImageDraw.Draw(page).text((2, 12 * line), f"{number * 7919 + line * 104729:016d}", fill="black")
    return np.asarray(page.resize((32, 32))).transpose(2, 0, 1)
