"""Packages that are installed but broken: the command that uses one says so in one line."""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from command_line import run_command
from retinula.extras import EXTRAS

# By module: the words of a command that uses it, and what its loading fails with.
BROKEN = {
    "captum": (("explain", "mine", "cat.png"), ImportError("libfoo.so.6: no such file\nwhile loading")),
    "cleanlab": (("evaluate", "mine", "--labels"), ModuleNotFoundError("No module named 'tqdm'")),
    "timm": (("models", "timm/resnet18"), RuntimeError("operator torchvision::nms does not exist")),
    "onnx": (("export", "mine"), TypeError("Descriptors cannot be created directly")),
    "onnxruntime": (("export", "mine"), OSError("libonnxruntime.so: invalid ELF header")),
    "onnxscript": (("export", "mine"), AttributeError("module 'onnx' has no attribute 'x'")),
    "starlette": (("serve", "mine"), ModuleNotFoundError("No module named 'anyio'")),
    "uvicorn": (("serve", "mine"), SyntaxError("invalid syntax")),
    "python_multipart": (("serve", "mine"), KeyError("version")),
    "tensorboard": (("train", "digits", "track=tensorboard"), RuntimeError("built for another protobuf")),
    "optuna": (("tune", "digits", "lr=0.01..0.1"), ModuleNotFoundError("No module named 'alembic'")),
}


class Torn:
    """Finds one module, whose loading fails."""

    def __init__(self, name: str, error: Exception) -> None:
        self._name, self._error = name, error

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._name else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python."""

    def exec_module(self, module: ModuleType) -> None:
        raise self._error


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture and a run `mine` of two steps."""
    place = tmp_path_factory.mktemp("broken")
    Image.new("RGB", (9, 9), "red").save(place / "cat.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("RETINULA_CACHE", str(place / "cache"))
        patch.setattr(sys, "argv", ["retinula", "train", "digits", "--run", "mine", "training.steps=2"])
        from retinula.cli import main

        with pytest.raises(SystemExit) as left:
            main.main()
    assert left.value.code == 0
    return place


def test_all_modules_of_all_extras_are_broken_here() -> None:
    assert {module for extra in EXTRAS.values() for module in extra.modules} == BROKEN.keys()


@pytest.mark.parametrize("package", BROKEN)
def test_a_broken_package_is_told_in_one_line(
    place: Path, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, error = BROKEN[package]
    for name in list(sys.modules):
        if f"{name}.".startswith((f"{package}.", "retinula.tuning.ledger.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Torn(package, error), *sys.meta_path])
    monkeypatch.chdir(place)
    _, complaint = run_command(monkeypatch, capsys, *words, code=2)
    reason = str(error).partition("\n")[0]
    assert complaint.splitlines()[-1] == f"retinula: {package} cannot be loaded ({reason}): install it anew"
