"""`retinula results`: the page made of records, and what is said on the way."""

import json
import shutil
from pathlib import Path

import pytest

from command_line import run_command

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_written_and_what_is_left_out_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _, said = run_command(monkeypatch, capsys, "results", "--write", code=2)
    assert said.count("\n") == 1
    assert "no finished and evaluated run in" in said
    shutil.copytree(DOCS / "records", "docs/records")
    shutil.copy(DOCS / "results-earlier.md", "docs")
    Path("docs/records/broken").mkdir()
    Path("docs/records/broken/recipe.toml").write_text("{")
    _, said = run_command(monkeypatch, capsys, "results", "--write")
    assert said.count("left out docs/records/broken: ") == 1
    page = Path("docs/results.md").read_text(encoding="utf-8")
    assert page == (DOCS / "results.md").read_text(encoding="utf-8")
    assert run_command(monkeypatch, capsys, "results")[0] == page
    listed = json.loads(run_command(monkeypatch, capsys, "results", "--json")[0])
    assert {line["recipe"] for line in listed} <= set(page.split())
    assert sum(len(line["runs"]) for line in listed) == len(list((DOCS / "records").iterdir()))


def test_a_file_in_the_place_of_the_records_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DOCS / "records", "runs")
    Path("docs").write_text("")
    _, said = run_command(monkeypatch, capsys, "results", "--write", code=2)
    assert said.startswith("retinula: cannot write docs/records/")
    assert said.count("\n") == 1
