"""`retinula tune`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.cli.targets import one_target
from retinula.cli.terminal import AsJson, say, say_json
from retinula.text.words import first_few, number, reached, table

if TYPE_CHECKING:
    from retinula.tuning.tune import Tuning

SHOWN = 10  # trials in the table


def tune(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE|DATASET|FOLDER] [key=low..high] [key=a|b|c] [key=value ...]",
            help="What to train; ranges to choose from, such as lr=1e-3..1e-1 (by its logarithm where the ends lie "
            "tenfold apart; log: or linear: before it decide) or epochs=4..12; choices, such as 'optimizer=sgd|adamw'; "
            "and settings that stand. Nothing: the study named by --study, as it was begun.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[int, typer.Option(metavar="N", help="How many trials there shall be in all.", min=1)] = 20,
    minutes: Annotated[
        float | None, typer.Option(metavar="MINUTES", help="Begin no further trial after so long.", show_default=False)
    ] = None,
    study: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The study; studies/RECIPE unless given.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of the drawing; the study's, or 0, unless given.", min=0, show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for better settings by trials on validation pictures.

    The same command goes on with a search. All settings: retinula recipes default.
    """
    from retinula.recipe.files import full_key
    from retinula.recipe.targets import find_recipe

    name, settings = one_target(target or [])
    recipe = name or ("digits" if settings else None)
    if recipe is not None:  # wrong words are refused before torch is loaded, which takes seconds
        find_recipe(recipe)
    for setting in settings:
        full_key(setting.partition("=")[0].strip())
    from retinula.cli.trials import TrialsReporter
    from retinula.tuning.ledger import check_installed

    check_installed()
    from retinula.tuning.tune import tune as search

    with TrialsReporter() as reporter:
        tuning = search(recipe, settings, trials=trials, minutes=minutes, study=study, seed=seed, reporter=reporter)
    if as_json:
        say_json(tuning.to_dict())
    else:
        _show(tuning, trials)


def _show(tuning: "Tuning", wanted: int) -> None:
    import shlex

    from retinula.tuning.lines import shown
    from retinula.tuning.study import ranked

    study = tuning.study
    if tuning.best is None:
        say(f"no trial has come to its end yet; go on with: retinula tune --study {shlex.quote(str(study.path))}")
        return
    keys = [each.key for each in tuning.space]
    rows = [
        (
            str(trial.number),
            reached(tuning.metric, trial.value),
            trial.state,
            str(trial.epochs),
            number(trial.seconds, 1),
            *(shown(trial.values.get(key, "-")) for key in keys),
        )
        for trial in ranked(tuning.trials, tuning.metric)[:SHOWN]
    ]
    for line in table(("trial", tuning.metric, "state", "epochs", "seconds", *keys), rows):
        say(line)
    if len(tuning.trials) > SHOWN:
        say(f"and {len(tuning.trials) - SHOWN} more in {study.table_file}")
    best, total, others = str(tuning.best.number), len(tuning.trials), [str(each.number) for each in tuning.as_good]
    which, them = f"trial {best} of {total}", "it"
    if others:
        which, them = f"none: trials {first_few([best, *others])} of {total} are as good as each other", "them"
    say(f"best     {which}, by the validation pictures: that flatters {them}; the test pictures were not asked")
    say(f"recipe   {study.best_file}{f', that of trial {best}' if others else ''}")
    say(f"figure   {tuning.figures[0]}")
    say(f"next     retinula train {shlex.quote(str(study.best_file))}")
    more = max(wanted, len(tuning.trials)) + wanted
    say(f"go on    retinula tune --study {shlex.quote(str(study.path))} --trials {more}")
