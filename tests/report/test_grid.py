"""Where a confusion matrix of many classes is drawn: every field has its place, and every name that is written room."""

from itertools import pairwise

import pytest

from retinula.report.grid import COLUMN, GAP, LARGEST, LINE, MOST_COLUMNS, SMALLEST, WORDS, grid
from retinula.text.words import num_columns


@pytest.mark.parametrize(("number", "field", "step"), [(21, 16, 1), (50, 16, 1), (70, 11, 2), (100, 8, 2), (120, 8, 2)])
def test_names_stand_at_their_fields_and_have_a_line_each(number: int, field: int, step: int) -> None:
    drawn = grid([f"class {place}" for place in range(number)])
    assert SMALLEST <= drawn.field == field <= LARGEST
    assert [name.number for name in drawn.names] == list(range(0, number, step))
    assert [name.whole for name in drawn.names] == [f"class {place}" for place in range(0, number, step)]
    middles = [drawn.start + drawn.field * (name.number + 0.5) for name in drawn.names]
    assert all(other - one >= LINE for one, other in pairwise(middles))
    assert drawn.side == drawn.start + drawn.field * number + 1, "the last field's edge is drawn as well"
    assert drawn.rules == tuple(range(drawn.start + 10 * field, drawn.start + number * field, 10 * field))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a" * 24, "a" * 24),
        ("a" * 25, "a" * 23 + "\u2026"),
        ("a name of two and twenty letters", "a name of two and twent\u2026"),
        ("a name of two and 2000 very long words", "a name of two and 2000\u2026"),
        ("\u732b" * 13, "\u732b" * 11 + "\u2026"),
    ],
)
def test_a_long_name_is_cut_and_kept_whole_beside_it(name: str, shown: str) -> None:
    drawn = grid([name, *("b" for _ in range(20))])
    assert (drawn.names[0].shown, drawn.names[0].whole) == (shown, name)
    assert num_columns(shown) <= MOST_COLUMNS
    assert drawn.start == WORDS + round(COLUMN * num_columns(shown)) + GAP
