"""What is read as JSON can be written as JSON again, wherever it came from."""

import json

import pytest

from retinula.files.strict_json import read_json


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NaN", "NaN is no finite number"),
        ('{"a": [-Infinity]}', "-Infinity is no finite number"),
        ("1e400", "1e400 is no finite number"),
        ("9" * 400, "9" * 20 + " is no finite number"),
        (r'"\ud800"', "a text has half a character"),
        (r'{"\uDC00": 1}', "a text has half a character"),
        (r'["\ude00\ud83d"]', "a text has half a character"),
        ("{", "Expecting"),
    ],
)
def test_what_could_not_be_written_again_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_json(text)


@pytest.mark.parametrize("value", [{"a": [1, 1.5, -0.0, None, True]}, "😀 \\ud800 ü\0", 2**70, [[[]]], ""])
@pytest.mark.parametrize("escaped", [True, False])
def test_all_else_is_read_as_it_was_written(value: object, escaped: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=escaped)) == value
