"""Pictures made small: the exact pixels, the filters, and the views of a photo."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from retinula.errors import InputError
from retinula.forms import Resample, Resize
from retinula.pictures.shrinking import BORDER, Views, look_at, shrink

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8))


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


class TestShrink:
    @pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
    def test_the_right_size_keeps_every_pixel(self, resize: Resize) -> None:
        small = shrink(noise(6, 6), (6, 6), resize, 3)
        assert small.dtype == np.uint8
        assert np.array_equal(small, np.asarray(noise(6, 6)).transpose(2, 0, 1))

    @settings(max_examples=60)
    @given(
        picture=st.tuples(st.integers(1, 60), st.integers(1, 60)),
        size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
        resize=st.sampled_from(["squash", "crop", "pad"]),
        channels=st.sampled_from([1, 3]),
    )
    def test_a_single_colour_stays(
        self, picture: tuple[int, int], size: tuple[int, int], resize: Resize, channels: int
    ) -> None:
        small = shrink(Image.new("L", picture, 77), size, resize, channels)
        assert small.shape == (channels, *size)
        assert set(np.unique(small).tolist()) <= ({77, BORDER} if resize == "pad" else {77})
        assert 77 in small

    def test_antialiased(self) -> None:
        # A fine chessboard: picking pixels would give pure black or white, averaging gives grey.
        board = Image.fromarray(np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255)
        for resize in ("squash", "crop", "pad"):
            small = shrink(board, (8, 8), resize, 1)
            assert 126 <= small.min() <= small.max() <= 129

    def test_enlarging_is_smooth(self) -> None:
        edge = Image.fromarray(np.array([[0, 255]], dtype=np.uint8))
        row = shrink(edge, (1, 8), "squash", 1)[0, 0].astype(int)
        assert row[0] == 0
        assert row[-1] == 255
        assert (np.diff(row) >= 0).all()
        assert len(set(row.tolist())) > 4

    def test_squash_shows_the_whole(self) -> None:
        picture = Image.new("RGB", (96, 32), GREEN)
        picture.paste(RED, (0, 0, 48, 32))
        small = shrink(picture, (32, 32), "squash", 3)
        assert small[:, :, :14].tolist() == np.broadcast_to(np.reshape(RED, (3, 1, 1)), (3, 32, 14)).tolist()
        assert small[:, :, 18:].tolist() == np.broadcast_to(np.reshape(GREEN, (3, 1, 1)), (3, 32, 14)).tolist()

    def test_crop_takes_the_centre(self) -> None:
        picture = noise(32, 96)
        centre = np.asarray(picture)[:, 32:64].transpose(2, 0, 1)
        assert np.array_equal(shrink(picture, (32, 32), "crop", 3), centre)
        tall = picture.transpose(Image.Transpose.TRANSPOSE)
        assert np.array_equal(shrink(tall, (32, 32), "crop", 3), centre.transpose(0, 2, 1))

    def test_crop_of_another_proportion(self) -> None:
        # The largest part twice as wide as high of 40 x 40 are the 20 rows in the middle.
        picture = noise(40, 40)
        expected = np.asarray(picture)[10:30].transpose(2, 0, 1)
        assert np.array_equal(shrink(picture, (20, 40), "crop", 3), expected)

    def test_pad_shows_the_whole_inside_a_border(self) -> None:
        small = shrink(Image.new("RGB", (64, 32), RED), (32, 32), "pad", 3)
        assert (small[:, :8] == BORDER).all()
        assert (small[:, 24:] == BORDER).all()
        assert (small[:, 8:24] == np.reshape(RED, (3, 1, 1))).all()

    def test_pad_of_a_thread(self) -> None:
        small = shrink(Image.new("L", (1000, 1), 0), (32, 32), "pad", 1)
        assert (small == 0).sum() == 32
        assert (small == BORDER).sum() == 31 * 32

    def test_one_channel_is_luminance(self) -> None:
        values = [shrink(Image.new("RGB", (2, 2), colour), (1, 1), "squash", 1).item() for colour in (RED, GREEN, BLUE)]
        assert values == [76, 150, 29]

    def test_three_channels_of_grey_are_equal(self) -> None:
        small = shrink(noise(9, 9).convert("L"), (5, 5), "squash", 3)
        assert np.array_equal(small[0], small[1])
        assert np.array_equal(small[0], small[2])

    def test_any_mode_is_flattened_first(self) -> None:
        clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
        assert (shrink(clear, (2, 2), "squash", 3) == 255).all()

    @settings(max_examples=30)
    @given(height=st.integers(2, 50), width=st.integers(2, 50), resize=st.sampled_from(["squash", "crop", "pad"]))
    def test_mirrored_in_mirrored_out(self, height: int, width: int, resize: Resize) -> None:
        picture = noise(height, width)
        small = shrink(picture, (16, 16), resize, 3).astype(int)
        other = shrink(ImageOps.mirror(picture), (16, 16), resize, 3)[:, :, ::-1].astype(int)
        if resize == "pad" and (small == BORDER).all(axis=0).any():
            return  # an odd border is one pixel wider on one side
        assert np.abs(small - other).max() <= 1

    def test_wrong_arguments(self) -> None:
        for size, resize, channels, words in (
            ((4, 4), "squash", 2, "1 or 3 channels"),
            ((0, 4), "squash", 3, r"1 to 65535 pixels high and wide, not \[0, 4\]"),
            ((4, 4), "stretch", 3, "squash, crop or pad"),
        ):
            with pytest.raises(InputError, match=words):
                shrink(noise(4, 4), size, resize, channels)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("resample", "pillow"),
    [
        ("box", Image.Resampling.BOX),
        ("bilinear", Image.Resampling.BILINEAR),
        ("bicubic", Image.Resampling.BICUBIC),
        ("lanczos", Image.Resampling.LANCZOS),
    ],
)
def test_filters_are_those_of_pillow(resample: Resample, pillow: Image.Resampling) -> None:
    expected = np.asarray(NOISE.resize((10, 8), pillow)).transpose(2, 0, 1)
    assert np.array_equal(shrink(NOISE, (8, 10), "squash", 3, resample), expected)


@pytest.mark.parametrize("resample", ["box", "bilinear", "bicubic", "lanczos"])
def test_every_filter_is_antialiased(resample: Resample) -> None:
    checks = (np.indices((96, 96)).sum(0) % 2 * 255).astype(np.uint8)
    small = shrink(Image.fromarray(checks), (8, 8), "squash", 1, resample).astype(int)
    assert (np.abs(small - 127.5) < 20).all()


def test_a_filter_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="resample is box, bilinear, bicubic, lanczos, not 'nearest'"):
        shrink(NOISE, (8, 8), "squash", 3, "nearest")  # type: ignore[arg-type]  # what a file can hold


def test_a_part_alone_is_looked_at() -> None:
    for resize in ("squash", "crop", "pad"):
        part = shrink(NOISE, (16, 16), resize, 3, part=(8, 16, 24, 32))
        assert np.array_equal(part, np.asarray(NOISE)[16:32, 8:24].transpose(2, 0, 1))


class TestViews:
    def test_the_whole_comes_first_and_is_all_there_is(self) -> None:
        assert np.array_equal(look_at(NOISE, (8, 8), "pad", 3), shrink(NOISE, (8, 8), "pad", 3)[None])

    def test_crops_are_where_they_are_said_to_be(self) -> None:
        # The model wants squares; 80 x 48 pixels hold one of 48, whose half is 24.
        assert Views(crops=1).boxes((80, 48), 1) == [(16, 0, 64, 48)]
        assert Views(crops=3).boxes((80, 48), 1) == [(0, 0, 48, 48), (16, 0, 64, 48), (32, 0, 80, 48)]
        assert Views(crops=5, scales=(0.5,)).boxes((80, 48), 1) == [
            (0, 0, 24, 24),
            (56, 0, 80, 24),
            (28, 12, 52, 36),
            (0, 24, 24, 48),
            (56, 24, 80, 48),
        ]

    def test_zooms_have_the_proportions_of_the_photo(self) -> None:
        assert Views(zooms=(1.0, 0.5)).boxes((80, 48), 1) == [(0, 0, 80, 48), (20, 12, 60, 36)]

    def test_each_is_a_part_of_the_photo(self) -> None:
        views = Views(crops=1, zooms=(0.5,))
        whole, zoom, crop = look_at(NOISE, (8, 8), "squash", 3, "box", views)
        assert np.array_equal(whole, shrink(NOISE, (8, 8), "squash", 3, "box"))
        assert np.array_equal(zoom, shrink(NOISE.crop((20, 12, 60, 36)), (8, 8), "squash", 3, "box"))
        assert np.array_equal(crop, shrink(NOISE.crop((16, 0, 64, 48)), (8, 8), "squash", 3, "box"))

    def test_mirrored_ones_come_after(self) -> None:
        plain = look_at(NOISE, (8, 8), "squash", 3, views=Views(crops=3))
        both = look_at(NOISE, (8, 8), "squash", 3, views=Views(crops=3, mirror=True))
        assert np.array_equal(both, np.concatenate([plain, plain[..., ::-1]]))

    @settings(max_examples=50)
    @given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 1), st.sampled_from([1, 3, 5]))
    def test_every_view_of_every_photo_can_be_made(self, width: int, height: int, share: float, crops: int) -> None:
        views = Views(crops=crops, scales=(1.0, share), zooms=(share,))
        photo = Image.new("RGB", (width, height), (9, 9, 9))
        small = look_at(photo, (5, 7), "squash", 3, "lanczos", views)
        assert small.shape == (views.number, 3, 5, 7) == (2 + 2 * crops, 3, 5, 7)
        assert (small == 9).all()

    def test_there_and_back_through_json(self) -> None:
        views = Views(crops=5, scales=(1.0, 0.8), zooms=(0.9,), mirror=True)
        assert Views.from_dict(json.loads(json.dumps(views.to_dict()))) == views

    @pytest.mark.parametrize(
        "wrong",
        [
            {"crops": 2},
            {"crops": -1},
            {"scales": [0.0]},
            {"scales": [1.1]},
            {"scales": [float("nan")]},
            {"zooms": [0.5] * 9},
            {"zooms": None},
            {"mirror": 1},
            {"mirror": None},
            {"crops": 1, "scales": []},
        ],
    )
    def test_a_damaged_value_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises((ValueError, TypeError, LookupError)):
            Views.from_dict({**Views().to_dict(), **wrong})

    def test_they_can_be_told(self) -> None:
        assert str(Views()) == "the whole"
        assert str(Views(crops=1)) == "the whole and 1 crop"
        views = Views(crops=5, scales=(1.0, 0.8), zooms=(0.9,), mirror=True)
        assert str(views) == "the whole and zoom 0.9 and 5 crops at scale 1, 0.8, each mirrored too"
        assert views.number == 24
        assert replace(views, crops=0).number == 4
