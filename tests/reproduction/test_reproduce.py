import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from retinula.datasets.reading import Dataset
from retinula.errors import InputError, Interrupted
from retinula.evaluation.run_data import load_dataset, own_pictures
from retinula.explanation.filters import shaped_convolutions
from retinula.recipe.differences import changed_settings
from retinula.recipe.files import load_recipe
from retinula.recipe.sections import Claim
from retinula.reproduction import reproduce as work
from retinula.reproduction import runs
from retinula.reproduction.curve import curve_on_test
from retinula.reproduction.place import files_in
from retinula.reproduction.reproduce import reproduce
from retinula.reproduction.results import gather
from retinula.runs.run import Run, list_runs
from retinula.trained.model_file import Model
from retinula.training.reporting import Reporter
from small_reproductions import CLAIMS, Listens, finished_runs, leave_undrawn, photos_in, recipe, run_it


def test_it_trains_measures_draws_and_the_second_time_reuses(tmp_path: Path) -> None:
    photos = photos_in(tmp_path / "photos", {"a.png": 1, "b.png": 8})
    first = run_it(photos=photos)
    assert [each.run.name for each in first.runs] == ["digits-seed0"]
    accuracy, loss, _, asked = first.rows
    assert len(accuracy.values) == 1
    assert accuracy.verdict in ("yes", "no, below")
    assert loss.verdict == "no, worse"
    assert asked.verdict == "only shown"
    assert asked.mean in (0.0, 0.5, 1.0)
    table = json.loads(Path("out/table.json").read_text())
    assert table["table"][0]["mean"] == pytest.approx(accuracy.mean)
    assert "| test accuracy [1] | at least 50.00 %, less 1.00 |" in Path("out/table.md").read_text()
    shown = ("loss", "test-confusion", "test-curves-by-epoch", "distortions", "features-a-test-picture")
    drawn = (*shown, "answer-a-test-picture", "photos/a")
    for name in drawn:
        assert (Path("out/figures") / f"{name}.png").stat().st_size > 1000, name
        assert f"{name}.png" in table["figures"]
    layers = shaped_convolutions(Model.load(first.runs[0].run.path))[:12]
    assert len(layers) > 1
    filters = {name for name in table["figures"] if name.startswith("filters-") and name.endswith(".png")}
    assert filters == {f"filters-{layer}-channel-0.png" for layer in layers}
    assert table["tables"] == ["layers.txt", "classes-test.csv"]
    assert all(Path("out", name).stat().st_size > 100 for name in table["tables"])
    assert Path("out/photos.csv").read_text().startswith("src,correct,model,correct answer,prob")
    curve = json.loads((first.runs[0].run.snapshots / "test.json").read_text())
    report = first.runs[0].run.report()
    assert list(curve) == ["1", "2"]
    assert all(0 <= row["test_accuracy"] <= 1 for row in curve.values())
    listens = Listens()
    others = photos_in(tmp_path / "others", {"c.png": 1})
    again = run_it(1, listens, others)
    assert again.rows[:-1] == first.rows[:-1]
    assert listens.said[0] == "seed 0: runs/digits-seed0 is finished"
    assert sorted(path.name for path in Path("out/figures/photos").glob("*.png")) == ["c.png"], "none of the others"
    assert len(list_runs()) == 1
    assert first.runs[0].run.report() == report


@pytest.mark.usefixtures("_undrawn")
def test_an_interrupted_run_goes_on_and_a_strangers_name_is_left_alone() -> None:
    with pytest.raises(Interrupted):
        run_it(reporter=Listens(stop_at=3))
    listens = Listens()
    assert run_it(reporter=listens).runs[0].run.name == "digits-seed0"
    assert listens.said[0] == "seed 0: going on with runs/digits-seed0"
    listens = Listens()
    changed = reproduce(recipe("lr=0.05"), 1, root=Path("runs"), folder=Path("other"), reporter=listens)
    assert changed.runs[0].run.name == "digits-1"
    assert listens.said[0].startswith("runs/digits-seed0 has other settings")


@pytest.mark.usefixtures("_undrawn")
def test_a_checkpoint_that_cannot_be_gone_on_with_is_refused_not_begun_anew() -> None:
    with pytest.raises(Interrupted):
        run_it(reporter=Listens(stop_at=3))
    environment = Run(Path("runs/digits-seed0")).environment_file
    values = json.loads(environment.read_text())
    values["data"]["fingerprint"] = "another"
    environment.write_text(json.dumps(values))
    with pytest.raises(InputError, match="the training pictures have changed since it began"):
        run_it()
    assert len(list_runs()) == 1


