"""Noise: its strength, its limits, and that only the generator decides it."""

from typing import Any

import pytest
import torch

from retinula.errors import InputError
from retinula.transforms.augment import Augment, spoil
from retinula.transforms.noise import add_noise, noised


def chances(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(count: int, value: int = 128) -> torch.Tensor:
    return torch.full((count, 3, 8, 8), value, dtype=torch.uint8)


def test_noise_has_the_deviation_that_was_asked_for_and_no_mean() -> None:
    noise = add_noise(grey(400), 0.1, chances()) - 128 / 255
    assert noise.dtype == torch.float32
    assert abs(noise.mean()) < 0.001
    assert abs(noise.std() - 0.1) < 0.001
    values = noise.flatten(1)[:, :2]
    assert abs(torch.corrcoef(values.T)[0, 1]) < 0.2, "every value has noise of its own"


def test_noise_is_clipped_as_a_sensor_clips() -> None:
    dark, bright = add_noise(grey(100, 0), 0.2, chances()), add_noise(grey(100, 255), 0.2, chances())
    assert dark.min() == 0
    assert bright.max() == 1
    assert 0.49 < (dark == 0).float().mean() < 0.51
    assert 0.49 < (bright == 1).float().mean() < 0.51


def test_pictures_are_not_written_to_and_the_seed_decides() -> None:
    for images in (grey(3), grey(3).float() / 255):
        before = images.clone()
        one, two, other = (add_noise(images, 0.1, chances(seed)) for seed in (1, 1, 2))
        assert torch.equal(images, before)
        assert torch.equal(one, two)
        assert not torch.equal(one, other)


def test_a_file_holds_eight_bits_of_it() -> None:
    spoiled = noised(grey(50), 0.1, chances())
    assert spoiled.dtype == torch.uint8
    assert (spoiled.float() / 255 - add_noise(grey(50), 0.1, chances())).abs().max() <= 0.5 / 255 + 1e-6


def test_every_picture_has_a_deviation_of_its_own_drawn_uniformly() -> None:
    spoiled = spoil(torch.full((3000, 1, 16, 16), 0.5), Augment(noise=(0.05, 0.15)), chances())
    deviations = (spoiled - 0.5).flatten(1).std(dim=1)
    assert 0.04 < deviations.min() < 0.055
    assert 0.145 < deviations.max() < 0.165
    assert abs(deviations.mean() - 0.1) < 0.002
    assert abs(deviations.std() - 0.1 / 12**0.5) < 0.002


def test_without_noise_the_very_images_come_back_and_no_chance_is_used() -> None:
    generator, images = chances(), grey(2)
    state = generator.get_state()
    assert spoil(images, Augment(), generator) is images
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("wrong", [(0.2, 0.1), (-0.1, 0.1), (0.0, 1.5), (0.0, float("nan"))])
def test_wrong_deviations_are_told(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"noise must be two deviations in 0\.\.1, the lower first, not \["):
        Augment(noise=wrong)
