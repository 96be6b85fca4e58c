"""Numbers and tables as people read them."""

import subprocess
import sys

import pytest

from retinula.text.words import duration, plural, sureness, table


def test_things_are_counted_in_their_own_plural() -> None:
    assert [plural(number, "step") for number in (0, 1, 2, 39_000)] == ["0 steps", "1 step", "2 steps", "39,000 steps"]
    assert [plural(number, "class", "classes") for number in (0, 1, 2)] == ["0 classes", "1 class", "2 classes"]


@pytest.mark.parametrize(("seconds", "words"), [(0.6, "1 second"), (1.5, "2 seconds"), (89.7, "90 seconds")])
def test_a_second_is_one(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_nothing_is_rounded_to_certainty() -> None:
    assert [sureness(share) for share in (1.0, 0.9995, 0.0)] == ["over 99.9 %", "over 99.9 %", "under 0.1 %"]


def test_numbers_stand_to_the_right() -> None:
    assert table(("name", "pictures", "what"), [("a", "1,797", "x"), ("longer", "5", "")]) == [
        "name    pictures  what",
        "a          1,797  x",
        "longer         5",
    ]


def test_a_dash_stands_for_a_number_and_wide_letters_take_two_columns() -> None:
    assert table(("run", "test", "x"), [("写真-1", "74.16%", "a"), ("cafe\u0301", "-", "-")]) == [
        "run       test  x",
        "写真-1  74.16%  a",
        "cafe\u0301         -  -",
    ]


def test_words_load_nothing_that_is_slow() -> None:
    code = "import sys, retinula.text.words; print(sorted({'matplotlib', 'numpy', 'torch'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
