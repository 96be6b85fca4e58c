"""Extras: what is missing, and what is said of it."""

from pathlib import Path

import pytest

from retinula import extras
from retinula.errors import InputError
from retinula.extras import is_here, load, need


@pytest.fixture(autouse=True)
def _without_onnx_and_onnxscript(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"onnx", "onnxscript"}
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in missing else object())


def test_what_is_missing_is_named_and_how_to_install_it() -> None:
    with pytest.raises(InputError) as caught:
        need("export", "an ONNX file")
    message = "an ONNX file needs onnx and onnxscript, not installed: pip install 'retinula[export]'"
    assert str(caught.value) == message
    assert not is_here("export")


def test_one_module_can_be_enough() -> None:
    need("export", "answering", "onnxruntime")
    assert is_here("export", "onnxruntime")
    with pytest.raises(InputError, match="writing needs onnxscript, not installed"):
        need("export", "writing", "onnxscript")


def test_what_is_installed_but_broken_is_told_from_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torn_package").mkdir()
    (tmp_path / "torn_package" / "__init__.py").write_text("raise ImportError('DLL load failed\\nwhile importing')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError) as caught:
        load("export", "answering", "torn_package.part")
    assert str(caught.value) == "torn_package cannot be loaded (DLL load failed): install it anew"
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^answering needs onnxruntime, not installed: pip install"):
        load("export", "answering", "onnxruntime.quantization")


def test_what_is_whole_is_needed_in_silence() -> None:
    need("explain", "explaining")
    assert is_here("explain")
