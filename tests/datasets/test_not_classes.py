from itertools import product

import pytest

from retinula.datasets.not_classes import doubted_classes, is_quantity, several_labels

WEATHER = ("clear primary", "haze primary", "agriculture clear primary", "clear primary road", "haze primary water")
PLANET = [
    *("cloudy", *WEATHER, "agriculture clear primary road", "clear primary water", "agriculture haze primary"),
    *("clear primary road water", "haze primary road", "haze primary road water", "agriculture haze primary road"),
    "agriculture clear primary road water",
]


@pytest.mark.parametrize(
    "labels",
    [
        PLANET,
        [label.replace(" ", "|") for label in PLANET],
        ["cat", "dog", "owl", "cat|dog", "cat|owl", "dog|owl"],
        ["cat", "dog", "owl", "cat, dog", "cat, owl", "dog; owl", "cat, dog, owl"],
        ["['cat']", "['dog']", "['owl']", "['cat', 'dog']", "['cat', 'owl']", "['cat', 'dog', 'owl']"],
        ["0", "1", "16", "25", "16 0", "25 1", "0 1 16"],
    ],
)
def test_several_labels_of_a_picture(labels: list[str]) -> None:
    assert several_labels(labels) in labels
    assert doubted_classes(labels)[0].startswith(f"{several_labels(labels)!r} looks like several labels")


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["cat", "dog"],
        ["fire", "truck", "fire truck", "sea lion", "lion"],
        [
            "apple pie",
            "baby back ribs",
            "hot dog",
            "hot and sour soup",
            "chocolate cake",
            "chocolate mousse",
            "carrot cake",
        ],
        ["Black footed Albatross", "Laysan Albatross", "Sooty Albatross", "Black Tern", "Arctic Tern", "Common Tern"],
        ["dog", "dog, small", "dog, big", "cat", "cat, small", "cat, big"],
        ["Doe, John", "Doe, Jane", "Smith, John", "Smith, Jane", "Doe", "Smith"],
        ["tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark, white shark, man-eater"],
        [
            " ".join(words)
            for words in product(("red", "blue", "green", "black", "white"), ("car", "bus", "van", "bike", "jet"))
        ],
        [" ".join(words) for words in product(("John", "Jane", "Ann", "Max"), ("Doe", "Smith", "Lee", "Fox"))],
        [
            " ".join(words)
            for words in product(("Audi", "BMW"), ("S4", "S5", "S6"), ("Sedan", "Coupe"), ("2011", "2012"))
        ],
        [f"class {number}" for number in range(100)],
        [f"{number}" for number in range(100)],
        [r"\\alpha", r"\\int", "A", "a", "|", ",", ";"],
    ],
)
def test_names_of_classes_are_not_several(labels: list[str]) -> None:
    assert several_labels(labels) == ""
    assert doubted_classes(labels) == []


@pytest.mark.parametrize(
    ("labels", "column"),
    [
        ([str(number) for number in range(1, 86)], "age"),
        ([str(number) for number in range(1, 86)], "Age (years)"),
        ([f"{number}.0" for number in range(20)], "bone_age"),
        ([f"{number / 7:.2f}" for number in range(40)], ""),
        ([f"{number / 7:.2f}" for number in range(40)], "label"),
    ],
)
def test_quantities(labels: list[str], column: str) -> None:
    assert is_quantity(labels, column)


@pytest.mark.parametrize(
    ("labels", "column"),
    [
        ([], "age"),
        ([str(number) for number in range(100)], "label"),
        ([str(number) for number in range(0, 1500, 7)], "person"),
        ([f"{number}.0" for number in range(100)], "target"),
        ([str(number) for number in range(10)], "age"),
        ([str(number) for number in range(30)], "age_group"),
        ([str(number) for number in range(30)], "age_range"),
        ([str(number) for number in range(30)], "weight category"),
        ([str(number) for number in range(30)], "passage"),
        (["1.1", "1.2", "2.1", "2.2"], "grade"),
        ([*(str(number) for number in range(30)), "unknown"], "age"),
    ],
)
def test_numbered_classes_are_no_quantities(labels: list[str], column: str) -> None:
    assert not is_quantity(labels, column)
