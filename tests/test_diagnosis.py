import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from retinula import diagnosis
from retinula.diagnosis import Finding, diagnose


def found(what: str) -> Finding:
    (finding,) = (each for each in diagnose() if each.what == what)
    return finding


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RETINULA_DATA", raising=False)


def test_a_whole_installation_is_fine(tmp_path: Path) -> None:
    assert {each.state for each in diagnose()} == {"fine"}
    assert str(tmp_path / "runs") in found("runs").detail
    assert "digits" in found("data").detail
    assert not (tmp_path / "runs").exists(), "nothing is made"


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "find_spec", lambda module: None if module == "captum" else object())
    assert found("extra explain").state == "missing"
    assert "pip install 'retinula[explain]'" in found("extra explain").detail
    assert found("extra serve").state == "fine"


def test_folders_that_take_nothing_are_failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETINULA_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("no folder")
    assert found("cache").state == "failing"
    assert str(tmp_path / "file" / "cache") in found("cache").detail
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 2**20))
    assert found("runs").state == "failing"
    assert "1 MiB left; make room" in found("runs").detail


def test_a_folder_of_data_that_is_none_is_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETINULA_DATA", "/no/such/folder")
    assert found("data").state == "failing"
    assert "/no/such/folder" in found("data").detail
