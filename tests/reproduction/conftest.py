"""An empty folder to reproduce in, and runs that need no training."""

from pathlib import Path

import pytest

from small_reproductions import leave_undrawn, run_it, settle


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, tmp_path)


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_undrawn(monkeypatch)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs that `run_it(2)` leaves, undrawn, trained once for all tests: `finished_runs` gives copies."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        settle(patch, folder)
        leave_undrawn(patch)
        patch.setenv("RETINULA_CACHE", str(folder / "cache"))
        run_it(2)
    return folder / "runs"
