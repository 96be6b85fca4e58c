"""The documentation's commands are run, or at least understood by the command line."""

import csv
import inspect
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

import retinula
from retinula.cli.main import app
from retinula.datasets.catalog import CATALOG
from retinula.models.catalog import NETWORKS, build
from retinula.models.summary import summarize
from retinula.recipe.differences import as_shipped
from retinula.recipe.files import checked, load_recipe, setting_names, shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Claim, Metric
from retinula.reproduction.finished import Finished
from retinula.reproduction.records import RECORDS
from retinula.reproduction.results import earlier_recipes, gather, results_list, results_page

BASH = shutil.which("bash") or pytest.skip("needs bash", allow_module_level=True)
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST = 400  # seconds for all blocks of a page
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(found["kind"].strip(), found["text"]) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def commands() -> list[tuple[str, str]]:
    return [
        (page.name, line)
        for page in PAGES
        for _, text in blocks(page)
        for line in text.splitlines()
        if line.startswith("retinula ")
    ]


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_is_one_that_exists(page: str, line: str) -> None:
    words = shlex.split(re.split(r" [>&]( |$)", line)[0], comments=True)[1:]
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words, f"{page}: {line!r} names no command"
        assert words[0] in command.commands, f"{page}: {line!r}"
        command = command.commands[words.pop(0)]
    context = command.make_context("retinula", [word for word in words if word != "--help"])
    assert context.params is not None


def runnable(page: Path) -> str:
    """One script of all blocks of a page marked to be run, in their order; Python's in a row are one program."""
    marked = [(kind, text) for kind, text in blocks(page) if kind in ("sh run", "python run")]
    parts = []
    for kind, group in groupby(marked, key=lambda block: block[0]):
        joined = "".join(text for _, text in group)
        parts.append(joined if kind == "sh run" else f"python - <<'END'\n{joined}END\n")
    return "".join(parts)


