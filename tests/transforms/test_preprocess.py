"""Preprocess: from pictures to inputs, the same everywhere."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from retinula.errors import InputError
from retinula.pictures.views import Views
from retinula.transforms.preprocess import Preprocess

UNIT = Preprocess(channels=3, size=(4, 6), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
CIFAR = replace(UNIT, mean=(0.4914, 0.4822, 0.4465), std=(0.247, 0.2435, 0.2616))
GREY = Preprocess(channels=1, size=(5, 5), mean=(0.5,), std=(0.25,))


def every_byte() -> torch.Tensor:
    return torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(2, 3, 16, 16)


@pytest.mark.parametrize("preprocess", [UNIT, CIFAR])
def test_bytes_are_scaled_then_shifted_then_divided(preprocess: Preprocess) -> None:
    inputs = preprocess.normalise(every_byte())
    assert inputs.dtype == torch.float32
    assert inputs.shape == (2, 3, 16, 16)
    for channel in range(3):
        by_hand = (np.arange(256) / 255 - preprocess.mean[channel]) / preprocess.std[channel]
        assert np.allclose(inputs[1, channel].flatten().numpy(), by_hand, atol=1e-5)


def test_without_mean_and_deviation_bytes_become_the_unit_range() -> None:
    inputs = UNIT.normalise(every_byte())
    assert inputs.min() == 0
    assert inputs.max() == 1


@pytest.mark.parametrize("preprocess", [UNIT, CIFAR])
def test_floats_are_in_the_unit_range_already(preprocess: Preprocess) -> None:
    from_bytes = preprocess.normalise(every_byte())
    from_floats = preprocess.normalise(every_byte().float() / 255)
    assert from_floats.dtype == torch.float32
    assert torch.allclose(from_bytes, from_floats, atol=1e-6)


@pytest.mark.parametrize("preprocess", [UNIT, CIFAR])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_images_are_not_written_to(preprocess: Preprocess, dtype: torch.dtype) -> None:
    images = every_byte().to(dtype).contiguous()
    before = images.clone()
    preprocess.normalise(images)
    assert torch.equal(images, before)


def test_double_precision_comes_out_single_too() -> None:
    assert UNIT.normalise(torch.rand(1, 3, 2, 2, dtype=torch.float64)).dtype == torch.float32
    assert CIFAR.normalise(torch.rand(1, 3, 2, 2, dtype=torch.float64)).dtype == torch.float32


def test_normalised_by_their_own_statistics_pictures_have_mean_0_and_deviation_1() -> None:
    images = torch.randint(0, 256, (50, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    unit = images.double() / 255
    own = Preprocess(
        3,
        (8, 8),
        mean=tuple(unit.mean((0, 2, 3)).tolist()),
        std=tuple(unit.std((0, 2, 3), correction=0).tolist()),
    )
    inputs = own.normalise(images)
    assert torch.allclose(inputs.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(inputs.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


def test_inputs_are_the_centre_normalised() -> None:
    cropped = replace(CIFAR, size=(16, 16), crop=(6, 9))
    inputs = cropped.inputs(every_byte())
    assert inputs.shape == (2, *cropped.input_shape) == (2, 3, 6, 9)
    assert torch.equal(inputs, CIFAR.normalise(every_byte())[:, :, 5:11, 3:12])


@pytest.mark.parametrize(
    "preprocess", [UNIT, GREY, replace(UNIT, size=(9, 5), resize="pad"), replace(GREY, resize="crop")]
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_is_brought_to_channels_and_size(preprocess: Preprocess, mode: str) -> None:
    small = preprocess.shrink(Image.new(mode, (40, 23), 90 if mode == "L" else (90, 90, 90)))
    assert small.dtype == np.uint8
    assert small.shape == (preprocess.channels, *preprocess.size)
    if preprocess.resize != "pad":
        assert (np.abs(small.astype(int) - 90) <= 1).all()


def test_what_files_hold_is_what_they_always_held() -> None:
    viewed = replace(GREY, crop=(4, 3), resample="box", views=Views(crops=3, zooms=(0.9,)))
    assert json.dumps(viewed.to_dict()) == (
        '{"channels": 1, "size": [5, 5], "resize": "squash", "crop": [4, 3], "mean": [0.5], "std": [0.25], '
        '"resample": "box", "views": {"crops": 3, "scales": [1.0], "zooms": [0.9], "mirror": false}}'
    )


def test_files_of_earlier_versions_are_read() -> None:
    told = {"channels": 1, "size": [5, 5], "resize": "squash", "crop": None, "mean": [0.5], "std": [0.25]}
    assert Preprocess.from_dict(told) == GREY


@pytest.mark.parametrize("preprocess", [UNIT, CIFAR, GREY, replace(CIFAR, resize="pad", crop=(2, 3))])
def test_there_and_back_through_json(preprocess: Preprocess) -> None:
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 2},
        {"channels": 1},
        {"mean": [0.0]},
        {"std": [1.0, 0.0, 1.0]},
        {"std": [1.0, -1.0, 1.0]},
        {"crop": [5, 6]},
        {"crop": [4]},
        {"resize": "stretch"},
        {"size": [4]},
        {"size": None},
        {"mean": None},
        {"mean": ["a", "b", "c"]},
    ],
)
def test_a_damaged_value_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        Preprocess.from_dict({**UNIT.to_dict(), **wrong})


@pytest.mark.parametrize("key", ["channels", "size", "resize", "crop", "mean", "std"])
def test_a_missing_value_is_refused(key: str) -> None:
    values = UNIT.to_dict()
    del values[key]
    with pytest.raises(KeyError):
        Preprocess.from_dict(values)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": 4}, "1 or 3 channels, not 4"),
        ({"mean": (0.5,)}, "mean and std need 3 values each"),
        ({"std": (1.0, 1.0)}, "mean and std need 3 values each"),
        ({"std": (1.0, 0.0, 1.0)}, r"std must lie between 1e-06 and 1000: \[1.0, 0.0, 1.0\]"),
        ({"std": (1.0, 1.0, 1e-320)}, "std must lie between"),
        ({"std": (1.0, 1.0, 1e38)}, "std must lie between"),
        ({"mean": (0.0, 1e308, 0.0)}, r"mean must lie between -1000 and 1000: \[0.0, 1e\+308, 0.0\]"),
        ({"crop": (4, 7)}, r"the crop \[4, 7\] is larger than the pictures, \[4, 6\]"),
    ],
)
def test_what_cannot_be_is_told(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(UNIT, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"std": (float("nan"), 1.0, 1.0)},
        {"mean": (float("nan"), 0.0, 0.0)},
        {"mean": (float("inf"), 0.0, 0.0)},
        {"size": (0, 6)},
        {"size": (-4, 6)},
        {"crop": (0, 3)},
        {"crop": (-1, 3)},
    ],
)
def test_what_would_only_fail_later_is_refused_now(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        replace(UNIT, **wrong)
