"""The page of results: written from the reports of finished runs, never by hand."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from retinula.errors import InputError
from retinula.files.durable import read_text
from retinula.recipe.assignment import ARGUMENTS
from retinula.recipe.differences import as_shipped, changed_from_shipped
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Metric
from retinula.reproduction.begun_from import begun_from, has_other_settings, words_of
from retinula.reproduction.comparison import HEAD, find_comparisons
from retinula.reproduction.finished import Finished
from retinula.reproduction.floor import floor_words
from retinula.reproduction.further import Further, goes_further
from retinula.reproduction.measures import measure, num_images, own_photos, result_metrics
from retinula.reproduction.records import without_folders
from retinula.reproduction.runs import readable_runs
from retinula.reproduction.table import first_measured, head_for, headline, make_rows, markdown, markdown_line
from retinula.text.words import plural
from retinula.training.reporting import Reporter

_HEAD = ("recipe", "settings", "seeds", "test pictures", "result", "single look", "photos", "training", "machine")
_LISTED: tuple[Metric, ...] = ("plain_accuracy", "loss", "photos_accuracy", "seconds", "step_seconds")  # besides
EARLIER = "results-earlier.md"  # kept by hand beside the page: results whose runs are gone
_INTRODUCTION = """# Results

Written by `retinula results --write` from the reports of finished runs. A result is the share of the test pictures that
are right, or of what gives pictures back its PSNR: the mean over the seeds and their standard deviation, n the number
of runs. Some recipes average over six looks at each picture; then "single look" says how many are right by one alone.
"Settings" are those that differ from the shipped recipe. Of a training that was ended early they say at which step, and
what was claimed of a whole one is shown "so far" and not judged. Times depend on the machine, numbered below the table,
and on what else it did.
"""


def gather(folders: Iterable[Path], reporter: Reporter | None = None) -> list[list[Finished]]:
    """Return the finished and evaluated runs of some folders that differ by their seed only, of each seed the newest.

    In order of recipes, of each the one as shipped first, then those with few settings changed; by seed within. Those
    that were ended early stand apart, by the step.

    Args:
        folders: of runs or records; one that is not there holds none.
        reporter: told which runs are left out, and why.

    Raises:
        InputError: there is no such run.
    """
    folders, reporter = list(folders), reporter or Reporter()
    found: dict[tuple[str, int, str, str], dict[int, Finished]] = {}
    for run, recipe in itertools.chain.from_iterable(readable_runs(folder, reporter) for folder in folders):
        if not run.finished:
            continue
        finished = Finished(run, recipe, run.report())
        if not finished.report["evaluations"]:
            continue
        try:
            _machines(finished)
        except InputError as error:
            reporter.message(f"left out {run.path}: {error}")
            continue
        num_changed = len(changed_from_shipped(recipe) or [])
        key = recipe.name, num_changed, without_folders(recipe).changed(seed=0).digest(), finished.ended_early
        seeds = found.setdefault(key, {})
        if recipe.seed not in seeds or _started(seeds[recipe.seed]) <= _started(finished):
            seeds[recipe.seed] = finished
    if not found:
        places = " or ".join(str(folder.resolve()) for folder in folders)
        raise InputError(f"there is no finished and evaluated run in {places}: train and evaluate one first")
    return [[runs[seed] for seed in sorted(runs)] for _, runs in sorted(found.items())]


def earlier_recipes(folder: Path) -> frozenset[str]:
    """Return the recipes that the page of earlier results in a folder has as shipped; none without such a page.

    Raises:
        InputError: the page cannot be read.
    """
    page = folder / EARLIER
    lines = read_text(page).splitlines() if page.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return frozenset(row[0] for row in cells if row[1:2] == ["as shipped"])


def results_page(groups: Sequence[Sequence[Finished]], earlier: Collection[str] = ()) -> str:
    """Return the page of gathered runs, as Markdown.

    Args:
        groups: as `gather` gives them.
        earlier: recipes of which the page of earlier results beside it tells, as `earlier_recipes` gives them.
    """
    machines = list(dict.fromkeys(machine for runs in groups for each in runs for machine in _machines(each)))
    lines = [_INTRODUCTION, markdown_line(_HEAD), markdown_line(("---",) * len(_HEAD))]
    lines += [markdown_line(_cells(runs, machines)) for runs in groups]
    lines += ["", "Machines:", "", *(f"{number}. {machine}" for number, machine in enumerate(machines, start=1))]
    lines += ["", "Data:", "", *dict.fromkeys(f"- {_data(each)}" for runs in groups for each in runs)]
    photos = dict.fromkeys(f"- {told}" for runs in groups for each in runs if (told := _photos(each)))
    lines += ["", "Photos:", "", *photos] if photos else []
    origins = dict.fromkeys(f"- {told}" for runs in groups for each in runs if (told := _origin(each)))
    lines += ["", "Models begun from:", "", *origins] if origins else []
    for runs in groups:
        recipe = as_shipped(runs[0].recipe)
        if recipe is not None and recipe.claims:
            ended = runs[0].ended_early
            lines += ["", f"## {recipe.name}{ended and f', {ended}'}", "", f"{recipe.source}.", ""]
            lines += markdown(make_rows(recipe, runs), head_for(recipe))
            floor, further = floor_words(recipe, runs), goes_further(recipe, runs, groups)
            lines += ["", f"{floor}."] if floor else []
            lines += [] if further is None else ["", f"{_further_words(further, earlier)}."]
    for comparison in find_comparisons(groups):
        lines += ["", f"## Networks trained by {comparison.recipe.name} {comparison.alike}", ""]
        lines += _beside_network_and_length(comparison.recipe)
        lines += map(markdown_line, (HEAD, ("---",) * len(HEAD), *comparison.rows))
    return "\n".join(lines) + "\n"


def results_list(groups: Sequence[Sequence[Finished]]) -> list[dict[str, Any]]:
    """Return what the page says, as values that JSON can hold: for each recipe its runs, seeds and measured values."""
    results = []
    for runs in groups:
        recipe = runs[0].recipe
        measured = {metric: measure(runs, metric) for metric in (*result_metrics(recipe), *_LISTED)}
        usual = as_shipped(recipe)
        further = goes_further(usual, runs, groups) if usual else None
        results.append(
            {
                "recipe": recipe.name,
                "settings": _settings(runs[0]),
                "runs": [str(each.run.path) for each in runs],
                "seeds": [each.recipe.seed for each in runs],
                "begun_from": begun_from(runs[0]),
                "data": _data(runs[0]),
                "num_images": list(num_images(runs)),
                "machines": list(dict.fromkeys(itertools.chain.from_iterable(map(_machines, runs)))),
                "measured": {metric: list(found.values) for metric, found in measured.items() if found},
                "photos": list(dict.fromkeys(filter(None, map(_photos, runs)))),
                "table": [row.to_dict() for row in make_rows(usual, runs)] if usual else [],
                "better": further.to_dict() if further else None,
            }
        )
    return results


def _further_words(further: Further, earlier: Collection[str]) -> str:
    """Say whether it goes further, or where that was told once."""
    if further.runs or further.name not in earlier:
        return further.words
    told = f"what it reached stands among the [earlier results]({EARLIER}), whose runs are not kept"
    return f"{further.intention}: {told}. Measure it anew with `{further.command}`"


def _cells(runs: Sequence[Finished], machines: Sequence[str]) -> tuple[str, ...]:
    recipe = runs[0].recipe
    numbers = dict.fromkeys(
        " then ".join(str(machines.index(machine) + 1) for machine in _machines(each)) for each in runs
    )
    return (
        recipe.name,
        _settings(runs[0]),
        ", ".join(str(each.recipe.seed) for each in runs),
        ", ".join(f"{number:,}" for number in num_images(runs)) or "-",
        headline(runs),
        first_measured(runs, "plain_accuracy") if recipe.evaluation.tta != "none" else "-",
        first_measured(runs, "photos_accuracy"),
        first_measured(runs, "seconds"),
        ", ".join(numbers),
    )


def _beside_network_and_length(recipe: Recipe) -> list[str]:
    """Say which settings all the networks of a comparison were trained with that are not the shipped recipe's."""
    varied = ("model.name=", ARGUMENTS, "training.steps=", "training.epochs=")
    common = [setting for setting in changed_from_shipped(recipe) or [] if not setting.startswith(varied)]
    return [f"With {', '.join(common)}.", ""] if common else []


