"""The training loop.

It has no parameter for test pictures: nothing can be selected on them.
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any

import torch
from torch import nn

from retinula.errors import InputError, Interrupted, RetinulaError, first_line
from retinula.files.durable import explained
from retinula.images import ImageSet
from retinula.pictures.by_class import few_pictures
from retinula.recipe.recipe import Recipe
from retinula.runs.files import EpochRow, StepRow
from retinula.runs.going_on import going_on
from retinula.runs.run import Run
from retinula.trained.model_file import Model
from retinula.training import processes
from retinula.training.beginning import begin_from_pictures, first_network
from retinula.training.body import learning_normalisations, take_weights
from retinula.training.checkpoint import save_checkpoint
from retinula.training.continuing import (
    check_fit,
    check_logs,
    fingerprints,
    newest_checkpoint,
    origin_of,
    settled_hardware,
)
from retinula.training.failure import keep_failure
from retinula.training.finishing import as_model, finished_model
from retinula.training.hardware import Hardware, choose_hardware
from retinula.training.inputs import prepare
from retinula.training.optimizers import at_zero, set_learning_rate, take_step
from retinula.training.outset import set_out
from retinula.training.plan import Plan, check_worth_beginning, make_plan, make_preprocess
from retinula.training.ranking import score
from retinula.training.reporting import Reporter, StepProgress
from retinula.training.state import EpochSums, TrainState, new_state
from retinula.training.tracking import Tracking, tracking
from retinula.training.validation import validate
from retinula.transfer import Source
from retinula.transforms.batches import Batch, BatchPlan, seed_for
from retinula.transforms.preprocess import Preprocess

CHECKPOINT_SECONDS = 60.0
# Of an average, where an epoch has so many: enough for means and deviations to a few per cent on maps of one pixel.
STATISTICS_IMAGES = 4096


def train(
    recipe: Recipe,
    train_set: ImageSet,
    validation_set: ImageSet | None,
    run: Run,
    *,
    source: Source | None = None,
    reporter: Reporter | None = None,
    hardware: Hardware | None = None,
    stop_requested: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    end_here: bool = False,
) -> Model:
    """Train as the recipe says, going on from the run's newest checkpoint where there is one.

    Args:
        recipe: the experiment.
        train_set: labelled pictures at the size of the recipe's inputs.
        validation_set: pictures to choose by, or None: then the last weights are kept.
        run: the folder that takes logs, checkpoints and the model file.
        source: the model that the recipe begins from, where it names one; a checkpoint makes it needless.
        reporter: told what happens.
        hardware: what to compute with; measured where None.
        stop_requested: asked after every step; when it says yes, everything is saved and `Interrupted` raised.
        checkpoint_seconds: the longest time between two checkpoints; the end of an epoch makes one as well, unless
            the last is younger than a tenth of that.
        clock: seconds.
        end_here: make no step more, but a model of those that the run's newest checkpoint has.

    Raises:
        Interrupted: a stop was requested; the run can go on from here.
        InputError: recipe, data and checkpoint do not fit together.
        RetinulaError: the loss is not finite (what led to it is kept in the run's folder), or a disk refuses.
    """
    reporter = reporter or Reporter()

    def tell(text: str) -> None:
        run.note(text)
        reporter.message(text)

    saved = processes.by_first(lambda: newest_checkpoint(run, tell))
    origin = origin_of(recipe, source, saved)
    preprocess = make_preprocess(recipe, train_set)
    network = first_network(recipe, train_set, preprocess)
    tell(set_out(recipe, train_set, validation_set, network))
    for warning in few_pictures(train_set):
        tell(warning)
    began_at_zero = at_zero(network)
    if saved is None:
        begin_from_pictures(network, train_set, preprocess)
        if source is not None:
            tell(_taken_over(network, source, train_set, freeze=recipe.model.freeze))
    fits = _fitting(recipe, train_set, validation_set, preprocess, saved, run)
    choose = partial(choose_hardware, network, preprocess.input_shape, precision=recipe.training.precision)
    num_images = max(2, min(recipe.training.batch_size, len(train_set)))
    hardware = settled_hardware(run, saved, hardware, choose, num_images, reporter)
    torch.set_num_threads(hardware.threads)
    plan = make_plan(recipe, train_set, validation_set, preprocess, hardware, origin)
    if plan.lengthened:
        tell(plan.lengthened)
    tell(f"computing on {hardware.words} ({hardware.reason})")
    state = new_state(plan, network, began_at_zero)

    def save() -> None:
        _settle(state)
        if not processes.is_first():
            return
        content = {"fits": fits, "hardware": hardware.to_dict(), "source": origin, "state": state.to_dict()}
        save_checkpoint(run, state.step, content)

    if saved is None:
        save()
    else:
        _restore(state, saved["state"], run)
        processes.by_first(lambda: check_logs(run, state.step, plan.batches.steps_per_epoch, plan.num_steps))
        tell(f"going on from step {state.step} of {plan.num_steps}")
    if processes.is_first():
        with explained(run.hardware_file):
            run.hardware_file.unlink(missing_ok=True)  # the checkpoint has it
    run.cut_logs(state.step, in_epoch=bool(state.sums.num_images))
    with _tracking(recipe, run, state.step) as tracked:
        if end_here:
            _end_here(plan, state, run, tracked, reporter)
        else:
            _run_steps(plan, state, run, tracked, reporter, save, stop_requested, checkpoint_seconds, clock)
    model = finished_model(plan, state, run, early=not _is_done(plan, state))
    if processes.is_first():
        model.save(run.model_file)
    return model


def renewing_steps(batches: BatchPlan) -> int:
    """Return of how many steps, the last ones, the pictures renew the statistics of an average."""
    return min(-(-STATISTICS_IMAGES // batches.batch_size), batches.steps_per_epoch)


def _fitting(
    recipe: Recipe,
    train_set: ImageSet,
    validation_set: ImageSet | None,
    preprocess: Preprocess,
    saved: dict[str, Any] | None,
    run: Run,
) -> dict[str, str | None]:
    """Return what a checkpoint remembers so as to fit; see that the other processes and the one there may be do."""
    fits = fingerprints(recipe, train_set, validation_set)
    processes.check_alike(fits, "the recipe or the pictures here are not those of the first process")
    if saved is not None:
        check_fit(saved["fits"], fits, run)
    else:
        processes.by_first(lambda: check_worth_beginning(recipe, train_set, validation_set, preprocess))
    return fits


def _restore(state: TrainState, saved: dict[str, Any], run: Run) -> None:
    """Go on from what a checkpoint holds: with other versions a network of the same name may have other layers."""
    try:
        state.restore(saved)
    except (RuntimeError, KeyError, ValueError) as error:
        raise InputError(
            f"{run.path}: its checkpoint belongs to another network ({first_line(error)}); go on with the versions in "
            f"{run.environment_file.name}"
        ) from error


def _tracking(recipe: Recipe, run: Run, step: int) -> AbstractContextManager[Tracking]:
    return tracking(recipe, run, step) if processes.is_first() else nullcontext(Tracking(()))


def _taken_over(network: nn.Module, source: Source, train_set: ImageSet, *, freeze: bool) -> str:
    """Give a network the weights that it begins from; say so."""
    known = source.model.classes == train_set.classes
    take_weights(network, source.model.network, head=known)
    moves = "only the head" if freeze else "all of it"
    return f"begins from {source}{', of the same classes' if known else ', with a new head'}; {moves} is trained"


def _run_steps(
    plan: Plan,
    state: TrainState,
    run: Run,
    tracked: Tracking,
    reporter: Reporter,
    save: Callable[[], None],
    stop_requested: Callable[[], bool],
    checkpoint_seconds: float,
    clock: Callable[[], float],
) -> None:
    """Step until the end; whatever happens on the way, the steps that were made are in the log."""
    if _stops_early(plan, state):
        return  # killed between its last checkpoint and the model file
    rows: list[StepRow] = []

    def log_steps() -> None:
        made = rows.copy()
        rows.clear()
        run.add_steps(made)
        tracked.add_steps(made)

    saved_at = started = clock()
    first_step = state.step
    try:
        for batch in plan.batches.batches(state.step, plan.num_steps):
            begun = clock()
            learning_rate = plan.recipe.optimizer.lr * plan.rate(batch.step / plan.num_steps)
            loss, correct = _one_step(plan, state, batch, learning_rate, run)
            state.step = batch.step + 1
            if state.average:
                state.average.update(state.network, state.step)
            now = clock()
            state.sums.add(loss, len(batch.indices), correct, now - begun)
            rows.append(
                {
                    "step": state.step,
                    "epoch": batch.epoch + 1,
                    "loss": loss,
                    "learning_rate": learning_rate,
                    "seconds": now - begun,
                }
            )
            reporter.step(_progress(plan, state, batch, loss, (now - started) / (state.step - first_step)))
            row = None
            if _ends_epoch(plan, state):
                last = state.step == plan.num_steps
                row = _end_epoch(plan, state, batch.epoch + 1, learning_rate, run, last=last)
                tracked.add_metrics(row)
            done = _is_done(plan, state)
            age = clock() - saved_at
            due = age >= (checkpoint_seconds / 10 if _ends_epoch(plan, state) else checkpoint_seconds)
            stop, due = processes.any_process(stop_requested() and not done, due)
            if done or stop or due:
                log_steps()
                save()
                saved_at = clock()
            if row is not None:
                reporter.epoch(row)  # once it is saved: whoever is told may fail
            if stop:
                run.note(f"stopped at step {state.step}")
                raise Interrupted(f"stopped at step {state.step} of {plan.num_steps}; all is saved in {run.path}")
            if done:
                return
    except BaseException:
        with suppress(RetinulaError):  # what went wrong first is told
            log_steps()
        raise


def _end_here(plan: Plan, state: TrainState, run: Run, tracked: Tracking, reporter: Reporter) -> None:
    """End a training before its last step: what it has learned of an epoch counts as one, and is validated like one."""
    if not state.step:
        raise InputError(f"{run.path} has learned nothing yet", remedy=going_on(run, given=False))
    if _is_done(plan, state):
        return  # killed between its last checkpoint and the model file
    run.note(f"ended at step {state.step} of {plan.num_steps}")
    if state.sums.num_images:
        learning_rate = plan.recipe.optimizer.lr * plan.rate((state.step - 1) / plan.num_steps)
        epoch = -(-state.step // plan.batches.steps_per_epoch)
        row = _end_epoch(plan, state, epoch, learning_rate, run, last=True)
        tracked.add_metrics(row)
        reporter.epoch(row)
    else:
        _make_ready(plan, state)  # where nothing was validated, no end of an epoch has


def _one_step(plan: Plan, state: TrainState, batch: Batch, learning_rate: float, run: Run) -> tuple[float, int | None]:
    """Move the weights once; return the batch's loss, and how many of its pictures were right where that counts."""
    inputs, targets, labels, share = prepare(plan, batch)
    correct: int | None = None

    def backward() -> torch.Tensor:
        nonlocal correct
        with plan.hardware.autocast():
            outputs = state.twin(inputs)
        loss = plan.loss(outputs, targets)
        # Gradients are averaged over the processes, losses summed up.
        (loss * (share * processes.count())).backward()  # type: ignore[no-untyped-call]  # torch's own
        loss = loss.detach() * share
        if labels is None or correct is not None:  # SAM's second pass asks other weights
            return processes.summed(loss)[0]
        right = (outputs.detach().argmax(dim=1) == labels).sum() * (share > 0)
        loss, right = processes.summed(loss, right)
        correct = int(right)
        return loss

    torch.manual_seed(seed_for(plan.recipe.seed, processes.own("network"), batch.step))  # dropout draws from this one
    set_learning_rate(state.optimizer, learning_rate)
    loss = float(take_step(state.optimizer, state.twin, backward, plan.recipe.optimizer.clip_norm))
    if not math.isfinite(loss):
        keep_failure(plan, batch, loss, learning_rate, run)
    return loss, correct


def _end_epoch(plan: Plan, state: TrainState, epoch: int, learning_rate: float, run: Run, *, last: bool) -> EpochRow:
    """Validate, keep the best weights, write the epoch's row, and begin new sums."""
    sums = state.sums
    row: EpochRow = {
        "epoch": epoch,
        "step": state.step,
        "loss": sums.loss / sums.num_images,
        "accuracy": None if sums.correct is None else sums.correct / sums.num_images,
        "val_loss": None,
        "val_accuracy": None,
        "learning_rate": learning_rate,
        "seconds": sums.seconds,
        "images_per_second": sums.num_images / sums.seconds if sums.seconds else None,
    }
    if plan.validation_set is not None or plan.recipe.training.snapshots or last:
        _make_ready(plan, state)
    if plan.validation_set is not None:
        loss, accuracy = validate(plan, state.evaluated, plan.validation_set)
        row["val_loss"], row["val_accuracy"] = loss, accuracy
        if not math.isfinite(loss):
            run.note(f"the validation loss after epoch {epoch} is {loss}: not kept as the best")
            row["val_loss"] = None
        state.best.offer(score(row, plan.recipe.training.metric), state.step, state.evaluated)
    if plan.recipe.training.snapshots and processes.is_first():
        with explained(run.snapshots):
            run.snapshots.mkdir(exist_ok=True)
        network = copy.deepcopy(state.evaluated)
        as_model(plan, state, run, network, state.step, "epoch").save(run.snapshot_file(epoch))
    run.add_metrics(row)
    state.sums = EpochSums()
    return row


def _make_ready(plan: Plan, state: TrainState) -> None:
    """Fit the statistics of an average to its weights, on the pictures of the last steps as these drew them.

    At the side that it is asked with, whatever that of the steps was: maps of another side have other statistics.
    """
    _settle(state)
    if state.average:
        last = plan.batches.batches(max(state.step - renewing_steps(plan.batches), 0), state.step)
        own = (batch for batch in last if processes.part_of(len(batch.indices)).counts)
        inputs = (prepare(plan, batch, full_size=True).inputs for batch in own)
        num_inputs = state.average.renew_statistics(inputs, plan.hardware.autocast)
        processes.average_statistics(state.average.normalisations, num_inputs)


def _settle(state: TrainState) -> None:
    """Make the running statistics of several processes one."""
    processes.average_statistics(learning_normalisations(state.twin))


def _ends_epoch(plan: Plan, state: TrainState) -> bool:
    return state.step % plan.batches.steps_per_epoch == 0 or state.step == plan.num_steps


def _is_done(plan: Plan, state: TrainState) -> bool:
    return state.step == plan.num_steps or _stops_early(plan, state)


def _stops_early(plan: Plan, state: TrainState) -> bool:
    patience = plan.recipe.training.early_stopping
    return bool(patience and _ends_epoch(plan, state) and state.best.epochs_since >= patience)


def _progress(plan: Plan, state: TrainState, batch: Batch, loss: float, seconds_per_step: float) -> StepProgress:
    return StepProgress(
        step=state.step,
        num_steps=plan.num_steps,
        epoch=batch.epoch + 1,
        num_epochs=plan.num_epochs,
        loss=loss,
        images_per_second=len(batch.indices) / seconds_per_step if seconds_per_step else 0.0,
        seconds_left=seconds_per_step * (plan.num_steps - state.step),
    )
