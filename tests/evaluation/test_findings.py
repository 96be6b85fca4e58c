"""What a closer look has found, written and read again."""

from pathlib import Path

import pytest

from retinula.errors import InputError
from retinula.evaluation.findings import read_inspection


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"test": 3}',
        "[" * 100_000,
        '{"dataset": "a", "split": "test", "robustness": {"accuracy": {}}}',
        '{"dataset": "a", "split": "test", "robustness": []}',
        '{"dataset": "a", "split": "test", "label_errors": {"num_images": 3, "method": "", "errors": [{}]}}',
        '{"dataset": "a", "split": "test", "near_duplicates": {"within a": [{"index": -1}]}}',
        '{"dataset": "a", "split": "test", "near_duplicates": []}',
        '{"dataset": "a", "split": "test", "embedding": {"method": "", "indices": [1], "points": [[NaN, 0]]}}',
        '{"dataset": "a", "split": "test", "embedding": {"method": "", "indices": [-1], "points": [[0, 0]]}}',
        '{"dataset": "a", "split": "test", "embedding": {"method": "", "indices": [1e400], "points": [[0, 0]]}}',
    ],
)
def test_a_file_that_is_not_whole_is_refused_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "inspection.json").write_text(content)
    with pytest.raises(
        InputError, match=r"inspection\.json is not whole; look again with: retinula evaluate"
    ) as caught:
        read_inspection(tmp_path / "inspection.json", "test")
    assert "\n" not in str(caught.value)


def test_nobody_has_looked_or_may_not(tmp_path: Path) -> None:
    assert read_inspection(tmp_path / "inspection.json", "test") is None
    (tmp_path / "inspection.json").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_inspection(tmp_path / "inspection.json", "test")