def _settings(finished: Finished) -> str:
    changed = changed_from_shipped(finished.recipe)
    told = "not shipped" if changed is None else ", ".join(changed) or "as shipped"
    return ", ".join(filter(None, (told, finished.ended_early)))


def _data(finished: Finished) -> str:
    data: dict[str, str] = finished.report["data"]
    return data["name"].removesuffix("/train") + (f": {data['copy']}" if "copy" in data else "")


def _photos(finished: Finished) -> str:
    """Say which photos, and how many, the run was measured by; nothing where it was by none."""
    photos = own_photos(finished)
    return f"{photos.get('folder')}: {plural(photos['total'], 'photo')}" if photos.get("total") else ""


def _origin(finished: Finished) -> str:
    """Say which model the run began from; nothing where it began from none."""
    origin = begun_from(finished)
    if origin is None:
        return ""
    other = ", which was not trained as shipped" if has_other_settings(finished) else ""
    return f"{finished.recipe.name}, seed {finished.recipe.seed}: {words_of(origin)}{other}"


def _started(finished: Finished) -> str:
    return str(finished.environment.get("started", ""))


def _machines(finished: Finished) -> list[str]:
    """Say machine, what of it a training computed with (which older reports lack), and versions.

    Returns:
        Those that it began with, and then those that it went on with, where they are others.

    Raises:
        InputError: the run does not say on what it was trained.
    """
    environment = finished.environment
    hardware = finished.report["training"].get("hardware")
    try:
        told = [_machine(each, hardware) for each in (environment, *(environment.get("went_on") or ()))]
    except KeyError as error:
        raise InputError(f"{finished.run.environment_file}: there is no {error} in it") from error
    return [machine for machine, _ in itertools.groupby(told)]


def _machine(session: dict[str, Any], hardware: str | None) -> str:
    machine, versions = session["machine"], session["versions"]
    return (
        f"{machine['accelerator'] or machine['processor']}, {plural(machine['cores'], 'core')}, bfloat16 units: "
        f"{machine['bfloat16_units']}{f'; trained on {hardware}' if hardware else ''}; "
        f"Python {session['python']}, " + ", ".join(f"{name} {version}" for name, version in versions.items())
    )
