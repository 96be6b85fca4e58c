import subprocess
import sys
from pathlib import Path

import pytest


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
