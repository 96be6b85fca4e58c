from pathlib import Path

import pytest

from benchmarks import turns

SIDE = """
import sys
print("some words before it")
print({"quick": 0.5, "slow": 1.5}.get(sys.argv[1], "not a figure"))
sys.exit({"lacking": 3, "broken": 1}.get(sys.argv[1], 0))
"""


@pytest.fixture
def side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "side.py").write_text(SIDE)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("side")
def test_sides_are_measured_in_processes_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    sides = {name: ["side", name] for name in ("slow", "lacking", "quick")}
    turns.compare(sides, 2, lambda seconds: f"{seconds:.1f} s")
    assert capsys.readouterr().out.splitlines() == [
        f"slow   {'1.5 s':>22}  1.00 (1.00 to 1.00) x slow",
        f"quick  {'0.5 s':>22}  3.00 (3.00 to 3.00) x slow",
    ]


@pytest.mark.usefixtures("side")
def test_a_side_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="this failed: python -m side broken"):
        turns.in_turns({"broken": ["side", "broken"]}, 1)


@pytest.mark.usefixtures("side")
def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(SystemExit, match="no side could be measured"):
        turns.compare({"lacking": ["side", "lacking"]}, 1, str)


def test_ratios_are_those_of_each_round(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    figures = iter([4.0, 1.0, 8.0, 4.0, 3.0, 1.0])
    monkeypatch.setattr(turns, "seconds_of", lambda _: next(figures))
    turns.compare({"theirs": [], "ours": []}, 3, lambda seconds: f"{seconds:.0f} s")
    assert capsys.readouterr().out.splitlines()[1].endswith("1 s  3.00 (2.00 to 4.00) x theirs")


def test_what_is_missing_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        turns.need("no_such_peer.transforms")
    assert left.value.code == turns.LACKING
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("left out: no_such_peer is missing or unfit (")
    assert line.endswith("pip install no_such_peer")


def test_the_first_laps_do_not_count() -> None:
    assert turns.typical([9.0, 9.0, 9.0, 1.0, 2.0, 6.0]) == 2.0
    assert len(turns.laps(iter(range(5)))) == 5


@pytest.mark.parametrize("word", ["0", "-1", "x"])
def test_rounds_are_a_number_from_1(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        turns.arguments("about", rounds=3).parse_args(["--rounds", word])
    assert left.value.code == 2
    assert "--rounds" in capsys.readouterr().err
