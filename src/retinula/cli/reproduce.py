"""`retinula reproduce` and `retinula results`: published figures beside measured ones."""

from pathlib import Path
from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, TrainingReporter, remark, say, say_json
from retinula.text.words import table

PAGE = Path("docs") / "results.md"


def reproduce(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe with claims; see: retinula recipes.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[key=value ...]", help="Settings to change, such as epochs=4.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="N", help="How many trainings, each with a seed of its own.", min=1)
    ] = 1,
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Photos to ask the model about besides the recipe's own in RETINULA_DATA, with their labels.csv.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For table and figures; otherwise reproductions/RECIPE, or RECIPE-DIGEST with other settings.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Repeat a published work: published beside measured.

    Trains its runs, or uses those that are there, and draws what the work drew.
    """
    from retinula.recipe.resetting import recipe_named
    from retinula.reproduction import place
    from retinula.reproduction import reproduce as work
    from retinula.reproduction.table import head_for
    from retinula.runs.run import RUNS

    recipe = recipe_named(name, settings or [])
    folder = out or place.usual_folder(recipe, recipe_named(name, []))
    with TrainingReporter() as reporter:
        result = work.reproduce(recipe, seeds, root=RUNS, folder=folder, photos=photos, reporter=reporter)
    if as_json:
        say_json(result.to_dict())
        return
    say(f"{result.title}: {recipe.source}")
    for line in table(head_for(recipe), [row.cells for row in result.rows]):
        say(line)
    for fault in dict.fromkeys(row.fault for row in result.rows if row.fault):
        say(f"{', '.join(row.figure for row in result.rows if row.fault == fault)}: {fault}")
    for note in result.notes:
        say(note)
    say(f"table    {folder / place.PAGE}")
    for name in result.tables:
        say(f"table    {folder / name}")
    say(f"figures  {folder / place.FIGURES}")
    if result.answered is not None:
        say(f"photos   {folder / place.ANSWERS}")


def results(
    write: Annotated[
        bool, typer.Option("--write", help=f"Write the page into {PAGE}, and beside it what it is made of.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set out what finished runs measured, as a Markdown page.

    Uses the runs under runs/ and the records in docs/records/.
    """
    from retinula.files.durable import write_text
    from retinula.reproduction.records import RECORDS, keep_records
    from retinula.reproduction.results import earlier_recipes, gather, results_list, results_page
    from retinula.runs.run import RUNS

    with TrainingReporter() as reporter:
        groups = gather([RECORDS, RUNS], reporter)
        if as_json:
            say_json(results_list(groups))
            return
        if write:
            keep_records(each.run for runs in groups for each in runs)
            groups = gather([RECORDS])  # what is left out has been told
        page = results_page(groups, earlier_recipes(PAGE.parent))
    if not write:
        say(page.rstrip())
        return
    write_text(PAGE, page)
    remark(f"written {PAGE}")
