import os
from pathlib import Path

import pytest

from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.runs.run import Run, create_run
from retinula.trained.finding import Found, find_finished, find_trained


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run, begun before another, `begun`, that is not."""
    monkeypatch.chdir(tmp_path)
    done, _ = (create_run(load_recipe("digits"), {}, name) for name in ("done", "begun"))
    done.model_file.touch()
    done.report_file.write_text("{}")
    os.utime(done.recipe_file, (0, 0))
    return done


def test_a_model_is_found_by_its_run(done: Run) -> None:
    for word in ("done", "runs/done", done.path, "last"):
        assert find_trained(word) == Found(done.model_file, done)
    for word, refusal in (
        ("begun", "runs/begun has no model yet; go on with: retinula train --resume runs/begun"),
        ("bgun", "no run 'bgun'; did you mean 'begun'?"),
        ("x" * 300, f"{'x' * 300}: cannot be looked into (File name too long)"),
    ):
        with pytest.raises(InputError) as caught:
            find_trained(word)
        assert str(caught.value) == refusal
    done.model_file.unlink()
    with pytest.raises(InputError, match=r"^runs/done has no model; there is no model.safetensors in it$"):
        find_trained("done")


def test_a_model_may_lie_in_no_run(done: Run) -> None:
    for folder in (Path("only"), Path("runs/below")):
        folder.mkdir()
        (folder / "model.safetensors").touch()
    assert find_trained("only") == find_trained("only/model.safetensors") == Found(Path("only/model.safetensors"))
    assert find_trained("below") == Found(Path("runs/below/model.safetensors"))
    assert find_trained(done.model_file) == Found(done.model_file), "which was named without its run"


def test_published_weights_are_begun_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"train from them with: retinula train FOLDER --model timm/resnet18$"):
        find_trained("timm/resnet18")
    (tmp_path / "runs" / "timm" / "mine").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        find_trained("timm/mine")
    assert "published" not in str(caught.value), "what is there is meant"


def test_what_needs_a_model_takes_the_newest_finished_run(done: Run) -> None:
    told: list[str] = []
    assert find_finished("last", tell=told.append) == done
    assert told == ["last: runs/done, since runs/begun is not finished"]
    assert find_finished("begun", tell=told.append).name == "begun"
    Path("runs/begun/report.json").write_text("{}")
    assert find_finished("last", tell=told.append).name == "begun"
    assert len(told) == 1
    for name in ("done", "begun"):
        Path(f"runs/{name}/report.json").unlink()
    assert find_finished("last", tell=told.append).name == "begun", "the one begun last"
