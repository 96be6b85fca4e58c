import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from retinula import experiment
from retinula.differences import changed_settings
from retinula.errors import InputError, Interrupted
from retinula.model_file import Model
from retinula.recipe import Claim, Recipe
from retinula.recipe_files import load_recipe
from retinula.reproduction import reproduce as work
from retinula.reproduction import runs
from retinula.reproduction.curve import curve_on_test
from retinula.reproduction.photos import find_photos
from retinula.reproduction.records import keep_records, without_folders
from retinula.reproduction.reproduce import Reproduction, reproduce
from retinula.reproduction.results import gather, results_list, results_page
from retinula.run import Run, create_run, list_runs
from retinula.run_data import own_pictures
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.training.reporting import Reporter, StepProgress
from small_runs import SURROUNDINGS

CLAIMS = (
    Claim(metric="accuracy", value=0.5, tolerance=0.01, at_least=True, fault="made up"),
    Claim(metric="step_loss", value=0.1, tolerance=0.01, at=20),
    Claim(metric="photos_accuracy", value=0.5),
)


class Listens(Reporter):
    """Keeps what it is told; stops a training where asked."""

    def __init__(self, stop_at: int = 0) -> None:
        self.said: list[str] = []
        self.stop_at = stop_at

    def message(self, text: str) -> None:
        self.said.append(text)

    def step(self, progress: StepProgress) -> None:
        if progress.step == self.stop_at:
            raise Interrupted("stopped here")


def settle(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Work in this folder, on hardware that is not measured."""
    patch.chdir(folder)
    patch.delenv("RETINULA_DATA", raising=False)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    patch.setattr(loop, "choose_hardware", lambda *_, **__: plain)


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which take longer than all the rest."""
    patch.setattr(experiment, "draw_training", lambda *_, **__: None)
    patch.setattr(experiment, "draw_evaluation", lambda *_, **__: None)
    patch.setattr(work, "draw_work", lambda *_, **__: None)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, tmp_path)


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_undrawn(monkeypatch)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs that `run_it(2)` leaves, undrawn, trained once for all tests: `finished_runs` gives copies."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        settle(patch, folder)
        leave_undrawn(patch)
        patch.setenv("RETINULA_CACHE", str(folder / "cache"))
        run_it(2)
    return folder / "runs"


def recipe(*settings: str) -> Recipe:
    quick = ("epochs=2", "model.arguments.width=0.25", "snapshots=true", *settings)
    return load_recipe("digits", quick).model_copy(update={"claims": CLAIMS, "source": "a work | of ours"})


def run_it(seeds: int = 1, reporter: Reporter | None = None, photos: Path | None = None) -> Reproduction:
    return reproduce(
        recipe(), seeds, root=Path("runs"), folder=Path("out"), photos=photos, reporter=reporter or Reporter()
    )


def finished_runs(trained: Path, seeds: int = 1) -> list[Run]:
    """Put into `runs` what `run_it` would leave there."""
    runs = [Run(Path("runs") / f"digits-seed{number}") for number in range(seeds)]
    for run in runs:
        shutil.copytree(trained / run.name, run.path)
    return runs


def page_of(*folders: Path, reporter: Reporter | None = None) -> str:
    return results_page(gather(folders, reporter))


