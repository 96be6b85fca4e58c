"""`retinula models`, `retinula recipes`, `retinula runs`: what there is, by name."""

from pathlib import Path
from typing import Annotated, Any

import typer

from retinula.cli.terminal import AsJson, number, reached, remark, say, say_json, share, table
from retinula.errors import InputError

runs_app = typer.Typer(
    help="List the trainings under runs/, show one, or compare several; by itself it lists them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them: its layers.")] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures in the batch that memory is counted for.", min=1)] = 128,
    as_json: AsJson = False,
) -> None:
    """List the networks, or show one layer by layer: shapes, parameters, multiply-adds, memory."""
    from retinula.models.catalog import NETWORKS, build, network_named
    from retinula.models.summary import summarize

    if name is None:
        entries = NETWORKS.values()
        if as_json:
            names = ("name", "task", "parameters", "multiply_adds", "about", "source")
            say_json([{key: getattr(entry, key) for key in names} for entry in entries])
            return
        rows = [
            (entry.name, entry.task, f"{entry.parameters:,}", f"{entry.multiply_adds:,}", entry.about)
            for entry in entries
        ]
        for line in table(("name", "task", "parameters", "multiply-adds", "what it is"), rows):
            say(line)
        return
    entry = network_named(name)
    network = build(name, num_classes=entry.num_classes, channels=entry.channels, size=entry.size)
    summary = summarize(network, (entry.channels, *entry.size), batch_size)
    if as_json:
        say_json({**summary.to_dict(), "name": name})
        return
    layers = [
        (row.name, row.kind, "x".join(map(str, row.output_shape)), f"{row.parameters:,}", f"{row.multiply_adds:,}")
        for row in summary.layers
    ]
    for line in table(("layer", "kind", "output", "parameters", "multiply-adds"), layers):
        say(line)
    say(f"parameters {summary.parameters:,}, multiply-adds {summary.multiply_adds:,} a picture")
    say(
        f"memory for a batch of {batch_size}, MB: input {summary.input_mb:.2f}, "
        f"forward/backward {summary.forward_backward_mb:.2f}, parameters {summary.parameters_mb:.2f}, "
        f"in all {summary.total_mb:.2f}"
    )


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help="One of them, as it would run.")] = None,
    settings: Annotated[list[str] | None, typer.Argument(metavar="[key=value ...]", help="Settings to change.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the shipped recipes, or show one with every setting written out."""
    from retinula.recipe_files import load_recipe, shipped

    if name is None:
        found = [load_recipe(each) for each in shipped()]
        if as_json:
            say_json([recipe.model_dump(mode="json") for recipe in found])
            return
        for line in table(
            ("name", "data", "network", "what it is"),
            [(recipe.name, recipe.data.name, recipe.model.name, recipe.about) for recipe in found],
        ):
            say(line)
        return
    recipe = load_recipe(name, settings or [])
    if as_json:
        say_json({**recipe.model_dump(mode="json"), "digest": recipe.digest()})
    else:
        say(f"# digest {recipe.digest()}\n{recipe.to_toml()}".rstrip())


@runs_app.callback()
def _by_itself(context: typer.Context, as_json: AsJson = False) -> None:
    """List the trainings where nothing else is asked."""
    if context.invoked_subcommand is None:
        list_all(as_json=as_json)
    elif as_json:
        raise InputError(f"--json goes to the end: retinula runs {context.invoked_subcommand} ... --json")


@runs_app.command("list")
def list_all(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Another folder of trainings, such as studies/digits/runs.")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the trainings under runs/ or in another folder, the newest last."""
    from retinula.run import list_runs

    if folder != Path("runs") and not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    found = []
    for run in list_runs(folder):
        try:
            found.append(_outline(run.name, run.report() if run.finished else None, run))
        except InputError as error:  # one broken folder does not hide the others
            remark(f"left out {error}")
    if as_json:
        say_json(found)
        return
    if not found:
        say("no runs here yet; begin with: retinula train")
        return
    rows = [
        (
            row["name"],
            row["recipe"],
            str(row["seed"]),
            "finished" if row["finished"] else f"{row['epochs']} epochs so far",
            number(row["val_loss"]) if row["val_accuracy"] is None else share(row["val_accuracy"]),
            share(row["test_accuracy"]),
        )
        for row in found
    ]
    for line in table(("name", "recipe", "seed", "state", "validation", "test"), rows):
        say(line)


@runs_app.command("show")
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A folder, a name under runs/, or 'last'.")],
    as_json: AsJson = False,
) -> None:
    """Show one training: recipe, data, epochs, results."""
    from retinula.run import find_run

    found = find_run(run)
    report = found.report() if found.finished else None
    outline = _outline(found.name, report, found)
    if as_json:
        say_json({**outline, "report": report, "environment": found.environment(), "metrics": found.metrics()})
        return
    say(f"{found.path}: recipe {outline['recipe']}, seed {outline['seed']}, data {outline['data']}")
    head = ("epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
    rows = [
        (
            str(row["epoch"]),
            str(row["step"]),
            number(row.get("loss")),
            share(row.get("accuracy")),
            number(row.get("val_loss")),
            share(row.get("val_accuracy")),
            number(row.get("seconds"), 1),
        )
        for row in found.metrics()
    ]
    for line in table(head, rows):
        say(line)
    for name, result in (report or {}).get("evaluations", {}).items():
        if "accuracy" in result:
            interval = f"{share(result['accuracy_low'])} to {share(result['accuracy_high'])}"
            say(f"{name}: accuracy {share(result['accuracy'])} ({interval}), loss {number(result['loss'])}")
        else:
            say(f"{name}: loss {number(result['loss'])}, PSNR {number(result['psnr'], 2)} dB")
    if found.figures.is_dir():
        say(f"figures  {found.figures}")
    if report is None:
        say(f"not finished; go on with: retinula train --resume {found.path}")


@runs_app.command("compare")
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Folders, names under runs/, or 'last'.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the figure goes.")] = Path("comparison"),
    as_json: AsJson = False,
) -> None:
    """Set trainings beside each other, in a table and a figure; the best by validation, never by test."""
    from retinula.plots.comparison import MOST, compared_curves
    from retinula.plots.figure import save
    from retinula.reproduction.choosing import choose
    from retinula.run import find_run

    if len(runs) > MOST:
        raise InputError(f"{len(runs)} runs are too many to compare; name up to {MOST}")
    choice = choose([find_run(run) for run in runs])
    names = _distinct([each.run.path for each in choice.compared])
    best = None if choice.best is None else names[choice.best]
    curves = {name: each.rows for name, each in zip(names, choice.compared, strict=True)}
    shown = any(row.get(choice.metric) is not None for rows in curves.values() for row in rows)
    files = save(compared_curves(curves, choice.metric, best), out, "validation-by-epoch") if shown else []
    if as_json:
        found = [
            {
                "name": name,
                "run": str(each.run.path),
                "settings": list(each.settings),
                "epochs": len(each.rows),
                "finished": each.finished,
                choice.metric: each.value,
                "seconds": each.seconds,
                "test_accuracy": each.test_accuracy,
            }
            for name, each in zip(names, choice.compared, strict=True)
        ]
        say_json(
            {
                "runs": found,
                "metric": choice.metric,
                "best": best,
                "reason": choice.reason,
                "files": [str(file) for file in files],
            }
        )
        return
    rows = [
        (
            name,
            reached(choice.metric, each.value),
            f"{len(each.rows)}{'' if each.finished else ' so far'}",
            f"{each.seconds:.0f}",
            share(each.test_accuracy),
            ", ".join(each.settings) or ("-" if place else "compared with this"),
        )
        for place, (name, each) in enumerate(zip(names, choice.compared, strict=True))
    ]
    for line in table(("run", choice.metric, "epochs", "seconds", "test", "differs in"), rows):
        say(line)
    say(choice.reason if best is None else f"best     {best} ({choice.reason})")
    if files:
        say(f"figure   {files[0]}")


def _distinct(paths: list[Path]) -> list[str]:
    """Return the names of folders, or their whole paths where two of them are called the same."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _outline(name: str, report: dict[str, Any] | None, run: Any) -> dict[str, Any]:
    from retinula.run import own_evaluation

    recipe = run.recipe()
    metrics = run.metrics()
    own = own_evaluation(report or {}, recipe.evaluation.tta)
    return {
        "name": name,
        "recipe": recipe.name,
        "seed": recipe.seed,
        "digest": recipe.digest(),
        "data": recipe.data.name,
        "finished": report is not None,
        "epochs": metrics[-1]["epoch"] if metrics else 0,
        "val_accuracy": (report or {}).get("training", {}).get("val_accuracy"),
        "val_loss": (report or {}).get("training", {}).get("val_loss"),
        "test_accuracy": own.get("accuracy"),
    }
