"""Augmentation as a whole: chances, limits, order, dtypes, and that a seed fixes everything."""

import colorsys
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retinula.errors import InputError
from retinula.transforms import augment as augment_module
from retinula.transforms.augment import Augment, Drawn, augment_images
from retinula.transforms.geometry import warp, warps

PUBLISHED = Augment(
    flip="random", random_crop=(6, 6), hue=0.05, contrast=(0.3, 1.0), brightness=0.2, saturation=(0.0, 2.0)
)
WARPED = Augment(rotate=30.0, zoom=(0.7, 1.4), shear=15.0)
EVERYTHING = Augment(
    rotate=20.0,
    zoom=(0.8, 1.25),
    shear=10.0,
    flip="alternating",
    vertical_flip=True,
    crop_padding=2,
    random_crop=(7, 5),
    cutout=3,
    brightness=0.3,
    contrast=(0.5, 1.5),
    saturation=(0.0, 3.0),
    hue=0.5,
)


def pictures(count: int = 40, channels: int = 3, height: int = 8, width: int = 8, seed: int = 0) -> torch.Tensor:
    chances = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=chances)


def changed(images: torch.Tensor, augment: Augment, *, seed: int = 0, epoch: int = 0, **arguments: Any) -> torch.Tensor:
    chances = torch.Generator().manual_seed(seed)
    indices = torch.arange(len(images))
    return augment_images(images, augment, chances, indices=indices, epoch=epoch, seed=0, **arguments)


def test_nothing_gives_the_very_images_and_uses_no_chance() -> None:
    images = pictures()
    chances = torch.Generator().manual_seed(3)
    state = chances.get_state()
    assert augment_images(images, Augment(), chances, indices=torch.arange(40), epoch=0, seed=0) is images
    assert torch.equal(chances.get_state(), state)


@pytest.mark.parametrize(
    "augment",
    [
        Augment(contrast=(1.0, 1.0)),
        Augment(saturation=(1.0, 1.0)),
        Augment(contrast=(1.0, 1.0), saturation=(1.0, 1.0), brightness=1e-9, hue=1e-9),
    ],
)
def test_identity_parameters_leave_pictures_unchanged(augment: Augment) -> None:
    images = pictures()
    assert torch.allclose(changed(images, augment), images / 255, atol=2e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("augment", "size", "dtype"),
    [
        (Augment(flip="random"), (8, 8), torch.uint8),
        (Augment(flip="alternating"), (8, 8), torch.uint8),
        (Augment(vertical_flip=True), (8, 8), torch.uint8),
        (Augment(crop_padding=3), (8, 8), torch.uint8),
        (Augment(random_crop=(5, 7)), (5, 7), torch.uint8),
        (WARPED, (8, 8), torch.uint8),
        (replace(WARPED, flip="random", crop_padding=2, random_crop=(5, 7)), (5, 7), torch.uint8),
        (Augment(cutout=4), (8, 8), torch.uint8),
        (Augment(brightness=0.1), (8, 8), torch.float32),
        (Augment(contrast=(0.0, 2.0)), (8, 8), torch.float32),
        (Augment(saturation=(0.0, 2.0)), (8, 8), torch.float32),
        (Augment(hue=0.1), (8, 8), torch.float32),
        (PUBLISHED, (6, 6), torch.float32),
        (EVERYTHING, (7, 5), torch.float32),
    ],
)
def test_shape_dtype_range_seed_and_untouched_input(
    augment: Augment, size: tuple[int, int], dtype: torch.dtype, channels: int
) -> None:
    images = pictures(channels=channels)
    before = images.clone()
    one, two = changed(images, augment, seed=5), changed(images, augment, seed=5)
    assert one.shape == (40, channels, *size)
    assert one.dtype == dtype
    assert one.is_contiguous()
    assert one.isfinite().all()
    assert 0 <= one.min() <= one.max() <= (255 if dtype == torch.uint8 else 1)
    assert torch.equal(one, two)
    assert torch.equal(images, before)
    only_chance_of_colour = channels == 1 and bool(augment.hue or augment.saturation) and augment.brightness == 0
    if augment.flip != "alternating" and not only_chance_of_colour:
        assert not torch.equal(one, changed(images, augment, seed=6))


def test_random_flips_are_a_fair_coin_for_each_picture() -> None:
    images = pictures(count=4000, channels=1, height=2, width=3)
    for augment, axis in ((Augment(flip="random"), 3), (Augment(vertical_flip=True), 2)):
        outputs = changed(images, augment)
        same = (outputs == images).flatten(1).all(1)
        flipped = (outputs == images.flip(axis)).flatten(1).all(1)
        assert (same | flipped).all()
        assert 0.46 < flipped.float().mean() < 0.54


