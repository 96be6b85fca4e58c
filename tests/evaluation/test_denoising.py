"""Measuring what is left of noise, with answers that are known."""

import numpy as np
import pytest
import torch

from retinula.evaluation import denoising
from retinula.evaluation.denoising import NOISE_LEVELS, measure_denoising
from retinula.images import Images

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 3, 12, 16), dtype=np.uint8)


def as_seen(images: Images) -> torch.Tensor:
    return torch.from_numpy(images).float() / 255


def whole(images: torch.Tensor) -> torch.Tensor:
    return images


def test_who_does_nothing_gains_nothing() -> None:
    results = measure_denoising(IMAGES, as_seen, whole, 4)
    assert tuple(each.noise for each in results) == NOISE_LEVELS
    for each in results:
        assert (each.psnr, each.ssim) == (each.psnr_noised, each.ssim_noised)
        assert each.num_images == 9
    # Without clipping the PSNR of noise of deviation 0.1 is 20 dB; clipping takes some of it away.
    assert [round(each.psnr_noised) for each in results] == [26, 20, 15]
    assert results == measure_denoising(IMAGES, as_seen, whole, 4), "the noise is the same every time"


def test_who_knows_the_pictures_is_perfect_and_sees_what_is_cropped() -> None:
    clean = iter([IMAGES, IMAGES, IMAGES])

    def answer(images: Images) -> torch.Tensor:
        assert images.shape == IMAGES.shape
        return as_seen(next(clean))[:, :, 1:, 2:]

    for each in measure_denoising(IMAGES, answer, lambda images: images[:, :, 1:, 2:], 100):
        assert each.psnr == 100
        assert each.ssim == pytest.approx(1)
        assert each.psnr_noised < 30


def test_of_many_pictures_some_are_taken_from_all_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoising, "MOST_IMAGES", 3)
    flat = np.repeat(np.arange(9, dtype=np.uint8)[:, None] * 25 + 20, 3 * 12 * 16, axis=1).reshape(IMAGES.shape)
    seen: list[float] = []

    def answer(images: Images) -> torch.Tensor:
        seen.extend(images.mean(axis=(1, 2, 3)).round(-1).tolist())
        return as_seen(images)

    results = measure_denoising(flat, answer, whole, 2)
    assert {each.num_images for each in results} == {3}
    assert len(seen) == 9
    assert seen[0] < seen[1] < seen[2]
