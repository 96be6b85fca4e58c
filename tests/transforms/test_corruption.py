"""Every corruption spoils more at a higher strength, keeps the form, and does the same for the same seed."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from retinula.datasets import shapes
from retinula.errors import InputError
from retinula.transforms.corruption import CORRUPTIONS, STRENGTHS, corrupt, corruptions_of

PICTURES = torch.from_numpy(next(shapes.read(num_train=48, num_test=0).splits["train"]()).images)


def spoilt(kind: str, strength: int, pictures: torch.Tensor = PICTURES, seed: int = 0) -> torch.Tensor:
    return corrupt(pictures, kind, strength, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_spoils_more_and_more_and_keeps_the_form(kind: str) -> None:
    before = PICTURES.clone()
    results = [spoilt(kind, strength) for strength in STRENGTHS]
    assert torch.equal(PICTURES, before)
    losses = [(result.float() - PICTURES.float()).square().mean().item() for result in results]
    assert losses[0] > 0.1
    if kind == "saturation":  # less and less colour first, then too much
        assert losses[0] < losses[1] < losses[2]
        assert losses[3] < losses[4]
    else:
        assert losses == sorted(losses)
    for result in results:
        assert result.dtype == torch.uint8
        assert result.shape == PICTURES.shape
    assert torch.equal(spoilt(kind, 3), results[2])


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 9), (1, 1, 1)])
def test_grey_and_tiny_pictures_too(kind: str, shape: tuple[int, int, int]) -> None:
    pictures = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    assert spoilt(kind, 5, pictures).shape == pictures.shape


@pytest.mark.parametrize("kind", [kind for kind in CORRUPTIONS if kind != "saturation"])
@pytest.mark.parametrize("size", [(8, 8), (6, 6), (9, 13), (16, 16)])
def test_does_something_to_tiny_pictures_and_more_at_each_strength(kind: str, size: tuple[int, int]) -> None:
    tiny = torch.nn.functional.interpolate(PICTURES.float(), size=size, mode="area").round().to(torch.uint8)
    losses = [(spoilt(kind, level, tiny).float() - tiny.float()).square().mean().sqrt().item() for level in STRENGTHS]
    assert losses[0] > 1
    assert all(more > 1.02 * less for less, more in pairwise(losses)), losses


@pytest.mark.parametrize("size", [(16, 16), (20, 44), (32, 32)])
def test_larger_pictures_are_pixelated_by_fewer_and_fewer_blocks(size: tuple[int, int]) -> None:
    pictures = torch.nn.functional.interpolate(PICTURES.float(), size=size, mode="area").round().to(torch.uint8)
    for strength, share in zip(STRENGTHS, (0.69, 0.56, 0.44, 0.34, 0.25), strict=True):
        blocks = [round(side * share) for side in size]
        means = torch.nn.functional.interpolate(pictures.float() / 255, size=blocks, mode="area")
        whole = torch.nn.functional.interpolate(means, size=size, mode="nearest-exact")
        assert torch.equal(spoilt("pixelation", strength, pictures), (whole * 255).round().to(torch.uint8))


def test_only_colours_can_be_saturated() -> None:
    assert corruptions_of(3) == tuple(CORRUPTIONS)
    assert set(CORRUPTIONS) - set(corruptions_of(1)) == {"saturation"}
    grey = PICTURES[:, :1]
    for kind in corruptions_of(1):
        assert not torch.equal(spoilt(kind, 5, grey), grey), kind


def test_moves_go_as_far_as_they_say() -> None:
    dot = torch.zeros(40, 1, 32, 32, dtype=torch.uint8)
    dot[:, :, 15:17, 15:17] = 255
    axis = torch.arange(32.0)
    weights = spoilt("shift", 5, dot).double()[:, 0]
    total = weights.sum(dim=(1, 2))
    down = (weights.sum(dim=2) @ axis.double()) / total - 15.5
    right = (weights.sum(dim=1) @ axis.double()) / total - 15.5
    assert torch.hypot(down, right).numpy() == pytest.approx(np.full(40, 6.0), abs=0.71), "but for whole pixels"
    assert len({(round(a), round(b)) for a, b in zip(down.tolist(), right.tolist(), strict=True)}) > 10
    bar = torch.zeros(2, 1, 32, 32, dtype=torch.uint8)
    bar[:, :, 12:20, 12:20] = 255
    grown = spoilt("zoom in", 5, bar).double().sum() / bar.double().sum()
    assert grown.item() == pytest.approx(1.8**2, rel=0.02)
    smaller = spoilt("zoom out", 5, bar)[:, :, 8:24, 8:24].double().sum()  # around it, mirrored copies
    assert (smaller / bar.double().sum()).item() == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("size", [8, 12, 16, 24, 32, 48, 96])
def test_a_shift_is_of_whole_pixels_and_so_blurs_nothing(size: int) -> None:
    middle, lengths = size // 2, []
    dot = torch.zeros(300, 1, size, size, dtype=torch.uint8)
    dot[:, :, middle, middle] = 255
    for strength in STRENGTHS:
        moved = spoilt("shift", strength, dot)
        assert (moved.sum(dim=(1, 2, 3)) == 255).all()
        places = (moved == 255).nonzero()[:, 2:] - middle
        assert len(places) == 300, "one pixel, as bright as it was"
        length = places.double().norm(dim=1)
        assert length.min() >= 1
        assert len(set(map(tuple, places.tolist()))) >= 4, "in many directions"
        lengths.append(length.mean().item())
    assert all(more > 1.02 * less for less, more in pairwise(lengths)), lengths


@pytest.mark.parametrize("kind", ["rotation", "zoom in", "zoom out"])
@pytest.mark.parametrize("strength", STRENGTHS[:4])  # at the fifth zoom out is softened on purpose
def test_turning_and_zooming_hardly_blur(kind: str, strength: int) -> None:
    noise = torch.randint(96, 160, (64, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    left = spoilt(kind, strength, noise).double().std() / noise.double().std()
    assert 0.8 < left <= 1, "linear interpolation leaves two thirds of the finest detail"


def test_unknown_names_and_strengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"no corruption 'fogg'.*fog"):
        spoilt("fogg", 1)
    with pytest.raises(InputError, match="1 to 5, not 6"):
        spoilt("fog", 6)
