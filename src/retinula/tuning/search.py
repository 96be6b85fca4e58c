"""The trials of a search, one after the other: each is any training, told to the ledger epoch by epoch.

Knows how a trial is trained and how it ends, not what is chosen from.
"""

import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from retinula import experiment
from retinula.errors import Diverged, InputError, Interrupted, RetinulaError, ran_out_of_memory, refused_by_system
from retinula.recipe.recipe import Recipe
from retinula.recipe.resetting import with_settings
from retinula.recipe.sections import ValidationMetric
from retinula.runs.files import EpochRow
from retinula.runs.run import Run
from retinula.training.reporting import Reporter, StepProgress
from retinula.tuning.ledger import Ledger, Outcome, Taken
from retinula.tuning.space import Dimension, Value, of_one_course, settings_for
from retinula.tuning.study import Study, Trial, best_of, write_best, write_table

CUT_OFTEN = 3  # times that a trial is taken up at one step; if it is cut again, something in it kills the process


class TuningReporter(Reporter):
    """Told what happens in a search, and in each of its trainings."""

    def trial_begins(self, number: int, wanted: int, settings: Sequence[str]) -> None:
        """Take in which trial is trained now, how many there shall be in all, and its settings as `key=value`."""

    def trial_ends(self, trial: Trial, metric: ValidationMetric, *, best: bool) -> None:
        """Take in how it ended, and whether it is the best one so far by that metric."""


class _GivenUp(Exception):
    """The best that a trial has reached so far is worse than the median of those before it after the same epoch."""


