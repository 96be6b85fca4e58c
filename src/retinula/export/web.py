"""A folder that answers in the visitor's browser: the page, the model and ONNX Runtime, served as plain files."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from retinula.errors import InputError
from retinula.export.browser_runtime import PROGRAM, SCRIPT, BrowserRuntime
from retinula.export.files import Exported
from retinula.export.preprocessing import puts_tall_pictures_down_first
from retinula.files.durable import is_empty, reading, replacing_folder
from retinula.page.files import page_files
from retinula.pictures.decoding import MAX_BYTES, MAX_PIXELS
from retinula.trained.onnx_model import OnnxModel
from retinula.version import __version__

# Many servers do not know .mjs, and browsers run no script that does not call itself one.
RENAMED: Final = {SCRIPT: "ort.wasm.bundle.min.js"}


def check_free(folder: Path) -> None:
    """Refuse a folder that has something in it, whoever put it there.

    Raises:
        InputError: it has something in it, or is no folder.
    """
    with reading(folder):
        taken = folder.exists() and (not folder.is_dir() or not is_empty(folder))
    if taken:
        raise InputError(f"{folder} is not an empty folder; remove it, or name another one with --out")


def check_task(task: str, name: str) -> None:
    """Refuse a model that the page does not know what to show of.

    Raises:
        InputError: it is no classifier.
    """
    if task != "classification":
        raise InputError(f"{name} gives pictures back and knows no classes: there is no page for that")


def export_web(folder: Path, write: Callable[[Path], Exported], runtime: BrowserRuntime, name: str) -> Exported:
    """Write the folder, whole or not at all.

    Args:
        folder: to write; it may not have anything in it.
        write: writes the model to a path and proves it, as `export_onnx`.
        runtime: what runs it in a browser.
        name: what the model is called on the page.

    Returns:
        What `write` returned, of the whole folder.

    Raises:
        InputError: the folder has something in it, or the model knows no classes.
        RetinulaError: as `write`, or the disk refuses.
    """
    check_free(folder)
    with replacing_folder(folder, may_replace=False) as temporary:
        files = {
            **page_files("browser"),
            f"onnxruntime/{RENAMED[SCRIPT]}": runtime.script,
            f"onnxruntime/{PROGRAM}": runtime.program,
            **{f"onnxruntime/{licence}": content for licence, content in runtime.licences.items()},
        }
        model = temporary / "model" / "model.onnx"
        model.parent.mkdir()
        exported = write(model)
        loads = exported.num_bytes + len(runtime.script) + len(runtime.program)
        description = {**_described(OnnxModel.load(model), name), "bytes": loads, "runtime": runtime.version}
        files["model/model.json"] = json.dumps(description, ensure_ascii=False, allow_nan=False, indent=1).encode()
        for path, content in files.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_bytes(content)
    total = exported.num_bytes + sum(map(len, files.values()))
    return replace(exported, path=folder, num_bytes=total)


def _described(model: OnnxModel, name: str) -> dict[str, Any]:
    """Say what the page needs to know of a model, in the words of a server's `/v1/model`."""
    check_task(model.task, name)
    about = model.about
    return {
        "name": name,
        "classes": model.classes,
        **about,
        "input": {**about["input"], "tall_first": puts_tall_pictures_down_first()},
        "in_browser": True,
        "includes": ["seen"],
        "runs": False,
        "limits": {"max_bytes": MAX_BYTES, "max_pixels": MAX_PIXELS},
        "version": __version__,
    }
