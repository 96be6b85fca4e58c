"""Flips, crops and squares: every pixel where it must be."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retinula.transforms import geometry
from retinula.transforms.geometry import alternating_flips, crop_and_flip, cut_out, mark_boxes

SIDES = st.integers(1, 9)


def numbered(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Pictures in which no two pixels are alike."""
    return torch.arange(count * channels * height * width).view(count, channels, height, width)


def yes(count: int) -> torch.Tensor:
    return torch.ones(count, dtype=torch.bool)


@given(count=st.integers(1, 4), channels=st.integers(1, 3), height=SIDES, width=SIDES)
def test_flipping(count: int, channels: int, height: int, width: int) -> None:
    images = numbered(count, channels, height, width)
    mirrored = crop_and_flip(images, size=(height, width), mirrored=yes(count))
    assert torch.equal(mirrored, images.flip(3))
    assert torch.equal(crop_and_flip(mirrored, size=(height, width), mirrored=yes(count)), images)
    upside_down = crop_and_flip(images, size=(height, width), upside_down=yes(count))
    assert torch.equal(upside_down, images.flip(2))
    assert torch.equal(crop_and_flip(upside_down, size=(height, width), upside_down=yes(count)), images)


@given(data=st.data(), count=st.integers(1, 5), height=st.integers(2, 9), width=st.integers(2, 9))
def test_windows_are_those_of_numpy(data: st.DataObject, count: int, height: int, width: int) -> None:
    """Every picture its own window past the border and its own flips, against numpy's padding."""
    window = data.draw(st.tuples(st.integers(1, height), st.integers(1, width)))
    padding = min(height, width) - 1
    starts = [
        data.draw(st.lists(st.integers(-padding, side - cut + padding), min_size=count, max_size=count))
        for side, cut in zip((height, width), window, strict=True)
    ]
    flips = [data.draw(st.lists(st.booleans(), min_size=count, max_size=count)) for _ in range(2)]
    images = numbered(count, 2, height, width)
    windows = crop_and_flip(
        images,
        size=window,
        top=torch.tensor(starts[0]),
        left=torch.tensor(starts[1]),
        mirrored=torch.tensor(flips[0]),
        upside_down=torch.tensor(flips[1]),
    )
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="reflect")
    for n in range(count):
        top, left = starts[0][n] + padding, starts[1][n] + padding
        expected = padded[n, :, top : top + window[0], left : left + window[1]]
        expected = expected[:, :: -1 if flips[1][n] else 1, :: -1 if flips[0][n] else 1]
        assert np.array_equal(windows[n].numpy(), expected)


def test_many_pictures_are_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = numbered(11, 3, 5, 4)
    left = torch.arange(11) % 5 - 2
    whole = crop_and_flip(images, size=(5, 4), left=left)
    for positions in (1, 40, 60):
        monkeypatch.setattr(geometry, "_POSITIONS", positions)
        assert torch.equal(crop_and_flip(images, size=(5, 4), left=left), whole)


def test_nothing_moves_without_reason() -> None:
    images = numbered(3, 2, 4, 5).to(torch.uint8)
    same = crop_and_flip(images, size=(4, 5))
    assert torch.equal(same, images)
    assert same.dtype == torch.uint8
    assert same.data_ptr() != images.data_ptr()


def test_a_view_that_is_not_contiguous_will_do() -> None:
    images = numbered(2, 4, 4, 3).permute(0, 3, 1, 2)
    assert torch.equal(crop_and_flip(images, size=(4, 4), mirrored=yes(2)), images.flip(3))


def test_alternating_flips_alternate() -> None:
    indices = torch.arange(10_000)
    first = alternating_flips(indices, epoch=0, seed=3)
    for epoch in range(1, 6):
        assert torch.equal(alternating_flips(indices, epoch=epoch, seed=3), first ^ (epoch % 2 == 1))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_alternating_flips_are_half_and_unrelated(seed: int) -> None:
    flips = alternating_flips(torch.arange(20_000), epoch=0, seed=seed)
    others = alternating_flips(torch.arange(20_000), epoch=0, seed=seed + 1)
    # Five standard deviations of a fair coin thrown 20,000 times are 0.018.
    assert abs(flips.float().mean() - 0.5) < 0.018
    assert abs((flips == others).float().mean() - 0.5) < 0.018, "another seed, other flips"
    for distance in (1, 2, 64):
        assert abs((flips[distance:] == flips[:-distance]).float().mean() - 0.5) < 0.018


@given(indices=st.lists(st.integers(0, 2**40), min_size=1, max_size=20), seed=st.integers(0, 2**63 - 1))
def test_an_alternating_flip_belongs_to_the_picture_not_its_place(indices: list[int], seed: int) -> None:
    together = alternating_flips(torch.tensor(indices), epoch=4, seed=seed)
    alone = [alternating_flips(torch.tensor([index]), epoch=4, seed=seed).item() for index in indices]
    assert together.tolist() == alone


def test_a_square_in_the_middle_at_the_border_and_of_even_side() -> None:
    images = torch.zeros(3, 2, 5, 5)
    cut = cut_out(
        images,
        side=2,
        rows=torch.tensor([2, 0, 4]),
        columns=torch.tensor([2, 0, 3]),
        fill=torch.tensor([1.0, 2.0]),
    )
    assert torch.equal(cut[:, 1], 2 * cut[:, 0])
    assert [[tuple(place) for place in picture[0].nonzero().tolist()] for picture in cut] == [
        [(1, 1), (1, 2), (2, 1), (2, 2)],
        [(0, 0)],
        [(3, 2), (3, 3), (4, 2), (4, 3)],
    ]
    assert not images.any()


@given(data=st.data(), height=SIDES, width=SIDES)
def test_boxes_have_the_pixels_asked_for(data: st.DataObject, height: int, width: int) -> None:
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    tall, wide = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 12))
    marked = mark_boxes((height, width), *(torch.tensor([number]) for number in (row, column, tall, wide)))
    expected = np.zeros((height, width), dtype=bool)
    top, left = row - tall // 2, column - wide // 2
    expected[max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)] = True
    assert marked.shape == (1, 1, height, width)
    assert np.array_equal(marked[0, 0].numpy(), expected)
