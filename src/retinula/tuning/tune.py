"""A search for better settings: draws trials, trains each as any training, and keeps the best by validation.

No trial sees a test picture: trials are compared on the pictures that the recipe sets apart.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinula.errors import InputError, RetinulaError
from retinula.evaluation.run_data import load_dataset, training_sets
from retinula.files.durable import write_text
from retinula.images import ImageSet
from retinula.models.catalog import build_outline
from retinula.plots.figure import save
from retinula.plots.tuning import Drawn, tuning_figure
from retinula.recipe.assignment import assignments
from retinula.recipe.recipe import Recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.sections import ValidationMetric
from retinula.recipe.targets import anchored
from retinula.runs.run import RUNS
from retinula.training.interruption import stop_requests
from retinula.training.plan import make_preprocess
from retinula.transfer import begin_from
from retinula.tuning.ledger import Ledger, check_installed
from retinula.tuning.lines import TrialLines
from retinula.tuning.search import Search, TuningReporter
from retinula.tuning.space import Dimension, Range, check_space, own_values, read_space, settings_for
from retinula.tuning.study import STUDIES, Study, Trial, as_good_as

TRIALS = 20
TUNED = "-tuned"  # ends the names of recipes that a search chose, which are not those that were published


@dataclass(frozen=True)
class Tuning:
    """What a search has found so far.

    Attributes:
        study: its folder.
        space: what is chosen from.
        metric: that trials are compared by.
        trials: all of them, in their order.
        best: the best finished one by validation pictures, the earliest of several as good; None where there is none.
        recipe: the one that was tuned, with the best trial's settings, as it lies in the study's `best.toml`.
        figures: files.
    """

    study: Study
    space: tuple[Dimension, ...]
    metric: ValidationMetric
    trials: tuple[Trial, ...]
    best: Trial | None
    recipe: Recipe | None
    figures: tuple[Path, ...]

    @property
    def as_good(self) -> list[Trial]:
        """Trials of other settings that have reached the same as the best one, in accuracy and loss."""
        return [] if self.best is None else as_good_as(self.best, self.trials, self.metric)

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {
            "study": str(self.study.path),
            "metric": self.metric,
            "space": [str(each) for each in self.space],
            "best": None if self.best is None else self.best.number,
            "as_good": [trial.number for trial in self.as_good],
            "run": None if self.best is None else str(self.study.run(self.best.number).path),
            "recipe": None if self.recipe is None else str(self.study.best_file),
            "trials": [trial.to_dict() for trial in self.trials],
            "files": [str(file) for file in self.figures],
        }


def tune(
    recipe: Recipe | str | None = None,
    settings: Iterable[str] | Mapping[str, Any] = (),
    *,
    trials: int = TRIALS,
    minutes: float | None = None,
    study: str | Path | None = None,
    seed: int | None = None,
    reporter: TuningReporter | None = None,
    progress: bool = True,
    root: str | Path = RUNS,
    clock: Callable[[], float] = time.monotonic,
) -> Tuning:
    """Try settings of a recipe, and go on with a search that was interrupted.

    The first trial has the recipe's own settings, where the ranges hold them.

    Args:
        recipe: what to train, as for `train`; None goes on with a study as it was begun.
        settings: ranges and choices, such as `lr=1e-3..1e-1` and `optimizer=sgd|adamw`, and `key=value` that stand;
            or a mapping such as `{"lr": "1e-3..1e-1"}`.
        trials: how many there shall be in all, those from before included.
        minutes: after which no further trial is begun.
        study: the folder; `studies/<recipe>` unless given.
        seed: of the drawing; None draws by the study's own, which is 0 where it begins. Validation pictures and
            weights follow the recipe's.
        reporter: told what happens, instead of lines on standard error.
        progress: whether to print these where there is no reporter.
        root: the folder of the runs, where the recipe begins from one.
        clock: seconds.

    Raises:
        InputError: settings that do not fit, a recipe without validation pictures, a folder that is another study.
        Interrupted: a stop was requested; the trial that it came in goes on when the search does.
        RetinulaError: a disk refuses; or no trial came to its end.
    """
    check_installed()
    if trials < 1:
        raise InputError(f"{trials} trials are too few; give at least 1")
    if minutes is not None and not minutes > 0:
        raise InputError(f"{minutes:g} minutes are too few; give more than 0")
    reporter = reporter or (TrialLines() if progress else TuningReporter())
    with stop_requests() as stop_requested:
        search, seed = _prepared(recipe, assignments(settings), study, seed, reporter, Path(root))
        until = float("inf") if minutes is None else clock() + 60 * minutes
        first = own_values(search.recipe, search.space)
        search.go_on(trials, seed, first, until=until, stop_requested=stop_requested, clock=clock)
        return _result(search)


def _prepared(
    recipe: Recipe | str | None,
    settings: list[str],
    folder: str | Path | None,
    seed: int | None,
    reporter: TuningReporter,
    root: Path,
) -> tuple[Search, int]:
    """Check all that can be checked before the first trial; open the study or begin it, and return it with its seed."""
    if recipe is None:
        if folder is None or settings:
            raise InputError("name what to tune, such as digits lr=1e-2..1; or give --study alone to go on with one")
        study = Study(Path(folder))
        base = study.recipe()
        ledger = Ledger(study, _metric(base))
        space, _ = read_space(ledger.about().get("space", []))
        about = _about(base, space, reporter)
    else:
        space, fixed = read_space(settings)
        base = _base(recipe, fixed, root, reporter)
        study = Study(STUDIES / base.name.removesuffix(TUNED) if folder is None else Path(folder))
        _check_folder(study)
        about = _about(base, space, reporter)
        ledger = Ledger(study, _metric(base))
    with ledger.sharing():
        before = ledger.about()
        known = before.pop("seed", None)
        if before:
            _check_same(study, before, about)
        drawn_by = seed if seed is not None else known or 0
        if known not in (None, drawn_by):
            reporter.message(f"{study.path} drew by seed {known} so far; from now on by seed {drawn_by}")
        if known != drawn_by:
            ledger.begin({**about, "seed": drawn_by})
        if not study.recipe_file.exists():
            write_text(study.recipe_file, base.to_toml())
    common = study.recipe()
    if common.digest() != about["recipe"]:
        raise InputError(f"{study.recipe_file} is not the recipe that this study was begun with; mend it")
    return Search(study, ledger, common, space, _metric(base), reporter), drawn_by


def _base(recipe: Recipe | str, fixed: Sequence[str], root: Path, reporter: TuningReporter) -> Recipe:
    """Return the recipe that all trials have in common, which makes no claims."""
    recipe = with_settings(recipe, fixed)
    if not recipe.data.validation:
        raise InputError(f"{recipe.name} trains on all pictures, which leaves none to choose by: give validation=0.1")
    if recipe.model.weights is not None:
        recipe, _ = begin_from(recipe, root, reporter.message)
    name = recipe.name.removesuffix(TUNED)[: 100 - len(TUNED)] + TUNED
    return anchored(recipe).changed(name=name, claims=(), source="", better="")


def _metric(recipe: Recipe) -> ValidationMetric:
    return "val_loss" if recipe.objective.reconstructs else recipe.training.metric


def _about(recipe: Recipe, space: Sequence[Dimension], reporter: TuningReporter) -> dict[str, Any]:
    """Return what a study is begun with, once it is certain that its trials can be trained."""
    recipes = check_space(recipe, space)
    sets = training_sets(recipe, load_dataset(recipe, reporter.loading, reporter.message))
    _check_networks(recipe, recipes, sets.train)
    return {
        "recipe": recipe.digest(),
        "space": [str(each) for each in space],
        "pictures": sets.train.fingerprint(),
        "validation_pictures": None if sets.validation is None else sets.validation.fingerprint(),
    }


def _check_networks(recipe: Recipe, recipes: Sequence[Recipe], train_set: ImageSet) -> None:
    """Build the network of each recipe, without memory for its weights.

    Raises:
        InputError: one cannot be built.
    """
    preprocess = make_preprocess(recipe, train_set)
    for each in recipes:
        if each.inputs == recipe.inputs and each.model.weights is None:
            build_outline(
                each.model.name,
                num_classes=len(train_set.classes),
                channels=preprocess.channels,
                size=preprocess.input_shape[1:],
                **each.model.arguments,
            )


def _check_folder(study: Study) -> None:
    """Refuse to begin a study among other files."""
    if study.path.exists() and not study.database.exists():
        if not study.path.is_dir():
            raise InputError(f"{study.path} is no folder; name another one with --study")
        if any(not path.name.startswith(".") for path in study.path.iterdir()):
            raise InputError(f"{study.path} is there and is no study; name another folder with --study")


def _check_same(study: Study, before: dict[str, Any], now: dict[str, Any]) -> None:
    if before.get("recipe") != now["recipe"]:
        raise InputError(f"{study.path} is a study of another recipe or other settings; name another one with --study")
    if before.get("space") != now["space"]:
        ranges = " ".join(map(str, before.get("space", [])))
        raise InputError(f"{study.path} is a study of {ranges}; name another one with --study")
    if before != now:
        raise InputError(f"{study.path}: the pictures have changed since it began; name another study with --study")


def _result(search: Search) -> Tuning:
    """Gather what there is, write it down and draw it.

    Raises:
        RetinulaError: no trial came to its end.
    """
    study, space, metric = search.study, search.space, search.metric
    trials, best = search.write_down()  # again: a kill may have come before the files of the last trial
    if best is None:
        if trials and all(trial.state != "running" for trial in trials):
            why = next((trial.reason for trial in reversed(trials) if trial.reason), "given up")
            raise RetinulaError(f"none of {len(trials)} trials in {study.path} came to its end; the last: {why}")
        return Tuning(study, space, metric, tuple(trials), None, None, ())
    recipe = with_settings(search.recipe, settings_for(space, best.values))
    drawn = [Drawn(each.number, each.state, each.value, dict(each.values)) for each in trials]
    axes = {each.key: isinstance(each, Range) and each.log for each in space}
    equals = [best.number, *(trial.number for trial in as_good_as(best, trials, metric))]
    figures = save(tuning_figure(drawn, axes, metric, equals), study.figures, "tuning")
    return Tuning(study, space, metric, tuple(trials), best, recipe, tuple(figures))
