"""Locks that save work: waited for with patience, and gone on without where they are held or not to be had."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest

from retinula.files import lock
from retinula.files.lock import locked, rewriting, unless_held

UNWRITABLE = (PermissionError(errno.EACCES, "Permission denied"), OSError("no locks here"), NotImplementedError())


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Let no lock be taken, for a reason of the system's."""

    def put(error: Exception) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(filelock.FileLock, "acquire", refuse)

    return put


def test_a_lock_is_held_by_one_and_let_go_of(tmp_path: Path) -> None:
    path, told = tmp_path / "set.lock", list[str]()
    with locked(path, lambda: told.append("waiting")) as held, unless_held(path) as beside:
        assert (held, beside) == (True, False)
    assert not told
    with pytest.raises(KeyError), locked(path):
        raise KeyError
    with unless_held(path) as held:
        assert held
    with unless_held(path) as held:
        assert held, "it was let go of"


def test_whoever_waits_says_so_once_and_goes_on_without(tmp_path: Path) -> None:
    path, told = tmp_path / "set.lock", list[str]()
    with locked(path), locked(path, lambda: told.append("waiting"), patience=0.05) as held:
        assert not held
    assert told == ["waiting"]


def test_what_is_rewritten_elsewhere_is_waited_for_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_REWRITING_SECONDS", 0.05)
    file, reached = tmp_path / "table.csv", list[bool]()
    with rewriting(file):
        assert [path.name for path in tmp_path.iterdir()] == [".table.lock"]
        with rewriting(file):
            reached.append(True)
        with unless_held(tmp_path / ".table.lock") as held:
            assert held is False, "whoever went on without it did not let go of another's"
    assert reached == [True]
    with unless_held(tmp_path / ".table.lock") as held:
        assert held


@pytest.mark.parametrize("error", UNWRITABLE, ids=lambda error: type(error).__name__)
def test_where_there_are_no_locks_nobody_waits(
    error: Exception, refusing: Callable[[Exception], None], tmp_path: Path
) -> None:
    refusing(error)
    told: list[str] = []
    with locked(tmp_path / "set.lock", lambda: told.append("waiting")) as held:
        assert held is False
    with unless_held(tmp_path / "set.lock") as held_now:
        assert held_now is None
    reached = False
    with rewriting(tmp_path / "table.csv"):
        reached = True
    assert reached
    assert not told
