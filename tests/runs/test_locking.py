"""The lock of a run's folder: one process trains in it, and to look whether one does disturbs nobody."""

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from retinula.errors import RetinulaError, refused_by_system
from retinula.recipe.files import load_recipe
from retinula.runs import locking
from retinula.runs.locking import LOCK, is_locked, lock_folder
from retinula.runs.run import Run, create_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(load_recipe("digits"), {}, root=tmp_path)


def test_only_one_process_trains_in_a_folder(run: Run) -> None:
    with run.lock(), pytest.raises(RetinulaError, match="another process is training"):
        run.lock()
    with run.lock():
        pass


def test_who_only_looks_whether_somebody_trains_keeps_nobody_from_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for patience in ("_PATIENCE_SECONDS", "_LOOKING_SECONDS"):
        monkeypatch.setattr(locking, patience, 30.0)  # on a busy machine a moment may be long

    def look_for_a_moment() -> None:
        looking = FileLock(run.path / LOCK, thread_local=False)
        looking.acquire()
        threading.Timer(0.1, looking.release).start()

    look_for_a_moment()
    assert not run.in_training(), "as it is for whoever looks beside it"
    look_for_a_moment()
    with run.lock():
        monkeypatch.undo()
        assert run.in_training()
    assert not run.in_training()


def test_looking_leaves_no_file(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_named_and_nobody_trains_in_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (run.path / LOCK).touch()
    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(RetinulaError, match="Permission denied") as caught:
        lock_folder(run.path)
    assert str(run.path) in str(caught.value)
    assert refused_by_system(caught.value)
    assert not is_locked(run.path)
