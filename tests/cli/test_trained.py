import subprocess
import sys
from pathlib import Path

import pytest

from retinula.cli.trained import called
from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.runs.own_there import check_own_there
from retinula.runs.run import create_run


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "nothing", "a.png"),
        ("explain", "nothing", "a.png"),
        ("reconstruct", "nothing", "a.png"),
        ("export", "nothing"),
        ("serve", "nothing", "--port", "0"),
        ("evaluate", "nothing"),
        ("report", "nothing"),
        ("train", "--resume", "nothing"),
    ],
    ids=lambda words: words[0],
)
def test_a_run_that_is_not_there_is_told_before_torch_is_loaded(words: tuple[str, ...], tmp_path: Path) -> None:
    assert without_torch(words, tmp_path) == "retinula: no run 'nothing'\n"


def test_a_run_without_a_model_is_told_before_torch_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "recipe.toml").touch()
    told = without_torch(("predict", "begun", "a.png"), tmp_path)
    assert told == "retinula: begun has no model yet; go on with: retinula train --resume begun\n"


def test_a_run_whose_pictures_have_been_moved_says_what_to_do_before_torch_is_loaded(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    run = create_run(load_recipe("digits", [f"data.name={photos}"]), {}, "mine", tmp_path / "runs")
    run.model_file.touch()
    told = "retinula: runs/mine was trained on {}, which is no longer there: put it back, or measure on pictures of "
    said = without_torch(("evaluate", "mine"), tmp_path)
    assert said == f"{told.format(photos)}your choice with --data\n"
    photos.mkdir()
    check_own_there(run)
    photos.rmdir()
    with pytest.raises(InputError, match=f"was trained on {photos}, which is no longer there: put it back$"):
        check_own_there(run)


@pytest.mark.parametrize(
    ("path", "provenance", "name"),
    [
        ("runs/d1/model.onnx", {"run": "d1"}, "d1"),
        ("model.safetensors", {"run": "digits-12"}, "digits-12"),
        ("model-int8.onnx", {"run": "my.model"}, "my.model-int8"),
        ("flowers.onnx", {"run": "d1"}, "flowers"),
        ("model.onnx", {}, "model"),
        ("model.onnx", None, "model"),
        ("model.onnx", ["run"], "model"),
        ("model.onnx", {"run": 7}, "model"),
        ("model.onnx", {"run": "../d1"}, "model"),
        ("model.onnx", {"run": "x" * 101}, "model"),
        ("model.onnx", {"run": "d1\n"}, "model"),
    ],
)
def test_a_file_of_the_usual_name_is_called_after_its_run(path: str, provenance: object, name: str) -> None:
    assert called(Path(path), provenance) == name


def without_torch(words: tuple[str, ...], folder: Path) -> str:
    """What a command complains about in an empty process, where it has loaded neither torch nor matplotlib."""
    code = (
        "import sys; from retinula.cli import main; sys.argv[0] = 'retinula'\n"
        "try: main.main()\n"
        "finally: print({'torch', 'matplotlib'} & sys.modules.keys() or 'nothing')"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "nothing\n"), done.stderr
    return done.stderr
