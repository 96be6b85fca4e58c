"""Pictures as photos made small: the same for the same seed, each by amounts of its own, and never too far."""

import pytest
import torch

from retinula.errors import InputError
from retinula.transforms.augment import Augment, augment_images
from retinula.transforms.photo import as_photos


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(20, 3, 32, 32), (3, 1, 8, 8), (2, 3, 1, 5), (0, 3, 4, 4)])
def test_keeps_the_form_and_does_the_same_for_the_same_seed(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(9))
    before = images.clone()
    result = as_photos(images, seeded())
    assert torch.equal(images, before)
    assert result.shape == images.shape
    assert result.dtype == torch.uint8
    assert torch.equal(as_photos(images, seeded()), result)


def test_every_picture_by_amounts_of_its_own() -> None:
    dot = torch.zeros(60, 1, 32, 32, dtype=torch.uint8)
    dot[:, :, 10:22, 10:22] = 255
    result = as_photos(dot, seeded())
    assert len({picture.numpy().tobytes() for picture in result}) == 60
    share = result.double().mean(dim=(1, 2, 3)) / dot.double().mean(dim=(1, 2, 3))
    assert 0.5 < share.min() < 0.8
    assert 1.3 < share.max() < 1 / 0.7**2 * 1.1


def test_only_a_share_of_a_batch_is_changed() -> None:
    images = torch.randint(0, 256, (400, 3, 8, 8), dtype=torch.uint8, generator=seeded(9))
    result = augment_images(images, Augment(photo=0.25), seeded(), indices=torch.arange(400), epoch=0, seed=0)
    changed = (result != images).flatten(1).any(dim=1).double().mean()
    assert changed.item() == pytest.approx(0.25, abs=0.07)
    with pytest.raises(InputError, match="photo lies between 0 and 1, not 2"):
        Augment(photo=2)