def test_what_cannot_be_reproduced_is_refused() -> None:
    with pytest.raises(InputError, match="recipe digits claims no published figure"):
        reproduce(load_recipe("digits"), 1, root=Path("runs"), folder=Path("out"))
    with pytest.raises(InputError, match="at least one seed"):
        run_it(0)
    with pytest.raises(InputError, match="2 seeds from 4294967295 on go beyond"):
        reproduce(recipe("seed=4294967295"), 2, root=Path("runs"), folder=Path("out"))
    assert not list_runs()


def test_data_without_test_pictures_are_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_dataset(recipe()).splits
    monkeypatch.setattr(work, "load_dataset", lambda *_: Dataset("mine", {"train": whole["train"]}))
    with pytest.raises(InputError, match="digits has no test pictures, by which a reproduction measures"):
        run_it()
    assert not list_runs()


@pytest.mark.usefixtures("_undrawn")
def test_a_run_is_measured_by_the_claims_of_the_recipe_asked_for(trained: Path) -> None:
    (run,) = finished_runs(trained)
    claims = (Claim(metric="train_accuracy", value=0.5),)
    result = run_it(of=recipe().model_copy(update={"claims": claims}))
    assert [row.verdict for row in result.rows] == ["only shown"]
    assert run.evaluation("train")
    assert result.tables == ("layers.txt", "classes-test.csv", "classes-train.csv")


