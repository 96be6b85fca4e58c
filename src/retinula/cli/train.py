"""`retinula train`."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from retinula.cli.targets import one_target
from retinula.cli.terminal import AsJson, TrainingReporter, remark, say, say_json
from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.text.words import plural, share
from retinula.training.reporting import Reporter


def train(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE|DATASET|FOLDER] [key=value ...]",
            help="What to train, and settings such as epochs=4, optimizer.lr=0.05 or track=csv,tensorboard. "
            "Nothing: the handwritten digits. All settings: retinula recipes default.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK|RUN|FILE",
            help="A network by name (see: retinula models), or what to begin from (the setting model.weights): a run, "
            "a model file, or published weights of timm, such as timm/resnet18.",
            show_default=False,
        ),
    ] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Of a model to begin from train only the last layer.")
    ] = False,
    run: Annotated[str | None, typer.Option(metavar="NAME", help="A name for the run's folder under runs/.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run.")] = None,
    procs: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Train in N processes, which share each batch and the cores or GPUs."),
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Train a network: by a recipe, a data set, or a folder."""
    name, settings = one_target(target or [])
    if resume is not None and (target or model or freeze or run):
        raise InputError(f"--resume goes on with a run as it is: give nothing else with it{_more_epochs(resume)}")
    if "WORLD_SIZE" not in os.environ:  # of several processes one says what is wrong, having met
        # Settings may fit only a model to begin from.
        _check_is_there(resume, name or "digits", [] if model or freeze else settings)
    from retinula import experiment
    from retinula.runs.run import RUNS, find_run
    from retinula.training import processes

    announced = processes.announced()
    if announced == 1 and procs > 1:
        from retinula.training import launch

        sys.exit(launch.start(procs, sys.argv[1:], remark))  # what is to be said has been said
    if procs not in (1, announced):
        raise InputError(f"there are {announced} processes already, started by torchrun: leave --procs out")
    speaks = processes.speaks()
    if model is not None:
        settings = [_beginning(model), *settings]
    if freeze:
        settings = ["model.freeze=true", *settings]
    try:
        with TrainingReporter() if speaks else nullcontext(Reporter()) as reporter:
            if resume is not None:
                experiment.resume(resume, reporter=reporter)
            else:
                trained = experiment.train(name or "digits", run=run, settings=settings, reporter=reporter)
    except processes.Elsewhere as other:  # it has said why
        sys.exit(other.exit_code)
    except KeyboardInterrupt:
        if speaks and not processes.is_launched():
            raise
        sys.exit(Interrupted.exit_code)  # another process says so
    if speaks:
        show_trained(RUNS / trained.provenance["run"] if resume is None else find_run(resume).path, as_json)


def _more_epochs(resume: str) -> str:
    """Say how to train a run for longer, where it is finished; that is what settings beside `--resume` may mean."""
    from retinula.runs.going_on import more_epochs
    from retinula.runs.run import find_run

    try:
        run = find_run(resume)
        more = more_epochs(run) if run.finished else ""
    except RetinulaError:
        return ""
    return f"; {more}" if more else ""


def _check_is_there(resume: str | None, target: str, settings: list[str]) -> None:
    """Refuse a run to go on with, or else what is to be trained, before torch is loaded, which takes seconds."""
    if resume is not None:
        from retinula.runs.run import find_run

        find_run(resume)
    else:
        from retinula.recipe.targets import find_recipe

        find_recipe(target, settings)


def _beginning(model: str) -> str:
    """Say whether a network is meant or a model to begin from, as a setting."""
    import json

    from retinula.models.catalog import NETWORKS

    key = "model.name" if model in NETWORKS else "model.weights"
    return f"{key}={json.dumps(model, ensure_ascii=False)}"  # quoted, since a run may be called 2024


def show_trained(folder: Path, as_json: bool) -> None:
    """Tell of a run whose training has just come to its end, and what to do next."""
    from retinula.runs.files import ended_early
    from retinula.runs.run import Run, list_runs

    run = Run(folder)
    report = run.report()
    if as_json:
        say_json({**report, "run": str(folder)})
        return
    training = report["training"]
    skipped = report["data"]["num_skipped"]
    if skipped:
        remark(
            f"left out {plural(skipped, 'picture or folder', 'pictures or folders')}: why, is told in {run.log_file}"
        )
    if ended := ended_early(report):
        say(ended)
    if training["val_accuracy"] is not None:
        say(f"validation accuracy {share(training['val_accuracy'])}, {training['seconds']:.0f} s of training")
    else:
        say(f"training loss {training['loss']:.4f}, {training['seconds']:.0f} s of training")
    say(f"model    {run.model_file}")
    say(f"figures  {run.figures}")
    newest = [each.path.resolve() for each in list_runs()[-1:]]
    say(f"next     retinula evaluate {'last' if folder.resolve() in newest else folder}")
