import shutil
import tomllib
from collections import namedtuple
from pathlib import Path

import pytest

from retinula import extras
from retinula.diagnosis import Finding, diagnose
from retinula.extras import EXTRAS


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
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "captum" else object())
    assert found("extra explain").state == "missing"
    assert "pip install 'retinula[explain]'" in found("extra explain").detail
    assert found("extra serve").state == "fine"


@pytest.mark.parametrize(("extra", "module"), [("export", "onnxscript"), ("serve", "uvicorn")])
def test_half_an_extra_is_missing(extra: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == module else object())
    assert found(f"extra {extra}").state == "missing"
    assert f"without {module}: pip install 'retinula[{extra}]'" in found(f"extra {extra}").detail
    assert [each.what for each in diagnose() if each.state == "missing"] == [f"extra {extra}"]


def test_extras_are_those_that_can_be_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    packages = project["optional-dependencies"]
    assert {
        extra: {package.partition(">=")[0].replace("-", "_") for package in packages[extra]}
        for extra in packages
        if extra != "dev"
    } == {extra: set(modules) for extra, (modules, _) in EXTRAS.items()}


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
