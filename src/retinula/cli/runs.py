"""`retinula runs`: the trainings that there are, one of them, or several beside each other."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retinula.cli.terminal import AsJson, TrainingReporter, remark, say, say_json
from retinula.errors import InputError
from retinula.text.names import printable
from retinula.text.words import listed, number, percent, reached, share, table

if TYPE_CHECKING:
    from retinula.runs.files import EpochRow
    from retinula.runs.run import Run

MOST_EPOCHS = 40  # that are shown in a table, which nobody reads on a screen beyond that

_Run = Annotated[str, typer.Argument(metavar="RUN", help="A folder, a name under runs/, or 'last'.")]

app = typer.Typer(
    help="List, show, compare and end trainings; alone lists them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def _by_itself(context: typer.Context, as_json: AsJson = False) -> None:
    """List the trainings where nothing else is asked."""
    if context.invoked_subcommand is None:
        list_all(as_json=as_json)
    elif as_json:
        raise InputError(f"--json goes to the end: retinula runs {context.invoked_subcommand} ... --json")


@app.command("list")
def list_all(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Another folder of trainings, such as studies/digits/runs.")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the trainings under runs/ or elsewhere, newest last."""
    from retinula.runs.run import list_runs

    if folder != Path("runs") and not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    found = []
    for run in list_runs(folder, lambda closed: remark(f"left out {closed}")):
        try:
            found.append(_outline(run, run.metrics()))
        except InputError as error:  # one broken folder does not hide the others
            remark(f"left out {printable(str(error))}")
    if as_json:
        say_json(found)
        return
    if not found:
        say("no runs here yet; begin with: retinula train")
        return
    rows = [
        (
            printable(row["name"]),
            printable(_called(row)),
            str(row["seed"]),
            _state(row),
            number(row["val_loss"]) if row["val_accuracy"] is None else share(row["val_accuracy"]),
            share(row["test_accuracy"]),
        )
        for row in found
    ]
    for line in table(("name", "recipe", "seed", "state", "validation", "test"), rows):
        say(line)


