"""What a closer look has found, written and read again."""

import inspect
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from retinula.datasets.reading import SplitName
from retinula.errors import InputError
from retinula.evaluation.findings import Inspected, Inspection, add_inspection, read_inspection
from retinula.evaluation.robustness import Robustness
from retinula.evaluation.text import LOOKS
from retinula.files.durable import write_json
from retinula.inspection import look_closer


def found(split: SplitName) -> Inspected:
    return Inspected("made", split, "", Inspection(duplicates={}))


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
    with pytest.raises(InputError, match=r"inspection\.json is not whole; look again with: retinula report") as caught:
        read_inspection(tmp_path / "inspection.json", "test")
    assert "\n" not in str(caught.value)


def test_what_was_not_looked_for_is_named_and_joined_with_what_is_newer() -> None:
    spoilt, newer = (Robustness(1, 1, clean, {"fog": (0.5,) * 5}) for clean in (0.8, 0.9))
    first = Inspection(robustness=spoilt, duplicates={})
    assert (Inspection().unlooked, first.unlooked) == (
        ("corruptions", "labels", "duplicates", "embedding"),
        ("labels", "embedding"),
    )
    assert set(Inspection().unlooked) <= inspect.signature(look_closer).parameters.keys()
    assert set(Inspection().unlooked) == LOOKS.keys()
    joined = first.joined(Inspection(robustness=newer))
    assert (joined.robustness, joined.duplicates) == (newer, {})
    assert first.joined(Inspection()).to_dict() == first.to_dict()


def test_nobody_has_looked_or_may_not(tmp_path: Path) -> None:
    assert read_inspection(tmp_path / "inspection.json", "test") is None
    (tmp_path / "inspection.json").mkdir()
    for file in (tmp_path / "inspection.json", tmp_path / ("x" * 300) / "inspection.json"):
        with pytest.raises(InputError, match="cannot be read"):
            read_inspection(file, "test")
    with pytest.raises(InputError, match="cannot be read"):
        add_inspection(tmp_path / ("x" * 300) / "inspection.json", found("test"))


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "inspection.json"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"inspection\.json: not an ordinary file"):
        read_inspection(pipe, "test")
    with pytest.raises(InputError, match=r"inspection\.json: not an ordinary file"):
        add_inspection(pipe, found("test"))


@pytest.mark.parametrize("damage", ["3", '{"dataset": "made", "embedding": []}'])
@pytest.mark.parametrize(("damaged", "looked"), [("test", "test"), ("test", "validation")])
def test_a_damaged_split_takes_nothing_away_of_another(
    damaged: SplitName, looked: SplitName, damage: str, tmp_path: Path
) -> None:
    file = tmp_path / "inspection.json"
    add_inspection(file, found("validation"))
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {damaged: json.loads(damage)}))
    add_inspection(file, found(looked))
    kept = read_inspection(file, "validation")
    assert kept is not None
    assert kept.found.duplicates == {}
    assert json.loads(file.read_text())["validation"] == values["validation"]
    assert (read_inspection(file, looked) or kept).split == looked


def test_what_could_not_be_written_again_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "inspection.json"
    file.write_text('{"validation": {"dataset": "made", "robustness": NaN}}')
    add_inspection(file, found("test"))
    assert read_inspection(file, "test") is not None
    assert read_inspection(file, "validation") is None


def test_of_two_who_look_at_once_both_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_read = threading.Barrier(2)

    def late(file: Path, values: dict[str, Any]) -> None:
        with suppress(threading.BrokenBarrierError):
            both_read.wait(0.3)  # only one can be here where the other waits for it
        write_json(file, values)

    monkeypatch.setattr("retinula.evaluation.findings.write_json", late)
    file = tmp_path / "inspection.json"
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(add_inspection, file, found(split)) for split in ("test", "validation")]:
            done.result()
    assert read_inspection(file, "test") is not None
    assert read_inspection(file, "validation") is not None