def test_alternating_flips_show_every_picture_both_ways_in_two_epochs() -> None:
    images = pictures(count=500)
    epochs = [changed(images, Augment(flip="alternating"), seed=epoch, epoch=epoch) for epoch in range(4)]
    assert torch.equal(epochs[0], epochs[1].flip(3))
    assert torch.equal(epochs[0], epochs[2])
    assert torch.equal(epochs[1], epochs[3])
    flipped = (epochs[0] == images.flip(3)).flatten(1).all(1)
    assert 0.4 < flipped.float().mean() < 0.6


@pytest.mark.parametrize("padding", [1, 2])
def test_every_crop_offset_occurs_equally_often(padding: int) -> None:
    one = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6)
    outputs = changed(one.expand(6000, 1, 6, 6), Augment(crop_padding=padding))
    padded = torch.nn.functional.pad(one.float(), (padding,) * 4, mode="reflect").to(torch.uint8)[0, 0]
    offsets = range(2 * padding + 1)
    windows = {
        tuple(padded[top : top + 6, left : left + 6].flatten().tolist()): (top, left)
        for top in offsets
        for left in offsets
    }
    counts = Counter(windows[tuple(output)] for output in outputs.flatten(1).tolist())
    expected = 6000 / len(windows)
    assert len(counts) == len(windows) == (2 * padding + 1) ** 2
    # Six standard deviations of a binomial count.
    assert all(abs(count - expected) < 6 * expected**0.5 for count in counts.values())


