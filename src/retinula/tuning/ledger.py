"""Ledger: the trials of a study in its SQLite file, drawn by optuna and shared by any number of processes.

Trials are drawn by TPE (Bergstra et al. 2011), and given up by the median rule (Golovin et al. 2017). Which values come
next depends on the seed, the number of the trial and the trials before it, so that a study that was interrupted goes on
as if it had not been. Knows nothing of training.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from filelock import FileLock, Timeout

from retinula.errors import InputError, RetinulaError, first_line
from retinula.extras import load
from retinula.files.durable import explained, make_folder
from retinula.recipe.sections import ValidationMetric
from retinula.training.ranking import higher_is_better
from retinula.transforms.batches import seed_for
from retinula.tuning.space import Choices, Dimension, Value
from retinula.tuning.study import State, Study, Trial

if TYPE_CHECKING:
    import optuna

STARTUP_TRIALS = 5  # that are drawn by chance, and trained to their end, before others are judged by them
WARMUP_EPOCHS = 1  # of every trial that are trained whatever they reach
PATIENCE_SECONDS = 120.0  # for another process that writes to the same study
_NAME = "study"
_ABOUT = "about"
_REASON = "reason"
_SECONDS = "seconds"
_LOSS = "loss"
_TAKEN_UP = "taken_up"
_FIRST = "first"  # the number of the first trial; studies that do not name it have begun to count at 0
_STATES: dict[str, State] = {
    "COMPLETE": "finished",
    "PRUNED": "given up",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "running",
}


def check_installed() -> None:
    """See that optuna is there, and load it.

    Raises:
        InputError: optuna, or the package that it reads its file with, is not installed or broken.
    """
    _loaded("optuna")
    _loaded("sqlalchemy.exc")


@dataclass(frozen=True)
class Taken:
    """A trial that this process trains; nobody else does until it is released.

    Attributes:
        number: of the trial.
        values: what was drawn for it.
        again: whether it was begun before, and cut in the middle.
        lock: held meanwhile; the system gives it back when the process dies.
    """

    number: int
    values: dict[str, Value]
    again: bool
    lock: FileLock


class Outcome(NamedTuple):
    """How a trial ended.

    Attributes:
        state: `finished`; `given up`, so that later trials look elsewhere; or `failed`, which tells them nothing.
        value: reached in the end, where it is finished.
        reason: in words.
        seconds: of training.
        loss: on the validation pictures in the end, where it is finished.
    """

    state: State
    value: float | None = None
    reason: str = ""
    seconds: float = 0.0
    loss: float | None = None


class Ledger:
    """The trials of one study.

    Args:
        study: its folder.
        metric: what is made high (`val_accuracy`) or low (`val_loss`).

    Raises:
        InputError: its file is there and no study; or as `check_installed`.
        RetinulaError: the folder cannot be written to.
    """

    def __init__(self, study: Study, metric: ValidationMetric) -> None:
        optuna = self._optuna = _loaded("optuna")
        self._database_error: type[Exception] = _loaded("sqlalchemy.exc").SQLAlchemyError
        self._study = study
        make_folder(study.locks)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with self.sharing(), self._readable():
            self._storage = optuna.storages.RDBStorage(
                f"sqlite:///{study.database.name}", engine_kwargs={"creator": _connector(study.database)}
            )
            self._trials = optuna.create_study(
                storage=self._storage,
                study_name=_NAME,
                direction="maximize" if higher_is_better(metric) else "minimize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, WARMUP_EPOCHS),
            )
            if _ABOUT not in self._trials.user_attrs:
                self._trials.set_user_attr(_FIRST, 1)
            self._first: int = self._trials.user_attrs.get(_FIRST, 0)

    @contextlib.contextmanager
    def sharing(self) -> Iterator[None]:
        """Keep other processes from the study for a moment.

        Raises:
            RetinulaError: one of them does not let go, or the folder cannot be written to.
        """
        lock = FileLock(self._study.locks / "study.lock", timeout=PATIENCE_SECONDS)
        with explained(self._study.path):
            try:
                lock.acquire()
            except Timeout as error:
                raise RetinulaError(f"{self._study.path}: another process does not let go of this study") from error
        try:
            yield
        finally:
            lock.release()

    def about(self) -> dict[str, Any]:
        """Return what the study is of, and the seed it draws by; empty for one that begins."""
        with self._readable():
            return dict(self._trials.user_attrs.get(_ABOUT, {}))

    def begin(self, about: dict[str, Any]) -> None:
        """Write down what the study is of, and the seed it draws by from now on."""
        with self._readable():
            self._trials.set_user_attr(_ABOUT, about)

    def trials(self) -> list[Trial]:
        """Return all trials, in the order they were begun in."""
        with self._readable():
            return [self._trial(frozen) for frozen in self._trials.get_trials(deepcopy=False)]

    def take(self, space: Sequence[Dimension], wanted: int, seed: int, first: Mapping[str, Value]) -> Taken | None:
        """Take up a trial that was cut in the middle and that nobody trains, or else draw a new one.

        Args:
            space: what is drawn from.
            wanted: how many trials there shall be in all.
            seed: of the drawing.
            first: values that the first trial begins with, those of them that there are.

        Returns:
            The trial, or None where there are as many as wanted.
        """
        with self.sharing(), self._readable():
            trials = self._trials.get_trials(deepcopy=False)
            for frozen in trials:
                lock = self._lock(frozen.number) if frozen.state.name == "RUNNING" else None
                if lock is not None:
                    return self._taken(self._open(frozen.number, seed), space, lock, again=True)
            waiting = [frozen.number for frozen in trials if frozen.state.name == "WAITING"]
            if len(trials) - len(waiting) >= wanted:
                return None
            if not trials and first:
                self._trials.enqueue_trial(dict(first))
            number = min(waiting, default=len(trials))
            lock = self._lock(number)
            if lock is None:
                held = number + self._first
                raise RetinulaError(f"{self._study.locks}: another process holds trial {held}, which nobody began")
            self._seed(number, seed)
            return self._taken(self._trials.ask(), space, lock, again=False)

    def taken_up_at(self, number: int, step: int) -> int:
        """Note that a trial that was cut goes on from a step; return how often it has gone on from there."""
        with self._readable():
            trial = self._open(number - self._first)
            steps = [*trial.user_attrs.get(_TAKEN_UP, []), step]
            trial.set_user_attr(_TAKEN_UP, steps)
            return steps.count(step)

    def take_back(self, number: int) -> None:
        """Forget that a trial was taken up the last time: it ended in a way that need not come again."""
        with self._readable():
            trial = self._open(number - self._first)
            trial.set_user_attr(_TAKEN_UP, trial.user_attrs.get(_TAKEN_UP, [])[:-1])

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Write down what a trial reached after an epoch, counted from 1; return whether it should be given up.

        It should where the best that it has reached so far is worse than the median of what the finished ones reached
        after that very epoch: a trial is worth what the weights that it keeps have reached.
        """
        with self._readable():
            trial = self._open(number - self._first)
            known = self._trials.get_trials(deepcopy=False)[trial.number].intermediate_values
            if epoch - 1 not in known:
                trial.report(value, epoch - 1)
            return bool(trial.should_prune())

    def end(self, taken: Taken, outcome: Outcome) -> Trial:
        """Write down how a trial ended, and let go of it."""
        state = next(name for name, state in _STATES.items() if state == outcome.state)
        with self._readable():
            trial = self._open(taken.number - self._first)
            trial.set_user_attr(_REASON, outcome.reason)
            trial.set_user_attr(_SECONDS, outcome.seconds)
            trial.set_user_attr(_LOSS, outcome.loss)
            value = outcome.value if outcome.state == "finished" else None
            ended = self._trial(self._trials.tell(trial.number, value, state=self._optuna.trial.TrialState[state]))
        taken.lock.release()
        return ended

    def _taken(self, trial: "optuna.Trial", space: Sequence[Dimension], lock: FileLock, *, again: bool) -> Taken:
        """Draw what is not drawn yet: a kill may have come between two settings."""
        values = {each.key: _drawn(trial, each) for each in space}
        return Taken(trial.number + self._first, values, again, lock)

    def _trial(self, frozen: "optuna.trial.FrozenTrial") -> Trial:
        state = _STATES[frozen.state.name]
        measured = frozen.intermediate_values
        value = frozen.value if state == "finished" else measured[max(measured)] if measured else None
        return Trial(
            number=frozen.number + self._first,
            state=state,
            values=dict(frozen.params),
            value=value,
            epochs=len(measured),
            seconds=frozen.user_attrs.get(_SECONDS),
            reason=frozen.user_attrs.get(_REASON, ""),
            loss=frozen.user_attrs.get(_LOSS),
        )

    def _seed(self, number: int, seed: int) -> None:
        self._trials.sampler = self._optuna.samplers.TPESampler(
            n_startup_trials=STARTUP_TRIALS, seed=seed_for(seed, "trial", number) % 2**32
        )

    def _open(self, number: int, seed: int = 0) -> "optuna.Trial":
        self._seed(number, seed)
        study_id = self._storage.get_study_id_from_name(_NAME)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        trial: optuna.Trial = self._optuna.Trial(self._trials, trial_id)
        return trial

    def _lock(self, number: int) -> FileLock | None:
        lock = FileLock(self._study.locks / f"trial-{number:04d}.lock", timeout=0)
        with explained(self._study.locks):
            try:
                lock.acquire()
            except Timeout:
                return None
        return lock

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what goes wrong with the file into one line that names it."""
        path = self._study.database
        try:
            yield
        except self._database_error as error:
            raise _refusal(path, error) from error
        except self._optuna.exceptions.OptunaError as error:
            raise _refusal(path, error.__cause__ or error) from error
        except sqlite3.Error as error:
            raise _refusal(path, error) from error
        except RuntimeError as error:  # what optuna makes of the tables of another version
            raise InputError(f"{path}: {error}") from error


def _loaded(module: str) -> Any:
    return load("tune", "tuning", module)


def _connector(path: Path) -> Any:
    """Return what opens a database: by its path, whatever letters that has, and with patience for other processes."""
    address = f"file:{quote(str(path.resolve()))}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS, check_same_thread=False)

    return connect


def _refusal(path: Path, error: BaseException) -> RetinulaError:
    """Tell apart a disk that refuses and a file that is no study."""
    reason = first_line(getattr(error, "orig", None) or error)
    refused = ("full", "readonly", "unable to open", "locked", "disk I/O")
    if any(word in reason for word in refused):
        return RetinulaError(f"cannot write {path}: {reason}")
    return InputError(f"{path} cannot be read as a study ({reason}); name another one with --study")


def _drawn(trial: "optuna.Trial", dimension: Dimension) -> Value:
    if isinstance(dimension, Choices):
        return trial.suggest_categorical(dimension.key, dimension.values)
    if dimension.whole:
        return trial.suggest_int(dimension.key, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.key, dimension.low, dimension.high, log=dimension.log)