@dataclass(frozen=True)
class Search:
    """A study with all that its trials need.

    Attributes:
        study: its folder.
        ledger: of its trials.
        recipe: without what is chosen.
        space: what is chosen from.
        metric: that trials are compared by.
        reporter: told what happens.
    """

    study: Study
    ledger: Ledger
    recipe: Recipe
    space: tuple[Dimension, ...]
    metric: ValidationMetric
    reporter: TuningReporter

    def go_on(
        self,
        wanted: int,
        seed: int,
        first: Mapping[str, Value],
        *,
        until: float = float("inf"),
        stop_requested: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Train trials until there are as many as wanted.

        Args:
            wanted: how many there shall be in all.
            seed: of the drawing.
            first: values that the first trial begins with, those of them that there are.
            until: when no further trial is begun.
            stop_requested: asked between trials and by each training; tells whether to stop.
            clock: seconds.

        Raises:
            Interrupted: a stop was requested.
            RetinulaError: a disk refuses.
        """
        try:
            while clock() < until:
                if stop_requested():
                    raise Interrupted("stopped between two trials")
                taken = self.ledger.take(self.space, wanted, seed, first)
                if taken is None:
                    return
                try:
                    self._try(taken, wanted, stop_requested)
                finally:
                    taken.lock.release()
        except RetinulaError as stop:
            if isinstance(stop, InputError) and not refused_by_system(stop):
                raise
            command = f"retinula tune --study {shlex.quote(str(self.study.path))} --trials {wanted}"
            # Its own remedy is to go on with the trial alone.
            raise type(stop)(stop.reason, remedy=f"go on with: {command}") from stop

    def write_down(self) -> tuple[list[Trial], Trial | None]:
        """Write `best.toml` and `trials.csv` as things stand; return all trials, and the best one if there is one.

        Other processes wait meanwhile, so that none writes what it read before this one.

        Raises:
            RetinulaError: a disk refuses.
        """
        with self.ledger.sharing():
            trials = self.ledger.trials()
            best = best_of(trials, self.metric)
            if best is not None:
                write_best(self.study, self.recipe, best, trials, self.space, self.metric)
            write_table(self.study, trials, self.space, self.metric)
        return trials, best

    def _try(self, taken: Taken, wanted: int, stop_requested: Callable[[], bool]) -> None:
        settings = settings_for(self.space, taken.values)
        self.reporter.trial_begins(taken.number, wanted, settings)
        trial = self.ledger.end(taken, self._outcome(taken, settings, stop_requested))
        _, best = self.write_down()
        self.reporter.trial_ends(trial, self.metric, best=best is not None and best.number == trial.number)

    def _outcome(self, taken: Taken, settings: Sequence[str], stop_requested: Callable[[], bool]) -> Outcome:
        run = self.study.run(taken.number)
        same = [each for each in self.ledger.trials() if each.state == "finished" and each.values == taken.values]
        if same:
            reason = f"the same settings as trial {same[0].number}"
            return Outcome("finished", same[0].value, reason, loss=same[0].loss)
        try:
            self._train(taken, run, settings, stop_requested)
        except (_GivenUp, Diverged) as end:  # settings to keep away from
            shutil.rmtree(run.checkpoints, ignore_errors=True)
            reason = end.reason if isinstance(end, Diverged) else str(end)
            return Outcome("given up", reason=reason, seconds=_seconds(run))
        except RetinulaError as error:
            if isinstance(error, InputError) and not refused_by_system(error):  # settings that do not fit
                return Outcome("failed", reason=str(error))
            raise
        except Exception as error:
            if ran_out_of_memory(error):
                return Outcome("failed", reason="not enough memory")
            # A fault of ours or of torch: told, but not met again by going on.
            self.ledger.end(taken, Outcome("failed", reason=f"{type(error).__name__}: {error}"))
            raise
        reached = run.report()["training"]
        value = reached.get(self.metric)
        if value is None:
            return Outcome("given up", reason=f"no {self.metric} that is finite", seconds=_seconds(run))
        return Outcome("finished", value, seconds=_seconds(run), loss=reached.get("val_loss"))

    def _train(self, taken: Taken, run: Run, settings: Sequence[str], stop_requested: Callable[[], bool]) -> None:
        """Train a trial, or go on with one that was cut; a finished one that was not told about is left as it is."""
        if run.report_file.exists():  # else there may be no folder yet
            return
        reporter = _TrialReporter(self, taken.number, stop_requested)
        if taken.again and run.recipe_file.is_file():
            step = run.checkpoint_step()
            if self.ledger.taken_up_at(taken.number, step) > CUT_OFTEN:
                raise InputError(f"it was taken up {CUT_OFTEN} times after step {step} and came no further")
            try:
                self._tell_what_was_reached(taken.number, run, step)
                experiment.train(run.recipe(), run=run, reporter=reporter)
            except (RetinulaError, KeyboardInterrupt):  # counted is what nobody sees: a process that is killed
                with suppress(RetinulaError):  # the disk may refuse this, too
                    self.ledger.take_back(taken.number)
                raise
            return
        recipe = with_settings(self.recipe, settings)
        experiment.train(recipe, run=run.name, reporter=reporter, root=self.study.runs)

    def _tell_what_was_reached(self, number: int, run: Run, step: int) -> None:
        """Tell the ledger of the epochs up to a checkpoint: of the last the trial may have been cut before it did."""
        for row in run.metrics():
            value = row[self.metric]
            if row["step"] <= step and value is not None:
                self.ledger.report(number, row["epoch"], value)


class _TrialReporter(Reporter):
    """Hands a training's progress on, tells the ledger what it reaches, and ends it where the ledger says so."""

    def __init__(self, search: Search, number: int, stop_requested: Callable[[], bool]) -> None:
        self._search = search
        self._number = number
        self._stop_requested = stop_requested
        self._comparable = of_one_course(search.space)
        self._num_steps = 0

    def loading(self, what: str, done: int, total: int | None) -> None:
        """Hand it on; the training itself hears of a stop only once it has begun."""
        self._stop_where_requested()
        self._search.reporter.loading(what, done, total)

    def step(self, progress: StepProgress) -> None:
        """Hand it on."""
        if not self._num_steps:
            self._stop_where_requested()
        self._num_steps = progress.num_steps
        self._search.reporter.step(progress)

    def epoch(self, row: EpochRow) -> None:
        """Hand it on, and see whether it is worth going on."""
        self._search.reporter.epoch(row)
        value = row[self._search.metric]
        if value is None:
            return
        worse = self._search.ledger.report(self._number, row["epoch"], value)
        if worse and self._comparable and row["step"] < self._num_steps:
            raise _GivenUp(f"its best so far is worse than the median after epoch {row['epoch']}")

    def _stop_where_requested(self) -> None:
        if self._stop_requested():
            raise Interrupted("stopped before the first step")


def _seconds(run: Run) -> float:
    return float(sum(row["seconds"] for row in run.metrics()))