@given(height=st.integers(1, 6), width=st.integers(1, 6), data=st.data())
@settings(max_examples=25)
def test_every_window_of_a_random_crop_occurs(height: int, width: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    one = torch.arange(height * width, dtype=torch.uint8).view(1, 1, height, width)
    outputs = changed(one.expand(1500, 1, height, width), Augment(random_crop=size))
    corners = {(first // width, first % width) for first in outputs[:, 0, 0, 0].tolist()}
    places = [range(side - cut + 1) for side, cut in zip((height, width), size, strict=True)]
    assert corners == {(top, left) for top in places[0] for left in places[1]}
    steps = outputs[:, 0].int() - outputs[:, 0, :1, :1].int()
    assert torch.equal(steps, (one[0, 0, : size[0], : size[1]].int()).expand_as(steps))


def test_padding_and_random_crop_reach_past_the_border_together() -> None:
    one = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5)
    outputs = changed(one.expand(2000, 1, 5, 5), Augment(crop_padding=1, random_crop=(3, 3)))
    assert {tuple(output[0, 1].tolist()) for output in outputs} >= {(1, 0, 1), (3, 4, 3)}
    assert len({tuple(output.flatten().tolist()) for output in outputs}) == 25


@pytest.mark.parametrize(("fill", "expected"), [(None, [128, 128, 128]), ((0.0, 0.5, 1.0), [0, 128, 255])])
def test_cutout_fills_one_square(fill: tuple[float, ...] | None, expected: list[int]) -> None:
    images = torch.full((3000, 3, 5, 6), 7, dtype=torch.uint8)
    outputs = changed(images, Augment(cutout=3), fill=fill)
    cut = outputs[:, 2] != 7
    areas = cut.sum((1, 2))
    assert set(areas.tolist()) == {4, 6, 9}, "cut off at corners and sides"
    assert all((outputs[:, channel][cut] == value).all() for channel, value in enumerate(expected))
    # A centre at each of the 30 places: 3x3 inside for those not at the border.
    assert abs((areas == 9).float().mean() - 12 / 30) < 0.05
    assert cut.any(0).all(), "every pixel is cut out some time"


def test_cutout_comes_after_colours_and_keeps_its_fill() -> None:
    images = torch.full((50, 3, 6, 6), 255, dtype=torch.uint8)
    outputs = changed(images, Augment(cutout=2, brightness=0.01), fill=(0.25, 0.5, 0.75))
    assert set(outputs[:, 0][outputs[:, 0] < 0.9].tolist()) == {0.25}
    assert set(outputs[:, 2][outputs[:, 2] < 0.9].tolist()) == {0.75}


@pytest.mark.parametrize("augment", [Augment(zoom=(1.0, 1.0)), Augment(rotate=1e-9), Augment(shear=1e-9)])
def test_a_scale_of_one_and_no_degrees_leave_every_byte(augment: Augment) -> None:
    images = pictures(height=9, width=12)
    assert torch.equal(changed(images, augment), images)
    flipped = changed(images, Augment(flip="alternating"))
    assert torch.equal(changed(images, replace(augment, flip="alternating")), flipped)


def test_every_angle_scale_and_lean_within_the_limits_occurs() -> None:
    drawn: Drawn = {}
    changed(pictures(8000, 1, 2, 2), WARPED, drawn=drawn)
    for name, low, high in (("turned", -30, 30), ("enlarged", 0.7, 1.4), ("sheared", -15, 15)):
        counts = torch.histc(drawn[name], bins=20, min=low, max=high)
        assert counts.sum() == 8000
        # Six standard deviations of a binomial count.
        assert (counts - 400).abs().max() < 6 * 400**0.5, name
    assert drawn["enlarged"].mean() == pytest.approx(1.05, abs=0.01)
    assert drawn["turned"].mean() == pytest.approx(0, abs=1)
    assert abs(torch.corrcoef(torch.stack((drawn["turned"], drawn["enlarged"])))[0, 1]) < 0.05


def test_what_is_told_of_a_turn_is_what_was_done() -> None:
    images, drawn = pictures(), Drawn()
    warped = changed(images, WARPED, drawn=drawn)
    assert torch.equal(warped, warp(images, warps(40, **drawn), size=(8, 8)))
    assert (warped != images).flatten(1).any(1).all()


def test_brightness_is_uniform_within_its_limits() -> None:
    images = torch.full((5000, 1, 1, 1), 128, dtype=torch.uint8)
    added = changed(images, Augment(brightness=0.2)).flatten() - 128 / 255
    assert -0.2 <= added.min() < -0.195
    assert 0.195 < added.max() <= 0.2
    assert abs(added.mean()) < 0.01
    assert abs(added.std() - 0.4 / 12**0.5) < 0.005


def test_contrast_is_uniform_within_its_limits() -> None:
    images = torch.tensor([100, 120], dtype=torch.uint8).view(1, 1, 1, 2).expand(5000, 1, 1, 2)
    outputs = changed(images, Augment(contrast=(0.3, 1.0)))[:, 0, 0]
    factors = (outputs[:, 1] - outputs[:, 0]) * 255 / 20
    assert 0.299 < factors.min() < 0.305
    assert 0.995 < factors.max() < 1.001
    assert abs(factors.mean() - 0.65) < 0.01
    assert torch.allclose(outputs.mean(1), torch.tensor(110 / 255), atol=1e-6)


def test_hue_is_uniform_within_its_limits() -> None:
    images = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1).expand(2000, 3, 1, 1)
    start = colorsys.rgb_to_hsv(200, 100, 50)[0]
    outputs = changed(images, Augment(hue=0.05))
    turned = torch.tensor([colorsys.rgb_to_hsv(*pixel)[0] - start for pixel in outputs.flatten(1).tolist()])
    turned = (turned + 0.5) % 1 - 0.5
    assert -0.0501 < turned.min() < -0.048
    assert 0.048 < turned.max() < 0.0501
    assert abs(turned.mean()) < 0.004


def test_colours_change_in_the_published_order_and_are_clipped_last() -> None:
    """Contrast first, then brightness, then saturation: worked out by hand for one picture."""
    images = torch.tensor([[255, 0], [255, 255], [0, 0]], dtype=torch.uint8).view(1, 3, 1, 2)
    augment = Augment(contrast=(0.5, 0.5), saturation=(2.0, 2.0))
    # Red 1, 0 about 1/2; green stays 1; blue stays 0. Then the first pixel, 0.75 1 0, is fully saturated already,
    # and so is the second, 0.25 1 0.
    expected = torch.tensor([[0.75, 0.25], [1.0, 1.0], [0.0, 0.0]]).view(1, 3, 1, 2)
    assert torch.allclose(changed(images, augment), expected, atol=1e-6)
    halved = changed(images, replace(augment, saturation=(0.5, 0.5)))
    expected = torch.tensor([[0.875, 0.625], [1.0, 1.0], [0.5, 0.5]]).view(1, 3, 1, 2)
    assert torch.allclose(halved, expected, atol=1e-6)
    wide = changed(images, Augment(contrast=(3.0, 3.0)))
    assert torch.equal(wide[0, 0, 0], torch.tensor([1.0, 0.0]))


def test_grey_pictures_take_contrast_and_brightness_only() -> None:
    images = pictures(channels=1)
    assert torch.equal(changed(images, Augment(hue=0.5, saturation=(0.0, 2.0))), images.float() * (1 / 255))
    assert not torch.allclose(changed(images, Augment(brightness=0.5)), images / 255, atol=0.01)


def test_every_picture_has_parameters_of_its_own() -> None:
    images = pictures(count=1).expand(200, 3, 8, 8)
    for augment in (Augment(hue=0.5), Augment(brightness=0.2), Augment(contrast=(0, 1)), Augment(saturation=(0, 1))):
        outputs = changed(images, augment)
        assert len({tuple(output.flatten().tolist()) for output in outputs}) == 200


def test_large_batches_are_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(count=23)
    whole = changed(images, EVERYTHING)
    for pixels in (1, 35 * 5, 35 * 22):
        monkeypatch.setattr(augment_module, "_PIXELS", pixels)
        assert torch.allclose(changed(images, EVERYTHING), whole, atol=1e-6)


def test_an_empty_batch() -> None:
    assert changed(pictures(count=0), EVERYTHING).shape == (0, 3, 7, 5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"flip": "sometimes"}, "flip is none, random or alternating, not 'sometimes'"),
        ({"flip": "alternate"}, "did you mean 'alternating'"),
        ({"crop_padding": -1}, "crop_padding must be 0 or above, not -1"),
        ({"cutout": -2}, "cutout must be 0 or above"),
        ({"rotate": 181}, "rotate is in degrees, 0 to 180, not 181"),
        ({"rotate": -1}, "rotate is in degrees, 0 to 180, not -1"),
        ({"shear": 61}, "shear is in degrees, 0 to 60, not 61"),
        ({"zoom": (1.2, 0.8)}, r"zoom must be two factors, the lower first and above 0, not \[1.2, 0.8\]"),
        ({"zoom": (0.0, 1.0)}, "zoom must be two factors"),
        ({"brightness": float("nan")}, "brightness must be 0 or above, not nan"),
        ({"mixup": float("inf")}, "mixup must be 0 or above, not inf"),
        ({"cutmix": -0.1}, "cutmix must be 0 or above"),
        ({"hue": 0.6}, "hue must be at most 0.5, half the circle either way, not 0.6"),
        ({"contrast": (1.0, 0.5)}, r"contrast must be two factors, the lower first and 0 or above, not \[1.0, 0.5\]"),
        ({"saturation": (-1.0, 0.5)}, "saturation must be two factors"),
        ({"random_crop": (0, 5)}, r"random_crop must be at least 1x1 pixels, not \[0, 5\]"),
    ],
)
def test_wrong_settings_are_told(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Augment(**wrong)


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (Augment(crop_padding=8), "crop_padding is 8, but must be below the side of pictures of 8x8"),
        (Augment(random_crop=(8, 9)), r"random_crop is \[8, 9\], larger than the pictures, 8x8"),
    ],
)
def test_pictures_that_are_too_small_are_told(augment: Augment, message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(pictures(), augment)


def test_a_share_of_the_pictures_is_left_alone() -> None:
    """As the published transfer has it: by one coin whether a picture is flipped, then by one each way."""
    images = pictures(2000)
    published = Augment(probability=0.5, flip="random", vertical_flip=True)
    ways = {"as it is": images, "mirrored": images.flip(3), "upside down": images.flip(2), "both": images.flip(2, 3)}
    flipped = changed(images, published)
    shares = {name: (flipped == way).flatten(1).all(1).float().mean().item() for name, way in ways.items()}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares == pytest.approx(
        {"as it is": 0.625, "mirrored": 0.125, "upside down": 0.125, "both": 0.125}, abs=0.03
    )
    assert torch.equal(flipped, changed(images, published))


def test_what_is_left_alone_has_the_form_of_the_rest() -> None:
    images = pictures(200)
    everything = changed(images, EVERYTHING)
    half = changed(images, replace(EVERYTHING, probability=0.5))
    centres = images[:, :, 0:7, 1:6].float() / 255
    alone = (half == centres).flatten(1).all(1)
    assert 60 < alone.sum() < 140
    assert torch.equal(half[~alone], everything[~alone])
    assert torch.equal(changed(images, replace(EVERYTHING, probability=0.0)), centres)
    plain = Augment(probability=0.0, flip="random", crop_padding=2)
    assert torch.equal(changed(images, plain), images)
    assert changed(images, plain).dtype == torch.uint8
    with pytest.raises(InputError, match=r"probability lies between 0 and 1, not 1\.5"):
        Augment(probability=1.5)


@pytest.mark.parametrize("augment", [Augment(flip="random"), PUBLISHED, WARPED, replace(EVERYTHING, probability=0.6)])
def test_a_part_comes_out_as_with_the_whole_batch(augment: Augment) -> None:
    images, indices = pictures(), torch.arange(40) * 3
    whole = augment_images(images, augment, torch.Generator().manual_seed(1), indices=indices, epoch=1, seed=2)
    for part in (slice(0, 13), slice(13, 40)):
        chances = torch.Generator().manual_seed(1)
        own = augment_images(images[part], augment, chances, indices=indices, epoch=1, seed=2, part=part)
        torch.testing.assert_close(own, whole[part], rtol=0, atol=1e-6)  # vector units round as many as fit in them


@pytest.mark.parametrize("augment", [Augment(photo=0.5), Augment(mixup=1.0), Augment(noise=(0.0, 0.1))])
def test_what_needs_the_whole_batch_takes_no_part(augment: Augment) -> None:
    with pytest.raises(ValueError, match="need the whole batch"):
        changed(pictures(), augment, part=slice(0, 20))
