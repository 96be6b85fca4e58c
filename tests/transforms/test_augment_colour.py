"""Changes of colour against Python's own colour conversions and hand-computed values."""

import colorsys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retinula.transforms.colour import (
    add_brightness,
    fill_planes,
    make_scratch,
    scale_contrast,
    scale_saturation,
    shift_hue,
)

Pixel = tuple[float, float, float]
CHANNEL = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 127, 128, 254, 255]))
PIXELS = st.lists(st.tuples(CHANNEL, CHANNEL, CHANNEL), min_size=1, max_size=24)


def planes_of(pixels: list[tuple[int, int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Each pixel as a picture of its own, with the scratch it needs."""
    planes, scratch = make_scratch(3, len(pixels), (1, 1))
    fill_planes(planes, torch.tensor(pixels, dtype=torch.uint8).view(-1, 3, 1, 1))
    return planes, scratch


def pixels_of(planes: torch.Tensor) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return planes.flatten(1).T.numpy().copy()


@given(pixels=PIXELS, data=st.data())
def test_hue_is_that_of_colorsys(pixels: list[tuple[int, int, int]], data: st.DataObject) -> None:
    turns = data.draw(st.lists(st.floats(-0.5, 0.5, width=32), min_size=len(pixels), max_size=len(pixels)))
    planes, scratch = planes_of(pixels)
    shift_hue(planes, torch.tensor(turns), scratch)
    expected = []
    for pixel, turn in zip(pixels, turns, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in pixel))
        expected.append(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))
    assert np.allclose(pixels_of(planes), expected, atol=3e-6, rtol=0)


@given(pixels=PIXELS, data=st.data())
def test_saturation_is_that_of_colorsys(pixels: list[tuple[int, int, int]], data: st.DataObject) -> None:
    factors = data.draw(st.lists(st.floats(0, 4, width=32), min_size=len(pixels), max_size=len(pixels)))
    planes, scratch = planes_of(pixels)
    scale_saturation(planes, torch.tensor(factors), scratch)
    expected = []
    for pixel, factor in zip(pixels, factors, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in pixel))
        expected.append(colorsys.hsv_to_rgb(hue, min(1, saturation * factor), value))
    assert np.allclose(pixels_of(planes), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [(1 / 3, (0, 1, 0)), (-1 / 3, (0, 0, 1)), (0.5, (0, 1, 1)), (1 / 6, (1, 1, 0)), (1 / 12, (1, 0.5, 0))],
)
def test_red_turned(turn: float, expected: Pixel) -> None:
    planes, scratch = planes_of([(255, 0, 0)])
    shift_hue(planes, torch.tensor([turn]), scratch)
    assert np.allclose(pixels_of(planes)[0], expected, atol=2e-6)


@given(pixels=PIXELS, turn=st.floats(-0.5, 0.5, width=32))
def test_turning_there_and_back(pixels: list[tuple[int, int, int]], turn: float) -> None:
    planes, scratch = planes_of(pixels)
    before = planes.clone()
    for way in (turn, -turn):
        shift_hue(planes, torch.full((len(pixels),), way), scratch)
    assert torch.allclose(planes, before, atol=5e-6, rtol=0)


@given(pixels=PIXELS, factor=st.sampled_from([0.0, 1.0, 100.0]))
def test_saturation_at_its_limits(pixels: list[tuple[int, int, int]], factor: float) -> None:
    planes, scratch = planes_of(pixels)
    before = pixels_of(planes)
    scale_saturation(planes, torch.full((len(pixels),), factor), scratch)
    after = pixels_of(planes)
    # What is lacking of the value grows up to 255-fold, and with it the rounding.
    close = 4e-5 if factor > 1 else 1e-6
    assert np.abs(after.max(1) - before.max(1)).max() < close, "the value stays"
    if factor == 0:
        assert np.abs(after - before.max(1, keepdims=True)).max() < close
    elif factor == 1:
        assert np.abs(after - before).max() < close
    else:
        coloured = np.ptp(before, axis=1) > before.max(1) / 99
        assert (np.abs(after.min(1)[coloured]) < close).all(), "fully saturated"
    grey = np.ptp(before, axis=1) == 0
    assert (np.abs(after - before)[grey] < close).all(), "grey has nothing to scale"


def test_contrast_is_about_the_mean_of_each_channel_of_each_picture() -> None:
    planes = torch.tensor([[[[0.0, 1.0]], [[0.2, 0.4]]], [[[0.5, 0.5]], [[0.0, 0.8]]]])
    scale_contrast(planes, torch.tensor([0.5, 2.0]))
    expected = torch.tensor([[[[0.25, 0.75]], [[0.1, 0.5]]], [[[0.5, 0.5]], [[-0.4, 1.2]]]])
    assert torch.allclose(planes, expected, atol=1e-6)


def test_contrast_zero_leaves_the_mean_and_one_everything() -> None:
    planes = torch.rand(3, 2, 4, 4)
    before = planes.clone()
    scale_contrast(planes, torch.tensor([0.0, 1.0]))
    assert torch.allclose(planes[:, 0], before[:, 0].mean((1, 2), keepdim=True).expand(3, 4, 4), atol=1e-6)
    assert torch.equal(planes[:, 1], before[:, 1])


def test_brightness_is_added_to_each_picture() -> None:
    planes = torch.zeros(3, 2, 2, 2)
    add_brightness(planes, torch.tensor([0.25, -0.5]))
    assert (planes[:, 0] == 0.25).all()
    assert (planes[:, 1] == -0.5).all()


def test_planes_are_the_pictures_channel_by_channel() -> None:
    images = torch.arange(24, dtype=torch.uint8).view(2, 3, 2, 2)
    planes, scratch = make_scratch(3, 2, (2, 2))
    fill_planes(planes, images)
    assert scratch.shape == (5, 2, 2, 2)
    assert torch.allclose(planes * 255, images.transpose(0, 1).float(), atol=1e-5)
    fill_planes(planes, torch.full((2, 3, 2, 2), 255, dtype=torch.uint8))
    assert torch.allclose(planes, torch.ones(()), atol=1e-6)


@pytest.mark.parametrize("change", [shift_hue, scale_saturation])
def test_one_channel_has_neither_hue_nor_saturation(
    change: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None],
) -> None:
    planes, scratch = make_scratch(1, 2, (3, 3))
    planes.copy_(torch.rand(1, 2, 3, 3))
    before = planes.clone()
    change(planes, torch.tensor([0.3, 0.4]), scratch)
    assert torch.equal(planes, before)
