"""Every picture of a sheet lies where its number says, and nothing runs into its neighbour."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from retinula.images import Images
from retinula.report.sheet import COLUMNS, Sheet, SheetPage


def pixels(page: SheetPage) -> Images:
    kind, _, content = page.uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 32, 32), (1, 28, 28), (3, 9, 14), (1, 8, 8)])
def test_each_picture_is_where_the_page_looks_for_it(channels: int, height: int, width: int) -> None:
    sheet = Sheet((height, width))
    number = COLUMNS + 3
    shades = np.linspace(0, 255, number).round().astype(np.uint8)
    places = [sheet.add(np.full((channels, height, width), shade, dtype=np.uint8)) for shade in shades]
    page = sheet.finish(10**6)
    assert (page.columns, page.rows, page.height) == (COLUMNS, 2, height / width)
    whole = pixels(page)
    for place, shade in zip(places, shades, strict=True):
        left = round((place % page.columns) * page.pitch_x * width)
        top = round((place // page.columns) * page.pitch_y * width)
        tile = whole[top : top + height, left : left + width].astype(int)
        assert np.abs(tile - int(shade)).max() <= 3


def test_large_pictures_become_smaller_and_poor_ones_where_bytes_are_few() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 200, 100), dtype=np.uint8)
    sheet = Sheet((200, 100), longest=64)
    assert sheet.size == (64, 32)
    for _ in range(20):
        sheet.add(noise)
    rich, poor = sheet.finish(10**6), sheet.finish(30_000)
    assert len(poor.uri) < 0.7 * len(rich.uri)
    assert poor.height == 2


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="pictures of this sheet"):
        Sheet((8, 8)).add(np.zeros((3, 8, 9), dtype=np.uint8))


def test_noise_is_drawn_too() -> None:
    sheet = Sheet((32, 32))
    for picture in np.random.default_rng(0).integers(0, 256, (2 * COLUMNS, 3, 32, 32), dtype=np.uint8):
        sheet.add(picture)
    page = sheet.finish(10**7)
    assert pixels(page).std() > 50