def test_it_trains_measures_draws_and_the_second_time_reuses(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, grey in (("a.png", 0), ("b.png", 255)):
        Image.new("L", (40, 30), grey).save(photos / name)
    (photos / "labels.csv").write_text("file,label\na.png,1\nb.png,8\n")
    first = run_it(photos=photos)
    assert [run.name for run in first.runs] == ["digits-seed0"]
    accuracy, loss, asked = first.rows
    assert len(accuracy.values) == 1
    assert accuracy.verdict in ("yes", "no, below")
    assert loss.verdict == "no, above"
    assert asked.verdict == "only shown"
    assert asked.mean in (0.0, 0.5, 1.0)
    table = json.loads(Path("out/table.json").read_text())
    assert table["table"][0]["mean"] == pytest.approx(accuracy.mean)
    assert "| test accuracy [1] | at least 50.00 % |" in Path("out/table.md").read_text()
    for name in ("loss", "test-confusion", "test-curves-by-epoch", "filters", "features", "distortions", "photos/a"):
        assert (Path("out/figures") / f"{name}.png").stat().st_size > 1000, name
    assert first.runs[0].path.joinpath("photos.csv").read_text().startswith("src,correct,model,correct answer,prob")
    curve = json.loads((first.runs[0].snapshots / "test.json").read_text())
    report = first.runs[0].report()
    assert list(curve) == ["1", "2"]
    assert all(0 <= row["test_accuracy"] <= 1 for row in curve.values())
    listens = Listens()
    again = run_it(1, listens, photos)
    assert again.rows == first.rows
    assert listens.said == ["seed 0: runs/digits-seed0 is finished"]
    assert len(list_runs()) == 1
    assert first.runs[0].report() == report


@pytest.mark.usefixtures("_undrawn")
def test_an_interrupted_run_goes_on_and_a_strangers_name_is_left_alone() -> None:
    with pytest.raises(Interrupted):
        run_it(reporter=Listens(stop_at=3))
    listens = Listens()
    assert run_it(reporter=listens).runs[0].name == "digits-seed0"
    assert listens.said[0] == "seed 0: going on with runs/digits-seed0"
    listens = Listens()
    changed = reproduce(recipe("lr=0.05"), 1, root=Path("runs"), folder=Path("other"), reporter=listens)
    assert changed.runs[0].name == "digits-1"
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


@pytest.mark.usefixtures("_undrawn")
def test_without_photos_it_says_so(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    finished_runs(trained)
    listens = Listens()
    result = run_it(reporter=listens)
    assert result.rows[-1].verdict == "not measured"
    assert any("--photos" in text for text in listens.said)
    (tmp_path / "data" / "mine").mkdir(parents=True)
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    assert find_photos("mine") == tmp_path / "data" / "mine"
    assert find_photos("others") is None
    assert find_photos("") is None


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
        page_of(Path("runs"), reporter=listens)
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
    assert [each.name for each in run_it().runs] == ["digits-seed0"]


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


@pytest.mark.usefixtures("_undrawn")
def test_photos_are_asked_about_anew_and_looked_at_before_training(trained: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    with pytest.raises(InputError, match="no pictures in"):
        run_it(photos=photos)
    Image.new("L", (8, 8)).save(photos / "a.png")
    table = photos / "labels.csv"
    table.write_text("")
    with pytest.raises(InputError, match="needs at least two columns"):
        run_it(photos=photos)
    assert not list_runs()
    for text, message in (("a.png,eleven\n", "eleven"), ("b.png,1\n", "names none of the pictures")):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            run_it(photos=photos)
    assert not list_runs()
    table.unlink()
    finished_runs(trained)
    listens = Listens()
    assert run_it(reporter=listens, photos=photos).rows[-1].verdict == "not measured"
    assert listens.said[-1].startswith(f"{photos} has no labels.csv")
    means = []
    for label in range(10):
        table.write_text(f"a.png,{label}\n")
        means.append(run_it(photos=photos).rows[-1].mean)
    assert sorted(map(float, filter(None, means))) == [1.0], "of ten labels the model gives one"


@pytest.mark.usefixtures("_undrawn")
def test_a_reconstruction_is_not_asked_for_classes(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("L", (8, 8)).save(photos / "a.png")
    (photos / "labels.csv").write_text("a.png,1\n")
    claims = (Claim(metric="psnr", value=10.0),)
    settings = ["model=cifar10-autoencoder", "objective=mse", "metric=val_loss", "normalise=unit", "epochs=1"]
    settled = load_recipe("digits", settings).model_copy(update={"claims": claims})
    result = reproduce(settled, 1, root=Path("runs"), folder=Path("out"), photos=photos)
    assert result.rows[0].mean is not None
    assert "photos" not in result.runs[0].report()


@pytest.mark.usefixtures("_undrawn")
def test_a_run_that_does_not_say_on_what_it_was_trained_is_left_out_of_the_page(trained: Path) -> None:
    finished_runs(trained, 2)
    page = page_of(Path("runs"))
    assert "; trained on cpu with 1 thread in float32; Python" in page
    assert "- digits: installed with scikit-learn" in page
    Run(Path("runs/digits-seed0")).environment_file.unlink()
    Run(Path("runs/digits-seed1")).report_file.write_text(
        json.dumps(_without_hardware(Run(Path("runs/digits-seed1")).report()))
    )
    listens = Listens()
    page = page_of(Path("runs"), reporter=listens)
    assert "| 1 |" in page
    assert "trained on" not in page
    assert listens.said[0].startswith("left out runs/digits-seed0: runs/digits-seed0/environment.json")


def _without_hardware(report: dict[str, Any]) -> dict[str, Any]:
    training = {key: value for key, value in report["training"].items() if key != "hardware"}
    return {**report, "training": training}


@pytest.mark.usefixtures("_undrawn")
def test_the_page_of_results_is_made_of_reports(trained: Path) -> None:
    with pytest.raises(InputError, match="no finished and evaluated run"):
        page_of(Path("runs"))
    finished_runs(trained, 2)
    page = page_of(Path("runs"))
    (line,) = [line for line in page.splitlines() if line.startswith("| digits |")]
    (listed,) = results_list(gather([Path("runs")]))
    assert (listed["recipe"], listed["seeds"], len(listed["measured"]["accuracy"])) == ("digits", [0, 1], 2)
    assert listed["settings"] == "model.arguments.width=0.25, training.epochs=2"
    assert listed["table"] == []
    assert "| model.arguments.width=0.25, training.epochs=2 |" in line
    assert "| 0, 1 |" in line
    assert "(n = 2)" in line
    assert "bfloat16 units" in page
    Path("runs/digits-seed1/report.json").write_text("{")
    listens = Listens()
    assert "(n = 1)" in page_of(Path("runs"), reporter=listens)
    assert listens.said
    assert listens.said[0].startswith("left out runs/digits-seed1: ")


@pytest.mark.usefixtures("_undrawn")
def test_records_say_what_their_runs_said_when_the_runs_are_gone() -> None:
    shipped = load_recipe("digits", ["steps=2"]).model_copy(update={"claims": CLAIMS})
    for settled in (shipped, shipped.model_copy(update={"model": recipe("model.name=mobilenetv2").model})):
        reproduce(settled, 2, root=Path("runs"), folder=Path("out"))
    page = page_of(Path("runs"))
    assert "## Networks trained by digits" in page
    first = list_runs()[0]
    told = json.loads(first.environment_file.read_text())
    first.environment_file.write_text(json.dumps({**told, "command": ["retinula", "train", "/home/me/digits.toml"]}))
    records = Path("docs/records")
    kept = keep_records(itertools.chain.from_iterable(gather([Path("runs")])), records)
    assert sum(file.stat().st_size for file in records.rglob("*")) < 200_000, "no weights, no figures"
    assert not list(records.rglob("*.safetensors"))
    assert ["retinula", "train", "digits.toml"] in [run.environment()["command"] for run in kept]
    shutil.rmtree("runs")
    assert page_of(records, Path("runs")) == page
    assert keep_records(kept, records) == kept

    reproduce(shipped, 1, root=Path("runs"), folder=Path("out"))
    (newer,) = list_runs()
    report = newer.report()
    report["evaluations"]["digits/test"]["accuracy"] = 0.125
    newer.report_file.write_text(json.dumps(report))
    assert page_of(records, Path("runs")) == page_of(Path("runs"), records) != page
    again = keep_records(itertools.chain.from_iterable(gather([records, Path("runs")])), records)
    assert sorted(run.path for run in again) == sorted(run.path for run in kept), "the newer took the older's place"
    assert page_of(records) == page_of(records, Path("runs"))


@pytest.mark.usefixtures("_undrawn")
def test_networks_trained_alike_stand_beside_each_other() -> None:
    networks = (("residual", "steps=4"), ("mobilenetv2", "steps=2"), ("residual", "steps=4", "lr=0.01"))
    for name, *settings in networks:
        settled = load_recipe("digits", [f"model.name={name}", "model.arguments.width=0.25", *settings])
        settled = settled.model_copy(update={"claims": CLAIMS[:1]})
        reproduce(settled, 2, root=Path("runs"), folder=Path("out"))
    for run in list_runs():
        report = run.report()
        slow = run.recipe().optimizer.lr == 0.01
        report["training"]["seconds"] = 100.0 if slow else 20.0 + 2 * run.recipe().seed
        run.report_file.write_text(json.dumps(report))
    page = page_of(Path("runs"))
    assert page.count("## Networks trained") == 1, "others differ in more than the network"
    table = page[page.index("## Networks trained by digits for about as long") :].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line]
    assert [row[0] for row in cells] == ["network", "---", "mobilenetv2", "residual"]
    assert int(cells[3][3]) == 2 * int(cells[2][3])
    assert [row[5] for row in cells[2:]] == ["21 ± 1 s (n = 2)", "21 ± 1 s (n = 2)"]
    assert all("(n = 2)" in row[6] for row in cells[2:])
    model = Model.load("runs/digits-seed0")
    assert cells[3][1] == f"{sum(p.numel() for p in model.network.parameters()):,}"


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
    settled = made.runs[0].recipe()
    assert settled.model.weights_sha256
    assert changed_settings(settled, transfer) == []
    other = settled.model_copy(update={"augment": settled.augment.model_copy(update={"random_crop": (6, 6)})})
    assert changed_settings(other, transfer) == ["augment.random_crop=[6, 6]"], "no model brings that along"


def test_a_record_names_no_folders() -> None:
    settings = [
        "data.name=/home/me/photos",
        "data.more=['/home/me/others','relative/ones']",
        "weights=/home/me/model.st",
        "figures.photos=/home/me/shown",
    ]
    told = without_folders(load_recipe("digits", settings))
    assert told.data.name == "photos"
    assert told.data.more == ("others", "relative/ones")
    assert told.model.weights == "model.st"
    assert told.figures.photos == "shown"
    usual = load_recipe("digits")
    assert without_folders(usual) == usual


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("/home/me/digits.toml", "digits.toml"),
        ("/home/me/a=b", "a=b"),
        ("data=/home/me/photos", "data=photos"),
        ("--out=/home/me/photos", "--out=photos"),
        ('data.more=["/home/me/secret"]', 'data.more=["secret"]'),
        ("data.more=['/home/me/secret', 'near/ones']", 'data.more=["secret", "near/ones"]'),
        ("weights='/home/me/2024'", 'weights="2024"'),
        ("size=[16, 16]", "size=[16, 16]"),
        ("weights='near/2024'", "weights='near/2024'"),
        ("=", "="),
    ],
)
def test_the_command_of_a_record_names_no_folders(word: str, told: str) -> None:
    environment = {**SURROUNDINGS, "command": ["retinula", "train", word]}
    run = create_run(load_recipe("digits"), environment, "mine", Path("runs"))
    (kept,) = keep_records([run], Path("records"))
    assert kept.environment()["command"] == ["retinula", "train", told]


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
