"""The views of a photo: where they lie, and that they can be kept and told."""

import json
from dataclasses import replace
from typing import Any

import pytest

from retinula.pictures.views import Views


def test_crops_are_where_they_are_said_to_be() -> None:
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


def test_zooms_have_the_proportions_of_the_photo() -> None:
    assert Views(zooms=(1.0, 0.5)).boxes((80, 48), 1) == [(0, 0, 80, 48), (20, 12, 60, 36)]


def test_there_and_back_through_json() -> None:
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
def test_a_damaged_value_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        Views.from_dict({**Views().to_dict(), **wrong})


def test_they_can_be_told() -> None:
    assert str(Views()) == "the whole"
    assert str(Views(crops=1)) == "the whole and 1 crop"
    views = Views(crops=5, scales=(1.0, 0.8), zooms=(0.9,), mirror=True)
    assert str(views) == "the whole and zoom 0.9 and 5 crops at scale 1, 0.8, each mirrored too"
    assert views.number == 24
    assert replace(views, crops=0).number == 4
