"""The page of results and the records it is made of."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.reproduction.records import keep_records, without_folders
from retinula.reproduction.reproduce import reproduce
from retinula.reproduction.results import gather, results_list, results_page
from retinula.runs.run import Run, create_run, list_runs
from retinula.trained.model_file import Model
from small_reproductions import CLAIMS, Listens, finished_runs, recipe
from small_runs import SURROUNDINGS


def page_of(*folders: Path, reporter: Listens | None = None) -> str:
    return results_page(gather(folders, reporter))


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


@pytest.mark.usefixtures("_undrawn")
def test_a_run_that_went_on_elsewhere_stands_beside_both_machines(trained: Path) -> None:
    run = finished_runs(trained, 2)[1]
    environment = run.environment()
    other = environment["machine"] | {"processor": "Another", "accelerator": None, "cores": 1}
    later = [{**environment, "after_step": n, "machine": machine} for n, machine in ((1, other), (2, other))]
    run.environment_file.write_text(json.dumps({**environment, "went_on": later}))
    page = page_of(Path("runs"))
    (line,) = [line for line in page.splitlines() if line.startswith("| digits |")]
    assert line.endswith("| 1, 1 then 2 |")
    assert "\n2. Another, 1 core, bfloat16 units: " in page
    (listed,) = results_list(gather([Path("runs")]))
    assert [machine.startswith("Another, 1 core") for machine in listed["machines"]] == [False, True]
    del later[1]["machine"]["processor"]
    run.environment_file.write_text(json.dumps({**environment, "went_on": later}))
    listens = Listens()
    assert "| 1 |" in page_of(Path("runs"), reporter=listens)
    assert listens.said == [f"left out {run.path}: {run.environment_file}: there is no 'processor' in it"]


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
def test_what_was_gathered_is_read_once(trained: Path) -> None:
    (run,) = finished_runs(trained, 1)
    groups = gather([Path("runs")])
    page, listed = results_page(groups), results_list(groups)
    for file in (run.report_file, run.recipe_file, run.environment_file):
        file.unlink()
    assert (results_page(groups), results_list(groups)) == (page, listed)


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
    kept = keep_records([each.run for runs in gather([Path("runs")]) for each in runs], records)
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
    again = keep_records([each.run for runs in gather([records, Path("runs")]) for each in runs], records)
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
    assert cells[0][6] == "result"
    model = Model.load("runs/digits-seed0")
    assert cells[3][1] == f"{sum(p.numel() for p in model.network.parameters()):,}"


def test_a_record_names_no_folders() -> None:
    settings = [
        "data.name=/home/me/photos",
        "data.more=['/home/me/others','relative/ones']",
        "data.root=/home/me/pictures",
        "weights=/home/me/model.st",
        "figures.photos=/home/me/shown",
    ]
    told = without_folders(load_recipe("digits", settings))
    assert told.data.name == "photos"
    assert told.data.more == ("others", "relative/ones")
    assert told.data.root == "pictures"
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
