import shutil
import sys
import tomllib
from collections import namedtuple
from pathlib import Path

import pytest

from retinula import diagnosis, extras
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
    assert {each.what for each in diagnose() if each.state == "found"} == {f"extra {extra}" for extra in EXTRAS}
    assert {each.state for each in diagnose()} == {"fine", "found"}
    assert str(tmp_path / "runs") in found("runs").detail
    assert "digits" in found("data").detail
    assert not (tmp_path / "runs").exists(), "nothing is made"


@pytest.mark.parametrize(("cores", "words"), [(1, ", 1 core,"), (2, ", 2 cores,")])
def test_one_core_is_one(cores: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = {"accelerator": None, "processor": "P", "cores": cores, "memory_gib": None, "bfloat16_units": "none"}
    monkeypatch.setattr(diagnosis, "describe_machine", lambda: machine)
    assert words in found("machine").detail


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "captum" else object())
    assert found("extra explain").state == "missing"
    assert "pip install 'retinula[explain]'" in found("extra explain").detail
    assert found("extra serve").state == "found"


@pytest.mark.parametrize(("extra", "module"), [("export", "onnxscript"), ("serve", "uvicorn")])
def test_half_an_extra_is_missing(extra: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == module else object())
    assert found(f"extra {extra}").state == "missing"
    assert f"without {module}: pip install 'retinula[{extra}]'" in found(f"extra {extra}").detail
    assert [each.what for each in diagnose() if each.state == "missing"] == [f"extra {extra}"]


BROKEN = {
    "captum": "raise ImportError('libfoo.so.6: no such file\\nwhile loading')",
    "cleanlab": "print('noise', end=''); import torn_and_missing",
    "uvicorn": "import os; os._exit(9)",
}


def test_what_is_installed_but_broken_is_noticed_by_loading_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for extra in EXTRAS.values():
        for module in extra.modules:
            (tmp_path / f"{module}.py").write_text(BROKEN.get(module, ""))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "onnx.py").write_text("raise ValueError('what lies in the folder is not looked at')")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "tensorboard" else object())
    told: list[str] = []
    findings = diagnose(load=True, progress=lambda what, done, total: told.append(what))
    assert {each.what: (each.state, each.detail) for each in findings if each.what.startswith("extra ")} == {
        "extra explain": ("failing", "captum cannot be loaded (libfoo.so.6: no such file): install it anew"),
        "extra labels": ("failing", "cleanlab cannot be loaded (No module named 'torn_and_missing'): install it anew"),
        "extra models": ("fine", EXTRAS["models"].purpose),
        "extra export": ("fine", EXTRAS["export"].purpose),
        "extra serve": ("failing", "uvicorn cannot be loaded (its process ended with code 9): install it anew"),
        "extra track": ("missing", f"{EXTRAS['track'].purpose}; without tensorboard: pip install 'retinula[track]'"),
        "extra tune": ("fine", EXTRAS["tune"].purpose),
    }
    assert told.count("loading onnxruntime") == 1, "two extras have it"
    assert "loading tensorboard" not in told


@pytest.fixture
def explain_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the only module that there is to load."""
    monkeypatch.setattr(diagnosis, "EXTRAS", {"explain": EXTRAS["explain"]})
    monkeypatch.setattr(extras, "find_spec", lambda module: object())
    (tmp_path / "installed").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    return tmp_path / "installed" / "captum.py"


def test_what_never_returns_is_given_up(explain_alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explain_alone.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(diagnosis, "_SECONDS", 2)
    (finding,) = (each for each in diagnose(load=True) if each.what == "extra explain")
    assert finding.state == "failing"
    assert finding.detail == "captum cannot be loaded (it took more than 2 seconds): install it anew"


def test_the_package_need_not_be_installed(explain_alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explain_alone.touch()
    monkeypatch.setattr(sys, "executable", sys._base_executable)  # type: ignore[attr-defined] # Python without packages
    (finding,) = (each for each in diagnose(load=True) if each.what == "extra explain")
    assert (finding.state, finding.detail) == ("fine", EXTRAS["explain"].purpose)


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
