"""The form of pictures: the exact pixels, the filters, the views, the centre; and that it can be kept."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from retinula.errors import InputError
from retinula.forms import LARGEST_SIDE, Resample, Resize
from retinula.pictures.form import BORDER, Form, pixels
from retinula.pictures.views import Views

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8))


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


class TestShrink:
    @pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
    def test_the_right_size_keeps_every_pixel(self, resize: Resize) -> None:
        small = Form(3, (6, 6), resize=resize).shrink(noise(6, 6))
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
        small = Form(channels, size, resize=resize).shrink(Image.new("L", picture, 77))
        assert small.shape == (channels, *size)
        assert set(np.unique(small).tolist()) <= ({77, BORDER} if resize == "pad" else {77})
        assert 77 in small

    def test_antialiased(self) -> None:
        # A fine chessboard: picking pixels would give pure black or white, averaging gives grey.
        board = Image.fromarray(np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255)
        for resize in ("squash", "crop", "pad"):
            small = Form(1, (8, 8), resize=resize).shrink(board)
            assert 126 <= small.min() <= small.max() <= 129

    def test_enlarging_is_smooth(self) -> None:
        edge = Image.fromarray(np.array([[0, 255]], dtype=np.uint8))
        row = Form(1, (1, 8)).shrink(edge)[0, 0].astype(int)
        assert row[0] == 0
        assert row[-1] == 255
        assert (np.diff(row) >= 0).all()
        assert len(set(row.tolist())) > 4

    def test_squash_shows_the_whole(self) -> None:
        picture = Image.new("RGB", (96, 32), GREEN)
        picture.paste(RED, (0, 0, 48, 32))
        small = Form(3, (32, 32)).shrink(picture)
        assert small[:, :, :14].tolist() == np.broadcast_to(np.reshape(RED, (3, 1, 1)), (3, 32, 14)).tolist()
        assert small[:, :, 18:].tolist() == np.broadcast_to(np.reshape(GREEN, (3, 1, 1)), (3, 32, 14)).tolist()

    def test_crop_takes_the_centre(self) -> None:
        picture = noise(32, 96)
        centre = np.asarray(picture)[:, 32:64].transpose(2, 0, 1)
        assert np.array_equal(Form(3, (32, 32), resize="crop").shrink(picture), centre)
        tall = picture.transpose(Image.Transpose.TRANSPOSE)
        assert np.array_equal(Form(3, (32, 32), resize="crop").shrink(tall), centre.transpose(0, 2, 1))

    def test_crop_of_another_proportion(self) -> None:
        # The largest part twice as wide as high of 40 x 40 are the 20 rows in the middle.
        picture = noise(40, 40)
        expected = np.asarray(picture)[10:30].transpose(2, 0, 1)
        assert np.array_equal(Form(3, (20, 40), resize="crop").shrink(picture), expected)

    def test_pad_shows_the_whole_inside_a_border(self) -> None:
        small = Form(3, (32, 32), resize="pad").shrink(Image.new("RGB", (64, 32), RED))
        assert (small[:, :8] == BORDER).all()
        assert (small[:, 24:] == BORDER).all()
        assert (small[:, 8:24] == np.reshape(RED, (3, 1, 1))).all()

    def test_pad_of_a_thread(self) -> None:
        small = Form(1, (32, 32), resize="pad").shrink(Image.new("L", (1000, 1), 0))
        assert (small == 0).sum() == 32
        assert (small == BORDER).sum() == 31 * 32

    def test_one_channel_is_luminance(self) -> None:
        values = [Form(1, (1, 1)).shrink(Image.new("RGB", (2, 2), colour)).item() for colour in (RED, GREEN, BLUE)]
        assert values == [76, 150, 29]

    def test_three_channels_of_grey_are_equal(self) -> None:
        small = Form(3, (5, 5)).shrink(noise(9, 9).convert("L"))
        assert np.array_equal(small[0], small[1])
        assert np.array_equal(small[0], small[2])

    def test_any_mode_is_flattened_first(self) -> None:
        clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
        assert (Form(3, (2, 2)).shrink(clear) == 255).all()

    @settings(max_examples=30)
    @given(height=st.integers(2, 50), width=st.integers(2, 50), resize=st.sampled_from(["squash", "crop", "pad"]))
    def test_mirrored_in_mirrored_out(self, height: int, width: int, resize: Resize) -> None:
        picture = noise(height, width)
        small = Form(3, (16, 16), resize=resize).shrink(picture).astype(int)
        other = Form(3, (16, 16), resize=resize).shrink(ImageOps.mirror(picture))[:, :, ::-1].astype(int)
        if resize == "pad" and (small == BORDER).all(axis=0).any():
            return  # an odd border is one pixel wider on one side
        assert np.abs(small - other).max() <= 1

    def test_wrong_arguments(self) -> None:
        for size, resize, channels, words in (
            ((4, 4), "squash", 2, "1 or 3 channels"),
            ((0, 4), "squash", 3, r"1 to 4096 pixels high and wide, not \[0, 4\]"),
            ((4, LARGEST_SIDE + 1), "squash", 3, r"1 to 4096 pixels high and wide, not \[4, 4097\]"),
            ((4, 4), "stretch", 3, "squash, crop or pad"),
        ):
            with pytest.raises(InputError, match=words):
                Form(channels, size, resize=resize)  # type: ignore[arg-type]  # wrong on purpose


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
    assert np.array_equal(Form(3, (8, 10), resample=resample).shrink(NOISE), expected)


@pytest.mark.parametrize("resample", ["box", "bilinear", "bicubic", "lanczos"])
def test_every_filter_is_antialiased(resample: Resample) -> None:
    checks = (np.indices((96, 96)).sum(0) % 2 * 255).astype(np.uint8)
    small = Form(1, (8, 8), resample=resample).shrink(Image.fromarray(checks)).astype(int)
    assert (np.abs(small - 127.5) < 20).all()


def test_a_filter_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="resample is box, bilinear, bicubic, lanczos, not 'nearest'"):
        Form(3, (8, 8), resample="nearest")  # type: ignore[arg-type]  # what a file can hold


def test_a_part_alone_is_looked_at() -> None:
    for resize in ("squash", "crop", "pad"):
        part = Form(3, (16, 16), resize=resize).shrink(NOISE, part=(8, 16, 24, 32))
        assert np.array_equal(part, np.asarray(NOISE)[16:32, 8:24].transpose(2, 0, 1))


class TestLookAt:
    def test_the_whole_comes_first_and_is_all_there_is(self) -> None:
        assert np.array_equal(
            Form(3, (8, 8), resize="pad").look_at(NOISE), Form(3, (8, 8), resize="pad").shrink(NOISE)[None]
        )

    def test_each_is_a_part_of_the_photo(self) -> None:
        views = Views(crops=1, zooms=(0.5,))
        whole, zoom, crop = Form(3, (8, 8), resample="box", views=views).look_at(NOISE)
        assert np.array_equal(whole, Form(3, (8, 8), resample="box").shrink(NOISE))
        assert np.array_equal(zoom, Form(3, (8, 8), resample="box").shrink(NOISE.crop((20, 12, 60, 36))))
        assert np.array_equal(crop, Form(3, (8, 8), resample="box").shrink(NOISE.crop((16, 0, 64, 48))))

    def test_mirrored_ones_come_after(self) -> None:
        plain = Form(3, (8, 8), views=Views(crops=3)).look_at(NOISE)
        both = Form(3, (8, 8), views=Views(crops=3, mirror=True)).look_at(NOISE)
        assert np.array_equal(both, np.concatenate([plain, plain[..., ::-1]]))

    @settings(max_examples=50)
    @given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 1), st.sampled_from([1, 3, 5]))
    def test_every_view_of_every_photo_can_be_made(self, width: int, height: int, share: float, crops: int) -> None:
        views = Views(crops=crops, scales=(1.0, share), zooms=(share,))
        photo = Image.new("RGB", (width, height), (9, 9, 9))
        small = Form(3, (5, 7), resample="lanczos", views=views).look_at(photo)
        assert small.shape == (views.number, 3, 5, 7) == (2 + 2 * crops, 3, 5, 7)
        assert (small == 9).all()


class TestCentre:
    @given(st.integers(1, 9), st.integers(1, 9), st.data())
    def test_of_arrays_and_tensors_alike(self, height: int, width: int, data: st.DataObject) -> None:
        crop = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
        form = Form(1, (height, width), crop=crop)
        images = np.arange(2 * height * width).reshape(2, 1, height, width)
        centre = form.centre(images)
        assert centre.shape == (2, *form.input_shape) == (2, 1, *crop)
        top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
        assert np.array_equal(centre, images[:, :, top : top + crop[0], left : left + crop[1]])
        # What is cut off above and below, left and right, differs by a pixel at most.
        assert 0 <= (height - crop[0] - top) - top <= 1
        assert 0 <= (width - crop[1] - left) - left <= 1
        assert torch.equal(form.centre(torch.from_numpy(images)), torch.from_numpy(centre))
        assert np.array_equal(form.centre(images[0]), centre[0])
        assert np.array_equal(form.centre(images[0, 0]), centre[0, 0])

    def test_the_published_crop_of_24_out_of_32_begins_at_4(self) -> None:
        columns = np.broadcast_to(np.arange(32), (1, 3, 32, 32))
        assert Form(3, (32, 32), crop=(24, 24)).centre(columns)[0, 0, 0].tolist() == list(range(4, 28))

    def test_without_a_crop_the_network_sees_all(self) -> None:
        images = torch.rand(1, 3, 4, 6)
        form = Form(3, (4, 6))
        assert form.centre(images) is images
        assert form.input_shape == form.shape == (3, 4, 6)


class TestKept:
    @pytest.mark.parametrize(
        "form",
        [
            Form(3, (4, 6)),
            Form(1, (9, 5), resize="pad", crop=(2, 3), resample="box", views=Views(crops=3, mirror=True)),
        ],
    )
    def test_there_and_back_through_json(self, form: Form) -> None:
        assert Form.from_dict(json.loads(json.dumps(form.to_dict()))) == form

    def test_files_of_earlier_versions_know_no_filter_and_no_views(self) -> None:
        told = {"channels": 1, "size": [4, 6], "resize": "crop", "crop": [2, 2], "mean": [0.5], "std": [0.25]}
        form = Form.from_dict(told)
        assert form == Form(1, (4, 6), resize="crop", crop=(2, 2))
        assert form.plain

    @pytest.mark.parametrize(
        "wrong",
        [
            {"channels": 2},
            {"channels": 3.0},
            {"channels": True},
            {"size": [4]},
            {"size": [4.5, 4]},
            {"size": "44"},
            {"size": None},
            {"crop": 4},
            {"crop": []},
            {"crop": False},
            {"crop": [5, 6]},
            {"resize": None},
            {"resample": []},
            {"views": None},
        ],
    )
    def test_a_damaged_value_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises((ValueError, TypeError, LookupError)):
            Form.from_dict({**Form(3, (4, 6)).to_dict(), **wrong})


def test_pixels_are_those_of_a_picture_at_its_own_size() -> None:
    picture = noise(2, LARGEST_SIDE + 1)
    assert np.array_equal(pixels(picture, 3), np.asarray(picture).transpose(2, 0, 1))
    grey = picture.convert("L")
    assert np.array_equal(pixels(picture, 1), np.asarray(grey)[None])
    assert np.array_equal(pixels(grey, 3), np.repeat(np.asarray(grey)[None], 3, axis=0))
    assert (pixels(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 3) == 255).all()
