import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError, RetinulaError
from retinula.files import durable
from retinula.files.durable import _umask
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs import run
from retinula.runs.elsewhere import WrittenElsewhere
from retinula.runs.run import Run, create_run, find_run, list_runs
from small_runs import SURROUNDINGS, epoch_row, step_row, whole_report


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("digits")


def test_runs_are_numbered_and_the_last_is_found(tmp_path: Path, recipe: Recipe) -> None:
    names = []
    for _ in range(3):
        names.append(create_run(recipe, {}, root=tmp_path).name)
        time.sleep(0.01)
    assert names == ["digits-1", "digits-2", "digits-3"]
    assert [run.name for run in list_runs(tmp_path)] == names
    assert find_run("last", tmp_path).name == "digits-3"
    assert find_run("digits-2", tmp_path) == find_run(tmp_path / "digits-2", tmp_path)
    assert find_run("digits-2", tmp_path).recipe() == recipe


def test_a_copy_is_not_the_run_begun_last(tmp_path: Path, recipe: Recipe) -> None:
    for hour, name in enumerate(("old", "new")):
        create_run(recipe, {"started": f"2026-11-30T1{hour}:00:00+00:00"}, name, tmp_path)
    for name in ("new", "old"):
        run = Run(tmp_path / name)
        os.utime(run.recipe_file, (0, 0))
        shutil.copytree(run.path, tmp_path / f"backup-of-{name}", copy_function=shutil.copyfile)
    assert [run.name for run in list_runs(tmp_path)] == ["backup-of-old", "old", "backup-of-new", "new"]
    unknown: tuple[Any, ...] = ({}, {"started": "yesterday"}, {"started": 7}, [])
    for begun in unknown:
        (tmp_path / "backup-of-old" / "environment.json").write_text(json.dumps(begun))
        assert find_run("last", tmp_path).name == "backup-of-old", "where nothing tells, the time of the recipe does"