@pytest.mark.parametrize(
    "page",
    [
        # Those that train take longest, since every command loads torch; the default tests do the same in one process.
        pytest.param(
            page, id=page.name, marks=pytest.mark.slow if re.search("retinula[ .]train", runnable(page)) else ()
        )
        for page in PAGES
        if runnable(page)
    ],
)
@pytest.mark.timeout(LONGEST + 20)
def test_marked_blocks_run_as_they_stand(page: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH, "-euo", "pipefail", "-c", runnable(page)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    printed = {shape(line) for line in (done.stderr + done.stdout).splitlines()}
    for line in shown(page):
        assert shape(line) in printed, f"the program prints no line like {line!r}"


def shown(page: Path) -> list[str]:
    """The lines that a page shows of what its marked blocks print."""
    texts = [text for kind, text in blocks(page) if kind == "text shown"]
    return [line for text in texts for line in text.splitlines() if line not in ("", "...")]


def shape(line: str) -> str:
    """A line without its figures and widths, which no two runs have in common."""
    return re.sub(r"\d+(?:\.\d+)?", "0", " ".join(line.split()))


def test_the_readme_shows_what_its_commands_print() -> None:
    assert len(shown(ROOT / "README.md")) > 5  # what they print is compared where they are run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target


def test_the_page_of_results_is_what_its_records_say() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert results_page(gather([ROOT / RECORDS]), earlier_recipes(ROOT / "docs")) == page, (
        "write it anew: retinula results --write"
    )


def rows(page: Path, head: str) -> list[list[str]]:
    """The cells of every row of a page's table, found by how its head begins."""
    lines = page.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(head)) + 2
    table = takewhile(lambda line: line.startswith("|"), lines[first:])
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def words(cell: str) -> list[str]:
    """What is marked as code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def test_what_the_quick_recipes_cost_is_what_the_records_say() -> None:
    measured = {
        each["recipe"]: each["measured"]
        for each in results_list(gather([ROOT / RECORDS]))
        if each["settings"] == "as shipped"
    }
    machines = {name: [each.environment["machine"] for each in runs] for name, runs in records().items()}
    table = rows(ROOT / "docs" / "fast.md", "| recipe |")
    assert len(table) == 6
    for name, _, right, single, seeds, _, training, machine in table:
        for told, metric in ((right, "accuracy"), (single, "plain_accuracy")):
            accuracies = [100 * value for value in measured[name.strip("`")][metric]]
            spread = f" ± {statistics.stdev(accuracies):.1f}" if len(accuracies) > 1 else ""
            assert told == f"{statistics.fmean(accuracies):.1f}{spread} %"
            assert int(seeds) == len(accuracies)
        assert training == f"{statistics.fmean(measured[name.strip('`')]['seconds']) / 60:.0f} minutes"
        cores = {f"{each['cores']}, {each['bfloat16_units'] or 'none'}" for each in machines[name.strip("`")]}
        assert cores == {machine}


def test_results_in_the_readme_are_those_of_the_quick_recipes() -> None:
    told = {}
    for name, tested, right, single, seeds, _, training, machine in rows(ROOT / "docs" / "fast.md", "| recipe |"):
        cores, units = machine.split(", ")
        data, times = tested.removeprefix("10,000 of "), "seed" if seeds == "1" else "seeds"
        elsewhere = "" if cores == "1" else f", {cores} cores"
        elsewhere += "" if units == "none" else " with bfloat16 units"
        assert cores == "2" or units == "none"
        told[name] = [f"{data}: {right} ({seeds} {times})", single, f"{training}{elsewhere}"]
    table = rows(ROOT / "README.md", "| recipe |")
    assert {row[0]: row[1:] for row in table} == told


def test_calibration_told_of_the_quick_recipes_is_that_of_the_records() -> None:
    table = rows(ROOT / "docs" / "fast.md", "| recipe | calibration")
    assert len(table) == 7
    for name, told in table:
        errors = [f"{100 * each.evaluation()['calibration_error']:.1f}" for each in records()[words(name)[0]]]
        low, high = min(errors, key=float), max(errors, key=float)
        assert told == (f"{low} %" if low == high else f"{low} to {high} %"), name


def records() -> dict[str, list[Finished]]:
    """The recorded runs of every recipe as it is shipped."""
    return {runs[0].recipe.name: runs for runs in gather([ROOT / RECORDS]) if as_shipped(runs[0].recipe)}


def multiplications(recipe: Recipe) -> float:
    """Multiply-adds forward over a whole training, parts of which may have smaller pictures."""
    data = CATALOG[recipe.data.name]
    channels, (side, _) = data.channels, data.size
    arguments: dict[str, Any] = dict(recipe.model.arguments)
    network = build(recipe.model.name, num_classes=10, channels=channels, **arguments)
    sizes = recipe.training.sizes or ((0.0, side),)
    parts = zip(sizes, [*(start for start, _ in sizes[1:]), 1.0], strict=True)
    share = sum(
        (end - start) * summarize(network, (channels, side, side)).multiply_adds for (start, side), end in parts
    )
    return share * (recipe.training.epochs or 0) * data.counts["train"]


def test_work_told_is_that_of_the_recipes() -> None:
    one = multiplications(load_recipe("cifar10-fast"))
    table = rows(ROOT / "docs" / "fast.md", "| recipe |")
    assert len(table) == 6
    for name, _, _, _, _, work, *_ in table:
        assert work == f"{multiplications(load_recipe(name.strip('`'))) / one:.2g}", name


def test_photos_of_the_records_are_told() -> None:
    page = ROOT / "docs" / "photos.md"
    scored = [each.report["photos"] for runs in records().values() for each in runs if each.report.get("photos")]
    table = rows(page, "| file |")
    assert {(each["folder"], each["total"]) for each in scored} == {("photos-cifar10-classes", len(table))}
    assert Counter(row[3] for row in table) == {row[0]: int(row[2]) for row in rows(page, "| source |")}


@pytest.mark.data
def test_photos_are_told_as_they_lie_in_their_folder(real_data: Path) -> None:
    labels = real_data / "photos-cifar10-classes" / "labels.csv"
    lines = list(csv.DictReader(labels.read_text(encoding="utf-8").splitlines()))
    told = [
        [words(file)[0], label, size, words(name)[0]]
        for file, label, size, _, name, _ in rows(ROOT / "docs" / "photos.md", "| file |")
    ]
    assert told == [
        [row["file"], row["label"], f"{row['width']}x{row['height']}", row["original_name"]] for row in lines
    ]


def test_what_photos_say_of_recipes_is_that_of_the_records() -> None:
    recorded = records()
    results = {row[0]: row[6] for row in rows(ROOT / "docs" / "results.md", "| recipe |") if row[1] == "as shipped"}
    table = rows(ROOT / "docs" / "evaluation.md", "| recipe | photos right")
    assert len(table) == 3
    for name, right, number, interval in table:
        assert f"{right} (n = {number})" == results[name.strip("`")]
        photos = [each.report["photos"] for each in recorded[name.strip("`")]]
        low, high = min(each["low"] for each in photos), max(each["high"] for each in photos)
        assert interval == f"{100 * low:.0f} to {100 * high:.0f} %"


def test_what_recipes_cost_is_what_was_measured() -> None:
    measured = {}
    for page in ("results-earlier.md", "results.md"):
        for name, settings, *_, seconds, _ in rows(ROOT / "docs" / page, "| recipe | settings |"):
            if settings == "as shipped":
                measured[name] = f"{int(seconds.split()[0]):,} s"
    table = rows(ROOT / "docs" / "recipes.md", "| recipe | what |")
    cost = {name: row[2] for row in table for name in words(row[0])}
    assert set(cost) == set(shipped())
    for name, text in shipped().items():
        if name in ("digits", "default"):
            continue
        assert cost[name] == measured.get(name, "not measured"), name
        assert f"# Cost:    {cost[name]}" in text, name


def test_what_goes_further_is_what_recipes_name() -> None:
    table = rows(ROOT / "docs" / "reproduction.md", "| recipe | the work")
    recipes = [load_recipe(name) for name in shipped()]
    assert {words(row[0])[0]: words(row[4])[0] for row in table} == {
        each.name: each.better for each in recipes if each.better
    }


def test_the_way_of_a_training_that_was_ended_early_is_that_of_its_record() -> None:
    (cut,) = [runs for runs in gather([ROOT / RECORDS]) if runs[0].ended_early]
    (run,) = cut
    losses = {str(row["epoch"]): row["val_loss"] for row in run.run.metrics()}
    claimed = {str(each.at): each.value for each in run.recipe.claims if each.metric == "epoch_val_loss"}
    table = rows(ROOT / "docs" / "reproduction.md", "| epoch | the work")
    assert [row[0] for row in table] == ["1", "2", "3", "4", "5"]
    for epoch, published, measured in table:
        assert float(measured) == pytest.approx(losses[epoch], abs=5.1e-4)
        assert epoch not in claimed or float(published) == pytest.approx(claimed[epoch], abs=5.1e-4)


def test_what_was_measured_of_works_is_what_the_pages_of_results_say() -> None:
    measured = {}
    for page, place, kept in (("results-earlier.md", 3, ", runs not kept"), ("results.md", 4, "")):
        for row in rows(ROOT / "docs" / page, "| recipe | settings |"):
            if row[1] == "as shipped":
                measured[row[0]] = row[place] + kept
    work = next(each for each in results_list(gather([ROOT / RECORDS])) if each["recipe"] == "cifar10-autoencoder")
    (end,) = [row for row in work["table"] if row["figure"].startswith("training loss at step 39,000")]
    measured["cifar10-autoencoder"] = f"{end['measured']} at the end"
    table = rows(ROOT / "docs" / "reproduction.md", "| recipe | the work")
    assert len(table) == 5
    for row in table:
        assert row[3] == measured.get(words(row[0])[0], "not measured"), row[0]


def test_arguments_of_networks_are_told() -> None:
    told = {
        (network, words(row[1])[0]): json.loads(row[3].replace("`", '"'))
        for row in rows(ROOT / "docs" / "recipes.md", "| network | argument |")
        for network in words(row[0])
    }
    built = {(name, key): value for name, network in NETWORKS.items() for key, value in network.arguments.items()}
    assert told == built


def test_claims_are_told() -> None:
    page = ROOT / "docs" / "recipes.md"
    example = next(text for kind, text in blocks(page) if kind == "toml" and "[[claims]]" in text)
    recipe = checked({**tomllib.loads(example), "name": "example"}, "the example")
    assert {key for claim in recipe.claims for key in claim.model_dump()} == set(Claim.model_fields)
    for key in Claim.model_fields:
        assert f"\n{key} = " in example
    told = [name for row in rows(page, "| metric | what") for name in words(row[0])]
    assert sorted(told) == sorted(get_args(Metric))


def test_parameters_of_the_package_are_told() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\w+)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    for name in retinula.__all__:
        if name.startswith("_") or name in ("Model", "RetinulaError"):
            continue
        parameters = list(inspect.signature(getattr(retinula, name)).parameters)
        cells = re.findall(r"^\| (`[^|]+) \|", sections[name], re.MULTILINE)
        assert sorted(word for cell in cells for word in words(cell)) == sorted(parameters), name
    methods = []
    for line in sections["Model"].splitlines():
        for method in words(line.partition(" | ")[0]) if line.startswith("| `") else []:
            methods.append(method)
            told = words(line.split(" | ")[1])
            assert set(inspect.signature(getattr(retinula.Model, method)).parameters) - {"self"} <= {*told, "on_batch"}
    assert methods == ["load", "save", "predict", "probabilities", "outputs", "unfamiliar"]


def test_every_name_of_the_package_has_its_example() -> None:
    page = ROOT / "docs" / "api.md"
    names = [name for name in retinula.__all__ if not name.startswith("_")]
    assert len(names) == 12
    headings = re.findall(r"^## (\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(names)
    for name in names:
        assert f"retinula.{name}" in runnable(page), name


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, retinula; print({'torch', 'numpy', 'optuna', 'pydantic'} & sys.modules.keys() or 'nothing')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "nothing\n"


def test_every_setting_is_explained() -> None:
    explained = []
    for keys, *_ in rows(ROOT / "docs" / "recipes.md", "| key | meaning"):
        first, *others = words(keys)
        section = first.rpartition(".")[0]  # which those that stand in one row have in common
        explained += [first, *(key if "." in key else f"{section}.{key}" for key in others)]
    assert sorted(explained) == sorted([*setting_names(), "claims"])
    assert "claims" in Recipe.model_fields
