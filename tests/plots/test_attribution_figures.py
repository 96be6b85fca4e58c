"""Maps over pictures show the picture through, and colours mean the same in all of a figure."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from figure_checks import assert_whole, words
from retinula.plots.attribution import attribution, exciting_sheet, full_colour, overlay

SEEN = np.full((3, 4, 6), 100, dtype=np.uint8)


def test_where_nothing_speaks_the_picture_stays_grey() -> None:
    values = np.zeros((4, 6), dtype=np.float32)
    values[1, 2], values[3, 5] = 1.0, -1.0
    warm = overlay(SEEN, values, 1.0, signed=False)
    assert warm.shape == (4, 6, 3)
    assert (warm[0, 0] == 100).all()
    assert (warm[3, 5] == 100).all(), "below 0 is nothing where there are no signs"
    assert warm[1, 2, 0] > 200
    signed = overlay(SEEN, values, 1.0, signed=True)
    red, _, blue = signed[1, 2].astype(int)
    assert red > blue
    red, _, blue = signed[3, 5].astype(int)
    assert blue > red
    assert np.array_equal(overlay(SEEN, 9 * values, 1.0, signed=True), signed), "beyond the scale is its end"


def test_single_pixels_do_not_set_the_scale() -> None:
    values = np.ones((100, 100), dtype=np.float32)
    values[0, 0] = 1000
    assert full_colour(values) == 1
    assert full_colour(np.zeros((2, 3, 3), dtype=np.float32)) == 0


def test_a_map_of_few_pixels_is_seen() -> None:
    values = np.zeros((1, 32, 32), dtype=np.float32)
    values[0, 3, :4] = [0.01, -0.02, 0.02, 0.01]
    assert full_colour(values) == pytest.approx(0.02)
    assert overlay(SEEN, np.full((4, 6), 0.02, dtype=np.float32), full_colour(values), signed=False)[0, 0, 0] > 200


@pytest.mark.parametrize("signed", [True, False])
def test_an_empty_map_says_so_and_has_no_scale(signed: bool) -> None:
    maps = np.zeros((2, 4, 6), dtype=np.float32)
    asked: dict[str, Any] = {"name": "my.png", "signed": signed, "unit": "share of the logit", "remark": "Red is."}
    figure = attribution(SEEN, maps, ["a cat", "a dog"], **asked)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["what the network saw", "a cat: nothing found", "a dog: nothing found"], "and no bar"
    assert_whole(figure)
    maps[1, 2, 2] = 0.5
    titles = [axes.get_title(loc="left") for axes in attribution(SEEN, maps, ["a cat", "a dog"], **asked).axes]
    assert titles == ["what the network saw", "a cat: nothing found", "a dog", ""]


@pytest.mark.parametrize("signed", [True, False])
def test_every_class_has_its_map_and_its_name(signed: bool) -> None:
    maps = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
    captions = ["a cat, 60.0 %", "a dog, 30.0 %"]
    figure = attribution(
        SEEN, 1e-5 * maps, captions, name="my.png", signed=signed, unit="change of the logit", remark="Red is."
    )
    said = words(figure) + " ".join(axes.get_title(loc="left") for axes in figure.axes)
    for text in (
        "What speaks for a class in my.png",
        "a cat, 60.0 %",
        "a dog, 30.0 %",
        "what the network saw",
        "Red is.",
    ):
        assert text in said
    ticks = " ".join(label.get_text() for label in figure.axes[-1].get_yticklabels())
    assert ("(against)" in ticks, "(most)" in ticks) == (signed, not signed)
    assert "\n" not in ticks, "each word stands beside its number"
    assert len(figure.axes) == 4
    assert figure.axes[-1].get_ylabel().split() == ["change", "of", "the", "logit"]
    assert_whole(figure)


@pytest.mark.parametrize("size", [(16, 48), (48, 8), (3, 64)])
def test_a_scale_fits_beside_pictures_of_any_form(size: tuple[int, int]) -> None:
    maps = 1e-5 * np.random.default_rng(0).normal(size=(1, *size)).astype(np.float32)
    seen = np.full((1, *size), 90, dtype=np.uint8)
    figure = attribution(seen, maps, ["a cat"], name="a.png", signed=True, unit="change of the logit", remark="Red is.")
    assert_whole(figure)
    assert figure.axes[-1].get_ylabel().split() == ["change", "of", "the", "logit"], "no word is broken"


def test_of_many_channels_the_first_are_shown() -> None:
    pictures = [np.full((3, 1, 5, 5), number, dtype=np.uint8) for number in range(30)]
    outputs = np.linspace(-1, 1, 90, dtype=np.float32).reshape(30, 3)
    figure = exciting_sheet(pictures, outputs, ["cat, dog"] * 30, layer="conv2", source="the test pictures")
    assert "The first 24 of 30 channels" in words(figure)
    assert "What excites conv2 most, of the test pictures" in words(figure)
    assert_whole(figure)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "channel 0 (up to \u22120.96)\ncat, dog"
    assert len(labels) == 24


def test_boxes_are_explained_where_they_are_drawn() -> None:
    nushu = chr(0x1B170)  # in no font of an ordinary system
    maps = np.ones((1, 4, 6), dtype=np.float32)
    row, outputs = [np.zeros((3, 1, 5, 5), dtype=np.uint8)], np.ones((1, 3), dtype=np.float32)

    def drawn(name: str, caption: str) -> list[Figure]:
        return [
            attribution(SEEN, maps, [caption], name=name, signed=True, unit="share", remark="Red is."),
            exciting_sheet(row, outputs, [caption], layer="conv2", source=f"the pictures of {name}"),
        ]

    for figures, times in ((drawn(nushu, "a cat"), 1), (drawn("my.png", nushu), 1), (drawn("my.png", "a cat"), 0)):
        for figure in figures:
            said = " ".join(words(figure).split())
            assert said.count("\u25a1 is a letter that no font here has") == times
            assert_whole(figure)