@pytest.mark.parametrize("name", ["a/b", "..", "last", "", "-x", "x" * 200])
def test_names_that_are_no_folder_names_are_refused(tmp_path: Path, recipe: Recipe, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a run's name"):
        create_run(recipe, {}, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_be_named_as_text(tmp_path: Path, recipe: Recipe) -> None:
    made = create_run(recipe, {}, "mine", tmp_path)
    run = Run(str(made.path))
    assert (run, run.finished, run.recipe()) == (made, False, recipe)
    assert {run, made, WrittenElsewhere(str(made.path)), WrittenElsewhere(made.path)} == {
        made,
        WrittenElsewhere(made.path),
    }


def test_a_taken_name_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    run = create_run(recipe, SURROUNDINGS, "mine", tmp_path)
    with pytest.raises(InputError, match=r"there is a run 'mine' already .*: choose another name, or resume it$"):
        create_run(recipe, {}, "mine", tmp_path)
    run.report_file.write_text("{}")
    with pytest.raises(InputError, match=r"there is a run 'mine' already .*: choose another name$"):
        create_run(recipe, {}, "mine", tmp_path)
    assert find_run("mine", tmp_path).environment() == {**SURROUNDINGS, "digest": recipe.digest()}


def test_a_missing_run_is_named_with_the_nearest(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(InputError, match="there is no run in"):
        find_run("last", tmp_path)
    create_run(recipe, {}, "night", tmp_path)
    with pytest.raises(InputError, match="no run 'nihgt'; did you mean 'night'"):
        find_run("nihgt", tmp_path)
    file = tmp_path / "night.safetensors"
    with pytest.raises(InputError, match=r"^no file '.*night\.safetensors'$"):
        find_run(file, tmp_path)
    file.touch()
    with pytest.raises(InputError, match=r"night\.safetensors is a file; asked for is a run"):
        find_run(file, tmp_path)


def test_of_a_folder_that_is_not_there_nothing_is_told(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[Callable[[Run], Any]] = [lambda run: run.finished, Run.report, Run.evaluation, Run.metrics]
    asked += [Run.steps, Run.recipe, Run.environment]
    for tell in asked:
        with pytest.raises(InputError, match=r"^there is no run 'z1'$"):
            tell(Run("z1"))
    create_run(recipe, {}, "z1").report_file.write_text("{}")
    for tell in asked:
        with pytest.raises(InputError, match=r"^there is no run 'z1'; did you mean 'runs/z1'\?$"):
            tell(Run("z1"))
        with pytest.raises(InputError, match=r"^there is no run 'runs/z2'; did you mean 'runs/z1'\?$"):
            tell(Run("runs/z2"))
    assert Run("runs/z1").finished


def test_logs_are_kept_and_cut(tmp_path: Path, recipe: Recipe) -> None:
    run = create_run(recipe, {}, root=tmp_path)
    assert (run.metrics(), run.steps()) == ([], [])
    rows = [step_row(step, epoch=1 + step // 3, loss=1 / 3**step, seconds=0.001 * step) for step in range(1, 7)]
    run.add_steps(rows[:3])
    run.add_steps(rows[3:])
    for step in (3, 6):
        run.add_metrics(epoch_row(step // 3, step))
    before = run.steps_file.read_text().splitlines()
    assert before[0] == "step,epoch,loss,learning_rate,seconds"
    assert [row["step"] for row in run.steps()] == [1, 2, 3, 4, 5, 6]
    run.cut_logs(6, in_epoch=True)  # a row of an epoch that was to be ended there
    assert [row["step"] for row in run.metrics()] == [3]
    assert run.steps_file.read_text().splitlines() == before
    run.add_metrics(epoch_row(2, 6))
    run.cut_logs(6, in_epoch=False)
    assert [row["step"] for row in run.metrics()] == [3, 6]
    run.cut_logs(4, in_epoch=True)
    assert run.steps_file.read_text().splitlines() == before[:5]
    assert [row["step"] for row in run.metrics()] == [3]
    run.cut_logs(0, in_epoch=False)
    assert (run.metrics(), run.steps()) == ([], [])


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path, recipe: Recipe) -> None:
    run = create_run(recipe, {}, root=tmp_path)
    run.add_metrics(epoch_row(1, 3))
    run.add_steps([step_row(1)])
    with run.metrics_file.open("a") as file:
        file.write('{"epoch": 2, "st')
    assert run.metrics() == [epoch_row(1, 3)]
    for torn in ("2,1,0.4", "2,1,0.4,0.1,"):
        run.steps_file.write_text(f"step,epoch,loss,learning_rate,seconds\n1,1,0.5,0.1,0.1\n{torn}")
        assert len(run.steps()) == 1


def test_of_other_pictures_a_folder_is_named_whatever_they_are_called(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"x" * 255, "é".encode() * 127, b"photos"):
        data = tmp_path / os.fsdecode(name)
        data.mkdir()
        place = Run(tmp_path / "run").other_folder(str(data))
        place.mkdir(parents=True)
        assert place.name.encode().startswith(name[:200].replace(b"\xe9", rb"\xe9"))


def test_reports(tmp_path: Path, recipe: Recipe) -> None:
    run = create_run(recipe, {}, root=tmp_path)
    assert not run.finished
    with pytest.raises(InputError, match="not finished; go on with: retinula train --resume"):
        run.report()
    report = whole_report(evaluations={"digits/test": {"accuracy": 0.5}, "digits/test/mirror": {"accuracy": 0.6}})
    run.report_file.write_text(json.dumps(report))
    assert run.report() == report
    assert (run.evaluation(), run.evaluation("train")) == ({"accuracy": 0.5}, {})


def test_a_root_that_cannot_be_written_is_one_line(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RetinulaError, match="cannot write"):
        create_run(recipe, {}, root=tmp_path / "file" / "runs")
    assert Run(tmp_path / "file").name == "file"


def test_what_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    run = WrittenElsewhere(tmp_path / "elsewhere")
    run.note("a line")
    run.add_steps([step_row(1)])
    run.add_metrics(epoch_row(1))
    run.cut_logs(0, in_epoch=False)
    assert not run.path.exists()


@pytest.mark.parametrize("name", ["mine", None])
@pytest.mark.parametrize("error", [RetinulaError("cannot write recipe.toml: File too large"), KeyboardInterrupt()])
def test_a_run_that_could_not_be_begun_leaves_nothing_and_can_be_begun_anew(
    name: str | None, error: BaseException, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: str) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("retinula.runs.run.write_text", full)
        with pytest.raises(type(error)):
            create_run(recipe, {}, name, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert create_run(recipe, {}, name, tmp_path).recipe() == recipe


def test_a_run_is_seen_whole_or_not_at_all(tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(path: Path, content: str) -> None:
        assert (list_runs(tmp_path), (tmp_path / "mine").exists()) == ([], False)
        writes(path, content)

    writes = durable.write_text
    monkeypatch.setattr(run, "write_text", look)
    made = create_run(recipe, {}, "mine", tmp_path)
    assert {path.name for path in made.path.iterdir()} == {"environment.json", "recipe.toml"}
    assert made.path.stat().st_mode & 0o777 == 0o777 & ~_umask()


@pytest.mark.parametrize("kind", ["file", "full folder", "link to nowhere"])
def test_what_is_there_already_is_no_place_for_a_run(kind: str, tmp_path: Path, recipe: Recipe) -> None:
    for name in ("mine", "digits-1"):
        if kind == "full folder":
            (tmp_path / name / "inner").mkdir(parents=True)
        elif kind == "file":
            (tmp_path / name).write_text("")
        else:
            (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(InputError, match="there is something called 'mine' already"):
        create_run(recipe, {}, "mine", tmp_path)
    assert create_run(recipe, {}, root=tmp_path).name == "digits-2"
    assert len(list(tmp_path.iterdir())) == 3


def test_what_is_gone_or_may_not_be_entered_hides_no_other(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "gone", "closed", "two"):
        create_run(recipe, {}, name, tmp_path)
    look = Path.stat

    def changing(path: Path, **options: Any) -> os.stat_result:
        if path == tmp_path / "gone" / "recipe.toml":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if path == tmp_path / "closed" / "recipe.toml":
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", changing)
    said: list[str] = []
    assert {run.name for run in list_runs(tmp_path, said.append)} == {"one", "two"}
    closed = f"{tmp_path / 'closed'}: cannot be looked into (Permission denied)"
    assert said == [closed]
    assert find_run("last", tmp_path, said.append).name == "two"
    assert said == [closed, closed], "it may be a newer one"
    with pytest.raises(InputError, match=r"closed: cannot be looked into"):
        find_run("closed", tmp_path)


def test_a_root_that_may_not_be_entered_or_is_none_holds_no_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "none", tmp_path / "file"):
        assert list_runs(root, said.append) == []
    assert said == []

    def closed(path: Path) -> Iterator[Path]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    assert list_runs(tmp_path, said.append) == []
    assert said == [f"{tmp_path}: cannot be looked into (Permission denied)"]


def test_checkpoints_are_told_from_other_files(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert (run.can_go_on, run.checkpoint_step()) == (False, 0)
    run.checkpoints.mkdir()
    (run.checkpoints / "notes.txt").touch()
    assert not run.can_go_on
    for step in (12, 3):
        run.checkpoint_file(step).touch()
    assert run.checkpoint_files() == [run.checkpoint_file(3), run.checkpoint_file(12)]
    assert (run.can_go_on, run.checkpoint_step()) == (True, 12)