@app.command("show")
def show(
    run: _Run,
    as_json: AsJson = False,
) -> None:
    """Show one training: recipe, data, epochs, results."""
    from retinula.runs.files import ended_early
    from retinula.runs.run import find_run

    found = find_run(run, tell=remark)
    report = found.report() if found.finished else None
    metrics = found.metrics()
    outline = _outline(found, metrics)
    if as_json:
        say_json({**outline, "report": report, "environment": found.environment(), "metrics": metrics})
        return
    about = f"{found.path}: recipe {_called(outline)}, seed {outline['seed']}, data {outline['data']}"
    say(printable(about))
    head = ("epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
    rows = [
        (
            str(row["epoch"]),
            str(row["step"]),
            number(row["loss"]),
            share(row["accuracy"]),
            number(row["val_loss"]),
            share(row["val_accuracy"]),
            number(row["seconds"], 1),
        )
        for row in _spread(metrics)
    ]
    for line in table(head, rows):
        say(line)
    if len(rows) < len(metrics):
        say(printable(f"{len(rows)} of {len(metrics)} epochs; all of them: {found.metrics_file}"))
    for key, result in report["evaluations"].items() if report else ():
        name = printable(key)
        if result.get("accuracy") is not None:
            interval = f"{share(result.get('accuracy_low'))} to {share(result.get('accuracy_high'))}"
            say(f"{name}: accuracy {share(result['accuracy'])} ({interval}), loss {number(result.get('loss'))}")
        else:
            say(f"{name}: loss {number(result.get('loss'))}, PSNR {number(result.get('psnr'), 2)} dB")
    if found.figures.is_dir():
        say(f"figures  {printable(str(found.figures))}")
    if report is None:
        say(f"not finished; {printable(found.unfinished())}")
    elif ended := ended_early(report):
        say(ended)


@app.command("finish")
def finish(
    run: _Run,
    as_json: AsJson = False,
) -> None:
    """End an interrupted training where it is.

    It becomes a finished run, with a model of what it has learned so far, and goes on no more. To go on with it
    instead: retinula train --resume RUN.
    """
    from retinula.cli.train import show_trained
    from retinula.experiment import finish
    from retinula.runs.run import find_run

    found = find_run(run, tell=remark)
    with TrainingReporter() as reporter:
        finish(found.path, reporter=reporter)
    show_trained(found.path, as_json)


@app.command("compare")
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Folders, names under runs/, or 'last'.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the figure goes.")] = Path("comparison"),
    as_json: AsJson = False,
) -> None:
    """Set trainings beside each other, in a table and a figure.

    The best is told by its validation pictures, never by the test, and only where chance does not explain its lead.
    """
    from retinula.plots.comparison import MOST, compared_curves
    from retinula.plots.figure import save
    from retinula.reproduction.choosing import choose
    from retinula.runs.run import find_run

    if len(runs) > MOST:
        raise InputError(f"{len(runs)} runs are too many to compare; name up to {MOST}")
    choice = choose([find_run(run, tell=remark) for run in runs])
    names = _distinct([each.run.path for each in choice.compared])
    best, as_good = [names[place] for place in choice.best], [names[place] for place in choice.as_good]
    curves = {name: each.rows for name, each in zip(names, choice.compared, strict=True)}
    shown = any(row[choice.metric] is not None for rows in curves.values() for row in rows)
    files = []
    if shown:
        those = "they" if len(as_good) == len(names) else listed(as_good)
        undecided = f"{those} {choice.undecided}" if as_good else choice.undecided
        files = save(compared_curves(curves, choice.metric, best, undecided), out, "validation-by-epoch")
    if as_json:
        found = [
            {
                "name": name,
                "run": str(each.run.path),
                "settings": list(each.settings),
                "epochs": len(each.rows),
                "finished": each.finished,
                choice.metric: each.value,
                f"{choice.metric}_interval": each.interval,
                "num_validation_images": each.num_images,
                "seconds": each.seconds,
                "test_accuracy": each.test_accuracy,
                "test_plain_accuracy": each.test_plain_accuracy,
            }
            for name, each in zip(names, choice.compared, strict=True)
        ]
        say_json(
            {
                "runs": found,
                "metric": choice.metric,
                "best": best[0] if len(best) == 1 else None,
                "best_runs": best,
                "as_good": as_good,
                "undecided": choice.undecided,
                "reason": choice.reason,
                "files": [str(file) for file in files],
            }
        )
        return
    averaged = any(each.test_plain_accuracy is not None for each in choice.compared)
    shares = choice.metric == "val_accuracy"
    rows = [
        (
            printable(name),
            reached(choice.metric, each.value),
            *([_bounds(each.interval), number(each.num_images, 0)] if shares else []),
            f"{len(each.rows)}{'' if each.finished else ' so far'}",
            f"{each.seconds:.0f}",
            share(each.test_accuracy),
            *([share(each.test_plain_accuracy)] if averaged else []),
            printable(", ".join(each.settings)) or ("-" if place else "compared with this"),
        )
        for place, (name, each) in enumerate(zip(names, choice.compared, strict=True))
    ]
    chance = ("95 % interval", "pictures") if shares else ()
    looks = ("by a single look",) if averaged else ()
    for line in table(("run", choice.metric, *chance, "epochs", "seconds", "test", *looks, "differs in"), rows):
        say(line)
    if best:
        say(f"best     {printable(listed(best))} ({choice.reason})")
    elif as_good:
        say(f"best     none: {printable(listed(as_good))} {choice.undecided} ({choice.reason})")
    else:
        say(choice.reason)
    if files:
        say(f"figure   {printable(str(files[0]))}")


def _spread(rows: "list[EpochRow]") -> "list[EpochRow]":
    """Return every second, third or so of the rows, and the last, where there are too many to look at."""
    every = -(-len(rows) // MOST_EPOCHS)
    return [row for row in rows if row["epoch"] % every == 0 or row is rows[-1]]


def _distinct(paths: list[Path]) -> list[str]:
    """Return the names of folders, or their whole paths where two of them are called the same."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _bounds(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{100 * interval[0]:.1f} to {percent(interval[1])}"


def _state(row: dict[str, Any]) -> str:
    if row["finished"]:
        return "ended early" if row["ended_early"] else "finished"
    return f"{'in training, ' if row['in_training'] else ''}{row['epochs']} epochs so far"


def _called(row: dict[str, Any]) -> str:
    """Return what a recipe is called: that made of a folder may have the name of a shipped one, and be another."""
    return f"default on {Path(row['data']).name}" if row["from_default"] else str(row["recipe"])


def _outline(run: "Run", metrics: "list[EpochRow]") -> dict[str, Any]:
    from retinula.recipe.files import load_recipe
    from retinula.recipe.targets import DEFAULT
    from retinula.training.outline import Outline

    recipe = run.recipe()
    return {
        "name": run.name,
        "recipe": recipe.name,
        "from_default": recipe.name != DEFAULT and recipe.about == load_recipe(DEFAULT).about,
        "seed": recipe.seed,
        "digest": recipe.digest(),
        "data": recipe.data.name,
        "finished": run.finished,
        "in_training": not run.finished and run.in_training(),
        **asdict(Outline.of(run, recipe, metrics)),
    }
