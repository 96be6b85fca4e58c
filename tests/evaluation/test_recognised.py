"""What of some pictures a model has learned."""

import numpy as np
import pytest

from retinula.evaluation.recognised import NOTHING_KNOWN, Learned

SOME = np.array([True, False, True])


@pytest.mark.parametrize(
    ("learned", "number", "by_heart", "all_known"),
    [
        (NOTHING_KNOWN, None, [False] * 3, False),
        (Learned(from_these=True), None, [True] * 3, True),
        (Learned(each=SOME), 2, [True, False, True], True),
        (Learned(each=~SOME, at_least=True), 1, [False, True, False], False),
        (Learned(at_least=True), None, [False] * 3, False),
        (Learned(True, SOME), 2, [True, False, True], True),  # a whole set, of which it has set some apart
    ],
)
def test_by_heart_is_what_is_known_to_be_learned(
    learned: Learned, number: int | None, by_heart: list[bool], all_known: bool
) -> None:
    assert learned.number == number
    assert learned.by_heart(3).tolist() == by_heart
    assert learned.is_all_known == all_known