@pytest.mark.parametrize("broken", ["move_figures", "write_text"])
def test_a_reproduction_broken_off_at_its_end_is_gone_on_with(
    broken: str, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_undrawn(monkeypatch)
    monkeypatch.setattr(work, "draw_work", lambda run, folder, *_: (folder / "loss.png").write_text("drawn"))
    finished_runs(trained)

    whole_step = vars(work)[broken]

    def stopped(*arguments: object) -> None:
        whole_step(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(work, broken, stopped)
        with pytest.raises(KeyboardInterrupt):
            run_it()
    whole = run_it()
    assert whole.figures == ("loss.png",)
    assert files_in(Path("out")) == ["classes-test.csv", "figures/loss.png", "layers.txt", "table.json", "table.md"]


def test_figures_that_are_not_ours_stay_and_are_told(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_undrawn(monkeypatch)
    finished_runs(trained)
    run_it()
    monkeypatch.setattr(work, "draw_work", lambda run, folder, *_: (folder / "loss.png").write_text("drawn"))
    Path("out/figures/loss.png").write_text("mine")
    listens = Listens()
    assert run_it(reporter=listens).figures == ()
    assert Path("out/figures/loss.png").read_text() == "mine"
    assert listens.said[-1] == "out/figures/loss.png is of no reproduction and stays; ours is left out"


@pytest.mark.usefixtures("_undrawn")
@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_broken_report_is_refused_not_begun_anew(content: str, trained: Path) -> None:
    (run,) = finished_runs(trained)
    run.report_file.write_text(content)
    with pytest.raises(InputError, match=r"runs/digits-seed0/report\.json: .*; to train this seed anew, move"):
        run_it()
    assert len(list_runs()) == 1
    listens = Listens()
    with pytest.raises(InputError, match="no finished and evaluated run"):
        gather([Path("runs")], listens)
    assert listens.said[0].startswith("left out runs/digits-seed0: ")


@pytest.mark.usefixtures("_undrawn")
def test_steps_without_a_checkpoint_are_refused_not_begun_anew() -> None:
    with pytest.raises(Interrupted):
        run_it(reporter=Listens(stop_at=3))
    run = Run(Path("runs/digits-seed0"))
    shutil.rmtree(run.checkpoints)
    with pytest.raises(InputError, match="has steps in its log but no checkpoint"):
        run_it()
    assert len(run.steps()) == 3, "the log is left as it is"


@pytest.mark.usefixtures("_undrawn")
@pytest.mark.parametrize("finished", [True, False])
def test_a_broken_recipe_is_refused_not_begun_anew(finished: bool, trained: Path) -> None:
    if finished:
        finished_runs(trained)
    else:
        with pytest.raises(Interrupted):
            run_it(reporter=Listens(stop_at=3))
    run = Run(Path("runs/digits-seed0"))
    whole = run.recipe_file.read_text()
    run.recipe_file.write_text(whole[: whole.index("[training]")])  # which is a recipe as well, and another one
    with pytest.raises(InputError, match=r"recipe\.toml is not the recipe that this run was begun with; mend it"):
        run_it()
    run.recipe_file.write_text(whole[: whole.index("[training]") + 5])
    with pytest.raises(
        InputError, match=r"runs/digits-seed0/recipe\.toml: .*; mend it, or move runs/digits-seed0 away"
    ):
        run_it()
    listens = Listens(stop_at=1)
    with pytest.raises(Interrupted):
        reproduce(recipe("seed=1"), 1, root=Path("runs"), folder=Path("out"), reporter=listens)
    assert listens.said[0].startswith("left out runs/digits-seed0: "), "which is another seed"
    run.recipe_file.unlink()
    with pytest.raises(InputError, match=r"runs/digits-seed0 has no recipe\.toml to tell what it is; move it away"):
        run_it()
    run.recipe_file.write_text(whole)
    shutil.rmtree("runs/digits-seed1")
    assert [each.run.name for each in run_it().runs] == ["digits-seed0"]


@pytest.mark.usefixtures("_undrawn")
def test_a_folder_is_found_again_from_its_relative_path(tmp_path: Path) -> None:
    for split, shade in itertools.product(("train", "test"), (0, 255)):
        folder = tmp_path / "mine" / split / str(shade)
        folder.mkdir(parents=True)
        for number in range(20):
            Image.new("L", (8, 8), abs(shade - number)).save(folder / f"{number}.png")
    for _ in range(2):
        result = reproduce(recipe("epochs=1", "data.name=mine"), 1, root=Path("runs"), folder=Path("out"))
        assert [run.name for run in list_runs()] == ["digits-seed0"]
        assert len(result.rows[0].values) == 1


def test_settings_that_differ_are_named() -> None:
    usual = load_recipe("digits")
    other = load_recipe("digits", ["lr=0.3", "seed=4", "model.arguments.width=0.5"])
    assert changed_settings(other, usual) == ["model.arguments.width=0.5", "optimizer.lr=0.3"]
    assert changed_settings(usual, usual) == []


@pytest.mark.usefixtures("_undrawn")
def test_a_work_that_begins_from_a_model_trains_that_one_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_recipe("digits", ["epochs=1", "model.arguments.width=0.25", "classes=[0,1,2,3,4]"])
    monkeypatch.setattr(runs, "load_recipe", lambda name: first.model_copy(update={"name": name}))
    settings = ["epochs=1", "classes=[5,6,7]", "weights='recipe:before'", "freeze=true"]
    transfer = load_recipe("digits", settings).model_copy(update={"name": "after", "claims": CLAIMS[:1]})
    listens = Listens()
    made = reproduce(transfer, 2, root=Path("runs"), folder=Path("out"), reporter=listens)
    assert [run.name for run in list_runs()] == ["before-seed0", "after-seed0", "after-seed1"]
    assert listens.said[0] == "after begins from before, which comes first"
    assert len(made.rows[0].values) == 2
    again = Listens()
    assert reproduce(transfer, 2, root=Path("runs"), folder=Path("out"), reporter=again).rows == made.rows
    assert len(list_runs()) == 3
    settled = made.runs[0].recipe
    assert settled.model.weights_sha256
    assert changed_settings(settled, transfer) == []
    other = settled.model_copy(update={"augment": settled.augment.model_copy(update={"random_crop": (6, 6)})})
    assert changed_settings(other, transfer) == ["augment.random_crop=[6, 6]"], "no model brings that along"


@pytest.mark.usefixtures("_undrawn")
def test_a_damaged_curve_is_measured_anew(trained: Path) -> None:
    (run,) = finished_runs(trained)
    test_set = own_pictures(run, "test")
    curve = curve_on_test(run, test_set, Reporter())
    assert [row["epoch"] for row in curve] == [1, 2]
    file = run.snapshots / "test.json"
    whole = file.read_text()
    wrong = '{"1": {"test_loss": "low", "test_accuracy": 0.5}}'
    for damaged in ("[]", "{", "3", '{"1": []}', '{"1": {"test_loss": 1.0}}', wrong):
        file.write_text(damaged)
        assert curve_on_test(run, test_set, Reporter()) == curve
        assert json.loads(file.read_text()) == json.loads(whole)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(InputError, match=r"test\.json: not an ordinary file"):
        curve_on_test(run, test_set, Reporter())
