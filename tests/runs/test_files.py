"""Files of a run that somebody has edited are refused in one line that says what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError
from retinula.runs.files import EPOCH_COLUMNS, read_environment, read_epochs, read_report, read_steps
from small_runs import SURROUNDINGS, epoch_row, whole_report


def refusal(read: Callable[[Path], Any], file: Path, content: str | bytes) -> str:
    """What is said of a file, in one line."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        read(file)
    said = str(caught.value)
    assert said.startswith(str(file))
    assert "\n" not in said
    return said.removeprefix(str(file))


@pytest.mark.parametrize("read", [read_report, read_environment])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "not a text file in UTF-8"),
        ("{", "not readable as JSON"),
        ('{"a":' + "[" * 100_000, "not readable as JSON"),
        ('{"a": NaN}', "not readable as JSON (NaN is no finite number)"),
        ('{"a": [-Infinity]}', "not readable as JSON (-Infinity is no finite number)"),
        ('{"a": 1e400}', "not readable as JSON (1e400 is no finite number)"),
        ('{"a": ' + "9" * 400 + "}", "not readable as JSON (" + "9" * 20 + " is no finite number)"),
        ("[]", "expected a JSON object"),
    ],
)
def test_what_is_no_json_of_finite_numbers_is_refused(
    read: Callable[[Path], Any], content: str | bytes, words: str, tmp_path: Path
) -> None:
    assert words in refusal(read, tmp_path / "report.json", content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, "'data' is no table"),
        ({"training": "x"}, "'training' is no table"),
        ({"evaluations": [1]}, "'evaluations' is no table"),
        ({"evaluations": {"digits/test": 7}}, "'evaluations.digits/test' is no table"),
        ({"evaluations": {"digits/test": {"accuracy": "x"}}}, "'evaluations.digits/test.accuracy' is no number"),
        (
            {"evaluations": {"a": {"denoising": [{"noise": 0.1}]}}},
            "there is no 'evaluations.a.denoising[0].psnr' in it",
        ),
        ({"evaluations": {"a": {"denoising": 0.1}}}, "'evaluations.a.denoising' is no list"),
        ({"parameters": 7.5}, "'parameters' is no whole number of 0 or more"),
        ({"parameters": -7}, "'parameters' is no whole number of 0 or more"),
        ({"parameters": True}, "'parameters' is no whole number of 0 or more"),
        ({"network": None}, "'network' is no text"),
        ({"photos": [1]}, "'photos' is no table"),
        ({"machine": "x"}, "'machine' is no table"),
        ({"went_on": [{"machine": 7, "versions": {}}]}, "'went_on[0].machine' is no table"),
    ],
)
def test_a_report_has_its_parts_of_their_kinds(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert refusal(read_report, tmp_path / "report.json", json.dumps(whole_report() | change)) == f": {words}"


def test_a_report_lacks_nothing_that_every_training_writes(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    for key in ("data", "training", "evaluations", "network"):
        lacking = {name: value for name, value in whole_report().items() if name != key}
        assert refusal(read_report, file, json.dumps(lacking)) == f": there is no {key!r} in it"
    whole = whole_report(training={"val_loss": None}, photos=None, more={"of": "a newer version"})
    file.write_text(json.dumps(whole))
    assert read_report(file) == whole


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, "'data' is no table"),
        ({"machine": [1]}, "'machine' is no table"),
        ({"started": 7}, "'started' is no text"),
        ({"command": ["retinula", 7]}, "'command[1]' is no text"),
        ({"went_on": [{"machine": {}, "versions": {}}]}, "there is no 'went_on[0].after_step' in it"),
    ],
)
def test_surroundings_have_their_parts_of_their_kinds(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert refusal(read_environment, tmp_path / "environment.json", json.dumps(SURROUNDINGS | change)) == f": {words}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": "a"}, "'epoch' is no whole number of 0 or more"),
        ({"step": 2.5}, "'step' is no whole number of 0 or more"),
        ({"step": True}, "'step' is no whole number of 0 or more"),
        ({"loss": None}, "'loss' is no number"),
        ({"loss": "x"}, "'loss' is no number"),
        ({"val_loss": "x"}, "'val_loss' is no number"),
        ({"seconds": []}, "'seconds' is no number"),
        ({"loss": float("nan")}, "not readable as JSON (NaN is no finite number)"),
    ],
)
def test_epochs_have_values_of_their_kinds(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    lines = [json.dumps(row) + "\n" for row in (epoch_row(1), {**epoch_row(2), **change})]
    assert refusal(read_epochs, tmp_path / "metrics.jsonl", "".join(lines)) == f", line 2: {words}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"\xff}\n", "not a text file in UTF-8"),
        (b'{"epoch": ' + b"[" * 100_000 + b"}\n", "not readable as JSON"),
        (b'{"epoch": 1, "step": ' + b"9" * 5000 + b"}\n", "not readable as JSON"),
        (b'{"epoch": 1, "step": 1}\n', "line 1: there is no 'loss' in it"),
    ],
)
def test_damaged_epochs_are_refused(line: bytes, words: str, tmp_path: Path) -> None:
    assert words in refusal(read_epochs, tmp_path / "metrics.jsonl", line)


def test_an_epoch_has_every_column_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    few = {"epoch": 1, "step": 4, "loss": 0.5, "learning_rate": 0.1, "seconds": 2, "of a newer version": 1}
    file.write_text(json.dumps(few) + "\n")
    (row,) = read_epochs(file)
    assert tuple(row) == EPOCH_COLUMNS
    assert (row["step"], row["val_accuracy"]) == (4, None)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"1,1,abc,0.1,0.2\n", "not readable as a table of numbers"),
        (b"1,1,\xff,0.1,0.2\n", "not a text file in UTF-8"),
        (b"1.5,1,0.5,0.1,0.2\n", "a row has a step or an epoch that is no whole number"),
        (b"1,nan,0.5,0.1,0.2\n", "a row has a number that is not finite"),
        (b"1,1,0.5,inf,0.2\n", "a row has a number that is not finite"),
    ],
)
def test_a_damaged_table_of_steps_is_refused(row: bytes, words: str, tmp_path: Path) -> None:
    assert words in refusal(read_steps, tmp_path / "steps.csv", b"step,epoch,loss,learning_rate,seconds\n" + row)
