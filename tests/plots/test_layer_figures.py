"""The figures of a network's inside show the numbers they are given, on scales that can be compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figure_checks import assert_repeats, assert_whole, words
from retinula.plots.layers import ACROSS, GAP, MOST, MOST_ROWS, TILE, filter_sheet, map_overview, map_sheet
from retinula.plots.tiles import RED_BLUE, enlarged, signed_colours, symmetric, tiled

SEEN = np.random.default_rng(1).integers(0, 256, (3, 12, 16), dtype=np.uint8)
LONG = "a_block_with_a_long_name.of_a_branch.and_its_convolution.3x3"


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def sheet(figure: Figure, place: int) -> NDArray[Any]:
    (image,) = figure.axes[place].images
    return np.asarray(image.get_array())


def tiles_in(picture: NDArray[Any]) -> int:
    """Count the framed tiles of a sheet by the corners of their frames: grey, with white above and to the left."""
    grey = (picture == 0x5F).all(axis=2)
    return int((grey[1:, 1:] & ~grey[:-1, 1:] & ~grey[1:, :-1] & (picture[:-1, :-1] == 255).all(axis=2)).sum())


def ticks(figure: Figure, place: int) -> list[str]:
    return [label.get_text() for label in figure.axes[place].get_yticklabels()]


def test_the_scale_is_as_far_below_zero_as_above() -> None:
    values = np.array([[[-0.5, 0.0], [0.25, 0.125]]], dtype=np.float32)
    scale = symmetric(values)
    assert (scale.vmin, scale.vmax) == (-0.5, 0.5)
    colours = signed_colours(values, scale)[0]
    assert colours[0, 0].tolist() == [round(255 * each) for each in RED_BLUE(0.0)[:3]]
    assert colours[0, 1].min() >= 246
    red, _, blue = colours[1, 0].astype(int)
    assert red > blue + 100
    assert (symmetric(values * 0).vmin, symmetric(values * 0).vmax) == (-1, 1)


def test_tiles_lie_in_rows_with_white_places_left() -> None:
    tiles = [np.full((2, 3, 3), number, dtype=np.uint8) for number in (10, 20, 30)]
    laid = tiled(tiles, 2, gap=1)
    assert laid.shape == (7, 9, 3)
    assert laid[:, :, 0].tolist() == [
        [255] * 9,
        *[[255, 10, 10, 10, 255, 20, 20, 20, 255]] * 2,
        [255] * 9,
        *[[255, 30, 30, 30, 255, 255, 255, 255, 255]] * 2,
        [255] * 9,
    ]
    assert tiles_in(tiled([*tiles, None], 2, gap=4, framed=True)) == 3
    assert enlarged(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), (4, 6))[:, :, 0].tolist() == [
        *[[0, 0, 0, 3, 3, 3]] * 2,
        *[[6, 6, 6, 9, 9, 9]] * 2,
    ]


def test_filters_are_drawn_on_one_scale_with_its_bar() -> None:
    filters = random(10, 5, 5)
    filters[3, 2, 1] = -9.0
    figure = filter_sheet(filters, layer="conv1", source="input channel 0 (red)")
    assert words(figure).startswith(f"conv1 weighs input channel 0 (red) by \u22129 to {filters.max():.3g}")
    assert "All 10 filters of 5 x 5: red adds to the output, blue takes away." in words(figure)
    drawn, bar = figure.axes
    assert bar.get_ylim() == (-9, 9)
    assert bar.get_ylabel() == "weight"
    assert tiles_in(sheet(figure, 0)) == 10
    assert ticks(figure, 0) == ["0", "4", "8"]
    assert not drawn.get_xticks().size
    assert_whole(figure)


@pytest.mark.parametrize(
    ("largest", "numbers"),
    [(0.184, ["0.09", "0.18"]), (0.25, ["0.125", "0.25"]), (0.3, ["0.15", "0.3"]), (18250, ["9,000", "18,000"])],
)
def test_the_ticks_of_the_scale_are_halves(largest: float, numbers: list[str]) -> None:
    figure = filter_sheet(np.full((4, 3, 3), largest, dtype=np.float32), layer="conv1", source="input channel 0")
    assert ticks(figure, 1) == [f"\u2212{number}" for number in numbers[::-1]] + ["0", *numbers]
    assert figure.axes[1].get_yticks() == pytest.approx(
        [float(each.replace("\u2212", "-").replace(",", "")) for each in ticks(figure, 1)]
    )


@pytest.mark.parametrize("shape", [(1, 3, 3), (2, 1, 1), (3, 1, 7), (64, 11, 11)])
def test_filters_of_any_number_and_shape(shape: tuple[int, int, int]) -> None:
    figure = filter_sheet(random(*shape), layer=LONG, source="input channel 0")
    assert tiles_in(sheet(figure, 0)) == shape[0]
    assert ("The only filter" in words(figure)) == (shape[0] == 1)
    assert_whole(figure)


@pytest.mark.parametrize("size", [3e-7, 0.0123, 1.0, 4.5e6, 0.0])
def test_the_numbers_of_the_scale_fit(size: float) -> None:
    figure = filter_sheet(size * random(4, 3, 3), layer="conv1", source="input channel 0")
    assert len(ticks(figure, 1)) == 5
    assert_whole(figure)


def test_of_very_many_the_first_are_shown_and_the_figure_says_so() -> None:
    figure = filter_sheet(random(256, 3, 3), layer="conv5", source="input channel 7")
    assert f"The first {MOST} of 256 filters of 3 x 3" in words(figure)
    assert tiles_in(sheet(figure, 0)) == MOST
    maps = map_sheet(random(100, 4, 4), layer="conv5", seen=SEEN, name="cat.png")
    assert f"The first {MOST} of 100 maps of 4 x 4" in words(maps)
    assert tiles_in(sheet(maps, 1)) == MOST


def test_maps_of_one_convolution_beside_the_picture() -> None:
    maps = random(6, 3, 4)
    maps[2] = -1.0
    maps[0, 1, 1] = 8.0
    figure = map_sheet(maps, layer="conv2", seen=SEEN, name="cat.png")
    assert words(figure).startswith("cat.png: 5 of 6 maps of conv2 rise above 0 somewhere")
    assert "All 6 maps of 4 x 3, before any activation" in words(figure)
    assert sheet(figure, 0).shape == (12, 16, 3)
    assert tiles_in(sheet(figure, 1)) == 6
    assert figure.axes[2].get_ylim() == (-8, 8)
    assert figure.axes[2].get_ylabel() == "output"
    assert_whole(figure)


def test_a_row_for_every_convolution_with_its_own_scale() -> None:
    maps = {"conv1": random(20, 12, 16), LONG: 100 * random(5, 3, 4), "last": random(8, 1, 1)}
    figure = map_overview(maps, seen=SEEN, name="cat.png")
    assert words(figure).startswith("cat.png through 3 convolutions, to 1 x 1")
    assert tiles_in(sheet(figure, 1)) == ACROSS + 5 + 8
    first, second, third = ticks(figure, 1)
    assert first.startswith("conv1\n8 of 20, 16 x 12\n\u00b1 ")
    assert "".join(second.split("\n")[:-2]) == LONG
    assert second.endswith(f"5 of 5, 4 x 3\n\u00b1 {np.abs(maps[LONG]).max():.3g}")
    assert third.startswith("last\n8 of 8, 1 x 1\n")
    assert_whole(figure)


def test_the_maps_that_vary_most_are_chosen_and_keep_their_order() -> None:
    maps = np.zeros((20, 2, 2), dtype=np.float32)
    for number in range(8, 16):
        maps[number] = [[number, -number], [number, number]]
    scale = symmetric(maps)
    figure = map_overview({"conv1": maps}, seen=SEEN, name="cat.png")
    laid = sheet(figure, 1)
    firsts = [laid[GAP, GAP + column * (TILE + GAP)].tolist() for column in range(ACROSS)]
    assert firsts == [signed_colours(maps, scale)[number, 0, 0].tolist() for number in range(8, 16)]


def test_of_very_many_convolutions_some_of_all_depths_are_shown() -> None:
    maps = {f"conv{number}": random(2, 2, 2, seed=number) for number in range(53)}
    figure = map_overview(maps, seen=SEEN, name="cat.png")
    names = [label.split("\n")[0] for label in ticks(figure, 1)]
    assert len(names) == MOST_ROWS
    assert (names[0], names[-1]) == ("conv0", "conv52")
    assert f"{MOST_ROWS} of 53 convolutions are shown." in words(figure)
    assert_whole(figure)


def test_the_same_numbers_give_the_same_files(tmp_path: Path) -> None:
    assert_repeats(lambda: filter_sheet(random(5, 3, 3), layer="a", source="b"), tmp_path / "filters")
    assert_repeats(lambda: map_overview({"a": random(5, 3, 3)}, seen=SEEN, name="b"), tmp_path / "maps")


@pytest.mark.parametrize(("name", "times"), [(chr(0x1B170), 1), ("cat.png", 0)])  # the first is in no ordinary font
def test_boxes_in_the_name_of_a_picture_are_explained(name: str, times: int) -> None:
    maps = random(5, 3, 3)
    for figure in (map_sheet(maps, layer="a", seen=SEEN, name=name), map_overview({"a": maps}, seen=SEEN, name=name)):
        assert words(figure).count("\u25a1 is a letter that no font here has") == times
        assert_whole(figure)
