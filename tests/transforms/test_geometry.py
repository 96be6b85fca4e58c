"""Turning, scaling and shearing: exact where nothing lies between pixels, and one pass with cuts and flips."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retinula.transforms.geometry import crop_and_flip, warp, warps

SIDES = st.integers(1, 12)


def pictures(height: int, width: int, count: int = 6) -> torch.Tensor:
    chances = torch.Generator().manual_seed(height * 100 + width)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=chances)


@given(height=SIDES, width=SIDES, data=st.data())
def test_what_is_not_turned_is_cut_and_flipped_to_the_byte(height: int, width: int, data: st.DataObject) -> None:
    images = pictures(height, width)
    places = [st.lists(st.integers(1 - side, side - 1), min_size=6, max_size=6) for side in (height, width)]
    top, left = (torch.tensor(data.draw(each)) for each in places)
    coins = st.lists(st.booleans(), min_size=6, max_size=6)
    mirrored, upside_down = (torch.tensor(data.draw(coins)) for _ in range(2))
    size = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    moves: dict[str, Any] = {"size": size, "top": top, "left": left, "mirrored": mirrored, "upside_down": upside_down}
    assert torch.equal(warp(images, warps(6), **moves), crop_and_flip(images, **moves))
    assert torch.equal(warp(images, warps(6), size=(height, width)), images)


@given(side=SIDES, quarters=st.integers(-2, 2))
def test_a_quarter_of_a_turn_of_a_square(side: int, quarters: int) -> None:
    images = pictures(side, side)
    turned = warp(images, warps(6, turned=torch.full((6,), 90.0 * quarters)), size=(side, side))
    assert torch.equal(turned, images.rot90(quarters, (2, 3)))


def test_twice_as_large_is_every_pixel_twice_about_the_centre() -> None:
    images = pictures(9, 7)
    enlarged = warp(images, warps(6, enlarged=torch.full((6,), 2.0)), size=(9, 7))
    assert torch.equal(enlarged[:, :, ::2, 1::2], images[:, :, 2:7, 2:5])
    half = warp(images, warps(6, enlarged=torch.full((6,), 0.5)), size=(9, 7))
    # Of what lies past the border the edge is not repeated.
    rows, columns = [4, 2, 0, 2, 4, 6, 8, 6, 4], [3, 1, 1, 3, 5, 5, 3]
    assert torch.equal(half, images[:, :, rows][:, :, :, columns])


def test_a_shear_of_half_a_right_angle_moves_each_row_by_one_more_and_leans_to_the_right() -> None:
    images = pictures(5, 5)
    leaning = warp(images, warps(6, sheared=torch.full((6,), 45.0)), size=(5, 5))
    assert torch.equal(leaning[:, :, 1, 1:], images[:, :, 1, :-1]), "above the middle"
    assert torch.equal(leaning[:, :, 2], images[:, :, 2])
    assert torch.equal(leaning[:, :, 4, :3], images[:, :, 4, 2:])


def test_a_wide_picture_is_turned_not_stretched() -> None:
    images = torch.zeros(1, 1, 9, 15, dtype=torch.uint8)
    images[0, 0, 4, 7:12] = 200  # four pixels to the right of the middle
    turned = warp(images, warps(1, turned=torch.tensor([90.0])), size=(9, 15))[0, 0]
    assert turned[:5, 7].tolist() == [200] * 5, "against the clock: up"
    assert turned.sum() == 5 * 200


@pytest.mark.parametrize("part", [slice(0, 1), slice(1, 6), slice(3, 4)])
def test_a_picture_comes_out_the_same_whatever_stands_beside_it(part: slice) -> None:
    images = pictures(13, 11)
    amounts = torch.linspace(-1, 1, 6)
    sources = warps(6, turned=180 * amounts, enlarged=1.1 + amounts, sheared=60 * amounts)
    whole = warp(images, sources, size=(13, 11))
    assert torch.equal(warp(images[part], sources[part], size=(13, 11)), whole[part])


def test_no_corner_is_black_and_nothing_is_beyond_the_range() -> None:
    images = torch.full((60, 1, 8, 8), 77, dtype=torch.uint8)
    amounts = torch.linspace(-1, 1, 60)
    sources = warps(60, turned=180 * amounts, enlarged=1.1 + amounts, sheared=60 * amounts)
    assert (warp(images, sources, size=(8, 8)) == 77).all()
