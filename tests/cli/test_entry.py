"""Whatever asks the command to stop, and whenever, ends it in one line with its temporary files removed."""

import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retinula import __main__
from retinula.cli import entry, main
from retinula.files.durable import replacing
from retinula.recipe import files as recipe_files
from retinula.training.interruption import ASKING, stop_requests


@pytest.fixture(autouse=True)
def _as_started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals as a new process has them, and afterwards as they were."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    before = {number: signal.getsignal(number) for number in ASKING}
    for number in ASKING:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def code_of(monkeypatch: pytest.MonkeyPatch, work: Callable[[], dict[str, str]]) -> int:
    """Return the exit code of a command that does this work."""
    monkeypatch.setattr(recipe_files, "shipped", work)
    monkeypatch.setattr(sys, "argv", ["retinula", "recipes"])
    with pytest.raises(SystemExit) as left:
        entry.main()
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize("number", ASKING)
def test_a_wish_to_stop_leaves_no_temporary_file(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write() -> dict[str, str]:
        with replacing(tmp_path / "file") as temporary:
            temporary.write_text("half")
            signal.raise_signal(number)
            raise AssertionError("nothing stopped it")

    assert code_of(monkeypatch, write) == 130
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err.strip() == "retinula: interrupted"


def test_what_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def go_on() -> dict[str, str]:
        signal.raise_signal(signal.SIGTERM)
        return {}

    assert code_of(monkeypatch, go_on) == 0


def test_one_of_several_processes_ends_by_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """By it whoever started them tells the process that failed from those that it ended itself."""
    monkeypatch.setenv("RANK", "0")
    seen = []

    def look() -> dict[str, str]:
        seen.append(signal.getsignal(signal.SIGTERM))
        return {}

    assert code_of(monkeypatch, look) == 0
    assert seen == [signal.SIG_DFL]


@pytest.mark.parametrize("number", ASKING)
def test_a_training_has_its_own_answer(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []

    def train() -> dict[str, str]:
        with stop_requests() as asked:
            signal.raise_signal(number)
            answers.append(asked())
        signal.raise_signal(number)
        raise AssertionError("nothing stopped it")

    assert code_of(monkeypatch, train) == 130
    assert answers == [True]


def test_ctrl_c_while_modules_load_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Impatient:
        def find_spec(self, name: str, *_: object) -> None:
            if name == main.__name__:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, main.__name__)
    with pytest.raises(SystemExit) as left:
        entry.main()
    assert left.value.code == 130
    assert capsys.readouterr().err == "retinula: interrupted\n"


def test_both_ways_in_lead_here_and_nothing_large_is_loaded_for_it(tmp_path: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"retinula": f"{entry.__name__}:main"}
    assert vars(__main__)["main"] is entry.main
    code = f"import sys, {entry.__name__}; print({{'typer', 'numpy', 'torch'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "set()\n"
